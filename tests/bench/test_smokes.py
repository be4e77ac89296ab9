"""Every script of bench/ still runs: its smoke ends well, and its last line has the keys that are read from it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
KEYS = {
    "batched": {"candidates_2d", "encoders_2d_8", "encoders_2d_32", "encoders_3d_8", "encoders_3d_32"},
    "compare": {
        "judged_large_seconds", "judged_large_cold_seconds", "judged_large_mib",
        "judged_usual_seconds", "judged_usual_cold_seconds", "judged_usual_mib",
    },
    "energy": {"time_ratio_2d", "memory_ratio_2d", "time_ratio_3d", "memory_ratio_3d", "mismatch_auc"},
    "memory": {"peak_gib", "anonymous_gib", "prepare_gib", "cases"},
    "metrics": {
        "vs_official_median", "vs_official_worst", "with_reading_median", "extra_mib",
        "vs_official2026_median", "vs_official2026_worst", "vs_official2026_least",
    },
    "nnunet": {"minutes", "ours_dice", "nnunet_dice", "difference", "ci_low", "ci_high", "patients"},
    "report": {"build_seconds", "cpu_seconds", "megabytes"},
    "verdict": {
        "false_words_worst", "false_words_mean", "coverage_worst", "power_kept", "family_false_words",
        "missing_false_words_worst", "missing_coverage_worst", "stopping_false_words", "stopping_false_words_at",
        "stopping_runs_saved", "stopping_words_kept", "real_coverage_worst", "real_false_words_worst",
        "through_compare", "controls", "controls_right", "seconds",
    },
    "start": {"help_seconds_over_python", "list_seconds_over_python", "heavy_imports"},
    "train_loop": {"vs_nnunet", "vs_monai"},
    "trust": {
        "kills", "kills_identical", "disturbed", "disturbed_identical", "bad_inputs", "bad_inputs_clear",
        "damaged", "damaged_clear", "ray_node_lost_identical",
    },
    "whether": {
        "lrrnet_parameters", "seeds", "best_joint", "best_joint_minus_concat", "paper_dynamic_minus_concat",
        "decoupled_minus_concat",
    },
}  # fmt: skip
SCRIPTS = sorted(path for path in BENCH.glob("*.py") if "__main__" in path.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_smoke_ends_with_a_line_of_json(script: Path, tmp_path: Path) -> None:
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, str(script), "--smoke"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=paths)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() == KEYS.get(script.stem, found.keys())
    assert found


def test_every_script_has_a_smoke() -> None:
    assert {path.stem for path in SCRIPTS} >= KEYS.keys()
    assert all('"--smoke"' in path.read_text(encoding="utf-8") for path in SCRIPTS)
