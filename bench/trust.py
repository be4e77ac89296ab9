"""What nothing may break: studies killed and started again, bad inputs, a node of a cluster lost in the middle.

    python bench/trust.py [--kills 20] [--seed N] [--hours 0.1] [--smoke]

The long tests of tests/trust, with more kills. ``kills_identical`` are the kills if every study ended with the numbers
of one that was never killed, bit for bit, without a finished run being made again; else 0. ``--hours`` goes on for so
long with studies that meet kills, full disks, data that vanish and clocks that jump, at random; the seed is printed, so
that a run can be had again. ``disturbed`` are the starts that met one, ``disturbed_identical`` the same number where
every study ended with the numbers of an undisturbed one and every refusal was one message; else 0.
``ray_node_lost_identical`` is null where ray is not installed. The last line is JSON.
"""

import argparse
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

NOT_KILLED = {"kills": 0, "kills_identical": 0}
NOT_DISTURBED = {"disturbed": 0, "disturbed_identical": 0}
TRUST = Path(__file__).parents[1] / "tests" / "trust"
sys.path.insert(0, str(TRUST))

from corpus import tried  # noqa: E402
from disturbing import disturb  # noqa: E402
from killing import kill_and_go_on, make_recipe  # noqa: E402

from mrfusion.phantom.cohort import write_cohort  # noqa: E402


def main() -> None:
    """Kill, feed, cut off; print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="default: another each time")
    parser.add_argument("--hours", type=float, default=0.0, help="how long to disturb studies at random")
    parser.add_argument("--smoke", action="store_true", help="no kill, a clock that jumps, one bad input of 100")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    if given.smoke:
        small = disturbed(0.0, given.seed, small=True)
        print(json.dumps(NOT_KILLED | small | tried(each=100) | {"ray_node_lost_identical": None}))
        return
    found = killed(given.kills, given.seed) if given.kills else NOT_KILLED
    found |= disturbed(given.hours, given.seed) if given.hours else NOT_DISTURBED
    print(json.dumps(found | bad_inputs() | {"ray_node_lost_identical": node_lost()}))


def disturbed(hours: float, seed: int, *, small: bool = False) -> dict[str, int]:
    """Disturbances of every kind at random, for so many hours."""
    with tempfile.TemporaryDirectory(prefix="mrfusion-bench-") as temporary:
        tally = disturb(Path(temporary), seconds=3600 * hours, seed=seed, small=small)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.kinds.items()))
    print(f"{tally.studies} studies disturbed ({kinds}); {tally.identical} ended the same", flush=True)
    _tell(tally.differences, tally.unclear)
    count = sum(tally.kinds.values())
    same = tally.identical == tally.studies and not tally.repeated and not tally.unclear
    return {"disturbed": count, "disturbed_identical": count if same else 0}


def killed(kills: int, seed: int) -> dict[str, int]:
    """Kills at random moments, some of them while something is written or the report is made."""
    with tempfile.TemporaryDirectory(prefix="mrfusion-bench-") as temporary:
        folder = Path(temporary)
        recipe = make_recipe(folder, write_cohort(folder / "phantom", cases=8, spacing_mm=6.0))
        tally = kill_and_go_on(recipe, folder, kills=kills, seed=seed)
    stages = ", ".join(f"{count} while {stage}" for stage, count in sorted(tally.stages.items()))
    print(f"{tally.kills} kills of {tally.studies} studies ({stages}); {tally.identical} ended the same")
    print(f"finished runs that were made again: {tally.repeated}", flush=True)
    _tell(tally.differences, [])
    same = tally.identical == tally.studies and tally.repeated == 0
    return {"kills": tally.kills, "kills_identical": tally.kills if same else 0}


def _tell(differences: Sequence[str], unclear: Sequence[str]) -> None:
    for kind, texts in (("different", differences), ("unclear", unclear)):
        for text in texts:
            print(f"{kind}: {text}", flush=True)


def bad_inputs() -> dict[str, int]:
    """The corpus, in a process of its own, whose peak of memory is its own."""
    script = [sys.executable, str(TRUST / "corpus.py")]
    said = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    print(said, end="", flush=True)
    found = json.loads(said.splitlines()[-1])
    return {name: found[name] for name in ("bad_inputs", "bad_inputs_clear", "damaged", "damaged_clear")}


def node_lost() -> bool | None:
    """The slow test of a cluster of two nodes."""
    if importlib.util.find_spec("ray") is None:
        print("ray is not installed; pip install 'mrfusion[ray]'")
        return None
    test = [sys.executable, "-m", "pytest", "-q", "-m", "slow", str(TRUST / "test_node_lost.py")]
    return subprocess.run(test, stdout=sys.stderr, check=False).returncode == 0


if __name__ == "__main__":
    main()
