"""A search proposes, an executor runs, trials grow: the runs of a study's searches, from what has been run so far.

Nothing is kept but run folders. A search's trials are read out of them anew each time, so an interrupted search goes on
where it was, and two searches that ask for the same network share its run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mrfusion import families
from mrfusion.plan import FusionPlan
from mrfusion.run_folder.searches import Decision, SearchAccount, TriedNetwork
from mrfusion.run_folder.study import StudyFolder
from mrfusion.run_folder.trainings import holds_training, is_trained
from mrfusion.searches._base import Candidate, Choice, Search, Space, Trial, named
from mrfusion.spec import RunSpec
from mrfusion.study.design import PlannedRun, Study
from mrfusion.study.validation import loss_of, scores_of

REPEAT_SEEDS = 10_000  # what the seed of a training that is repeated is higher by, each time; nobody asks for so many
PENDING = "not-chosen-yet"  # stands for a run's digest in study.json while the search goes on


@dataclass(frozen=True)
class Quest:
    """One search of a study: an arm on one fold with one seed.

    ``base`` is the arm's run without modules; the networks of the search are it with modules, scored on the validation
    patients. ``ensemble``: the answer is the mean of all networks that the search trained, not the best one.
    """

    arm: str
    fold: int
    seed: int
    text: str
    ensemble: bool
    base: RunSpec
    space: Space
    patients: Mapping[str, str]

    @cached_property
    def search(self) -> Search:
        """The search that the arm names."""
        return search_named(self.text)

    @cached_property
    def _made(self) -> dict[Candidate, tuple[RunSpec, str]]:
        """The specifications and digests that were asked for; they are asked for often."""
        return {}

    def plan_of(self, candidate: Candidate) -> FusionPlan:
        """The base's plan with modules at the candidate's places."""
        fusion = self.search.fusion
        if candidate.kind == "supernet":
            fusion = str(families.Call("gated", (), (("fusion", fusion),)))
        plain = [self.base.plan.fusion_at(level) for level in self.space.positions]
        levels = [fusion if level in candidate.places else plain[level] for level in self.space.positions]
        return replace(self.base.plan, levels=tuple(levels)) if candidate.places else self.base.plan

    def spec_of(self, candidate: Candidate) -> RunSpec:
        """The run that trains a candidate, or validates it where it only inherits."""
        return self._known(candidate)[0]

    def digest_of(self, candidate: Candidate) -> str:
        """The digest of a candidate's run."""
        return self._known(candidate)[1]

    def _known(self, candidate: Candidate) -> tuple[RunSpec, str]:
        if candidate not in self._made:
            spec = self._make(candidate)
            self._made[candidate] = spec, spec.digest
        return self._made[candidate]

    def _make(self, candidate: Candidate) -> RunSpec:
        changes: dict[str, Any] = {"plan": str(self.plan_of(candidate)), "score_on": "val"}
        if self.base.metrics:
            judged_by = [name for name in self.base.chosen_task.needed_metrics if name not in self.base.metrics]
            changes |= {"metrics": [*self.base.metrics, *judged_by]} if judged_by else {}
        if candidate.repeat:
            changes["seed"] = self.base.seed + REPEAT_SEEDS * candidate.repeat
        if candidate.parent is not None:
            rival = None if candidate.rival is None else self.digest_of(candidate.rival)
            parents, keep = [self.digest_of(candidate.parent)], candidate.kind == "inherited"
            changes["origin"] = {"parents": parents, "keep": keep, "rival": rival}
            changes["budget"] = self._short
        return self.base.changed(changes)

    @property
    def _short(self) -> dict[str, Any]:
        """What is other in the budget of a candidate that starts from a parent's weights."""
        budget, search = self.base.budget, self.search
        return {"epochs": search.epochs or budget.epochs, "learning_rate": search.rate * budget.learning_rate}

    def final_spec(self, choice: Choice, trials: Iterable[Trial]) -> RunSpec:
        """The run that tries the answer on the cases that the base is scored on; nothing is trained for it."""
        plan = str(self.plan_of(choice.chosen))
        if not self.ensemble:
            parents = [self.digest_of(choice.chosen)]
            return self.base.changed({"plan": plan, "origin": {"parents": parents, "keep": True}})
        trained = [trial.candidate for trial in trials if trial.candidate.kind == "trained"]
        origin = {"parents": [self.digest_of(candidate) for candidate in trained], "keep": True}
        members = [str(self.plan_of(candidate)) for candidate in trained]
        return self.base.changed({"plan": plan, "members": members, "origin": origin})

    def title(self, candidate: Candidate) -> str:
        """What a user calls a candidate's run."""
        words = {"null": "null candidate", "supernet": "supernet"}.get(candidate.kind, named(candidate.places))
        again = f", training {candidate.repeat + 1}" if candidate.repeat else ""
        return f"{self.arm} ({words}{again})"


@dataclass(frozen=True)
class Standing:
    """Where a search stands: its trials, what it asks for next, and its choice once it has ended."""

    trials: tuple[Trial, ...]
    proposed: tuple[Candidate, ...]
    choice: Choice | None


def search_named(text: str) -> Search:
    """The search that a text names, with its arguments."""
    search: Search = families.load("searches", text)()
    return search


def quests_of(
    study: Study, fingerprint: str, costs: dict[str, Sequence[int]], patients: Mapping[str, str]
) -> list[Quest]:
    """The searches of a study; ``costs`` has, for each arm whose search places modules, their parameters at each level.

    ``patients`` maps cases to their patients.
    """
    on_data = {"data": {"fingerprint": fingerprint}}
    return [
        Quest(
            arm.name,
            fold,
            seed,
            arm.search,
            arm.is_ensemble,
            base,
            Space(tuple(costs.get(arm.name, ())), seed),
            patients,
        )
        for seed in study.seeds
        for fold in study.folds
        for arm in study.arms
        if arm.search is not None
        for base in [study.spec(arm, fold=fold, seed=seed).changed(on_data)]
        for space in [Space(tuple(costs.get(arm.name, ())), seed)]
    ]


def standing(quest: Quest, out: Path) -> Standing:
    """Read the runs that a search asked for, round by round, as far as they are there."""
    search, trials, task = quest.search, list[Trial](), quest.base.task
    while proposed := search.propose(quest.space, trials):
        folders = {candidate: StudyFolder(out).run(quest.digest_of(candidate)) for candidate in proposed}
        done = [
            Trial(candidate, loss_of(folder, task), scores_of(folder, task, quest.patients))
            for candidate, folder in folders.items()
            if folder.is_done
        ]
        if not done:
            break
        trials += done
    return Standing(tuple(trials), proposed, search.conclude(quest.space, trials))


def wanted(quest: Quest, out: Path) -> list[PlannedRun]:
    """The runs that a search waits for: a round of candidates, or the last run that tries its answer."""
    now = standing(quest, out)
    if now.choice is not None:
        specs = [(f"{quest.arm} (answer)", quest.final_spec(now.choice, now.trials))]
    else:
        specs = [(quest.title(candidate), quest.spec_of(candidate)) for candidate in now.proposed]
    return [PlannedRun(title, quest.fold, quest.seed, spec) for title, spec in specs]


def answer_digest(quest: Quest, out: Path) -> str:
    """The digest of the run that answers for the search's arm, PENDING while it goes on."""
    now = standing(quest, out)
    return PENDING if now.choice is None else quest.final_spec(now.choice, now.trials).digest


def account(quests: Sequence[Quest], out: Path, planned: Iterable[PlannedRun] = ()) -> list[SearchAccount]:
    """Of each search its trials, its decisions, its answer, and what it cost; ``planned`` are the runs of other arms,
    whose trainings it may share."""
    folders = [(run.arm, StudyFolder(out).run(run.spec.digest)) for run in planned if is_trained(run.spec)]
    arms = {holds_training(folder): arm for arm, folder in folders if folder.is_done}
    stands = [standing(quest, out) for quest in quests]
    asked = [{quest.digest_of(t.candidate) for t in now.trials} for quest, now in zip(quests, stands, strict=True)]
    return [
        _account(quest, now, StudyFolder(out), _Shared(set().union(*asked[:place]), arms))
        for place, (quest, now) in enumerate(zip(quests, stands, strict=True))
    ]


@dataclass(frozen=True)
class _Shared:
    """The runs that earlier searches asked for, and the trainings of arms by the digest of the run that holds each."""

    before: set[str]
    arms: Mapping[str, str]


def _account(quest: Quest, now: Standing, study: StudyFolder, shared: _Shared) -> SearchAccount:
    numbers = {trial.candidate: number for number, trial in enumerate(now.trials)}
    steps = now.choice.steps if now.choice else ()
    return SearchAccount(
        arm=quest.arm,
        fold=quest.fold,
        seed=quest.seed,
        search=quest.text,
        fusion=quest.search.fusion,
        plan=str(quest.base.plan),
        ensemble=quest.ensemble,
        epochs=quest.base.budget.epochs,
        costs=tuple(quest.space.costs),
        trials=tuple(_tried(quest, trial, numbers, study, shared) for trial in now.trials),
        decisions=tuple(
            Decision(
                tuple(numbers[c] for c in step.tried),
                None if step.accepted is None else numbers[step.accepted],
                step.why,
            )
            for step in steps
        ),
        chosen=None if now.choice is None else numbers[now.choice.chosen],
        why="the search goes on" if now.choice is None else now.choice.why,
    )


def _tried(
    quest: Quest, trial: Trial, numbers: dict[Candidate, int], study: StudyFolder, shared: _Shared
) -> TriedNetwork:
    """A candidate with what its run cost."""
    candidate, spec, digest = trial.candidate, quest.spec_of(trial.candidate), quest.digest_of(trial.candidate)
    folder = study.run(digest)
    facts = folder.read_environment()
    kept = candidate.kind == "inherited"
    return TriedNetwork(
        places=tuple(candidate.places),
        kind=candidate.kind,
        parent=None if candidate.parent is None else numbers[candidate.parent],
        loss=trial.loss,
        digest=digest,
        epochs=facts["epochs"],
        steps=facts["steps"],
        seconds=facts["train_seconds"],
        stopped=not kept and candidate.rival is not None and facts["epochs"] < spec.budget.epochs,
        reused=digest in shared.before,
        repeat=candidate.repeat,
        arm=shared.arms.get(holds_training(folder), ""),
    )
