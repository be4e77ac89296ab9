"""Samples per second of our training loop, of a plain MONAI loop and of nnU-Net's trainer, in one run.

    python bench/train_loop.py [--data PHANTOM] [--repeats 9] [--steps 24] [--no-ladder] [--smoke]
    python bench/train_loop.py --device cuda --precision bf16-mixed --compile --dimensions 3 --size 128 128 128

The same network (the paper's U-Net), batch size, cases, sample size and threads for all; each with its own
augmentations, loader, loss and optimiser. All are loaded first; then they train round after round in turn, one at a
time, each halted while another runs; what is compared is the median over the repeats of the ratio of neighbours.
Wall time of everything in a round, loader processes included; CPU time stands beside it. The last line is JSON.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from contestant import Contestant
from environment import nnunet_python

from mrfusion.data.read import RunData, read_data
from mrfusion.hardware import cores
from mrfusion.phantom.cohort import write_cohort
from mrfusion.progress import silent
from mrfusion.spec import Data

RUNGS = ("torch's defaults", "channels-last", "fused optimiser", "whole-batch augmentation", "heap kept", "read ahead")
OURS = RUNGS[-1]  # the whole ladder: our loop as it is
PAIR = ("first of two", "second of two")
SMOKE = {"repeats": 1, "steps": 2, "size": [32, 32], "spacing": 4.0, "no_ladder": True}
Times = dict[str, list[tuple[float, float]]]


def main() -> None:
    """Run the race and print what came of it."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="mrfusion-bench-") as folder, ExitStack() as stack:
        settings = _settings(options, Path(folder))
        python, why_not = (None, "nnU-Net is not in a smoke") if options.smoke else nnunet_python()
        field = _field(options, settings, python)
        contestants = {each[0]: stack.enter_context(Contestant(*each)) for each in field}
        for contestant in contestants.values():
            contestant.wait()
        _check_networks(contestants)
        times = _race(contestants, options.repeats)
    _tell(options, contestants, times, why_not)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, help="a folder of 'mrfusion phantom'; default: 12 cases made for the run")
    parser.add_argument("--spacing", type=float, default=2.0, help="mm, of the cases made for the run")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--steps", type=int, default=24, help="batches in a round")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--dimensions", type=int, choices=(2, 3), default=2)
    parser.add_argument("--size", type=int, nargs="+", default=[96, 112])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("32-true", "bf16-mixed"), default="32-true")
    parser.add_argument("--compile", action="store_true", help="ours alone; nnU-Net compiles on a GPU by itself")
    parser.add_argument("--monai-workers", type=int, default=2, help="loader processes of MONAI's loop")
    parser.add_argument("--no-ladder", action="store_true", help="only ours, MONAI's and nnU-Net's")
    parser.add_argument("--smoke", action="store_true", help="a few seconds, to see that it runs; figures mean nothing")
    options = parser.parse_args()
    if options.smoke:
        vars(options).update(SMOKE)
    return options


def _settings(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What every contestant is told: paths of the training cases as files and as arrays, sizes, threads."""
    phantom = options.data or write_cohort(folder / "phantom", cases=12, spacing_mm=options.spacing, workers=2)
    spec = {
        "data": {
            "sources": [{"path": str(phantom.absolute()), "layout": "brats", "options": {"year": 2023}}],
            "split": {"folds": 1, "val_share": 0.1, "test_share": 0.1},
        }
    }
    data = read_data(Data.model_validate(spec["data"]), task="segmentation", cache=folder / "cache", progress=silent)
    names = ("batch", "threads", "dimensions", "size", "device", "precision", "compile", "steps", "monai_workers")
    return {name: getattr(options, name) for name in names} | {
        "spec": spec,
        "cache": str(folder / "cache"),
        "cases": _cases(data, folder / "arrays"),
        "folder": str(folder),
    }


def _cases(data: RunData, folder: Path) -> list[dict[str, Any]]:
    """The training cases of the split; arrays (M, S, H, W) and (S, H, W) as we prepare them, for nnU-Net."""
    folder.mkdir()
    cases = []
    for name in data.splits[0].train:
        case, prepared = data.cohort.case(name), data.prepared[name]
        np.save(
            folder / f"{name}.npy", prepared.images(data.cohort.modalities).transpose(1, 0, 2, 3).astype(np.float32)
        )
        labels = prepared.labels(data.cohort.modalities)
        assert labels is not None, "training cases have labels"
        np.save(folder / f"{name}_label.npy", labels)
        cases.append({
            "id": name,
            "images": [str(case.images[modality]) for modality in data.cohort.modalities],
            "label": str(case.label_map),
            "array": str(folder / f"{name}.npy"),
            "label_array": str(folder / f"{name}_label.npy"),
        })  # fmt: skip
    return cases


def _field(
    options: argparse.Namespace, settings: dict[str, Any], nnunet: Path | None
) -> list[tuple[str, str, Path, dict[str, Any]]]:
    """Name, script, Python and settings of each contestant, in the order in which they run."""
    here = Path(sys.executable)
    rungs = [OURS] if options.no_ladder else RUNGS
    field: list[tuple[str, str, Path, dict[str, Any]]] = [(name, "ours_loop", here, {"rung": name}) for name in rungs]
    field.append(("MONAI", "monai_loop", here, {}))
    field += [("nnU-Net", "nnunet_loop", nnunet, {})] if nnunet else []
    granted = sorted(os.sched_getaffinity(0))
    if not options.no_ladder and len(granted) >= len(PAIR):
        pair = zip(PAIR, granted, strict=False)
        field += [(name, "ours_loop", here, {"rung": OURS, "threads": 1, "cores": [core]}) for name, core in pair]
    work = Path(settings["folder"])
    return [
        (name, script, python, settings | {"work": str(work / f"contestant{i}")} | own)
        for i, (name, script, python, own) in enumerate(field)
    ]


def _check_networks(contestants: dict[str, Contestant]) -> None:
    sizes = {name: one.about["parameters"] for name, one in contestants.items()}
    if len(set(sizes.values())) != 1:
        raise SystemExit(f"the contestants do not train the same network; parameters: {sizes}")


def _race(contestants: dict[str, Contestant], repeats: int) -> Times:
    """Round after round in turn; the first warms up and does not count. The pair runs its rounds at the same time."""
    times: Times = {name: [] for name in contestants}
    groups = [(name,) for name in contestants if name not in PAIR] + [PAIR] * (PAIR[0] in contestants)
    for repeat in range(repeats + 1):
        for group in groups:
            for name in group:
                contestants[name].begin()
            found = {name: contestants[name].end() for name in group}
            if repeat:
                for name, seconds in found.items():
                    times[name].append(seconds)
        print(f"round {repeat} of {repeats} done", file=sys.stderr, flush=True)
    return times


def _tell(options: argparse.Namespace, contestants: dict[str, Contestant], times: Times, why_not: str) -> None:
    samples = options.steps * options.batch
    print(f"{platform.machine()}, {options.threads} threads, {options.device}, {options.precision}")
    print(f"U-Net, {options.dimensions}-D, samples {options.size}, batch {options.batch}, {options.repeats} repeats")
    print(f"\n{'':28}{'ms a sample':>12}{'CPU-ms':>9}{'ours is faster by':>19}{'in CPU time':>13}")
    for name in (name for name in times if name not in PAIR):
        wall, cpu = (median(pair[i] for pair in times[name]) * 1000 / samples for i in range(2))
        faster = [_ratio(times[name], times[OURS], i) for i in range(2)]
        print(f"{name:28}{wall:12.2f}{cpu:9.2f}{faster[0]:19.2f}{faster[1]:13.2f}")
    if PAIR[0] in times:
        _tell_pair(times)
    for name in (OURS, "MONAI", "nnU-Net"):
        if name in contestants:
            about = contestants[name].about
            print(f"{'ours' if name == OURS else name}: {about['note']}; augmentation: {about['augmentation']}")
    print(why_not, end="\n" * bool(why_not))
    ratios = {
        key: round(_ratio(times[name], times[OURS]), 3) if name in times else None
        for key, name in (("vs_nnunet", "nnU-Net"), ("vs_monai", "MONAI"))
    }
    print(json.dumps(ratios))


def _tell_pair(times: Times) -> None:
    """Two runs side by side with one thread each, against one run with all threads: samples per second in total."""
    both = [(max(a[0], b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(*(times[name] for name in PAIR), strict=True)]
    print(f"two runs side by side, one thread each: {_ratio(times[OURS], both):.2f} times the samples per second")


def _ratio(slower: Sequence[tuple[float, float]], faster: Sequence[tuple[float, float]], which: int = 0) -> float:
    """The median over the repeats; ``which`` is 0 for wall time and 1 for CPU time."""
    return median(a[which] / b[which] for a, b in zip(slower, faster, strict=True))


if __name__ == "__main__":
    main()
