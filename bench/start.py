"""How long the command line takes to answer, against Python alone, and what it imports for that.

    python bench/start.py [--repeats 9] [--smoke]

The commands are run in turn, so that a busy machine meets them alike. The last line is JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

HEAVY = (
    "torch", "monai", "lightning_fabric", "numba", "scipy", "nibabel", "nilearn", "plotly", "sklearn", "pandas",
    "matplotlib", "PIL", "jinja2", "cc3d",
)  # fmt: skip
MRFUSION = str(Path(sys.executable).with_name("mrfusion"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "mrfusion --help": [MRFUSION, "--help"],
    "mrfusion list": [MRFUSION, "list"],
}


def main() -> None:
    """Measure, print a table and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--smoke", action="store_true", help="a few seconds, to see that it runs; figures mean nothing")
    options = parser.parse_args()
    repeats = 1 if options.smoke else options.repeats
    for command in COMMANDS.values():
        _seconds(command)  # the first time reads from the disk
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeats):
        for name, command in COMMANDS.items():
            times[name].append(_seconds(command))
    pause = times["python -c pass"]
    for name, seconds in times.items():
        print(f"{name:18}{median(seconds):8.3f} s{median(_over(seconds, pause)):+8.3f} s over Python alone")
    imports = {name: _imports(command) for name, command in COMMANDS.items() if command[0] == MRFUSION}
    for name, found in imports.items():
        print(f"{name} spends most on: " + ", ".join(f"{m} {s * 1000:.0f} ms" for m, s in _largest(found)))
    heavy = sorted({module for found in imports.values() for module in found if module in HEAVY})
    over = {"help": times["mrfusion --help"], "list": times["mrfusion list"]}
    figures = {f"{name}_seconds_over_python": round(median(_over(s, pause)), 3) for name, s in over.items()}
    print(json.dumps(figures | {"heavy_imports": heavy}))


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _over(seconds: list[float], pause: list[float]) -> list[float]:
    return [a - b for a, b in zip(seconds, pause, strict=True)]


def _imports(command: list[str]) -> dict[str, float]:
    """Seconds that each package took to import, what it imports itself included, by Python's own clock."""
    environment = os.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    rows = (line.removeprefix("import time:").split("|") for line in done.stderr.splitlines() if "|" in line)
    found: dict[str, float] = {}
    for _, cumulated, module in rows:
        if cumulated.strip().isdigit():
            package = module.strip().split(".")[0]
            found[package] = max(found.get(package, 0.0), int(cumulated) / 1e6)
    return found


def _largest(found: dict[str, float], count: int = 6) -> list[tuple[str, float]]:
    outside = {module: seconds for module, seconds in found.items() if module != "mrfusion"}
    return sorted(outside.items(), key=lambda item: -item[1])[:count]


if __name__ == "__main__":
    main()
