"""`mrfusion plan` writes a study that says everything that `auto` would have planned, with the reasons."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from in_process import InProcess
from mrfusion.cli import app
from mrfusion.command.init import write_first_study
from mrfusion.command.plan import gigabytes, write_plan
from mrfusion.errors import OutputError, SpecError
from mrfusion.files import write_text
from mrfusion.phantom.cohort import write_cohort
from mrfusion.progress import silent
from mrfusion.study.design import read_study
from mrfusion.study.planned import Planning


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrfusion.command.plan.executor_named", lambda text, **options: InProcess())


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planned")
    write_cohort(folder, cases=5, spacing_mm=8.0, seed=1, control="complementary", workers=1, progress=silent)
    return folder


def test_a_folder_becomes_a_study_with_nothing_left_to_plan(heads: Path, tmp_path: Path) -> None:
    out = tmp_path / "study.yaml"
    write_plan(heads, out, Planning(like="nnunet", memory_gb=4), layout="brats(year=2023)", cache=None)
    text, study = out.read_text(), read_study(out)
    assert text.startswith("# Planned from the data, and why:\n# sampling.dimensions is 2: the median case has")
    assert study.auto == ()
    assert study.base.network.startswith("plain(")
    assert study.base.sampling.size is not None
    assert "auto" not in text.split("question:")[1]
    assert {arm.name for arm in study.arms} == {"all", "late", *(f"only {m}" for m in ("t1n", "t1c", "t2w", "t2f"))}
    with pytest.raises(OutputError, match="is there already"):
        write_plan(heads, out, Planning(), layout=None, cache=None)


def test_what_a_file_says_stands_fast_and_its_arms_are_planned_too(heads: Path, tmp_path: Path) -> None:
    given = f"""question: q
data: {{sources: [{{path: '{heads}', layout: brats(year=2023)}}], split: {{folds: 1}}}}
network: auto
sampling: {{size: [16, 16], per_case: 3}}
arms: {{a: {{}}, b: {{network: unet, sampling: {{size: auto}}}}}}
"""
    write_text(tmp_path / "given.yaml", given)
    write_plan(tmp_path / "given.yaml", tmp_path / "out.yaml", Planning(), layout=None, cache=None)
    study = read_study(tmp_path / "out.yaml")
    assert study.base.sampling.size == (16, 16)
    assert study.base.sampling.per_case == 3
    assert study.base.budget.batch_size == 4, "nothing was asked about it"
    assert study.base.network.startswith("residual(base=(32,64")
    assert study.spec(study.arms[1], fold=0, seed=0).network == "unet"
    assert study.spec(study.arms[1], fold=0, seed=0).sampling.size != (16, 16)
    assert "arm 'b': sampling.size" in (tmp_path / "out.yaml").read_text()


def test_the_file_that_init_writes_can_be_planned_with_other_minutes(heads: Path, tmp_path: Path) -> None:
    first, out = tmp_path / "study.yaml", tmp_path / "planned.yaml"
    write_first_study(heads, first, layout="brats(year=2023)")
    write_plan(first, out, Planning(minutes=0.01), layout=None, cache=None)
    assert read_study(out).auto == ()
    assert "0.01 minutes" in " ".join(out.read_text().replace("#", "").split())
    write_plan(first, tmp_path / "again.yaml", Planning(like="nnunet"), layout=None, cache=None)
    assert "30 minutes" in " ".join((tmp_path / "again.yaml").read_text().replace("#", "").split())


def test_gigabytes_are_read_as_they_are_written() -> None:
    assert [gigabytes(text) for text in ("10GB", "10 gb", "7.5G", "8", None)] == [10, 10, 7.5, 8, None]
    with pytest.raises(SpecError, match="as in 10GB"):
        gigabytes("ten")


def test_inspect_shows_the_proposal_in_short(heads: Path) -> None:
    said = CliRunner().invoke(app, ["inspect", str(heads), "--layout", "brats(year=2023)"])
    assert said.exit_code == 0
    assert "auto would plan" in said.output
    assert "sampling.size: [" in said.output
