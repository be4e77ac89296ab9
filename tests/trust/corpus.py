"""All bad inputs, made by code, and a run of all of them in one process: how many were clear, and the peak of memory.

python tests/trust/corpus.py        last line JSON: bad_inputs, bad_inputs_clear, peak_mib
"""

import json
import resource
import tempfile
from pathlib import Path

from bad_images import BAD_IMAGES
from sandbox import attempt, unclear

CORPUS = [*BAD_IMAGES]


def main() -> None:
    clear = 0
    for bad in CORPUS:
        with tempfile.TemporaryDirectory() as folder:
            said = attempt(bad, Path(folder))
        faults = unclear(bad, said)
        clear += not faults
        for fault in faults:
            print(f"{bad.name}: {fault}\n    {said.text[:600]}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"bad_inputs": len(CORPUS), "bad_inputs_clear": clear, "peak_mib": peak}))


if __name__ == "__main__":
    main()
