"""Every search is a pure function of its history, and keeps what method 2.3 promises."""

import itertools
import random
from collections.abc import Callable

import pytest

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.searches._base import Candidate, Choice, Search, Space, Trial, best, subsets

Criterion = Callable[[frozenset[int]], float]
NAMES = families.names("searches")
every = pytest.mark.parametrize("name", NAMES)


def make(text: str) -> Search:
    search = families.load("searches", text)()
    assert isinstance(search, Search)
    return search


def space_of(levels: int, seed: int = 0) -> Space:
    return Space(tuple(10 * 4**level for level in range(levels)), seed)


def trial(candidate: Candidate, loss: float, patients: int = 24) -> Trial:
    """Every patient scores better by what the loss is smaller."""
    return Trial(candidate, loss, tuple(-loss - 0.1 * number for number in range(patients)))


def carried_out(text: str, levels: int, criterion: Criterion, *, order: int = 0) -> tuple[list[Trial], Choice]:
    """Conduct a search whose candidates' losses are a function of their places; ``order`` shuffles each round."""
    space, search, trials = space_of(levels), make(text), list[Trial]()
    while proposed := search.propose(space, trials):
        shuffled = random.Random(order).sample(proposed, len(proposed))
        trials += [trial(candidate, criterion(frozenset(candidate.places))) for candidate in shuffled]
    choice = search.conclude(space, trials)
    assert choice is not None
    return trials, choice


def additive(gains: tuple[float, ...]) -> Criterion:
    return lambda places: 1.0 - sum(gains[place] for place in places)


def xor(places: frozenset[int]) -> float:
    """Two positions that help together and hurt alone; any other costs a little."""
    together = {1, 3} <= places
    return 1.0 - 0.6 * together + 0.1 * (not together) * len(places & {1, 3}) + 0.01 * len(places - {1, 3})


def path_of(choice: Choice) -> list[Candidate]:
    return [step.accepted for step in choice.steps if step.accepted is not None]


@every
@pytest.mark.parametrize("levels", [1, 2, 4])
def test_every_search_ends_and_chooses_something_that_it_tried(name: str, levels: int) -> None:
    trials, choice = carried_out(name, levels, additive((0.1, -0.1, 0.2, 0.05)))
    assert choice.chosen in {trial.candidate for trial in trials}
    assert choice.why
    assert all(set(step.tried) <= {trial.candidate for trial in trials} for step in choice.steps)


@every
def test_the_order_in_which_a_round_ends_changes_nothing(name: str) -> None:
    criterion = additive((0.1, -0.1, 0.2, 0.05))
    _, choice = carried_out(name, 4, criterion)
    assert all(carried_out(name, 4, criterion, order=order)[1] == choice for order in range(1, 4))


@every
def test_half_a_round_is_completed_and_nothing_else(name: str) -> None:
    space, search = space_of(3), make(name)
    trials = list[Trial]()
    while proposed := search.propose(space, trials):
        half = [Trial(candidate, 0.5) for candidate in proposed[::2]]
        assert (
            search.propose(space, trials + half)[: len(proposed[1::2])] == tuple(proposed[1::2]) or len(proposed) == 1
        )
        trials += [Trial(candidate, 0.5) for candidate in proposed]


@every
def test_no_candidate_is_tried_twice(name: str) -> None:
    trials, _ = carried_out(name, 4, xor)
    assert len({trial.candidate for trial in trials}) == len(trials)


@pytest.mark.parametrize("name", ["forward(mode=full_path)", "exhaustive", "random", "backward", "floating"])
def test_no_set_is_evaluated_twice(name: str) -> None:
    """Null candidates are the set that they control for, trained longer; they are controls and not counted."""
    trials, _ = carried_out(name, 5, additive((0.1, 0.3, 0.2, 0.05, 0.01)))
    sets = [trial.candidate.places for trial in trials if trial.candidate.kind == "trained"]
    assert len(sets) >= 5
    assert len(set(sets)) == len(sets)


@pytest.mark.parametrize(("levels", "path", "all_sets"), [(4, 10, 15), (6, 21, 63), (8, 36, 255)])
def test_counts_by_the_formula(levels: int, path: int, all_sets: int) -> None:
    """Trainings beyond the first: L(L+1)/2 on the full path, 2^L - 1 exhaustively; one null candidate a round more."""
    trials, _ = carried_out("forward(mode=full_path)", levels, lambda places: float(len(places)))
    kinds = [trial.candidate.kind for trial in trials]
    assert kinds.count("trained") == 1 + path
    assert kinds.count("null") == levels
    trials, _ = carried_out("exhaustive(most=256)", levels, lambda places: float(len(places)))
    assert len(trials) == 1 + all_sets


@pytest.mark.parametrize("name", ["exhaustive", "random(count=8)", "backward", "forward(mode=full_path)"])
def test_what_is_found_is_trained_again_beside_as_many_controls(name: str) -> None:
    trials, choice = carried_out(name, 3, additive((0.1, 0.2, 0.3)))
    again = sorted((t.candidate for t in trials if t.candidate.kind == "again"), key=lambda c: c.repeat)
    assert [len(c.places) for c in again] == [0, 0, 0, *[len(choice.chosen.places)] * 3]
    assert len({c.repeat for c in again}) == 6
    assert all(c.parent is None for c in again)


@pytest.mark.parametrize("name", ["forward", "forward(race=true)"])
def test_forward_path_is_nested_and_never_rises(name: str) -> None:
    for seed in range(20):
        draw = random.Random(seed)
        table = {frozenset(places): draw.random() for places in subsets(space_of(5))}
        _, choice = carried_out(name, 5, table.__getitem__)
        path = [Candidate(()), *path_of(choice)]
        for parent, child in itertools.pairwise(path):
            assert set(parent.places) < set(child.places)
            assert child.parent == parent
            assert table[frozenset(child.places)] < table[frozenset(parent.places)]
        assert choice.chosen == path[-1]


def test_backward_path_is_nested_and_never_rises() -> None:
    for seed in range(20):
        draw = random.Random(seed)
        table = {frozenset(places): draw.random() for places in subsets(space_of(5))}
        _, choice = carried_out("backward", 5, table.__getitem__)
        *removals, _ = choice.steps  # the last one asks whether what is left is any good
        path = [Candidate((0, 1, 2, 3, 4)), *(step.accepted for step in removals if step.accepted is not None)]
        for parent, child in itertools.pairwise(path):
            assert set(child.places) < set(parent.places)
            assert table[frozenset(child.places)] <= table[frozenset(parent.places)]


@pytest.mark.parametrize(
    "name", ["forward", "forward(mode=full_path)", "exhaustive", "backward", "floating", "supernet"]
)
def test_an_additive_criterion_leads_to_the_optimum(name: str) -> None:
    for seed in range(20):
        draw = random.Random(seed)
        gains = tuple(draw.uniform(-1, 1) for _ in range(5))
        _, choice = carried_out(name, 5, additive(gains))
        assert choice.chosen.places == tuple(place for place in range(5) if gains[place] > 0)


def test_xor_defeats_forward_but_not_floating_or_exhaustive() -> None:
    assert carried_out("forward", 4, xor)[1].chosen.places == ()
    assert carried_out("floating", 4, xor)[1].chosen.places == (1, 3)
    assert carried_out("exhaustive", 4, xor)[1].chosen.places == (1, 3)


@every
def test_same_seed_same_path(name: str) -> None:
    first, second = (carried_out(name, 4, xor) for _ in range(2))
    assert first == second


def test_random_draws_by_the_seed() -> None:
    search = make("random(count=4)")
    drawn = [search.propose(space_of(6, seed), ()) for seed in range(5)]
    assert len(set(drawn)) == 5
    assert all(len({c.places for c in each}) == 4 for each in drawn)
    assert len(make("random(count=99)").propose(space_of(2), ())) == 4


def told(losses: dict[str, float], text: str = "forward") -> Choice | None:
    """A forward search over two levels whose first round's losses are said by name; with both modules it gets worse."""
    root = Candidate(())
    first = {(): "root", (0,): "fine", (1,): "coarse"}
    space, search, trials = space_of(2), make(text), list[Trial]()
    while proposed := search.propose(space, trials):
        for candidate in proposed:
            loss = losses["null"] if candidate.kind == "null" and candidate.parent == root else 99.0
            if candidate.kind != "null" and candidate.places in first:
                loss = losses[first[candidate.places]]
            trials.append(trial(candidate, loss))
    return search.conclude(space, trials)


def test_a_module_must_beat_its_parent_trained_on() -> None:
    choice = told({"root": 1.0, "null": 0.5, "fine": 0.6, "coarse": 0.7})
    assert choice is not None
    assert choice.chosen.places == ()
    assert "null candidate" in choice.why


@pytest.mark.parametrize(("text", "chosen"), [("forward", (1,)), ("forward(tau=0.05)", (0,))])
def test_ties(text: str, chosen: tuple[int, ...]) -> None:
    """The coarser level is better by 0.02 and adds four times the parameters."""
    choice = told({"root": 1.0, "null": 0.92, "fine": 0.7, "coarse": 0.68}, text)
    assert choice is not None
    assert choice.chosen.places == chosen


def test_ties_in_everything_go_to_the_finer_level() -> None:
    trials = [Trial(Candidate((place,)), 0.5) for place in (0, 1, 2)]
    assert best(Space((7, 7, 7)), trials, 0.0).candidate.places == (0,)


def test_racing_gives_the_null_candidate_as_rival() -> None:
    search, space, root = make("forward(race=true)"), space_of(3), Candidate(())
    null = Candidate((), root, "null")
    trials = [trial(root, 1.0)]
    assert search.propose(space, trials) == (null,)
    proposed = search.propose(space, [*trials, trial(null, 0.9)])
    assert [candidate.rival for candidate in proposed if candidate.kind == "trained"] == [null] * 3
    assert [candidate.repeat for candidate in proposed if candidate.kind == "null"] == [1, 2]


def test_exhaustive_refuses_many_levels() -> None:
    with pytest.raises(SpecError, match="256 networks"):
        make("exhaustive").propose(space_of(8), ())


def test_supernet_trains_few_and_inherits_the_rest() -> None:
    trials, choice = carried_out("supernet(finalists=3)", 5, additive((0.1, -0.1, 0.2, 0.05, -0.3)))
    kinds = [trial.candidate.kind for trial in trials]
    assert [kinds.count(kind) for kind in ("supernet", "inherited", "trained", "again")] == [1, 32, 3, 6]
    assert choice.chosen.parent == trials[0].candidate
    controls = [t.candidate for t in trials if t.candidate.kind == "again" and not t.candidate.places]
    assert {control.parent for control in controls} == {trials[0].candidate}, "trained on from the same weights"
