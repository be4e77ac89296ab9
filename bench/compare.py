"""How long a table of scores takes to judge, and how much memory: ``mrfusion.compare``, from rows to verdicts.

    python bench/compare.py            ten seconds of one core; --smoke: small tables, no figure to quote

Each table is judged in a fresh process, whose peak counts with Python and every import in it; seconds are CPU seconds
of the call alone, and ``judged_.._cold_seconds`` those of the first call of a process, with what it imports. Last line:
JSON. ``judged_large_seconds`` and ``judged_large_mib``: 10 arms x 500 patients x 5 folds
x 3 regions, 75 000 rows; ``judged_usual_seconds``: 100 patients x 5 folds x 3 seeds x 2 arms, 3 000 rows.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLES = {"large": (10, 500, 5, 1, 3), "usual": (2, 100, 5, 3, 1)}  # arms, patients, folds, seeds, regions
SMOKE = {"large": (3, 20, 2, 1, 3), "usual": (2, 10, 2, 2, 1)}


def rows(arms: int, patients: int, folds: int, seeds: int, regions: int) -> list[dict[str, object]]:
    """A tidy table in which every patient was scored in every fold."""
    import numpy as np

    noise = np.random.default_rng(0).normal(0.8, 0.05, (arms, patients, folds, seeds, regions)).clip(0, 1)
    return [
        {"arm": f"a{a}", "case": f"c{p}", "fold": f, "seed": s, "region": f"r{r}", "metric": "dice", "value": float(v)}
        for (a, p, f, s, r), v in np.ndenumerate(noise)
    ]


def one(sizes: tuple[int, int, int, int, int]) -> None:
    """Judge one table in this process: CPU seconds, MiB at the peak, rows, comparisons."""
    import mrfusion

    table = rows(*sizes)
    seconds = []
    for _ in range(2):  # the first call imports the judge
        start = time.process_time()
        found = mrfusion.compare(table, reference="a0")
        seconds.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"cold": seconds[0], "seconds": seconds[1], "mib": peak, "rows": len(table), "comparisons": len(found)}
    print(json.dumps(told))


def main() -> None:
    """Each table in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="small tables")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    tables = SMOKE if asked.smoke else TABLES
    if asked.one:
        one(tables[asked.one])
        return
    figures: dict[str, float] = {}
    for name in tables:
        call = [sys.executable, __file__, "--one", name, *(["--smoke"] if asked.smoke else [])]
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
        said = json.loads(subprocess.run(call, env=variables, check=True, stdout=subprocess.PIPE).stdout)
        print(f"{name:8s}{said['rows']:8d} rows {said['comparisons']:4d} comparisons {said['seconds']:8.2f} s "
              f"(first call {said['cold']:.2f} s) {said['mib']:8.0f} MiB")  # fmt: skip
        figures |= {
            f"judged_{name}_seconds": round(said["seconds"], 3),
            f"judged_{name}_cold_seconds": round(said["cold"], 3),
            f"judged_{name}_mib": round(said["mib"]),
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
