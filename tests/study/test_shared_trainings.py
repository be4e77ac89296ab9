"""A search that begins with what an arm trains: one training, tried on the test cases and on those that validate."""

from pathlib import Path
from typing import Any

import pytest

from in_process import InProcess
from mrfusion.command.study import show_study
from mrfusion.phantom.cohort import write_cohort
from mrfusion.report.section import search
from mrfusion.run import execute
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.trainings import TRAINED_IN, holds_training, training_of
from mrfusion.study.design import read_study
from mrfusion.study.load import LoadedStudy, load_study
from tiny import run_spec

STUDY = """
data: {sources: [{path: PHANTOM, layout: brats(year=2023)}], split: {folds: 1, test_share: 0.3}}
network: unet(base=4,stages=1,norm=instance)
sampling: {per_case: 1}
budget: {epochs: 1, batch_size: 2}
machine: {device: cpu}
metrics: [volume_mm3]
plan: separate>mean
arms:
"""
LATE, FORWARD, ENSEMBLE = "  late: {}\n", "  forward: {search: forward}\n", "  two: {ensemble: repeat(trainings=2)}\n"


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The plans of the trainings that were carried out."""
    found, real = [], execute.fit

    def counted(training: Any, phases: Any) -> Any:
        if phases:
            found.append(training.folder.path.name)
        return real(training, phases)

    monkeypatch.setattr(execute, "fit", counted)
    return found


def conducted(arms: str, phantom: Path, out: Path) -> LoadedStudy:
    file = out.with_suffix(".yaml")
    file.write_text(STUDY.replace("PHANTOM", str(phantom)) + arms, encoding="utf-8")
    show_study(read_study(file), InProcess(), out=out, cache=None)
    return load_study(out)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("shared") / "phantom", cases=6, spacing_mm=8.0, workers=1)


def test_the_arm_and_the_base_of_the_search_are_one_training(
    phantom: Path, tmp_path: Path, trainings: list[str]
) -> None:
    study = conducted(LATE + FORWARD + ENSEMBLE, phantom, tmp_path / "together")
    assert len(trainings) == 2, "late's, which the search and the ensemble begin with, and the ensemble's second"
    (late,) = study.runs_of("late")
    base, *_ = (account.trials[0] for account in study.searches if account.arm == "forward")
    shared = late.folder.beside(base.digest)
    assert shared.read_environment()[TRAINED_IN] == late.digest == holds_training(late.folder)
    assert shared.weights.read_bytes() == late.folder.weights.read_bytes()
    assert base.arm == "late"
    assert {row.case for row in shared.read_scores()}.isdisjoint(row.case for row in late.folder.read_scores())
    html = search.section(study)
    assert html is not None
    assert "no module, the training of late" in html.html

    trainings.clear()
    alone = conducted(FORWARD, phantom, tmp_path / "alone")
    assert len(trainings) == 1
    trained = alone.folder.run(base.digest)
    assert TRAINED_IN not in trained.read_environment()
    assert _numbers(trained) == _numbers(shared), "bit for bit what the search's own training would have been"

    trainings.clear()
    later = conducted(LATE + FORWARD, phantom, tmp_path / "alone")
    assert not trainings, "what the search had trained serves the arm that came later"
    assert _numbers(later.runs_of("late")[0].folder) == _numbers(late.folder)
    assert later.searches[0].trials[0].arm == "late"


def _numbers(run: RunFolder) -> tuple[Any, ...]:
    """All that a run says but seconds."""
    history = [row for row in run.read_history().rows if "seconds" not in str(row[1])]
    return run.weights.read_bytes(), history, run.read_scores()


def test_a_training_is_told_by_what_decides_its_weights() -> None:
    spec = run_spec()
    for scored in ({"score_on": "val"}, {"metrics": ["hd95"]}, {"rules": "paper"}, {"sampling": {"score": "whole"}}):
        assert training_of(spec.changed(scored)) == training_of(spec)
        assert spec.changed(scored).digest != spec.digest
    for trained in ({"seed": 8}, {"sampling": {"per_case": 5}}, {"fold": 1}, {"plan": "only(t1c)"}, {"head": "labels"}):
        assert training_of(spec.changed(trained)) != training_of(spec)
