"""What a comparison's differences say by numbers: the effect, its two intervals, its p-values, and what they rest on.

Evidence is not yet a verdict: the p-values are not corrected for the other comparisons. Where the differences hold
nothing to judge by (too few patients, ties, no spread), ``nothing`` says why and the p-values are 1 or NaN.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mrfusion.comparison.interval import Differences, Moments, Variance, interval, moments, p_different, p_equivalent
from mrfusion.comparison.pairs import Key, Pairs
from mrfusion.comparison.proportion import mcnemar
from mrfusion.comparison.verdict import ALPHA, Yardstick

FEWEST = 6  # patients, and patients whose arms differ; with fewer not even six equal signs would be rare (2 / 2^5)


@dataclass(frozen=True)
class Claim:
    """One interval with its p-values: of a difference, and of two one-sided tests against the margin.

    ``low`` to ``high`` covers 95 %, ``inner_low`` to ``inner_high`` 90 %: equivalence is read from the latter.
    """

    low: float = math.nan
    high: float = math.nan
    inner_low: float = math.nan
    inner_high: float = math.nan
    p: float = math.nan
    p_equivalent: float = math.nan

    def with_p(self, p: float, p_equivalent: float) -> "Claim":
        """The same interval with other p-values."""
        return replace(self, p=p, p_equivalent=p_equivalent)

    @property
    def seen(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.low)


@dataclass(frozen=True)
class Evidence:
    """What one comparison's differences say.

    ``nothing`` holds sentences on why they decide nothing; it is empty where they may.
    """

    pairs: Pairs
    found: Moments
    claim: Claim
    nothing: tuple[str, ...] = ()

    @property
    def effect(self) -> float:
        """Arm minus reference."""
        return float(self.found.effect)

    @property
    def of_method(self) -> bool:
        """Whether the claim is about the method, not about these trainings alone."""
        return self.found.folds is not None

    @property
    def of_trainings(self) -> bool:
        """Whether the claim is about these trainings, and seeds show what another run would change."""
        return not self.of_method and self.found.runs is not None

    def deciding_nothing(self, why: str) -> "Evidence":
        """The same with p-values of 1, so that nothing is decided while the comparison still counts in its family."""
        return replace(self, claim=self.claim.with_p(1.0, 1.0), nothing=(*self.nothing, why))


Weighed = tuple[Moments, Claim]


def weigh(pairs: Mapping[Key, Pairs], measures: Mapping[str, Yardstick]) -> dict[Key, Evidence]:
    """The evidence of every comparison; differences that rest on penalties or empty regions are weighed twice."""
    weighed = _weighed({key: found.data for key, found in pairs.items()}, measures)
    rest = {key: clean for key, found in pairs.items()
            if found.doubtful.any() and (clean := found.without_doubtful()) is not None}  # fmt: skip
    without = _weighed(rest, measures)
    found = {}
    for key, (seen, claim) in weighed.items():
        nothing = _nothing(pairs[key].data, seen)
        if key[2] == "correct":  # of right and wrong answers an exact test must agree
            claim = claim.with_p(max(claim.p, mcnemar(pairs[key].data.patients)), claim.p_equivalent)
        evidence = Evidence(pairs[key], seen, Claim(p=1.0, p_equivalent=1.0) if nothing else claim, nothing)
        found[key] = _doubted(evidence, without.get(key)) if pairs[key].doubtful.any() else evidence
    return found


def _weighed(data: Mapping[Key, Differences], measures: Mapping[str, Yardstick]) -> dict[Key, Weighed]:
    """Comparisons of one metric and one design are computed together."""
    groups: dict[tuple[object, ...], list[Key]] = defaultdict(list)
    for key, found in data.items():
        groups[key[2], found.folds, found.finished.tobytes()].append(key)
    weighed: dict[Key, Weighed] = {}
    for keys in groups.values():
        folds = data[keys[0]].folds
        if len(folds) < 2:
            weighed |= {key: (_single(data[key]), Claim()) for key in keys}
            continue
        together = moments(Differences(np.stack([data[key].values for key in keys]), folds))
        claims = _claims(together, measures[keys[0][2]])
        weighed |= {key: (_one(together, k), claims[k]) for k, key in enumerate(keys)}
    return {key: weighed[key] for key in data}


def _claims(found: Moments, measure: Yardstick) -> list[Claim]:
    outer, inner = interval(found, ALPHA), interval(found, 2 * ALPHA)
    ends = [np.clip(end, -measure.span, measure.span) for end in (outer.low, outer.high, inner.low, inner.high)]
    none = np.ones_like(found.effect)
    equivalent = none if math.isnan(measure.margin) else p_equivalent(found, measure.margin)
    columns = (*ends, p_different(found), equivalent)
    return [Claim(*(float(column[k]) for column in columns)) for k in range(len(found.effect))]


def _nothing(data: Differences, found: Moments) -> tuple[str, ...]:
    """Why these differences decide nothing, whatever their interval."""
    count, differing = len(data.folds), int(found.differing)
    if count < FEWEST:
        return (f"only {_patients(count)}; with fewer than {FEWEST} patients nothing is decided",)
    if differing == 0:
        return ("all differences are exactly 0; ties are no evidence of equivalence",)
    if float(found.patients.value) == 0.0:
        return ("all patients differ by exactly the same amount, which leaves no spread to judge by",)
    if differing < FEWEST:
        return (f"the arms differ in only {differing} of {_patients(count)}; at least {FEWEST} are needed",)
    return ()


def _doubted(evidence: Evidence, without: Weighed | None) -> Evidence:
    """The evidence with the larger p-values of both: with the doubtful patients and without them."""
    clean = evidence.pairs.without_doubtful()
    if without is None or clean is None or _nothing(clean, without[0]):
        count, left = len(evidence.pairs.data.folds), len(clean.folds) if clean is not None else 0
        return evidence.deciding_nothing(
            f"in {count - left} of {_patients(count)} a score is a penalty, or the target lacks the region; the {left} "
            "others decide nothing alone"
        )
    found, claim = without
    p = max(evidence.claim.p, claim.p) if float(found.effect) * evidence.effect > 0 else 1.0
    return replace(evidence, claim=evidence.claim.with_p(p, max(evidence.claim.p_equivalent, claim.p_equivalent)))


def _single(data: Differences) -> Moments:
    """The moments of a single patient, or of none that could be told apart: an effect without a spread."""
    none = np.asarray(0.0)
    return Moments(data.effect, Variance(none, 0.0), None, None, none, np.asarray(int(data.effect != 0.0)))


def _one(found: Moments, place: int) -> Moments:
    def pick(part: Variance | None) -> Variance | None:
        return None if part is None else Variance(part.value[place], part.freedom)

    patients = Variance(found.patients.value[place], found.patients.freedom)
    return Moments(
        found.effect[place],
        patients,
        pick(found.runs),
        pick(found.folds),
        found.skewness[place],
        found.differing[place],
    )


def _patients(count: int) -> str:
    return f"{count} patient{'s' if count != 1 else ''}"
