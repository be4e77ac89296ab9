"""No number in a specification takes the machine: refused before anything is built from it, or served, within 2 GiB."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "large_numbers.py"


def found(*options: str) -> dict[str, int]:
    command = [sys.executable, str(SCRIPT), *options]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["unclear"] == 0, done.stdout
    return answer


def test_every_key_with_a_number_that_no_machine_can_serve() -> None:
    assert found()["tried"] >= 40


@pytest.mark.slow
def test_every_key_with_every_large_number_and_every_count_of_a_choice() -> None:
    assert found("--all")["tried"] >= 400
