"""Every arm against the reference: effect, interval, verdict, and why nothing is said where nothing can be.

The unit is the patient; the effect is the mean over patients of their mean differences over seeds. What varies is
estimated as :mod:`mrfusion.comparison.interval` says. A verdict is about the method, and needs several folds that show
what another training set would change; with one fold a second word says what holds for these trainings.
p-values of a difference and of equivalence are corrected apart, each by Holm over the declared comparisons: of one
comparison only one of the two can be a false word.
Differs from section 6 of the method, which names Wilcoxon's test: it takes the patients of one run for independent, and
rejects a true null too often where runs or training sets differ (docs/verdict.md).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from mrfusion.comparison.advice import advise
from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.evidence import Claim, Evidence, weigh
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.comparison.pairs import Key, Pairs, Run, paired_differences
from mrfusion.comparison.reasons import notes, unlearned_regions, why_undecided
from mrfusion.comparison.stats import holm, rank_biserial
from mrfusion.comparison.verdict import Word, Yardstick, judge, yardstick
from mrfusion.result import ScoreRow

Scope = Literal["the method", "these trainings"]


class Looks(Protocol):
    """What must be known of a study that may stop early; :class:`mrfusion.comparison.spending.Spending` is one.

    It is looked at after each number of complete seeds in ``looks``, the first of which is ``fewest_seeds``, and a
    p-value of one look counts ``times`` itself. Named here, for a table that is judged once needs none of its numerics.
    """

    @property
    def fewest_seeds(self) -> int: ...
    @property
    def looks(self) -> Iterable[int]: ...
    @property
    def times(self) -> float: ...


@dataclass(frozen=True)
class Comparison:
    """One row of the answer, in the unit of the stored scores; ``effect`` is arm minus reference.

    ``verdict`` is the word about the method: other patients, other runs, other training sets of this size.
    With a single fold it is undecided, and ``for_these_trainings`` is the word about other patients and other runs on
    the same training set, where there are two seeds; it is no word about the method. ``scope`` says which of the two
    ``ci_low`` to ``ci_high`` (95 %) and ``inner_low`` to ``inner_high`` (90 %, equivalence) are about; NaN stands where
    the differences hold nothing to judge by. With one fold and one seed the interval is about these very networks.
    ``p_holm`` and ``p_equivalent_holm`` are what decided the verdict, corrected for the comparisons that ``family``
    names and for the looks of a study that may stop early. ``runs`` are the finished pairs of runs that count,
    ``missing`` the runs (fold, seed) that do not; a row with any is an interim look.
    ``reasons`` says in sentences why a verdict is undecided (never empty then), ``notes`` what a reader of any verdict
    must know, ``advice`` what would decide. ``sign`` is 1 where higher is better, else -1.
    """

    arm: str
    reference: str
    region: str
    metric: str
    effect: float
    ci_low: float
    ci_high: float
    inner_low: float
    inner_high: float
    p: float
    p_holm: float
    p_equivalent_holm: float
    verdict: Word
    for_these_trainings: Word
    scope: Scope
    patients: int
    seeds: int
    folds: int
    runs: int
    missing: tuple[Run, ...]
    rank_biserial: float
    margin: float
    margin_reason: str
    sign: int
    family: str
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    advice: str = ""

    @property
    def interim(self) -> bool:
        """Whether runs of the study are missing."""
        return bool(self.missing)


def compare(
    rows: Iterable[ScoreRow],
    reference: str,
    hypotheses: Hypotheses | None = None,
    *,
    spending: Looks | None = None,
    planned: Mapping[str, Collection[Run]] | None = None,
) -> list[Comparison]:
    """Every arm but the reference, in every region and metric that ranks, in the order of the rows, with advice.

    Holm runs over the declared comparisons (default: all of Dice, or of the first metric where there is no Dice);
    those outside of them are corrected among themselves, metric by metric. With ``spending`` the rows are those of a
    study that may stop early: it is judged at every look that it has reached, and the first word stands. ``planned``
    has the runs (fold, seed) of each arm; without it every arm is taken to be planned for what any arm was run with.
    """
    declared = hypotheses or Hypotheses()
    found = paired_differences(rows, reference, planned)
    measures = {metric: yardstick(metric, declared.margins.get(metric)) for _, _, metric in found}
    known = {metric: measure for metric, measure in measures.items() if measure is not None}
    pairs = {key: one for key, one in found.items() if key[2] in known}
    court = Court(reference, declared, known, spending.times if spending else 1.0)
    rule = court.judge(weigh(pairs, known)) if spending is None else court.look(pairs, spending)
    return list(rule.values())


@dataclass(frozen=True)
class Court:
    """What evidence is judged by: the declared comparisons, the yardsticks of the metrics, and how many looks share
    the 5 % (``times`` is 1 for a study that looks once)."""

    reference: str
    declared: Hypotheses
    measures: Mapping[str, Yardstick]
    times: float = 1.0

    def judge(self, found: Mapping[Key, Evidence]) -> dict[Key, Comparison]:
        """The verdict of every comparison, corrected family by family."""
        pairs = {key: evidence.pairs for key, evidence in found.items()}
        unlearned = unlearned_regions(pairs, self.measures)
        found = {key: _learned(key, evidence, unlearned) for key, evidence in found.items()}
        first = _first([key[2] for key in found])
        answer = {}
        for name in dict.fromkeys(self.declared.of(key, first) for key in found):
            keys = [key for key in found if self.declared.of(key, first) == name]
            for key, claim in zip(keys, _corrected([found[key].claim for key in keys], self.times), strict=True):
                names = tuple(region for arm, region in unlearned if arm == key[0])
                answer[key] = self._row(key, found[key], Ruling(claim, name, names))
        return {key: answer[key] for key in found}

    def look(self, pairs: Mapping[Key, Pairs], spending: Looks) -> dict[Key, Comparison]:
        """Every look that the finished seeds allow; the first word of each comparison stands."""
        latest = weigh(pairs, self.measures)
        answer: dict[Key, Comparison] = {}
        for count in spending.looks:
            reached = {key: one.first_seeds(count) for key, one in pairs.items() if one.complete_seeds >= count}
            latest = latest | weigh(reached, self.measures)
            rows = self.judge(latest)
            answer |= {key: rows[key] for key in reached if key not in answer or answer[key].verdict == "undecided"}
        rest = self.judge(latest)
        return {key: answer.get(key) or _too_early(rest[key], spending) for key in pairs}

    def _row(self, key: Key, evidence: Evidence, ruling: "Ruling") -> Comparison:
        arm, region, metric = key
        measure, data, claim = self.measures[metric], evidence.pairs.data, ruling.claim
        word = judge(evidence.effect, claim.p, claim.p_equivalent, measure.sign)
        verdict: Word = word if evidence.of_method else "undecided"
        here: Word = word if evidence.of_trainings else "undecided"
        undecided = verdict == "undecided"
        why = why_undecided(evidence, claim.p, claim.p_equivalent)
        return Comparison(
            arm=arm,
            reference=self.reference,
            region=region,
            metric=metric,
            effect=evidence.effect,
            ci_low=claim.low,
            ci_high=claim.high,
            inner_low=claim.inner_low,
            inner_high=claim.inner_high,
            p=evidence.claim.p,
            p_holm=claim.p,
            p_equivalent_holm=claim.p_equivalent,
            verdict=verdict,
            for_these_trainings=here,
            scope="the method" if evidence.of_method else "these trainings",
            patients=len(data.folds),
            seeds=data.values.shape[-1],
            folds=len(set(data.folds)),
            runs=evidence.pairs.runs,
            missing=evidence.pairs.missing,
            rank_biserial=rank_biserial(data.patients),
            margin=measure.margin,
            margin_reason=self.declared.margin_reasons.get(metric, ""),
            sign=measure.sign,
            family=ruling.family,
            reasons=why if undecided else (),
            notes=notes(evidence, region, ruling.unlearned, decided=not undecided or here != "undecided"),
            advice=_advice(evidence, claim, measure) if undecided else "",
        )


@dataclass(frozen=True)
class Ruling:
    """The corrected claim of one comparison, the family that it was corrected in, and the regions of its arm that
    neither it nor the reference learned."""

    claim: Claim
    family: str
    unlearned: tuple[str, ...]


def _advice(evidence: Evidence, corrected: Claim, measure: Yardstick) -> str:
    """What would decide; empty where no size of study mends what is wrong, or several folds must come first."""
    if evidence.nothing or not evidence.of_method:
        return ""
    times = max(1.0, corrected.p / evidence.claim.p)
    return str(advise(evidence.pairs.data, evidence.found, measure.margin, times))


def _learned(key: Key, evidence: Evidence, unlearned: Mapping[tuple[str, str], None]) -> Evidence:
    """A region that neither arm learned decides nothing; a mean over regions with such a one shows no equivalence."""
    arm, region, _ = key
    if (arm, region) in unlearned:
        return evidence.deciding_nothing(f"neither arm learned {region}")
    if region == MEAN and any(name == arm for name, _ in unlearned):
        return replace(evidence, claim=evidence.claim.with_p(evidence.claim.p, 1.0))
    return evidence


def _corrected(claims: Sequence[Claim], times: float) -> list[Claim]:
    different = holm([min(1.0, times * claim.p) for claim in claims])
    equivalent = holm([min(1.0, times * claim.p_equivalent) for claim in claims])
    return [claim.with_p(*both) for claim, both in zip(claims, zip(different, equivalent, strict=True), strict=True)]


def _too_early(row: Comparison, spending: Looks) -> Comparison:
    text = f"the first look comes with {spending.fewest_seeds} complete seeds"
    return replace(row, verdict="undecided", for_these_trainings="undecided", reasons=(text, *row.reasons))


def _first(metrics: Sequence[str]) -> str:
    return "dice" if "dice" in metrics else next(iter(metrics), "")


def main_region(rows: Iterable[Comparison]) -> str:
    """The region that a sentence is about: the mean over regions where there are several."""
    regions = dict.fromkeys(row.region for row in rows)
    return MEAN if MEAN in regions else next(iter(regions), MEAN)
