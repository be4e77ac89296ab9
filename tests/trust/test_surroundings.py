"""Places that cannot be written, few files at a time, a folder that is gone: commands work, or say what is wrong."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from killing import make_recipe

from fabricated import fabricate
from mrfusion.phantom.cohort import write_cohort

OPEN_FILES = 256
PLACES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TMPDIR", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")
TABLE = "arm,case,region,metric,value\nx,a,WT,dice,0.5\ny,a,WT,dice,0.6\nx,b,WT,dice,0.5\ny,b,WT,dice,0.7\n"
LAYOUT = "brats(year=2023)"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom, its labels as predictions, a study's YAML file, a study that was made, and a file."""
    folder = tmp_path_factory.mktemp("places")
    phantom = write_cohort(folder / "phantom", cases=4, spacing_mm=8.0, workers=1)
    make_recipe(folder, phantom)
    fabricate(folder / "study", arms={"x": 0.0, "y": 0.1}, folds=2, seeds=1, cases=4, size=16)
    (folder / "labels").mkdir()
    for path in phantom.glob("*/*-seg.nii.gz"):
        os.link(path, folder / "labels" / f"{path.parent.name}.nii.gz")
    (folder / "scores.csv").write_text(TABLE)
    (folder / "file").touch()
    return folder


def told(words: str, data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """With a file in the place of every folder that libraries write to, and few files that may be open."""
    environment = {**os.environ, **dict.fromkeys(PLACES, str(data / "file" / "below"))}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", "mrfusion", *words.replace("OUT", str(out)).split()]
    return subprocess.run(
        command, cwd=data, env=environment, preexec_fn=few_files, capture_output=True, text=True, timeout=280
    )


def few_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))


def ends_well(words: str, data: Path, out: Path) -> None:
    found = told(words, data, out)
    assert found.returncode == 0, found.stderr
    assert not [word for word in ("Traceback", "Errno") if word in found.stderr], found.stderr


@pytest.mark.parametrize(
    "words",
    [
        "inspect killed.yaml --out OUT",
        "report study --out OUT.html",
        "compare scores.csv --reference x --out OUT",
        "evaluate labels labels --regions WT=1+2+3 --metrics dice,hd95 --out OUT.csv",
    ],
)
def test_commands_keep_nothing_outside_of_their_output(words: str, data: Path, tmp_path: Path) -> None:
    ends_well(words, data, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["nnunet", "datalist"])
def test_nor_does_converting(target: str, data: Path, tmp_path: Path) -> None:
    ends_well(f"convert phantom --layout {LAYOUT} --to {target} --out OUT", data, tmp_path / "out")


@pytest.mark.slow
def test_nor_do_training_and_predicting(data: Path, tmp_path: Path) -> None:
    ends_well("study killed.yaml --workers 1 --out OUT", data, tmp_path / "out")
    run = next(path for path in (tmp_path / "out" / "runs").iterdir() if (path / "model.safetensors").exists())
    ends_well(f"predict {run} phantom --layout {LAYOUT} --out OUT", data, tmp_path / "predicted")


@pytest.mark.parametrize("words", ["inspect nowhere", "study nowhere.yaml --out out"])
def test_a_current_folder_that_is_gone_is_told(words: str, tmp_path: Path) -> None:
    command = f"mkdir gone; cd gone; rmdir ../gone; '{sys.executable}' -m mrfusion {words}"
    found = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 2
    assert "the folder that this was started in is no longer there" in " ".join(found.stderr.split())


def test_no_folder_for_temporary_files_is_told(tmp_path: Path) -> None:
    """As in a container whose every folder is read-only; PyTorch asks for one when it is imported."""
    program = (
        "import sys, tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc/nowhere'];"
        "from mrfusion.cli import main;"
        "sys.argv = ['mrfusion', 'compare', 'scores.csv', '--reference', 'x', '--out', 'o']; main()"
    )
    (tmp_path / "scores.csv").write_text(TABLE)
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 2, found.stderr
    assert "set TMPDIR to a folder that can" in " ".join(found.stderr.split())
