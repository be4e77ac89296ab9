"""Where modules were placed: the network as a row of levels, how stable that is, its cost, each search as a tree."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mrfusion.report.part import Section, render
from mrfusion.report.wording import duration
from mrfusion.run_folder.searches import Decision, SearchAccount, TriedNetwork
from mrfusion.study.load import LoadedStudy

KINDS = {"null": "null candidate: its parent trained on", "supernet": "supernet, gates open at random"}


@dataclass(frozen=True)
class Level:
    """One level of the drawn network: its number, how often a module was placed there, the share of all searches."""

    number: int
    times: int
    share: float


@dataclass(frozen=True)
class ArmSearches:
    """The searches of one arm: where modules went over folds and seeds, and what it took."""

    arm: str
    searches: tuple[SearchAccount, ...]
    levels: tuple[Level, ...]
    answers: tuple[tuple[str, int], ...]
    ledger: tuple[tuple[str, str], ...]

    @property
    def ended(self) -> int:
        """How many have come to an answer."""
        return sum(search.chosen is not None for search in self.searches)


@dataclass(frozen=True)
class Branch:
    """One candidate in a round of the tree; ``bar`` is its loss as a share of the round's largest, in percent."""

    trial: TriedNetwork
    words: str
    bar: float
    accepted: bool


@dataclass(frozen=True)
class Round:
    """A decision with its candidates."""

    branches: tuple[Branch, ...]
    why: str
    accepted: bool


def section(study: LoadedStudy) -> Section | None:
    """The section; None where no arm searches."""
    searches = study.searches
    if not searches:
        return None
    grouped: dict[str, list[SearchAccount]] = defaultdict(list)
    for search in searches:
        grouped[search.arm].append(search)
    arms = [_arm(name, found) for name, found in grouped.items()]
    truth = {(s.fold, s.seed): s for s in searches if s.search.startswith("exhaustive")}
    html = render(
        "section/search.html",
        arms=arms,
        rounds=_rounds,
        start=_start,
        regret=_regret_in(truth),
        words=_words,
        said=_said,
    )
    return Section("search", "Where to fuse", html)


def _arm(name: str, searches: Sequence[SearchAccount]) -> ArmSearches:
    answers = [search.places for search in searches if search.places is not None]
    times = [sum(level in places for places in answers) for level in range(searches[0].levels)]
    levels = tuple(Level(level + 1, n, n / len(answers) if answers else 0.0) for level, n in enumerate(times))
    counted = {places: answers.count(places) for places in sorted(set(answers), key=lambda p: (-answers.count(p), p))}
    said = tuple((_words(places), n) for places, n in counted.items())
    return ArmSearches(name, tuple(searches), levels, said, tuple(_ledger(searches)))


def _ledger(searches: Sequence[SearchAccount]) -> list[tuple[str, str]]:
    """What an arm's searches took, as headings and words."""
    trials = [trial for search in searches for trial in search.trials]
    epochs, seconds = (sum(s.spent[what] for s in searches) for what in ("epochs", "train_seconds"))
    whole = sum(search.exhaustive_epochs for search in searches)
    return [
        ("Trainings", str(sum(search.trainings for search in searches))),
        ("of them null candidates", str(sum(trial.kind == "null" for trial in trials))),
        ("trained again to confirm", str(sum(trial.kind == "again" for trial in trials))),
        ("stopped early in a race", str(sum(trial.stopped for trial in trials))),
        ("shared with another search", str(sum(trial.reused for trial in trials))),
        ("shared with an arm", str(sum(bool(trial.arm) for trial in trials))),
        ("Validated on inherited weights", str(sum(trial.kind == "inherited" for trial in trials))),
        ("Epochs", f"{epochs:g}"),
        ("of exhaustive's epochs", f"{100 * epochs / whole:.0f} %"),
        ("Training time", duration(seconds)),
    ]


def _rounds(search: SearchAccount) -> list[Round]:
    return [_round(search, decision) for decision in search.decisions]


def _round(search: SearchAccount, decision: Decision) -> Round:
    trials = [(number, search.trials[number]) for number in decision.tried]
    most = max((abs(trial.loss) for _, trial in trials), default=0.0) or 1.0
    branches = tuple(
        Branch(trial, _said(trial), 100 * abs(trial.loss) / most, n == decision.accepted) for n, trial in trials
    )
    return Round(branches, decision.why, decision.accepted is not None)


def _start(search: SearchAccount) -> TriedNetwork | None:
    """The network that a search begins with, where the first decision does not show it."""
    shown = search.decisions[0].tried if search.decisions else ()
    return search.trials[0] if search.trials and 0 not in shown else None


def _regret_in(truth: dict[tuple[int, int], SearchAccount]) -> Callable[[SearchAccount], float | None]:
    """A function from a search to its regret on the validation patients, in percent of the exhaustive loss range."""

    def regret(search: SearchAccount) -> float | None:
        every = truth.get((search.fold, search.seed))
        if every is None or every.chosen is None or search.places is None or search.search.startswith("exhaustive"):
            return None
        losses = {trial.places: trial.loss for trial in every.trials if not trial.repeat}
        spread = max(losses.values()) - min(losses.values())
        return 100 * (losses[search.places] - min(losses.values())) / spread if spread else 0.0

    return regret


def _said(trial: TriedNetwork) -> str:
    """A candidate in words; trainings of the same one are told apart."""
    words = KINDS.get(trial.kind, _words(trial.places))
    if trial.arm:
        return f"{words}, the training of {trial.arm}"
    return f"{words}, trained again with another seed" if trial.repeat or trial.kind == "again" else words


def _words(places: Sequence[int]) -> str:
    if not places:
        return "no module"
    return f"level{'s' if len(places) > 1 else ''} {', '.join(str(place + 1) for place in places)}"
