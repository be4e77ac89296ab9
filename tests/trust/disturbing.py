"""A small study under disturbances that come at random: kills, full disks, data that vanish, clocks that jump.

Used by bench/trust.py --hours. Each start of the study meets one disturbance; it must end well or with one message and
exit code 2, and a study that ends well must have the numbers of one that nothing disturbed, bit for bit.
"""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from killing import RECIPE, finished, kill, make_recipe, numbers, start, unlike
from sandbox import run

from mrfusion.phantom.cohort import write_cohort

SMALL = """
data:
  sources: [{path: PHANTOM, layout: brats(year=2023)}]
  split: {folds: 1, test_share: 0.25, val_share: 0.25}
plan: only(t1c)
network: unet(base=4,stages=1,norm=instance)
sampling: {per_case: 1}
budget: {epochs: 1, batch_size: 2}
machine: {device: cpu, threads: 1}
"""
IMPORT_SECONDS = 5.0  # of PyTorch and MONAI, in a process of its own
KINDS = ("kill", "full disk", "vanished data", "clock")
CLOCK = '''"""Put before all others on the path: the clock of every process jumps some time after its start."""
import os, time
_real, _born, _after, _by = time.time, time.monotonic(), *map(float, os.environ["TRUST_CLOCK"].split())
time.time = lambda: _real() + (_by if time.monotonic() - _born > _after else 0.0)
'''


@dataclass
class Disturbances:
    """What was done, how it ended, and the studies that ended with the numbers of an undisturbed one."""

    kinds: dict[str, int] = field(default_factory=dict)
    studies: int = 0
    identical: int = 0
    repeated: int = 0
    differences: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)


def disturb(folder: Path, *, seconds: float, seed: int, small: bool = False) -> Disturbances:
    """Disturb studies until the time is over, or with ``small`` a single one by a clock alone; then let it end.

    With ``small`` the undisturbed one is made in this process, which saves importing PyTorch once more.
    """
    dice, tally = random.Random(seed), Disturbances()
    phantom = write_cohort(folder / "phantom", cases=4 if small else 8, spacing_mm=8.0 if small else 6.0, workers=1)
    recipe = make_recipe(folder, phantom)
    recipe.write_text((SMALL if small else RECIPE).replace("PHANTOM", str(phantom)))
    (folder / "clock").mkdir()
    (folder / "clock" / "sitecustomize.py").write_text(CLOCK)
    began = time.monotonic()
    if small:
        code, said = run(["study", str(recipe), "--out", str(folder / "whole"), "--executor", "in_process:InProcess"])
        assert code == 0, said
    else:
        _end_well(start(recipe, folder / "whole"))
    whole, longest = numbers(folder / "whole"), time.monotonic() - began + (IMPORT_SECONDS if small else 0.0)
    until = time.monotonic() + seconds
    while tally.studies == 0 or time.monotonic() < until:
        out, kept, ended = folder / f"disturbed{tally.studies}", dict[str, int](), False
        for _ in range(1 if small else dice.randint(1, 6)):
            kind = "clock" if small else dice.choice(KINDS)
            tally.kinds[kind] = tally.kinds.get(kind, 0) + 1
            ended, said = _disturbed(kind, recipe, out, phantom=phantom, moment=dice.uniform(0, longest), dice=dice)
            tally.unclear += [f"{kind}: {said[-500:]}"] if said else []
            kept |= {name: inode for name, inode in finished(out).items() if name not in kept}
        if not ended:
            _end_well(start(recipe, out))
        tally.studies += 1
        differences = unlike(whole, numbers(out))
        tally.identical += not differences
        tally.differences += differences
        tally.repeated += sum(finished(out)[name] != inode for name, inode in kept.items())
    return tally


def _disturbed(
    kind: str, recipe: Path, out: Path, *, phantom: Path, moment: float, dice: random.Random
) -> tuple[bool, str]:
    """Start the study and disturb it; whether it ended well, and what it said where it ended neither well nor with one
    message."""
    if kind == "full disk":
        limit = dice.choice((2**10, 2**12, 2**14, 2**16))
        return _told(_start(recipe, out, before=lambda: _no_file_above(limit)))
    if kind == "clock":
        jump = f"{moment} {dice.choice((-3e8, -86400.0, -3600.0, 3600.0, 86400.0, 3e8))}"
        path = os.pathsep.join([str(recipe.parent / "clock"), os.environ.get("PYTHONPATH", "")])
        return _told(_start(recipe, out, environment={"TRUST_CLOCK": jump, "PYTHONPATH": path}))
    process = start(recipe, out)
    _wait(process, moment)
    if kind == "kill":
        kill(process, whole_group=dice.random() < 0.5)
        return False, ""
    away = phantom.with_name("away")
    phantom.rename(away)
    try:
        return _told(process)
    finally:
        away.rename(phantom)


def _start(
    recipe: Path, out: Path, *, environment: dict[str, str] | None = None, before: Callable[[], None] | None = None
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mrfusion", "study", str(recipe), "--out", str(out), "--workers", "2"]
    return subprocess.Popen(
        command,
        start_new_session=True,
        preexec_fn=before,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _no_file_above(limit: int) -> None:
    """Writes beyond the limit fail, as they do where a disk is full or a quota is reached."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)


def _told(process: subprocess.Popen[bytes]) -> tuple[bool, str]:
    """Whether the study ended well; and what it said, empty where it did or left with exit code 2 and no word of
    Python's."""
    said = process.communicate()[1].decode()
    well = process.returncode == 0
    clear = well or (process.returncode == 2 and "Traceback" not in said)
    return well, "" if clear else f"exit code {process.returncode}: {said}"


def _end_well(process: subprocess.Popen[bytes]) -> None:
    said = process.communicate()[1].decode()
    assert process.returncode == 0, said
