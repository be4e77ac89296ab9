"""Scores whose truth is known, for tests of comparisons."""

import numpy as np

from mrfusion.result import ScoreRow


def row(arm, case, value, *, region="WT", seed=0, fold=0, patient=None, metric="dice", **more):
    return ScoreRow(arm, fold, seed, case, patient or case, region, metric, value, **more)


def planted(shift, *, patients=40, metric="dice", seed=0, arms=("a",), regions=("WT", "TC"), folds=5, seeds=2, run=0.0):
    """Scores of a reference and of arms that are ``shift`` better; ``run`` is the sd that each training adds."""
    rng = np.random.default_rng(seed)
    moved = {(arm, f, s): rng.normal(0, run) for arm in ("ref", *arms) for f in range(folds) for s in range(seeds)}
    rows = []
    for p in range(patients):
        for s in range(seeds):
            for region in regions:
                base, place = rng.normal(0.8, 0.03), (p % folds, s)
                for arm in ("ref", *arms):
                    value = base + moved[arm, *place]
                    if arm != "ref":
                        value += shift + rng.normal(0, 0.005)
                    rows.append(row(arm, f"p{p}", value, region=region, seed=s, fold=p % folds, metric=metric))
    return rows
