"""How long the report of 50 cases and 8 arms takes to build, and how large it is; no run is needed.

    python bench/report.py

A made-up study (5 folds, 3 seeds, slices of 200 x 200, two volumes a fold) is written to a temporary folder. The last
line is JSON: ``build_seconds`` (wall), ``cpu_seconds`` and ``megabytes``.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "report"))
from conftest import fabricate, write_ball
from mrfusion.report.page import build_report

ARMS = {"concat": 0.0, "separate": 0.02, "only-t1c": -0.07, "only-t2f": -0.05, "mmtm": 0.015, "attention": 0.018}
ARMS |= {"late": 0.004, "lowrank": 0.01}


def main() -> None:
    """Make the study, build the report once, say how long it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = fabricate(Path(name), arms=ARMS, folds=5, seeds=3, cases=50, size=200)
        for path in folder.glob("runs/*/volumes/0.npz"):
            with np.load(path) as kept:
                case = str(kept["case"])
            write_ball(path, case, size=88, rng=np.random.default_rng(0))
        wall, cpu = time.perf_counter(), time.process_time()
        size = build_report(folder).stat().st_size
        found = {"build_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps({key: round(value, 2) for key, value in found.items()} | {"megabytes": round(size / 1e6, 2)}))


if __name__ == "__main__":
    main()
