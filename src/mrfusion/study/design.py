"""The design of a study: arms that differ in what they say, and only in that, over the same folds and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from mrfusion import families
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.errors import SpecError, nearest
from mrfusion.part import Part, merge, read_part, unknown
from mrfusion.planning.values import changes_of
from mrfusion.spec import RunSpec
from mrfusion.study import foreign, planned
from mrfusion.study.choices import check_choices
from mrfusion.study.places import placed, with_places
from mrfusion.study.planned import Planning
from mrfusion.study.scorings import check_scorings
from mrfusion.study.yaml_file import read_yaml

OWN_KEYS = (
    "name", "question", "arms", "reference", "folds", "seeds", "hypotheses", "subsets", "planning", "most_seeds",
    "scorings",
)  # fmt: skip
MOST_RUNS = 100_000
MOST_SEEDS = 5  # of a study that stops when it is decided and does not say how many
RENAMED = {"family": "hypotheses"}  # keys of version 0.1.0


class Arm(Part):
    """One row of the answer: a name, and what differs from the base.

    ``search`` among the changes makes it the answer of a search over placements, ``ensemble`` the mean of all networks
    that a search trained; the rest of the changes say the network that the search begins with.
    """

    name: str
    changes: dict[str, Any] = Field(default={})
    auto: tuple[str, ...] = Field(default=())

    @property
    def search(self) -> str | None:
        """The search that answers for the arm, if one does."""
        text = self.changes.get("search", self.changes.get("ensemble"))
        return None if text is None else str(text)

    @property
    def is_foreign(self) -> bool:
        """Whether another program made its predictions, so that nothing is trained and there are no seeds."""
        return foreign.KEY in self.changes

    @property
    def is_ensemble(self) -> bool:
        """Whether all networks that the search trained answer together."""
        return "ensemble" in self.changes

    @property
    def run_changes(self) -> dict[str, Any]:
        """What differs from the base in the arm's run."""
        return {key: value for key, value in self.changes.items() if key not in ("search", "ensemble")}


class Study(Part):
    """A base that all arms share, the arms, and the folds and seeds that each of them is run on."""

    not_in_a_file: ClassVar[frozenset[str]] = frozenset({"base", "auto"})
    name: str = Field("study", description="name of the study; default: the file's name")
    question: str = Field("", description="question that the report answers, printed at its top")
    base: RunSpec
    arms: tuple[Arm, ...] = Field(min_length=1, description="name of each arm, with the keys that it changes")
    reference: str = Field(description="arm that all others are compared with; default: the first")
    folds: tuple[int, ...] = Field(min_length=1, description="numbers of the folds to run; default: all")
    seeds: tuple[int, ...] = Field(
        min_length=1, max_length=1000, description="random seeds; each is one training; default: that of a run"
    )
    hypotheses: Hypotheses = Hypotheses()
    subsets: bool = Field(False, description="score every run on every subset of its modalities")
    most_seeds: int | None = Field(
        None, ge=2, le=1000, description="stop an arm once it is decided, or after so many seeds; null: run all seeds"
    )
    scorings: dict[str, dict[str, Any]] = Field(
        {}, description="further ways to score the same trainings, by name, as in {challenge: {rules: brats2023-MEN}}"
    )
    planning: Planning = Planning()
    auto: tuple[str, ...] = ()

    @field_validator("folds", "seeds")
    @classmethod
    def _once(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("expected each number once, since the same one gives the same run and tells nothing new")
        return value

    def decided(self, ask: planned.Ask) -> "Study":
        """The study with what ``ask`` answers in place of every ``auto``: nothing is left to be planned."""
        base = self.base.changed(changes_of(ask("", self.base, self.auto)))
        arms = []
        for arm in self.arms:
            spec = base.changed(arm.run_changes)
            changes = merge(arm.changes, changes_of(ask(arm.name, spec, arm.auto)))
            arms.append(Arm(name=arm.name, changes=changes))
        return self.model_copy(update={"base": base, "arms": tuple(arms), "auto": ()})

    def spec(self, arm: Arm, *, fold: int, seed: int) -> RunSpec:
        """The run of an arm on one fold with one seed."""
        return self.base.changed(merge(arm.run_changes, {"fold": fold, "seed": seed}))


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study."""

    arm: str
    fold: int
    seed: int
    spec: RunSpec

    @property
    def title(self) -> str:
        """What a user calls it."""
        return f"{self.arm}, fold {self.fold}, seed {self.seed}"


def read_study(
    path: Path | str,
    *,
    data: Path | str | None = None,
    splits: Path | str | None = None,
    until: Literal["all", "decided"] | None = None,
    most_seeds: int | None = None,
) -> Study:
    """A study from YAML: the keys of a run at the top level, and beside them what makes it a study.

    ``arms`` maps each arm's name to its changes, ``reference`` names the arm that the others are compared with
    (default: the first), ``seeds`` is a list, ``folds`` a list of fold numbers (default: all), ``subsets: true`` scores
    every finished run on every subset of its modalities. ``data`` stands in for the path of the file's only
    source, ``splits`` for its ``data.split.file``. A study with ``most_seeds`` stops arms that are decided; its seeds
    are those of the file and then the next numbers. ``until`` stands in for that key: ``decided`` with ``most_seeds``
    (default: the file's, or 5), ``all`` for none. Raises SpecError.
    """
    path = Path(path)
    content, own = _divided(path)
    content, auto = planned.divided(with_places(content, path))
    base = placed(read_part(RunSpec, content, str(path), beside=Study), path, data, splits)
    changed = {name: with_places(changes, path) for name, changes in _arms(own.get("arms"), path).items()}
    named = {name: foreign.with_content(changes, name) for name, changes in changed.items()}
    arms = {name: planned.divided(changes, content) for name, changes in named.items()}
    defaults = {
        "name": path.stem,
        "reference": next(iter(arms)),
        "folds": tuple(range(base.data.split.folds)),
        "seeds": (base.seed,),
    }
    own |= _stopping(until, most_seeds, own)
    each = [Arm(name=name, changes=changes, auto=keys) for name, (changes, keys) in arms.items()]
    given = {"base": base, "arms": each, "auto": auto}
    study = _with_all_seeds(read_part(Study, {**defaults, **own, **given}, str(path)), path)
    _check(study, path)
    return study


def read_single(path: Path, *, data: Path | None = None, splits: Path | None = None) -> Study:
    """One run from YAML, as a study of one arm; SpecError if the file holds several arms."""
    content, own = _divided(path)
    if "arms" in own or "folds" in own or "seeds" in own:
        raise SpecError(f"{path}: arms, folds and seeds make a study; run it with 'mrfusion study'")
    content, auto = planned.divided(with_places(content, path))
    base = placed(read_part(RunSpec, content, str(path), beside=Study), path, data, splits)
    name = str(own.get("name", path.stem))
    about = {"planning": read_part(Planning, own.get("planning", {}), f"{path}: planning"), "auto": auto}
    arms = (Arm(name=name),)
    study = Study(name=name, base=base, arms=arms, reference=name, folds=(base.fold,), seeds=(base.seed,), **about)
    _check(study, path)
    return study


def plan_runs(study: Study, fingerprint: str) -> list[PlannedRun]:
    """Every run of a study on data with this fingerprint, seeds outermost, so that a first answer comes early.

    Arms whose answer a search finds have no run that could be planned; see :mod:`mrfusion.study.quest`. Predictions
    that were made elsewhere are one run a fold, whatever the seeds.
    """
    on_data = {"data": {"fingerprint": fingerprint}}
    return [
        PlannedRun(arm.name, fold, seed, study.spec(arm, fold=fold, seed=seed).changed(on_data))
        for seed in study.seeds
        for fold in study.folds
        for arm in study.arms
        if arm.search is None and (seed == study.seeds[0] or not arm.is_foreign)
    ]


def describe(study: Study, runs: Sequence[PlannedRun]) -> dict[str, Any]:
    """What ``study.json`` holds: the design, and which run folder answers which cell of it."""
    content = study.model_dump(mode="json")
    cells = [{"arm": p.arm, "fold": p.fold, "seed": p.seed, "digest": p.spec.digest} for p in runs]
    return content | {"plan": cells}


def _divided(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of a file that say a run, and those that make it a study."""
    content = read_yaml(path)
    known = {*RunSpec.model_fields, *OWN_KEYS} - RunSpec.not_in_a_file
    for key in content:
        if key in RENAMED:
            raise SpecError(f"{path}: the key {key!r} is now called {RENAMED[key]!r}; rename it")
        if key not in known:
            raise SpecError(f"{path}: {unknown(key, key, known, (RunSpec, Study))}")
    own = {key: content.pop(key) for key in OWN_KEYS if key in content}
    return content, own


def _stopping(until: str | None, most_seeds: int | None, own: Mapping[str, Any]) -> dict[str, Any]:
    """The key ``most_seeds`` as the command line asks for it; nothing where it asks for nothing."""
    if until == "decided":
        return {"most_seeds": most_seeds or own.get("most_seeds") or MOST_SEEDS}
    if most_seeds is not None:
        raise SpecError(f"--most-seeds {most_seeds} says when a study stops; write --until decided with it")
    return {} if until is None else {"most_seeds": None}


def _with_all_seeds(study: Study, path: Path) -> Study:
    """A study that stops when it is decided, with every seed that it may come to: its own, then the next numbers."""
    if study.most_seeds is None:
        return study
    if len(study.seeds) > study.most_seeds:
        raise SpecError(
            f"{path}: seeds names {len(study.seeds)} seeds, which is more than most_seeds, {study.most_seeds}; name "
            "fewer seeds, or raise most_seeds"
        )
    if len(study.arms) < 2:
        raise SpecError(f"{path}: most_seeds stops arms that are decided, and a single arm is compared with nothing")
    first = max(study.seeds) + 1
    more = range(first, first + study.most_seeds - len(study.seeds))
    return study.model_copy(update={"seeds": (*sorted(study.seeds), *more)})


def _arms(given: Any, path: Path) -> dict[str, dict[str, Any]]:
    arms = {} if given is None else given
    if not isinstance(arms, dict) or not all(isinstance(c, dict | None) for c in arms.values()):
        raise SpecError(
            f"{path}: arms: expected arm names with what each changes, as in 'late: {{plan: separate>mean}}'"
        )
    return {str(name): changes or {} for name, changes in arms.items()} or {"base": {}}


def _check(study: Study, path: Path) -> None:
    names = [arm.name for arm in study.arms]
    if study.reference not in names:
        raise SpecError(f"{path}: reference: no arm is called {study.reference!r}; {nearest(study.reference, names)}")
    for name in study.hypotheses.arms:
        if name not in names:
            raise SpecError(f"{path}: hypotheses.arms: no arm is called {name!r}; {nearest(name, names)}")
    _check_runs(study, path)
    planned.check(study.planning, (*study.auto, *(key for arm in study.arms for key in arm.auto)), str(path))
    for arm in study.arms:
        try:
            spec = study.spec(arm, fold=study.folds[0], seed=study.seeds[0])
            check_choices(spec, planned={*study.auto, *arm.auto})
            _check_search(arm, spec)
        except SpecError as error:
            raise SpecError(f"{path}: arm {arm.name!r}: {error}") from None
    searching = [arm.name for arm in study.arms if arm.search]
    check_scorings(study.scorings, study.base, searching)
    said = {arm.name: _said(study, arm) for arm in study.arms}
    for name, content in said.items():
        same = next(other for other, its in said.items() if its == content)
        if same != name:
            raise SpecError(f"{path}: arms {same!r} and {name!r} say the same; change or drop one")


def _check_runs(study: Study, path: Path) -> None:
    folds = study.base.data.split.folds
    for fold in study.folds:
        if not 0 <= fold < folds:
            raise SpecError(f"{path}: folds: {fold} is not one of the {folds} folds of data.split, counted from 0")
    arms, runs = len(study.arms), len(study.arms) * len(study.folds) * len(study.seeds)
    if runs > MOST_RUNS:
        text = f"{arms} arms on {len(study.folds)} folds with {len(study.seeds)} seeds make {runs} runs"
        raise SpecError(f"{path}: {text}, and a study has at most {MOST_RUNS}; name fewer folds or seeds")


def _said(study: Study, arm: Arm) -> tuple[Any, ...]:
    """All that tells an arm from another."""
    digest = study.spec(arm, fold=study.folds[0], seed=study.seeds[0]).digest
    return digest, arm.search, arm.is_ensemble, arm.auto


def _check_search(arm: Arm, spec: RunSpec) -> None:
    """SpecError unless an arm's search and its module exist and its plan has an encoder per modality."""
    if arm.search is None:
        return
    if {"search", "ensemble"} <= set(arm.changes):
        raise SpecError("search and ensemble are two answers of a search; name one")
    families.load("searches", arm.search)().check(arm.search, spec.plan, ensemble=arm.is_ensemble)
