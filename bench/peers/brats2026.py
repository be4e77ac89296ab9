"""The challenge's evaluation package of 2026 beside ours: the same pairs, every column of its tables, CPU seconds.

Runs in an environment of its own, which ``bench/metrics.py`` makes, and prints one JSON line with the figures. The
package is called as its page says and used as a black box; what it takes to read the two files (SimpleITK, as it does)
is taken off its time, for ours are read already.
"""

import contextlib
import io
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import SimpleITK
from brats_evaluation import config_path, evaluate_single_exam
from panoptica import Panoptica_Evaluator

from mrfusion.data.nifti.labels import read_stored
from mrfusion.result import CaseScore
from mrfusion.rules import rule_named
from mrfusion.scoring.masks import score_case

CHALLENGES = {"gli": "GLI", "mets": "METS", "ped": "PED", "MenPre": "MenPre", "GoAT": "GoAT"}  # MenRT: label 1 only
COUNTS = {"tp": "instance_tp", "fp": "instance_fp", "fn": "instance_fn"}


def seconds(function: Callable[[], Any], times: int) -> tuple[float, Any]:
    """The least CPU time of some calls, and what the last one gave."""
    best = math.inf
    for _ in range(times):
        start = time.process_time()
        result = function()
        best = min(best, time.process_time() - start)
    return best, result


def measured(challenge: str, evaluator: Any, prediction: Path, target: Path) -> tuple[float, float, bool]:
    """(theirs, ours, whether all counts are the same) of one pair."""
    rule = rule_named(f"brats2026-{CHALLENGES[challenge]}")
    pred, wanted = read_stored(prediction), read_stored(target)
    regions, metrics = rule.regions, rule.metrics

    def ours() -> Sequence[CaseScore]:
        return score_case(
            "x",
            pred.array,
            target=wanted.array,
            regions=regions,
            spacing_mm=pred.spacing_mm,
            metrics=metrics,
            rule=rule,
        )

    def theirs() -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            return evaluate_single_exam(
                prediction_filepath=str(prediction),
                reference_filepath=str(target),
                subject_identifier="x",
                evaluator=evaluator,
            )

    ours()
    mine, scores = seconds(ours, 7)
    reading, _ = seconds(lambda: [SimpleITK.ReadImage(str(path)) for path in (prediction, target)], 3)
    whole, answer = seconds(theirs, 1)
    found = {(score.region.lower(), score.metric): score.value for score in scores}
    same = all(
        answer[region.name.lower()][theirs] == found[region.name.lower(), ours]
        for region in regions
        for theirs, ours in COUNTS.items()
    )
    return whole - reading, mine, same


def main(folder: str, *names: str) -> None:
    """Every challenge on every pair named; the last line is the JSON."""
    rows = []
    print(f"{'pair':32s}{'rules':16s}{'package s':>11s}{'ours ms':>9s}{'times':>7s}  same counts")
    for challenge, rules in CHALLENGES.items():
        evaluator = Panoptica_Evaluator.load_from_config(str(config_path(challenge)))
        for name in names:
            paths = [Path(folder) / f"{name}_{role}.nii.gz" for role in ("pred", "gt")]
            theirs, ours, same = measured(challenge, evaluator, *paths)
            rows.append((theirs, theirs / ours))
            print(
                f"{name:32s}{'brats2026-' + rules:16s}{theirs:11.2f}{ours * 1e3:9.1f}{theirs / ours:7.0f}  "
                f"{'yes' if same else 'NO'}",
                flush=True,
            )
    figures = {
        "vs_official2026_median": round(statistics.median(times for _, times in rows), 1),
        "vs_official2026_worst": round(max(rows)[1], 1),
        "vs_official2026_least": round(min(times for _, times in rows), 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
