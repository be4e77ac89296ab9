"""The worst inputs through the installed program, with an address space of 2 GiB and no more."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from corpus import CORPUS

LIMIT = 2 * 2**30
WORST = [
    "a bomb that announces 2 GiB",
    "4 GiB of zeros behind the voxels",
    "a bomb of wide labels",
    "a prediction with a bomb",
    "YAML with aliases that expand to gigabytes",
]


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))


def run(name: str, tmp_path: Path) -> None:
    bad = next(bad for bad in CORPUS if bad.name == name)
    program = "import sys; from mrfusion.cli import main; sys.argv[0] = 'mrfusion'; main()"
    words = [word for word in map(str, bad.make(tmp_path)) if not word.startswith("in_process")]
    words = [word for word in words if word != "--executor"]
    said = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=tmp_path, preexec_fn=limited, capture_output=True, text=True
    )
    assert said.returncode == bad.code, said.stderr
    assert "Traceback" not in said.stderr
    assert all(part in " ".join((said.stdout + said.stderr).split()) for part in bad.says)


def test_the_program_stays_within_two_gibibytes(tmp_path: Path) -> None:
    run(WORST[0], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORST[1:])
def test_the_program_stays_within_two_gibibytes_whatever_it_is_given(name: str, tmp_path: Path) -> None:
    run(name, tmp_path)
