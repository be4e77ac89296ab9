"""A study that is killed again and again, and what must not be lost: used by the slow tests and by bench/trust.py."""

import csv
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib

RECIPE = """
data:
  sources: [{path: PHANTOM, layout: brats(year=2023)}]
  split: {folds: 1, test_share: 0.25, val_share: 0.25}
plan: separate(t1c,t2f)>mean
network: unet(base=4,stages=1,norm=instance)
sampling: {per_case: 4}
budget: {epochs: 4, batch_size: 2}
machine: {device: cpu}
arms:
  late: {}
  only t1c: {plan: only(t1c)}
  forward: {search: "forward(epochs=2)"}
"""
POLL_SECONDS = 0.004


@dataclass
class Tally:
    """How often a study was killed, at what, and whether it ended with the same numbers all the same."""

    kills: int = 0
    studies: int = 0
    identical: int = 0
    repeated: int = 0
    differences: list[str] = field(default_factory=list)
    stages: dict[str, int] = field(default_factory=dict)


def make_recipe(folder: Path, phantom: Path) -> Path:
    """The study's YAML file."""
    path = folder / "killed.yaml"
    path.write_text(RECIPE.replace("PHANTOM", str(phantom)))
    return path


def start(recipe: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    """The study as a user starts it at a terminal, in a process group of its own."""
    command = [sys.executable, "-m", "mrfusion", "study", str(recipe), "--out", str(out), "--workers", "2", *more]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, start_new_session=True, preexec_fn=_hear_ctrl_c, **quiet)  # type: ignore[call-overload]


def _hear_ctrl_c() -> None:
    """What runs in the background of a script is deaf to Ctrl-C, and so are its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(recipe: Path, out: Path) -> None:
    """Run it to its end."""
    process = start(recipe, out)
    said = process.communicate()[1]
    assert process.returncode == 0, said.decode()


def numbers(out: Path) -> dict[str, object]:
    """All that a study came to, without what a clock said."""
    found: dict[str, object] = {}
    for run in sorted((out / "runs").iterdir()):
        for path in sorted(run.rglob("*")):
            if path.is_file() and path.name != "environment.json":
                found[f"{run.name}/{path.relative_to(run)}"] = _content(path)
    report = json.loads((out / "report.json").read_text())
    verdict = [re.sub(r" \([^)]*\)", "", said) for said in report["verdict"]]  # brackets tell training times, too
    return found | {"comparisons": report["comparisons"], "verdict": verdict}


def unlike(whole: dict[str, object], other: dict[str, object]) -> list[str]:
    """What differs between the numbers of two studies, in words."""
    names = sorted(name for name in {*whole, *other} if whole.get(name) != other.get(name))
    return [f"{name}: {str(whole.get(name))[:400]} against {str(other.get(name))[:400]}" for name in names]


def _content(path: Path) -> object:
    if path.name == "history.csv":
        with path.open(newline="") as stream:
            return [row for row in csv.reader(stream) if "seconds" not in row]
    content = nib.load(path).get_fdata().tobytes() if path.name.endswith(".nii.gz") else path.read_bytes()
    return hashlib.sha256(content).hexdigest()


def finished(out: Path) -> dict[str, int]:
    """The finished runs and what tells a run folder from another of its name."""
    if not (out / "runs").is_dir():
        return {}
    return {path.name: path.stat().st_ino for path in (out / "runs").iterdir() if not path.name.startswith(".")}


def at_any_time(longest: float, dice: random.Random) -> Callable[[Path, float], bool]:
    """Kill after a random number of seconds."""
    moment = dice.uniform(0, longest)
    return lambda out, seconds: seconds > moment


def while_writing(out: Path, seconds: float) -> bool:
    """Kill when a file of a run has its temporary name; not at once, or nothing would ever be done."""
    if seconds < 6.0:
        return False
    return any(path.name.startswith(".") and path.is_file() for path in (out / "runs").glob(".*.partial/.*"))


def while_reporting(expected: int) -> Callable[[Path, float], bool]:
    """Kill when all runs are done and the report is not."""
    return lambda out, seconds: len(finished(out)) == expected and not (out / "report.html").exists()


def stage(out: Path, expected: int) -> str:
    """What the study was at."""
    if not (out / "study.json").exists():
        return "preparing"
    done = len(finished(out))
    if done == expected:
        return "reporting"
    return "searching" if done >= 2 else "training"


def kill(process: subprocess.Popen[bytes], whole_group: bool) -> None:
    """SIGKILL for the conductor alone, whose workers must then leave by themselves, or for all of its processes."""
    if whole_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()


def kill_and_go_on(recipe: Path, folder: Path, *, kills: int, seed: int) -> Tally:
    """Kill studies at ``kills`` moments, let each end, and compare with one that was never killed."""
    dice, tally = random.Random(seed), Tally()
    began = time.perf_counter()
    finish(recipe, folder / "whole")
    whole, longest = numbers(folder / "whole"), time.perf_counter() - began
    expected = len(finished(folder / "whole"))
    moments = _moments(kills, longest, expected, dice)
    while tally.kills < kills:
        out = folder / f"killed{tally.studies}"
        kept = _until_done(recipe, out, moments, dice=dice, tally=tally, expected=expected)
        tally.studies += 1
        differences = unlike(whole, numbers(out))
        tally.identical += not differences
        tally.differences += differences
        tally.repeated += sum(finished(out)[name] != inode for name, inode in kept.items())
    return tally


def _moments(kills: int, longest: float, expected: int, dice: random.Random) -> Iterator[Callable[[Path, float], bool]]:
    """The moments to kill at; every fifth in the report, every fifth while something is being written."""
    for number in range(10 * kills):  # a study may end before its moment comes
        special = {3: while_reporting(expected), 1: while_writing}
        yield special.get(number % 5, at_any_time(longest, dice))


def _until_done(
    recipe: Path,
    out: Path,
    moments: Iterator[Callable[[Path, float], bool]],
    *,
    dice: random.Random,
    tally: Tally,
    expected: int,
) -> dict[str, int]:
    """Start and kill until the study ends by itself; the finished runs that the last kill left."""
    kept: dict[str, int] = {}
    while True:
        process, moment, began = start(recipe, out), next(moments), time.perf_counter()
        while process.poll() is None and not moment(out, time.perf_counter() - began):
            time.sleep(POLL_SECONDS)
        if process.poll() is not None:
            said = process.communicate()[1]
            assert process.returncode == 0, said.decode()
            return kept
        at = stage(out, expected)
        kill(process, whole_group=dice.random() < 0.5)
        tally.kills += 1
        tally.stages[at] = tally.stages.get(at, 0) + 1
        kept = finished(out)
