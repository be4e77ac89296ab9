"""How fast the segmentation metrics are, beside what people use: one process, one run, the same pairs.

    python bench/metrics.py       about ten minutes; --quick: two pairs, one minute; --smoke: seconds, in this Python

Makes ``.env-bench-metrics`` for the peers (``bench/metrics-peers.txt``: the numpy and scipy of the official script's
time) and runs there. Times are CPU seconds of one thread, files already read; a peer that cannot be imported is
reported as absent. The challenge's package of 2026 gets an environment of its own (``--brats2026``, default
``.env-bench-brats2026``), where it and ours run in one process. The official BraTS 2023 script has no licence to be
copied or fetched, so it is stood for by
``tests/metrics/literal.py``: the definition, step by step over whole volumes, with the same calls of cc3d and scipy.
--smoke compares small pairs with the peers that this Python has; its figures mean nothing. Last line: JSON.
"""

import argparse
import csv
import ctypes
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".env-bench-metrics"
ORACLES = Path(os.environ.get("MRFUSION_ORACLES", ROOT.parent / "shared" / "oracles")) / "brats2023"
Pairs = list[tuple[str, str, Path, Path]]  # name, rules, prediction, target
Scores = dict[Any, float]
SPACING_MM = (1.0, 1.0, 1.0)
BRATS = (240, 240, 155)
REGIONS = {"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,)}
PACKAGE_2026 = ["BraTS_evaluation numba isal pillow pyyaml pydantic"]
OURS = (
    *("lesion_tp", "lesion_fp", "lesion_fn", "sensitivity", "specificity", "dice", "hd95", "target_volume_mm3"),
    *("lesion_dice", "lesion_hd95"),
)


def environment(folder: Path, lines: list[str]) -> Path:
    """The peers' Python with what the lines name, made at the first call."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making {folder.name} (once, some minutes)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        for line in lines:
            if line and not line.startswith("#"):  # one by one: a peer that cannot be had must not stop the others
                done = subprocess.run([python, "-m", "pip", "install", "-q", *line.split()], check=False)
                print(f"  {line}: {'installed' if done.returncode == 0 else 'cannot be had here'}", flush=True)
    return python


def main() -> None:
    """Run this file again in the peers' environment."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two pairs only")
    parser.add_argument("--brats2026", type=Path, default=ROOT / ".env-bench-brats2026", help="its environment")
    parser.add_argument("--smoke", action="store_true", help="seconds, in this Python, to see that the way is open")
    asked = parser.parse_args()
    if asked.smoke:
        smoke()
        return
    if not os.environ.get("MRFUSION_BENCH"):
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1")
        paths = os.pathsep.join(str(ROOT / part) for part in ("src", "tests/metrics"))
        peers = (ROOT / "bench" / "metrics-peers.txt").read_text().splitlines()
        call: list[str | Path] = [environment(ENVIRONMENT, peers), __file__, *sys.argv[1:]]
        variables = {**os.environ, **one, "MRFUSION_BENCH": "1", "PYTHONPATH": paths, "PYTHONWARNINGS": "ignore"}
        sys.exit(subprocess.run(call, env=variables, check=False).returncode)
    pairs = oracle_pairs() if ORACLES.is_dir() else phantom_pairs(ENVIRONMENT, BRATS, (1, 1, 2, 4, 7, 12))
    if asked.quick:
        pairs = pairs[:2]
    figures = report(pairs) | beside_2026(pairs, environment(asked.brats2026, PACKAGE_2026))
    print(json.dumps(figures))


def smoke() -> None:
    """Two small pairs, and none of what needs an environment of its own."""
    sys.path.insert(0, str(ROOT / "tests" / "metrics"))
    with tempfile.TemporaryDirectory(prefix="mrfusion-bench-") as folder:
        figures = report(phantom_pairs(Path(folder), (48, 48, 31), (1, 4)))
    print(json.dumps(figures | dict.fromkeys(f"vs_official2026_{which}" for which in ("median", "worst", "least"))))


def beside_2026(pairs: Pairs, python: Path) -> dict[str, float]:
    """What the challenge's package of 2026 takes on the same pairs; nothing where it cannot be had."""
    names = dict.fromkeys(name for name, *_ in pairs)
    call: list[str | Path] = [python, ROOT / "bench" / "peers" / "brats2026.py", pairs[0][2].parent, *names]
    done = subprocess.run(
        call, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, check=False, stdout=subprocess.PIPE
    )
    *lines, last = done.stdout.decode().splitlines() or ["the package of 2026 is absent: see above"]
    print("\n".join([*lines, "" if done.returncode == 0 else last]))
    figures: dict[str, float] = json.loads(last) if done.returncode == 0 else {}
    return figures


# ---------------------------------------------------------------- the pairs


def oracle_pairs() -> Pairs:
    """(pair, rules, prediction, target) of every row of the official answers."""
    with (ORACLES / "official.csv").open(newline="") as stream:
        keys = dict.fromkeys((row["pair"], row["rules"]) for row in csv.DictReader(stream))
    return [(p, r, ORACLES / "pairs" / f"{p}_pred.nii.gz", ORACLES / "pairs" / f"{p}_gt.nii.gz") for p, r in keys]


def phantom_pairs(folder: Path, shape: tuple[int, int, int], lesions_of_pairs: Sequence[int]) -> Pairs:
    """Blobs, where the oracles are not at hand, written into ``folder``; one pair for each number of lesions."""
    import nibabel as nib
    import numpy as np

    made = []
    for seed, lesions in enumerate(lesions_of_pairs):
        rng = np.random.default_rng(seed)
        axes = np.ogrid[tuple(slice(length) for length in shape)]
        label_map = np.zeros(shape, np.uint8)
        for _ in range(lesions):
            centre, radius = rng.uniform(0.25, 0.75, 3) * label_map.shape, rng.uniform(4, 30 / lesions**0.5)
            far = sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True)) ** 0.5 + rng.normal(
                0, 0.6, label_map.shape
            )
            for label, share in ((2, 1.0), (3, 0.7), (1, 0.5)):
                label_map[far < radius * share] = label
        pred, gt = (folder / f"blobs{seed}_{role}.nii.gz" for role in ("pred", "gt"))
        for path, array in zip((pred, gt), (np.roll(label_map, 1, seed % 3), label_map), strict=True):
            nib.save(nib.Nifti1Image(array, np.eye(4)), path)
        made.append((f"blobs{seed}", "brats2023-GLI", pred, gt))
    return made


# ---------------------------------------------------------------- what is timed


def ours(pred: Any, target: Any, rules: str) -> Scores:
    """All ten columns, three regions, from label maps."""
    from mrfusion.rules import rule_named
    from mrfusion.scoring.masks import score_case

    rule = rule_named(rules)
    scores = score_case("x", pred, target=target, regions=rule.regions, spacing_mm=SPACING_MM, metrics=OURS, rule=rule)
    return {(score.region, score.metric): score.value for score in scores}


def official(pred: Any, target: Any, rules: str) -> Scores:
    """All ten columns, three regions, by the definition."""
    import literal

    from mrfusion.rules import rule_named

    rule, areas = rule_named(rules), surface_areas()
    options: dict[str, Any] = {"dilation": rule.dilation, "smallest_mm3": rule.smallest_mm3, "areas": areas}
    found: Scores = {}
    for name, labels in REGIONS.items():
        scores = literal.scores(pred, target, SPACING_MM, labels=labels, **options)
        found |= {(name, metric): float(value) for metric, value in scores.items()}
    return found


def surface_areas() -> Callable[[Any], Any]:
    """The table of DeepMind's package; for a smoke without it ours, which is the same."""
    try:
        from surface_distance.lookup_tables import create_table_neighbour_code_to_surface_area
    except ImportError:
        from mrfusion.surface.areas import surfel_areas

        return surfel_areas
    table: Callable[[Any], Any] = create_table_neighbour_code_to_surface_area
    return table


def surface_distance(pred: Any, target: Any) -> Scores:
    """HD95 by DeepMind's package."""
    import surface_distance as peer

    distances = peer.compute_surface_distances(target, pred, SPACING_MM)
    return {"hd95": peer.compute_robust_hausdorff(distances, 95)}


def medpy(pred: Any, target: Any) -> Scores:
    """Dice and HD95 by MedPy."""
    from medpy.metric import binary

    return {"dice": binary.dc(pred, target), "hd95": binary.hd95(pred, target, voxelspacing=SPACING_MM)}


def simpleitk(pred: Any, target: Any) -> Scores:
    """Dice and the full Hausdorff distance by SimpleITK (it has no HD95)."""
    import SimpleITK

    images = [SimpleITK.GetImageFromArray(mask.astype("uint8")) for mask in (pred, target)]
    overlap, distance = SimpleITK.LabelOverlapMeasuresImageFilter(), SimpleITK.HausdorffDistanceImageFilter()
    overlap.Execute(*images)
    distance.Execute(*images)
    return {"dice": overlap.GetDiceCoefficient(), "hd": distance.GetHausdorffDistance()}


def panoptica(pred: Any, target: Any) -> Scores:
    """Components, their matching and their Dice by panoptica."""
    from panoptica import (
        ConnectedComponentsInstanceApproximator,
        InputType,
        NaiveThresholdMatching,
        Panoptica_Evaluator,
    )

    evaluator = Panoptica_Evaluator(
        expected_input=InputType.SEMANTIC,
        instance_approximator=ConnectedComponentsInstanceApproximator(),
        instance_matcher=NaiveThresholdMatching(),
    )
    found = evaluator.evaluate(pred.astype("uint8"), target.astype("uint8"), verbose=False)["ungrouped"]
    return {"dice": found.global_bin_dsc}


def monai(pred: Any, target: Any) -> Scores:
    """Dice and HD95 by MONAI on the CPU."""
    import torch
    from monai.metrics import compute_dice, compute_hausdorff_distance

    torch.set_num_threads(1)
    tensors = [torch.as_tensor(mask)[None, None].float() for mask in (pred, target)]
    far = compute_hausdorff_distance(*tensors, percentile=95, spacing=SPACING_MM)
    return {"dice": float(compute_dice(*tensors)), "hd95": float(far)}


PEERS = {
    "surface_distance": surface_distance,
    "monai": monai,
    "medpy": medpy,
    "panoptica": panoptica,
    "SimpleITK": simpleitk,
}


# ---------------------------------------------------------------- measuring


def seconds(function: Callable[..., Any], *arguments: Any, times: int = 1) -> tuple[float, Any]:
    """The least CPU time of some calls, and what the last one said."""
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        result = function(*arguments)
        best = min(best, time.process_time() - start)
    return best, result


def extra_mib(function: Callable[..., Any], *arguments: Any) -> float:
    """How far the process's memory rises above where it stood, in MiB."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # freed memory that the process still holds would hide what is used anew
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    function(*arguments)
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    return next(
        int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key)
    )


def report(pairs: Pairs) -> dict[str, float]:
    """Time everything, pair by pair, print a table and give the figures."""
    import nibabel as nib
    import numpy as np

    from mrfusion.scoring.folders import score_pair
    from mrfusion.scoring.pairing import Pair
    from mrfusion.scoring.question import question

    peers: dict[str, Any] = {name: [] for name in PEERS}  # a list of what was measured, or why nothing was
    rows, memory = [], []
    print(
        f"{'pair':32s}{'rules':16s}{'official s':>11s}{'ours ms':>9s}{'times':>7s}{'+read ms':>9s}{'times':>7s}  same"
    )
    for name, rules, pred_path, target_path in pairs:
        images = [nib.load(path) for path in (pred_path, target_path)]
        pred, target = (np.asarray(image.dataobj) for image in images)
        ours(pred, target, rules)
        mine, answer = seconds(ours, pred, target, rules, times=9)
        asked = question(rules, metrics=",".join(OURS))
        reading, _ = seconds(score_pair, Pair(name, {"": pred_path}, {"": target_path}), asked, times=5)
        memory.append(extra_mib(ours, pred, target, rules))
        theirs, expected = seconds(official, *(image.get_fdata() for image in images), rules)
        load = sum(seconds(read_floats, path)[0] for path in (pred_path, target_path))
        same = all(abs(answer[key] - value) < 1e-9 for key, value in expected.items())
        rows.append((name, theirs / mine, (theirs + load) / reading))
        print(f"{name:32s}{rules:16s}{theirs:11.2f}{mine * 1e3:9.1f}{theirs / mine:7.0f}{reading * 1e3:9.1f}"
              f"{rows[-1][2]:7.0f}  {'yes' if same else 'NO'}", flush=True)  # fmt: skip
        if name.startswith(("r", "blobs")) and rules == "brats2023-GLI":
            time_peers(peers, pred, target, answer, theirs)
    for name, measured in peers.items():
        print(f"{name:20s}", peer_line(measured))
    return {
        "vs_official_median": round(statistics.median(row[1] for row in rows), 1),
        "vs_official_worst": round(min(row[1] for row in rows), 1),
        "with_reading_median": round(statistics.median(row[2] for row in rows), 1),
        "extra_mib": round(max(memory), 1),
    }


def read_floats(path: Path) -> Any:
    """The file as the official script reads it."""
    import nibabel as nib

    return nib.load(path).get_fdata()


def time_peers(peers: dict[str, Any], pred: Any, target: Any, answer: Scores, official_seconds: float) -> None:
    """Each peer on the three regions of one pair; what it says beside what we say."""
    for name, measure in PEERS.items():
        try:
            importlib.import_module(name)
        except ImportError as error:
            peers[name] = f"absent: {error}"
            continue
        spent, off = 0.0, 0.0
        for region, labels in REGIONS.items():
            masks = [region_mask(array, labels) for array in (pred, target)]
            took, found = seconds(measure, *masks)
            spent += took
            off = max([off, *(abs(found[m] - answer[region, m]) for m in found if (region, m) in answer)])
        peers[name].append((spent, official_seconds / spent, off))


def region_mask(array: Any, labels: Sequence[int]) -> Any:
    """The region as a mask."""
    import numpy as np

    return np.isin(array, labels)


def peer_line(measured: Any) -> str:
    """One line of the table of peers."""
    if isinstance(measured, str) or not measured:
        return measured or "not timed"
    spent, times = (statistics.median(entry[column] for entry in measured) for column in (0, 1))
    off = max(entry[2] for entry in measured)
    return f"{spent:8.2f} s  {times:6.1f} times the official script; its numbers differ by up to {off:.3g}"


if __name__ == "__main__":
    main()
