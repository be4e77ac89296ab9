"""All bad inputs, made by code, and a run of all of them in one process: how many were clear, and the peak of memory.

python tests/trust/corpus.py [--each N]       last line JSON: bad_inputs, bad_inputs_clear, damaged, damaged_clear,
peak_mib. ``damaged`` are files damaged by rule, every reader x field x kind of damage.
"""

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for in_process, as pytest has it

from bad_choices import BAD_CHOICES
from bad_commands import BAD_COMMANDS
from bad_conversions import BAD_CONVERSIONS
from bad_images import BAD_IMAGES
from bad_keys import BAD_KEYS
from bad_labels import BAD_LABELS
from bad_lists import BAD_LISTS
from bad_models import BAD_MODELS
from bad_texts import BAD_TEXTS
from damage import every_damage, unclear_or_other
from sandbox import Bad, Said, attempt, unclear

CORPUS = [
    *(*BAD_IMAGES, *BAD_TEXTS, *BAD_KEYS, *BAD_COMMANDS, *BAD_LISTS, *BAD_LABELS, *BAD_CONVERSIONS, *BAD_MODELS),
    *BAD_CHOICES,
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--each", type=int, default=1, help="only each so many-th of them")
    found = tried(parser.parse_args().each)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(found | {"peak_mib": peak}))


def tried(each: int) -> dict[str, int]:
    """How many of them were tried and how many were clear; what was not is printed."""
    bad = [(bad, lambda said, bad=bad: unclear(bad, said)) for bad in CORPUS[::each]]
    damaged = [
        (bad, lambda said, bad=bad, reader=reader: unclear_or_other(reader, bad, said))
        for reader, bad in list(every_damage())[::each]
    ]
    clear, sound = (sum(map(_is_clear, which)) for which in (bad, damaged))
    return {"bad_inputs": len(bad), "bad_inputs_clear": clear, "damaged": len(damaged), "damaged_clear": sound}


def _is_clear(one: tuple[Bad, Callable[[Said], list[str]]]) -> bool:
    bad, faults_in = one
    with tempfile.TemporaryDirectory() as folder:
        said = attempt(bad, Path(folder))
    faults = faults_in(said)
    for fault in faults:
        print(f"{bad.name}: {fault}\n    {said.text[:600]}")
    return not faults


if __name__ == "__main__":
    main()
