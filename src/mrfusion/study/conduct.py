"""Conducting a study: prepare the data once, run what is missing, write down what was planned."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.executors._base import Executor, Job
from mrfusion.plan import parse_plan
from mrfusion.progress import read_progress
from mrfusion.run_folder.study import StudyFolder
from mrfusion.run_folder.trainings import is_trained, training_of
from mrfusion.spec import RunSpec
from mrfusion.study.design import PlannedRun, Study, describe, plan_runs
from mrfusion.study.frozen import added, check, freeze
from mrfusion.study.load import load_study
from mrfusion.study.quest import Quest, account, answer_digest, quests_of, search_named, wanted
from mrfusion.study.sequential import look
from mrfusion.study.share import Watch, results_of, share
from mrfusion.study.terms import terms_at_the_start

PREPARE, EXECUTE = "mrfusion.run.jobs:prepare_data", "mrfusion.run.jobs:execute_run"
PROPOSE = "mrfusion.run.propose:propose_values"
SPACE, SUBSETS = "mrfusion.run.jobs:describe_space", "mrfusion.finished_run.subsets:subsets_of_run"


@dataclass(frozen=True)
class Agenda:
    """The runs of a study on its data, its searches, and what has to be said about the data and the arms."""

    study: Study
    planned: tuple[PlannedRun, ...]
    notes: tuple[str, ...]
    quests: tuple[Quest, ...] = ()
    terms: tuple[str, ...] = ()

    @property
    def scored(self) -> dict[str, tuple[PlannedRun, ...]]:
        """The planned runs once more for each further scoring, by its name."""
        return {
            name: tuple(replace(run, spec=run.spec.changed(changes)) for run in self.planned)
            for name, changes in self.study.scorings.items()
        }

    def now(self, out: Path) -> tuple[PlannedRun, ...]:
        """The planned runs, and those that the searches wait for; more may follow when these are done.

        A run that is the same training as another which is still to come waits for it: nothing is trained twice.
        """
        again = (replace(run, arm=f"{run.arm} ({name})") for name, runs in self.scored.items() for run in runs)
        searched = (run for quest in self.quests for run in wanted(quest, out))
        return tuple(_one_of_each_training((*self.planned, *again, *searched), out))


def _one_of_each_training(asked: Iterable[PlannedRun], out: Path) -> Iterator[PlannedRun]:
    """All runs but those that begin when the first of the same training is done."""
    first: dict[str, str] = {}
    for run in asked:
        digest = run.spec.digest
        begins = is_trained(run.spec) and not StudyFolder(out).run(digest).is_done
        if not begins or first.setdefault(training_of(run.spec), digest) == digest:
            yield run


def prepare(study: Study, executor: Executor, *, out: Path, cache: Path, watch: Watch) -> Agenda:
    """Read the cohort, plan what is ``auto``, fill the cache, split the patients, and plan the study's runs on them.

    Leaves ``cohort.json``, ``splits.json``, and ``planning.json`` where anything was planned, in ``out``.
    """
    decided = decide(study, executor, out=out, cache=cache, watch=watch)
    study = decided.study
    asked = {name: spec.model_dump_json() for name, spec in _to_try(study).items()}
    job = Job("prepare", PREPARE, (study.base.model_dump_json(), str(out), str(cache), asked), "preparing the data")
    data = results_of(executor, [job], lambda: watch(read_progress(StudyFolder(out).progress), 0))["prepare"]
    return Agenda(
        study,
        tuple(plan_runs(study, data["fingerprint"])),
        tuple(dict.fromkeys((*decided.sentences, *decided.doubts, *data["notes"]))),
        _quests(study, data["fingerprint"], executor, out),
        tuple(terms_at_the_start(study, data["parameters"])),
    )


def _to_try(study: Study) -> dict[str, RunSpec]:
    """A run of each arm, of foreign ones of each fold, and the first of them by each further scoring, by its name."""
    found = {
        f"{arm.name}, fold {fold}" if arm.is_foreign else arm.name: study.spec(arm, fold=fold, seed=study.seeds[0])
        for arm in study.arms
        for fold in (study.folds if arm.is_foreign else study.folds[:1])
    }
    first = next(iter(found.values()))
    return found | {f"{name} (a scoring)": first.changed(changes) for name, changes in study.scorings.items()}


def _quests(study: Study, fingerprint: str, executor: Executor, out: Path) -> tuple[Quest, ...]:
    if not any(arm.search for arm in study.arms):
        return ()
    spaces = results_of(executor, _space_jobs(study, out), lambda: None)
    patients = {case["id"]: case["patient"] for case in StudyFolder(out).read_cohort()["cases"]}
    return tuple(quests_of(study, fingerprint, spaces, patients))


@dataclass(frozen=True)
class Decided:
    """A study with nothing left to plan; what was planned, by arm (empty: for all), and what does not fit well."""

    study: Study
    planned: tuple[tuple[str, Mapping[str, Any]], ...]
    doubts: tuple[str, ...]

    @property
    def sentences(self) -> list[str]:
        """Each planned key with its value and its reason."""
        return [f"{_of(arm)}{one['key']} is {json.dumps(one['value'])}: {one['reason']}" for arm, one in self.planned]


def decide(study: Study, executor: Executor, *, out: Path, cache: Path, watch: Watch) -> Decided:
    """Plan what the study's file leaves to planning; the same question on the same data is answered from ``out``."""
    planned: list[tuple[str, Mapping[str, Any]]] = []
    doubts: list[str] = []

    def ask(arm: str, spec: RunSpec, keys: tuple[str, ...]) -> list[dict[str, Any]]:
        if not keys:
            return []
        asked = study.planning.model_dump(mode="json") | {"folds": list(study.folds)}
        given = (spec.model_dump_json(), keys, json.dumps(asked), str(out), str(cache))
        jobs = [Job("propose", PROPOSE, given, "planning from the data")]
        found = results_of(executor, jobs, lambda: watch(read_progress(StudyFolder(out).progress), 0))["propose"]
        planned.extend((arm, one) for one in found["planned"])
        doubts.extend(_of(arm) + doubt for doubt in found["doubts"])
        return list(found["planned"])

    decided = study.decided(ask)
    return Decided(decided, tuple(planned), tuple(doubts))


def _of(arm: str) -> str:
    return f"arm {arm!r}: " if arm else ""


def write_down(agenda: Agenda, out: Path) -> Agenda:
    """What of the agenda is due now, written into ``study.json`` and ``searches.json``; freezes the plan at first.

    All of it is due, unless the study stops when it is decided: then a look at the finished runs says which seeds each
    arm needs (:mod:`mrfusion.study.sequential`).
    """
    study, about = agenda.study, _frozen(agenda, out)
    _write_design(agenda, about, out)
    if study.most_seeds is None:
        return agenda
    found = look(study, load_study(out).judged)
    now = replace(agenda, planned=found.due(study, agenda.planned), quests=found.due(study, agenda.quests))
    _write_design(now, about | {"stopping": found.plain(study)}, out)
    return now


def check_joined(agenda: Agenda, out: Path) -> None:
    """SpecError where the study that other processes are at in ``out`` is not this one."""
    theirs, ours = StudyFolder(out).read_design(), describe(agenda.study, agenda.planned)
    for key in ("folds", "seeds", "most_seeds", "subsets"):
        if theirs.get(key) != ours.get(key):
            raise SpecError(
                f"--join: the study at work in {out} has {key} {theirs.get(key)}, this file {ours.get(key)}; join it "
                "with the same file, or choose another --out"
            )
    runs = {(cell["arm"], cell["fold"], cell["seed"]): cell["digest"] for cell in theirs["plan"]}
    for cell in ours["plan"]:
        place = (cell["arm"], cell["fold"], cell["seed"])
        if runs.get(place, cell["digest"]) != cell["digest"]:
            raise SpecError(
                f"--join: arm {cell['arm']!r} is another one in the study at work in {out}; join it with the same "
                "file and the same data, or choose another --out"
            )


def _write_design(agenda: Agenda, about: dict[str, Any], out: Path) -> None:
    content = describe(agenda.study, agenda.planned) | about
    content["plan"] += [
        {"arm": quest.arm, "fold": quest.fold, "seed": quest.seed, "digest": answer_digest(quest, out)}
        for quest in agenda.quests
    ]
    content["scored"] = [
        {"scoring": name, "arm": run.arm, "fold": run.fold, "seed": run.seed, "digest": run.spec.digest}
        for name, runs in agenda.scored.items()
        for run in runs
    ]
    StudyFolder(out).write_design(content)
    if agenda.quests:
        StudyFolder(out).write_searches(account(agenda.quests, out, agenda.planned))


def _frozen(agenda: Agenda, out: Path) -> dict[str, Any]:
    """The digest of the frozen plan, and what the study does beyond it; nothing where there is nothing to compare."""
    study, folder = agenda.study, StudyFolder(out)
    if len(study.arms) < 2:
        return {}
    scored = {"regions": [region.name for region in folder.read_outline().regions], "metrics": _metrics(study)}
    plan = folder.read_plan()
    if plan is None:
        finished = len(agenda.planned) - len(missing(agenda.planned, out))
        plan = freeze(study, **scored, finished=finished)
        folder.write_plan(plan)
    check(plan, str(folder.plan))
    return {"frozen": plan["digest"], "added": added(plan, study, **scored).plain}


def _metrics(study: Study) -> list[str]:
    """What the runs are scored by, first what decides."""
    task = families.load("tasks", study.base.task)()
    return list(study.base.metrics or task.needed_metrics) or families.names(task.metrics)


def _space_jobs(study: Study, out: Path) -> list[Job]:
    """Jobs that count a module's parameters at each level, for each arm that searches."""
    searching = [(arm, study.spec(arm, fold=study.folds[0], seed=study.seeds[0])) for arm in study.arms if arm.search]
    return [
        Job(arm.name, SPACE, (spec.model_dump_json(), search_named(str(arm.search)).fusion, str(out)), arm.name)
        for arm, spec in searching
        if search_named(str(arm.search)).places
    ]


def missing(planned: Sequence[PlannedRun], out: Path) -> list[PlannedRun]:
    """The runs whose folder is not there; a run that two cells share is named once."""
    unique = {run.spec.digest: run for run in planned}
    return [run for digest, run in unique.items() if not StudyFolder(out).run(digest).is_done]


def conduct(planned: Sequence[PlannedRun], executor: Executor, *, out: Path, cache: Path, watch: Watch) -> int:
    """Run what is missing and nobody else is at, and wait for what others are at; how many runs were made here.

    A run that fails does not stop the others; they are reported together at the end.
    """
    return share(lambda: run_jobs(planned, out, cache), executor, out=out, watch=watch)


def run_jobs(planned: Sequence[PlannedRun], out: Path, cache: Path) -> list[Job]:
    """A job for each run that is missing."""
    return [
        Job(run.spec.digest, EXECUTE, (run.spec.model_dump_json(), str(out), str(cache)), run.title)
        for run in missing(planned, out)
    ]


def subset_jobs(out: Path, cache: Path) -> list[Job]:
    """A job for each finished run of a study that reads several modalities and lacks the scores of their subsets."""
    study = StudyFolder(out)
    available, found = study.read_outline().modalities, {}
    for cell in study.read_design()["plan"]:
        folder = study.run(str(cell["digest"]))
        if folder.is_done and not folder.subsets.is_done and not folder.read_spec_values().get("predictions"):
            plan = parse_plan(str(folder.read_spec_values()["plan"]))
            if len(plan.modalities(available)) > 1:
                found[folder.digest] = f"{cell['arm']}, fold {cell['fold']}, seed {cell['seed']}, subsets"
    return [
        Job(study.subsets_job(digest), SUBSETS, (str(study.run(digest).path), str(out), str(cache)), title)
        for digest, title in found.items()
    ]
