"""All bad inputs, made by code, and a run of all of them in one process: how many were clear, and the peak of memory.

python tests/trust/corpus.py [--first N]       last line JSON: bad_inputs, bad_inputs_clear, damaged, damaged_clear,
peak_mib. ``damaged`` are files damaged by rule, every reader x field x kind of damage, without --first.
"""

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for in_process, as pytest has it

from bad_choices import BAD_CHOICES
from bad_commands import BAD_COMMANDS
from bad_images import BAD_IMAGES
from bad_keys import BAD_KEYS
from bad_labels import BAD_LABELS
from bad_lists import BAD_LISTS
from bad_models import BAD_MODELS
from bad_texts import BAD_TEXTS
from damage import every_damage, unclear_or_other
from sandbox import attempt, unclear

CORPUS = [*BAD_IMAGES, *BAD_TEXTS, *BAD_KEYS, *BAD_COMMANDS, *BAD_LISTS, *BAD_LABELS, *BAD_MODELS, *BAD_CHOICES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--first", type=int, default=len(CORPUS), help="that many of them")
    tried, clear = CORPUS[: parser.parse_args().first], 0
    for bad in tried:
        with tempfile.TemporaryDirectory() as folder:
            said = attempt(bad, Path(folder))
        faults = unclear(bad, said)
        clear += not faults
        for fault in faults:
            print(f"{bad.name}: {fault}\n    {said.text[:600]}")
    damaged = list(every_damage()) if len(tried) == len(CORPUS) else []
    sound = 0
    for reader, bad in damaged:
        with tempfile.TemporaryDirectory() as folder:
            said = attempt(bad, Path(folder))
        faults = unclear_or_other(reader, bad, said)
        sound += not faults
        for fault in faults:
            print(f"{bad.name}: {fault}\n    {said.text[:600]}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    found = {"bad_inputs": len(tried), "bad_inputs_clear": clear, "damaged": len(damaged), "damaged_clear": sound}
    print(json.dumps(found | {"peak_mib": peak}))


if __name__ == "__main__":
    main()
