"""Why a verdict is undecided, and what a reader of any verdict must know, in sentences."""

from collections.abc import Mapping
from dataclasses import replace

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.evidence import Evidence
from mrfusion.comparison.interval import p_different
from mrfusion.comparison.pairs import Key, Pairs
from mrfusion.comparison.verdict import ALPHA, Yardstick

LEARNED = 0.05  # a mean overlap below it, of both arms, says that neither found the region
FOLDS_FOR_A_WORD, SEEDS_FOR_A_WORD = 3, 2


def unlearned_regions(pairs: Mapping[Key, Pairs], measures: Mapping[str, Yardstick]) -> dict[tuple[str, str], None]:
    """(arm, region) where neither the arm nor the reference found the region, by Dice or else by the first share."""
    shares = [name for name, measure in measures.items() if measure.is_share and name != "correct"]
    judge = "dice" if "dice" in shares else next(iter(shares), "")
    return {
        (arm, region): None
        for (arm, region, metric), found in pairs.items()
        if metric == judge and region != MEAN and max(found.mine, found.theirs) < LEARNED
    }


def why_undecided(evidence: Evidence, p: float, p_equivalent: float) -> tuple[str, ...]:
    """Sentences, at least one; the p-values are the corrected ones."""
    if evidence.nothing:
        return evidence.nothing
    if not evidence.of_method:
        return (_one_fold(evidence),)
    if min(evidence.claim.p, evidence.claim.p_equivalent) < ALPHA <= min(p, p_equivalent):
        found = ["it would be decided alone, but not together with the other comparisons of its family"]
    else:
        found = ["the interval holds both no difference and one that is larger than the margin"]
    if _patients_and_runs(evidence) < ALPHA <= evidence.claim.p:
        folds = len(set(evidence.pairs.data.folds))
        found.append(f"the {folds} folds differ too much, or are too few, to speak of other training sets")
    return tuple(found)


def _patients_and_runs(evidence: Evidence) -> float:
    """The p-value that there would be if training sets did not matter."""
    return float(p_different(replace(evidence.found, folds=None)))


def notes(evidence: Evidence, region: str, unlearned: tuple[str, ...], *, decided: bool) -> tuple[str, ...]:
    """What a reader of the row must know, whatever its verdict; ``decided`` says that there is a word."""
    pairs, found = evidence.pairs, []
    if pairs.missing:
        runs = len({(f, s) for f, s in pairs.missing})
        found.append(f"interim: {runs} run{'s' if runs != 1 else ''} of this comparison are missing ({_runs(pairs)})")
    if pairs.incomplete:
        count = pairs.incomplete
        found.append(f"{count} patient{'s are' if count != 1 else ' is'} left out, for want of a score in some run")
    if region == MEAN and unlearned:
        found.append(f"neither arm learned {', '.join(unlearned)}, so the mean cannot show equivalence")
    if not evidence.nothing and pairs.doubtful.any():
        count = int(pairs.doubtful.any(axis=1).sum())
        holds = "the word holds" if decided else "a word would have to hold"
        some = f"{count} patient{'s' if count != 1 else ''}"
        found.append(f"{holds} with and without {some} whose score is a penalty, or whose target lacks the region")
    return tuple(found)


def _one_fold(evidence: Evidence) -> str:
    seeds = evidence.pairs.data.values.shape[-1]
    wanted = f"{FOLDS_FOR_A_WORD} folds or more"
    if seeds < SEEDS_FOR_A_WORD:
        wanted += f" (or, for these trainings alone, {SEEDS_FOR_A_WORD} seeds)"
    return f"one training set cannot tell the method from what it happened to be trained on; {wanted} would earn a word"


def _runs(pairs: Pairs) -> str:
    shown = [f"fold {fold} seed {seed}" for fold, seed in pairs.missing[:3]]
    return ", ".join([*shown, "..."] if len(pairs.missing) > len(shown) else shown)
