"""The judge of searches: exact tests against scipy, false accepts under a true null, and what it says."""

import itertools

import numpy as np
import pytest
from scipy import stats

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.searches._base import Candidate, Choice, Space, Trial
from mrfusion.searches._judge import ALPHA, fewest_patients, permutation_p, rule, signed_rank_p

WINNER, CONTROL = Candidate((1,), kind="again"), Candidate((), kind="again")


def trials(candidate: Candidate, means: list[float], patients: int = 20) -> list[Trial]:
    return [Trial(candidate, -mean, tuple(mean + 0.3 * number for number in range(patients))) for mean in means]


def test_permutations_against_scipy() -> None:
    rng = np.random.default_rng(0)
    for first, second in itertools.product((3, 4), (3, 5)):
        values = rng.normal(size=first + second)
        theirs = stats.permutation_test(
            (values[:first], values[first:]),
            lambda a, b: a.mean() - b.mean(),
            alternative="greater",
            n_resamples=np.inf,
        )
        assert permutation_p(values, first) == pytest.approx(theirs.pvalue)


def test_signed_ranks_against_scipy_and_all_signs() -> None:
    rng = np.random.default_rng(1)
    for count in (5, 9, 20):
        values = rng.normal(0.4, 1, count)
        assert signed_rank_p(values) == pytest.approx(
            stats.wilcoxon(values, alternative="greater", mode="exact").pvalue
        )
    tied = np.array([1.0, 1.0, -1.0, 2.0, 0.0, 2.0, -2.0, 3.0])
    ranks = stats.rankdata(np.abs(tied))
    live = ranks[tied != 0]
    sums = [
        sum(r for r, sign in zip(live, signs, strict=True) if sign) for signs in itertools.product((0, 1), repeat=7)
    ]
    assert signed_rank_p(tied) == pytest.approx(np.mean([s >= ranks[tied > 0].sum() for s in sums]))


def test_three_against_three_need_every_training_to_be_better() -> None:
    clear = rule(trials(WINNER, [1.0, 1.1, 1.2]), trials(CONTROL, [0.7, 0.8, 0.9]), 4)
    assert clear.accepted
    assert "p = 0.050 over trainings" in clear.why
    assert not rule(trials(WINNER, [0.85, 5.0, 5.0]), trials(CONTROL, [0.7, 0.8, 0.9]), 4).accepted


def test_a_gain_of_few_patients_is_not_accepted() -> None:
    """Two of twenty patients gain much, the others lose a little: all trainings agree, the patients do not."""
    change = np.array([10.0] * 2 + [-0.1] * 18)
    again = [Trial(WINNER, 0.0, tuple(change + 0.01 * number)) for number in range(3)]
    control = [Trial(CONTROL, 0.0, tuple(np.full(20, 0.01 * number))) for number in range(3)]
    ruling = rule(again, control, 1)
    assert not ruling.accepted
    assert "p = 0.050 over trainings" in ruling.why


def test_ties_everywhere_accept_nothing() -> None:
    assert not rule(trials(WINNER, [0.5] * 3), trials(CONTROL, [0.5] * 3), 2).accepted


def test_patients_without_a_score_are_left_out() -> None:
    nan = float("nan")
    again = [Trial(WINNER, 0.0, (nan, *t.scores[1:])) for t in trials(WINNER, [2.0, 2.1, 2.2], 7)]
    assert rule(again, trials(CONTROL, [1.0, 1.1, 1.2], 7), 1).accepted
    ruling = rule(again, trials(CONTROL, [1.0, 1.1, 1.2], 7), 4)
    assert not ruling.accepted
    assert "6 validation patients cannot tell 4 candidates from chance, at least 7 are needed" in ruling.why


@pytest.mark.parametrize("among", [1, 4, 15, 255])
def test_the_fewest_patients_are_those_that_could_pass(among: int) -> None:
    count = fewest_patients(among)
    assert among * signed_rank_p(np.arange(1.0, count + 1)) <= ALPHA
    assert among * signed_rank_p(np.arange(1.0, count)) > ALPHA


@pytest.mark.parametrize("name", [name for name in families.names("searches") if name != "repeat"])  # it judges nothing
def test_fewer_than_three_repeats_are_refused(name: str) -> None:
    with pytest.raises(SpecError, match="1 of 6 cases"):
        families.load("searches", f"{name}(repeats=2)")()


@pytest.mark.parametrize("name", ["backward", "floating", "forward"])
@pytest.mark.parametrize("tau", ["-1.0", "nan"])
def test_a_difference_of_losses_is_no_less_than_nothing(name: str, tau: str) -> None:
    with pytest.raises(SpecError, match="a finite number of at least 0 for tau, found"):
        families.load("searches", name, {"tau": float(tau)})


def searched(text: str, rng: np.random.Generator, gain: float = 0.0) -> Choice:
    """Four levels; a training's mean varies by 1 point, each patient's score by 1 more, a module's worth by 0.5."""
    base, worth = rng.normal(0, 10, 16), dict[tuple[int, ...], np.ndarray]()

    def tried(candidate: Candidate) -> Trial:
        own = worth.setdefault(candidate.places, rng.normal(0, 0.5, 16) * bool(candidate.places))
        scores = base + own + gain * (2 in candidate.places) + rng.normal(0, 1) + rng.normal(0, 1, 16)
        return Trial(candidate, -float(scores.mean()), tuple(scores))

    search, space, seen = families.load("searches", text)(), Space((10, 40, 160, 640)), list[Trial]()
    while proposed := search.propose(space, seen):
        seen += [tried(candidate) for candidate in proposed]
    choice = search.conclude(space, seen)
    assert isinstance(choice, Choice)
    return choice


@pytest.mark.parametrize("name", families.names("searches"))
def test_modules_that_do_nothing_are_seldom_accepted(name: str) -> None:
    """At 5 %, of 60 searches more than 8 would be accepted with probability 0.004; before the judge, 48 would be."""
    rng = np.random.default_rng(2)
    assert sum(bool(searched(name, rng).chosen.places) for _ in range(60)) <= 8


def test_a_module_that_helps_is_found() -> None:
    rng = np.random.default_rng(3)
    assert sum(2 in searched("forward", rng, gain=6.0).chosen.places for _ in range(20)) >= 18
