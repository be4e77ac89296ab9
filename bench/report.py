"""How long the report of 50 cases and 8 arms takes to build, and how large it is; no run is needed.

    python bench/report.py [--smoke]

A made-up study (5 folds, 3 seeds, slices of 200 x 200, two volumes a fold) is written to a temporary folder. The last
line is JSON: ``build_seconds`` (wall), ``cpu_seconds`` and ``megabytes``.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fabricated import fabricate, write_ball
from mrfusion.report.page import build_report
from mrfusion.study.load import load_study

ARMS = {"concat": 0.0, "separate": 0.02, "only-t1c": -0.07, "only-t2f": -0.05, "mmtm": 0.015, "attention": 0.018}
ARMS |= {"late": 0.004, "lowrank": 0.01}
FULL = {"folds": 5, "seeds": 3, "cases": 50, "size": 200}
SMOKE = {"folds": 1, "seeds": 1, "cases": 8, "size": 40}


def main() -> None:
    """Make the study, build the report once, say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--smoke", action="store_true", help="a few seconds, to see that it runs; figures mean nothing")
    sizes = SMOKE if parser.parse_args().smoke else FULL
    with tempfile.TemporaryDirectory() as name:
        folder = fabricate(Path(name), arms=ARMS, **sizes)
        for path in folder.glob("runs/*/volumes/0.npz"):
            with np.load(path) as kept:
                case = str(kept["case"])
            write_ball(path, case, size=88, rng=np.random.default_rng(0))
        wall, cpu = time.perf_counter(), time.process_time()
        size = build_report(load_study(folder)).stat().st_size
        found = {"build_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps({key: round(value, 2) for key, value in found.items()} | {"megabytes": round(size / 1e6, 2)}))


if __name__ == "__main__":
    main()
