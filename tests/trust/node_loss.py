"""A study on a Ray cluster of two nodes, one of them killed in the middle; for a slow test and bench/trust.py."""

import csv
import subprocess
import sys
import time
from pathlib import Path

from two_nodes import two_nodes

RECIPE = """
data:
  sources: [{path: PHANTOM, layout: brats(year=2023)}]
  split: {folds: 1, test_share: 0.25, val_share: 0.25}
network: unet(base=4,stages=1)
sampling: {per_case: 8}
budget: {epochs: 12, batch_size: 2}
machine: {device: cpu, threads: 1}
arms:
  all: {plan: concat}
  late: {plan: separate>mean}
"""
PATIENCE_SECONDS = 300


def start(recipe: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    """The study as a user starts it, on its own."""
    command = [sys.executable, "-m", "mrfusion", "study", str(recipe), "--out", str(out), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait for its end, which must be a good one."""
    said = process.communicate(timeout=PATIENCE_SECONDS)[1]
    assert process.returncode == 0, said.decode()


def write_recipe(folder: Path, phantom: Path) -> Path:
    """The study's YAML file."""
    path = folder / "two_nodes.yaml"
    path.write_text(RECIPE.replace("PHANTOM", str(phantom)))
    return path


def lose_a_node(recipe: Path, out: Path) -> list[str]:
    """Carry the study out, killing a node when both train; the seconds of the epochs that were safe by then."""
    with two_nodes() as cluster:
        process = start(recipe, out, "--executor", "ray", "--address", cluster.address)
        until = time.monotonic() + PATIENCE_SECONDS
        while len(list(out.glob("runs/.*.partial/previous.pt"))) < 2:
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.monotonic() < until, "the two runs have not come to their second epoch"
            time.sleep(0.02)
        cluster.lose_second()
        done = [row for path in sorted(out.glob("runs/.*.partial/history.csv")) for row in seconds(path)[:-1]]
        assert not list(out.glob("runs/[!.]*")), "the node was lost after a run's end: too late to say anything"
        end(process)
    return done


def seconds(history: Path) -> list[str]:
    """What each epoch took, to the last digit: no epoch that is done again would take the same."""
    with history.open(newline="") as stream:
        return [row["value"] for row in csv.DictReader(stream) if row["quantity"] == "seconds"]
