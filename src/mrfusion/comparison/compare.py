"""Every arm against the reference: effect, interval, test, verdict, and what would decide where nothing does.

The unit is the patient. Scores are paired by case, fold and seed; a patient's difference under a seed is the mean over
the patient's cases, the effect the mean over patients of their means over seeds. p is the larger of two: Wilcoxon's
signed-rank test on the patients' means, and Student's test of the effect with the standard error that holds what the
runs of a fold share.
Differs from section 6 of the method: that names Wilcoxon's test alone, which takes the patients of one run for
independent and, with 200 patients and runs that differ, rejects a true null three times too often (docs/verdict.md).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mrfusion.comparison.advice import advise
from mrfusion.comparison.aggregate import MEAN, with_mean_region
from mrfusion.comparison.bootstrap import DRAWS, Differences, Interval, interval, student_p
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.comparison.stats import FEWEST, holm, rank_biserial, signed_rank
from mrfusion.comparison.verdict import Word, Yardstick, judge, yardstick
from mrfusion.result import ScoreRow

Key = tuple[str, str, str]  # arm, region, metric


@dataclass(frozen=True)
class Comparison:
    """One row of the answer, in the unit of the stored scores; ``effect`` is arm minus reference.

    ``p`` and what follows from it are NaN where fewer than :data:`FEWEST` patients leave nothing to test.
    ``sign`` is 1 where higher is better, else -1.
    ``family`` names the comparisons that ``p_holm`` is corrected for; ``advice`` is empty for what is decided.
    """

    arm: str
    reference: str
    region: str
    metric: str
    effect: float
    ci_low: float
    ci_high: float
    p: float
    p_holm: float
    verdict: Word
    patients: int
    seeds: int
    folds: int
    rank_biserial: float
    margin: float
    sign: int
    family: str
    advice: str = ""


def compare(
    rows: Iterable[ScoreRow], reference: str, hypotheses: Hypotheses | None = None, *, draws: int = DRAWS
) -> list[Comparison]:
    """Every arm but the reference, in every region and metric that ranks, in the order of the rows, with advice.

    Holm runs over the comparisons of the declared ``hypotheses`` (default: all of Dice, or of the first metric where
    there is no Dice); those outside of it are corrected among themselves, metric by metric.
    """
    pairs = differences(rows, reference)
    verdicts = judge_all(pairs, reference, hypotheses or Hypotheses(), draws=draws)
    return [_advised(row, pairs[key]) for key, row in verdicts.items()]


def judge_all(
    pairs: Mapping[Key, Differences], reference: str, hypotheses: Hypotheses, *, draws: int = DRAWS
) -> dict[Key, Comparison]:
    """The verdicts on paired differences, see :func:`compare`; without advice, which takes a simulation each."""
    measures = {metric: yardstick(metric, hypotheses.margins.get(metric)) for _, _, metric in pairs}
    known = {
        key: _measured(key, data, reference, measure, draws=draws)
        for key, data in pairs.items()
        if (measure := measures[key[2]]) is not None
    }
    first = _first([key[2] for key in known])
    for name in dict.fromkeys(hypotheses.of(key, first) for key in known):
        keys = [key for key in known if hypotheses.of(key, first) == name]
        for key, p_holm in zip(keys, holm([known[key].p for key in keys]), strict=True):
            known[key] = _judged(replace(known[key], p_holm=p_holm, family=name))
    return known


def differences(rows: Iterable[ScoreRow], reference: str) -> dict[Key, Differences]:
    """(arm, region, metric) to the paired differences; the mean over regions where there are several.

    A cell [patient, seed] without a pair takes its patient's mean, which leaves the effect as it is; patients without
    any pair are left out.
    """
    given = list(rows)
    several = len({row.region for row in given}) > 1
    table = with_mean_region(given) if several else given
    values = {(r.arm, r.region, r.metric, r.case, r.fold, r.seed): r for r in table if not math.isnan(r.value)}
    cells: dict[Key, dict[tuple[str, int], list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    for (arm, *place), row in values.items():
        other = values.get((reference, *place))  # type: ignore[arg-type]
        if arm != reference and other is not None:
            cells[arm, row.region, row.metric][row.patient, row.seed].append((row.fold, row.value - other.value))
    return {key: _matrix(found) for key, found in cells.items()}


def _matrix(cells: Mapping[tuple[str, int], Sequence[tuple[int, float]]]) -> Differences:
    patients = sorted({patient for patient, _ in cells})
    seeds = sorted({seed for _, seed in cells})
    values = np.full((len(patients), len(seeds)), np.nan)
    folds = {}
    for (patient, seed), found in cells.items():
        values[patients.index(patient), seeds.index(seed)] = np.mean([value for _, value in found])
        folds[patient] = found[0][0]
    means = np.nanmean(values, axis=1, keepdims=True)
    return Differences(np.where(np.isnan(values), means, values), tuple(folds[p] for p in patients))


def _measured(key: Key, data: Differences, reference: str, measure: Yardstick, *, draws: int) -> Comparison:
    arm, region, metric = key
    found, count = interval(data, draws), len(data.folds)
    enough = count >= FEWEST
    return Comparison(
        arm=arm,
        reference=reference,
        region=region,
        metric=metric,
        effect=data.effect,
        ci_low=max(found.low, -measure.span),
        ci_high=min(found.high, measure.span),
        p=max(signed_rank(data.patients), student_p(data)) if enough else math.nan,
        p_holm=math.nan,
        verdict="undecided",
        patients=count,
        seeds=data.values.shape[1],
        folds=len(set(data.folds)),
        rank_biserial=rank_biserial(data.patients),
        margin=measure.margin,
        sign=measure.sign,
        family="",
    )


def _judged(row: Comparison) -> Comparison:
    measure = Yardstick(row.metric, row.sign, row.margin)
    enough = row.patients >= FEWEST
    return replace(
        row, verdict=judge(Interval(row.ci_low, row.ci_high), row.p_holm, measure) if enough else "undecided"
    )


def _advised(row: Comparison, data: Differences) -> Comparison:
    if row.verdict != "undecided":
        return row
    if row.patients < FEWEST:
        return replace(row, advice=f"fewer than {FEWEST} patients cannot decide")
    times = max(1.0, row.p_holm / row.p) if row.p else 1.0
    return replace(row, advice=str(advise(data, row.margin, times)))


def _first(metrics: Sequence[str]) -> str:
    return "dice" if "dice" in metrics else next(iter(metrics), "")


def main_region(rows: Iterable[Comparison]) -> str:
    """The region that a sentence is about: the mean over regions where there are several."""
    regions = dict.fromkeys(row.region for row in rows)
    return MEAN if MEAN in regions else next(iter(regions), MEAN)
