"""What nothing may break: studies killed and started again, bad inputs, a node of a cluster lost in the middle.

    python bench/trust.py [--kills 20] [--seed 0] [--smoke]

The long tests of tests/trust, with more kills. ``kills_identical`` are the kills if every study ended with the numbers
of one that was never killed, bit for bit, without a finished run being made again; else 0.
``ray_node_lost_identical`` is null where ray is not installed. The last line is JSON.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

NOT_KILLED = {"kills": 0, "kills_identical": 0}
TRUST = Path(__file__).parents[1] / "tests" / "trust"
sys.path.insert(0, str(TRUST))

from killing import kill_and_go_on, make_recipe  # noqa: E402

from mrfusion.phantom.cohort import write_cohort  # noqa: E402


def main() -> None:
    """Kill, feed, cut off; print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="no kill, twenty bad inputs, no cluster")
    given = parser.parse_args()
    if given.smoke:
        found = NOT_KILLED | bad_inputs("--first", "20") | {"ray_node_lost_identical": None}
    else:
        found = killed(given.kills, given.seed) | bad_inputs() | {"ray_node_lost_identical": node_lost()}
    print(json.dumps(found))


def killed(kills: int, seed: int) -> dict[str, int]:
    """Kills at random moments, some of them while something is written or the report is made."""
    with tempfile.TemporaryDirectory(prefix="mrfusion-bench-") as temporary:
        folder = Path(temporary)
        recipe = make_recipe(folder, write_cohort(folder / "phantom", cases=8, spacing_mm=6.0))
        tally = kill_and_go_on(recipe, folder, kills=kills, seed=seed)
    stages = ", ".join(f"{count} while {stage}" for stage, count in sorted(tally.stages.items()))
    print(f"{tally.kills} kills of {tally.studies} studies ({stages}); {tally.identical} ended the same")
    print(f"finished runs that were made again: {tally.repeated}", flush=True)
    same = tally.identical == tally.studies and tally.repeated == 0
    return {"kills": tally.kills, "kills_identical": tally.kills if same else 0}


def bad_inputs(*options: str) -> dict[str, int]:
    """The corpus, in a process of its own, whose peak of memory is its own."""
    script = [sys.executable, str(TRUST / "corpus.py"), *options]
    said = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    print(said, end="", flush=True)
    found = json.loads(said.splitlines()[-1])
    return {name: found[name] for name in ("bad_inputs", "bad_inputs_clear")}


def node_lost() -> bool | None:
    """The slow test of a cluster of two nodes."""
    if importlib.util.find_spec("ray") is None:
        print("ray is not installed; pip install 'mrfusion[ray]'")
        return None
    test = [sys.executable, "-m", "pytest", "-q", "-m", "slow", str(TRUST / "test_node_lost.py")]
    return subprocess.run(test, stdout=sys.stderr, check=False).returncode == 0


if __name__ == "__main__":
    main()
