"""What energies say of the cases: correlations with the score and with the error map, in words and as plain values."""

import math
from collections import defaultdict
from dataclasses import asdict, dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any

import numpy as np

from mrfusion.comparison.correlation import FEWEST, Correlation, rank_correlation
from mrfusion.comparison.signed_rank import signed_rank
from mrfusion.comparison.stats import holm, over_folds
from mrfusion.report.energy.load import ArmEnergies, load_energies, points
from mrfusion.report.metric import metric_named
from mrfusion.report.sentence import p_value
from mrfusion.report.wording import several
from mrfusion.run_folder.energies import name_in_table
from mrfusion.study.load import LoadedStudy


@dataclass(frozen=True)
class Detection:
    """How well the map of e finds wrong voxels: means over patients, and p of the signed-rank test against one half.

    p is over patients, each one's runs averaged; ``by_seed`` and ``by_fold`` are the means of ``higher`` seed by seed
    and fold by fold, ``low`` to ``high`` its 95 % interval over folds, which are training sets.
    """

    rho: float
    higher: float
    p: float
    patients: int
    by_seed: tuple[float, ...] = ()
    by_fold: tuple[float, ...] = ()
    low: float = math.nan
    high: float = math.nan

    @property
    def shown(self) -> bool:
        """Whether patients, seeds and, where there are three or more, folds all lie on one side of one half."""
        agreed = len({seed > 0.5 for seed in self.by_seed}) == 1
        return self.p < 0.05 and agreed and not self.low <= 0.5 <= self.high


@dataclass(frozen=True)
class Account:
    """What an arm's energies say of its cases: with their score over all levels and level by level (p after Holm).

    ``problems`` are maps that cannot be read.
    """

    metric: str
    overall: Correlation
    levels: tuple[tuple[int, Correlation, float], ...]
    voxels: Detection
    problems: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, str]:
        """The two answers."""
        return _of_cases(self), _of_voxels(self.voxels)


@lru_cache(maxsize=64)
def account_of(study: LoadedStudy, arm: ArmEnergies) -> Account:
    """The correlations of an arm; the mean over levels is the one that was fixed before looking.

    Kept, for the page and its JSON ask for the same.
    """
    metric = study.metrics[0] if study.metrics else ""
    each = [rank_correlation(points(study, arm, metric, level)) for level in arm.levels]
    corrected = holm([one.p for one in each])
    return Account(
        metric,
        rank_correlation(points(study, arm, metric)),
        tuple(zip(arm.levels, each, corrected, strict=True)),
        _detection(arm, {case.id: case.patient for case in study.cases}),
        arm.maps.problems,
    )


def as_json(study: LoadedStudy) -> list[dict[str, Any]]:
    """One entry for each arm with energies, as plain values; NaN is null."""
    return [_plain({"arm": arm.arm} | _figures(arm) | _answers(account_of(study, arm))) for arm in load_energies(study)]


def _figures(arm: ArmEnergies) -> dict[str, Any]:
    quantities = dict.fromkeys(row.quantity for row in arm.cases)
    return {
        "runs": len(arm.runs),
        "modalities": arm.modalities,
        "between_classes": {f"level{level}": arm.between_classes(level) for level in arm.levels},
        "between_classes_by_run": {f"level{level}": list(arm.between_classes_by_run(level)) for level in arm.levels},
        "validation": {str(quantity): asdict(change) for quantity, change in arm.history.items()},
        "test": {f"level{q.level}/{name_in_table(q)}": arm.of_cases(q) for q in quantities},
    }


def _answers(found: Account) -> dict[str, Any]:
    levels = [{"level": level, **asdict(one), "p_holm": p} for level, one, p in found.levels]
    return {
        "metric": found.metric,
        "correlation": asdict(found.overall),
        "levels": levels,
        "error_map": asdict(found.voxels),
        "words": found.sentences,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _detection(arm: ArmEnergies, patients: dict[str, str]) -> Detection:
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    seeds: dict[int, list[float]] = defaultdict(list)
    folds: dict[int, list[float]] = defaultdict(list)
    for one in arm.maps.detections:
        found[patients.get(one.case, one.case)].append((one.rho, one.higher))
        seeds[one.seed].append(one.higher)
        folds[one.fold].append(one.higher)
    rho, higher = (np.array([fmean(one[i] for one in each) for each in found.values()]) for i in (0, 1))
    if not found:
        return Detection(math.nan, math.nan, math.nan, 0)
    by_seed, by_fold = (tuple(fmean(each[key]) for key in sorted(each)) for each in (seeds, folds))
    p, span = signed_rank(higher - 0.5), over_folds(by_fold)
    return Detection(float(rho.mean()), float(higher.mean()), p, len(found), by_seed, by_fold, *span)


def _of_cases(found: Account) -> str:
    one = found.overall
    title = metric_named(found.metric).title if found.metric else "score"
    if math.isnan(one.rho):
        return (
            f"Whether a case's energy goes with its {title} cannot be said: {several(one.patients, 'patient')} with "
            f"both, of which at least {FEWEST} that differ are needed."
        )
    figures = (
        f"Spearman's ρ = {signed(one.rho)}, 95 % interval {signed(one.low)} to {signed(one.high)}, p {p_text(one.p)}; "
        f"{several(one.patients, 'patient')}, {several(one.runs, 'run')}"
    )
    if not one.shown:
        return f"A case's energy is not shown to go with its {title} ({figures}), nor with its error, 1 − {title}."
    more, error = ("lower", "larger") if one.rho < 0 else ("higher", "smaller")
    return (
        f"The higher a case's energy, the {more} its {title} and the {error} its error ({figures}; with the error, "
        f"1 − {title}, ρ = {signed(-one.rho)})."
    )


def _of_voxels(found: Detection) -> str:
    if math.isnan(found.higher):
        return "Whether the map of e finds wrong voxels cannot be said: no slice was kept with wrong voxels and right."
    figures = (
        f"a wrong voxel has the higher e than a right one in {100 * found.higher:.0f} % of pairs, ρ of the two maps "
        f"{signed(found.rho)}, means over {several(found.patients, 'patient')}, p {p_text(found.p)}"
    )
    if len(found.by_seed) > 1:
        figures += f"; by seed {', '.join(f'{100 * seed:.0f}' for seed in found.by_seed)} %"
    if not math.isnan(found.low):
        figures += f"; 95 % interval over {len(found.by_fold)} folds {100 * found.low:.0f} to {100 * found.high:.0f} %"
    if not found.shown:
        return f"The map of e is not shown to go with the error map ({figures})."
    place = "higher" if found.higher > 0.5 else "lower"
    return f"Inside the body e is {place} where the prediction is wrong ({figures})."


def signed(value: float) -> str:
    """``+0.42``, ``−0.07``, a dash where it is not known."""
    return "–" if math.isnan(value) else f"{value:+.2f}".replace("-", "−")


def p_text(value: float) -> str:
    """``= 0.032``, ``< 0.001``."""
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"
