"""A study whose file says auto, from the file to its runs: planned once, written out in each, and planned no more."""

from pathlib import Path
from typing import Any

import pytest

from in_process import InProcess
from mrfusion.files import write_text
from mrfusion.phantom.cohort import write_cohort
from mrfusion.progress import silent
from mrfusion.run_folder.study import StudyFolder
from mrfusion.study.conduct import Agenda, conduct, prepare
from mrfusion.study.design import Study, read_study

STUDY = """question: Does auto plan the whole of it?
data: {{sources: [{{path: '{heads}', layout: brats(year=2023)}}], split: {{folds: 1}}, preparation: auto}}
network: auto
sampling: auto
budget: {{epochs: 1}}
machine: {{device: cpu, threads: 1}}
arms:
  together: {{}}
  apart: {{plan: "separate[energy(width=8)]"}}
  small: {{network: "monai(UNet,channels=(4,8),strides=(2,),multiple=2)"}}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("story")
    cohort: dict[str, Any] = {"cases": 4, "spacing_mm": 8.0, "seed": 1, "control": "complementary"}
    write_cohort(folder / "heads", **cohort, workers=1, progress=silent)
    write_text(folder / "study.yaml", STUDY.format(heads=folder / "heads"))
    return read_study(folder / "study.yaml")


def prepared(study: Study, out: Path) -> Agenda:
    return prepare(study, InProcess(), out=out, cache=out / "cache", watch=lambda told, done: None)


def test_a_study_with_auto_is_planned_run_and_goes_on(study: Study, tmp_path: Path) -> None:
    agenda = prepared(study, tmp_path)
    conduct(agenda.now(tmp_path), InProcess(), out=tmp_path, cache=tmp_path / "cache", watch=lambda told, done: None)
    specs = [run.spec for run in agenda.planned]
    assert agenda.study.auto == ()
    assert [spec.network.split("(")[0] for spec in specs] == ["residual", "residual", "monai"]
    assert specs[0].network == specs[1].network
    assert len({(spec.sampling.size, spec.budget.batch_size) for spec in specs}) == 1
    assert all(StudyFolder(tmp_path).run(spec.digest).is_done for spec in specs)
    assert any(note.startswith("network is ") for note in agenda.notes)
    again = prepared(study, tmp_path)
    assert [run.spec.digest for run in again.planned] == [spec.digest for spec in specs]
    assert (tmp_path / "planning.json").is_file()
