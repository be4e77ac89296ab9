"""What energies cost against the mean, and whether they tell a case one of whose modalities is another patient's.

    python bench/energy.py [--network residual] [--fusion energy] [--repeats 7] [--no-mismatch] [--smoke]

Cost: a training step (forward, loss, backward, optimiser) of four modalities with the fusion at all levels against the
mean at all levels; on a CPU one thread and CPU time, steps in turn, the median of the ratios of neighbours; memory is
the peak above what the process held before the network was built, each in a process of its own.
Mismatch: a network learns on phantoms with both losses on energies, alignment at weight 1 instead of 0.1, for what it
is for here is to tell; in test cases each modality in turn is replaced by the next patient's. AUC of the suspicion of
mrfusion.finished_run.mismatch, against what is usual in the training cases. The last line is JSON.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from mrfusion import families
from mrfusion.data.read import read_data
from mrfusion.data.sample import LoadedCase, cut
from mrfusion.finished_run.mismatch import Usual, pulls, suspicion, usual
from mrfusion.model.network import FusionNetwork, build_network
from mrfusion.phantom.cohort import write_cohort
from mrfusion.plan import parse_plan
from mrfusion.progress import silent
from mrfusion.run.execute import parts_of
from mrfusion.run_folder.quantity import SCORE
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import make_fabric, make_model, make_training
from mrfusion.training.environment import peak_mib, reset_peak
from mrfusion.training.heap import keep_heap
from mrfusion.training.loop import fit
from mrfusion.training.quantify import Quantifier

MODALITIES = ("t1n", "t1c", "t2w", "t2f")
SMOKE = {"network": "unet(base=4,stages=1)", "repeats": 1, "cases": 6, "spacing": 8.0, "epochs": 1}
Size = tuple[int, tuple[int, ...]]  # samples of a batch, grid
SIZES: tuple[Size, ...] = ((4, (96, 112)), (1, (32, 48, 48)))
SMALL: tuple[Size, ...] = ((1, (32, 32)), (1, (8, 16, 16)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--network", default="residual")
    parser.add_argument("--fusion", default="energy")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--no-mismatch", action="store_true")
    parser.add_argument("--cases", type=int, default=24, help="phantoms of the mismatch study")
    parser.add_argument("--spacing", type=float, default=4.0, help="of their voxels, mm")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0, help="of the phantoms")
    parser.add_argument("--keep", type=Path, help="a folder for the phantoms, used again if it is there")
    parser.add_argument("--smoke", action="store_true", help="a few seconds, to see that it runs; figures mean nothing")
    options = parser.parse_args()
    if options.smoke:
        vars(options).update(SMOKE)
    figures: dict[str, Any] = {}
    for size in SMALL if options.smoke else SIZES:
        figures |= costs(options, size)
    if not options.no_mismatch:
        with tempfile.TemporaryDirectory(prefix="mrfusion-bench-") as folder:
            figures |= mismatch(options.keep or Path(folder), options)
    print(json.dumps(figures))


class Steps:
    """Training steps of one network on random images."""

    def __init__(self, network: str, fusion: str, size: Size, device: str) -> None:
        batch, grid = size
        dimensions = len(grid)
        layout = torch.channels_last if dimensions == 2 else torch.channels_last_3d
        torch.manual_seed(0)
        backbone = families.load("backbones", network)(dimensions)
        plan = parse_plan(f"separate[{fusion}]")
        self.network: FusionNetwork = build_network(plan, MODALITIES, backbone, task="segmentation", out_channels=3)
        self.network.to(device, memory_format=layout).train()  # type: ignore[call-overload]
        self.optimiser = torch.optim.AdamW(self.network.parameters(), fused=True)
        self.images = torch.randn(batch, len(MODALITIES), *grid, device=device).contiguous(memory_format=layout)
        self.present = torch.ones(batch, len(MODALITIES), dtype=torch.bool, device=device)
        self.target = (torch.rand(batch, 3, *grid, device=device) < 0.3).float()
        self.loss = families.load("losses", "dice_ce")(False)

    def seconds(self) -> float:
        """One step: CPU time, or on a GPU the time until it has ended."""
        on_gpu = self.images.is_cuda
        clock = time.perf_counter if on_gpu else time.process_time
        started = clock()
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(self.network(self.images, self.present), self.target).backward()
        self.optimiser.step()
        if on_gpu:
            torch.cuda.synchronize()
        return clock() - started


def costs(options: argparse.Namespace, size: Size) -> dict[str, float]:
    """Time and memory of the fusion over those of the mean."""
    keep_heap()
    torch.set_num_threads(1)
    both = [Steps(options.network, fusion, size, options.device) for fusion in ("mean", options.fusion)]
    for steps in both:
        steps.seconds()
    rounds = [[steps.seconds() for steps in both] for _ in range(options.repeats)]
    slower = median(theirs / mean for mean, theirs in rounds)
    mean_mib, theirs_mib = (
        _in_fresh_process(options.network, fusion, size, options.device) for fusion in ("mean", options.fusion)
    )
    dimensions = len(size[1])
    milliseconds = 1000 * median(mean for mean, _ in rounds)
    print(f"{dimensions}-D, {options.network}: mean {milliseconds:.0f} ms and {mean_mib:.0f} MiB a step")
    print(f"  {options.fusion}: {slower:.3f} times the time, {theirs_mib / mean_mib:.3f} times the memory", flush=True)
    return {f"time_ratio_{dimensions}d": slower, f"memory_ratio_{dimensions}d": theirs_mib / mean_mib}


def _in_fresh_process(*arguments: Any) -> float:
    """In a process whose libraries are loaded, once for all, and which has not computed anything yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "mrfusion.run.execute"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(memory, *arguments).result()


def memory(network: str, fusion: str, size: Size, device: str) -> float:
    """Peak MiB of building and three steps, above what the process held before."""
    keep_heap()
    torch.set_num_threads(1)
    place = torch.device(device)
    Steps("unet(base=4,stages=1)", "mean", size, device).seconds()  # libraries make room for themselves
    reset_peak(place)
    before = peak_mib(place)
    steps = Steps(network, fusion, size, device)
    for _ in range(3):
        steps.seconds()
    return peak_mib(place) - before


def mismatch(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Train on phantoms, exchange modalities between test patients, compare."""
    phantom = write_cohort(folder / "phantom", cases=options.cases, spacing_mm=options.spacing, seed=options.seed)
    spec = mismatch_spec(phantom, options)
    data = read_data(spec.data, task=spec.task, cache=folder / "cache", progress=silent)
    fabric, parts = make_fabric(spec.machine, spec.budget.precision), parts_of(spec, data)
    with tempfile.TemporaryDirectory(prefix="mrfusion-bench-") as work:
        training = make_training(spec, data.cohort, parts, fabric=fabric, folder=RunFolder(Path(work)), progress=silent)
        history = fit(training, families.load("schedules", spec.schedule)().phases(training.network, spec.loss_names))
    quantifier = Quantifier(
        make_model(spec, data.cohort, network=training.network, size=parts.size, fabric=fabric).predictor
    )
    split = data.splits[0]
    test = parts_of(spec, replace(data, splits=(replace(split, val=split.test),))).val
    by = usual([found_of(quantifier, case) for case in parts.train])
    right = [worst(found_of(quantifier, case), by) for case in test]
    pairs = list(zip(test, [*test[1:], test[0]], strict=True))
    wrong = {
        name: [worst(found_of(quantifier, swapped(case, other, m)), by) for case, other in pairs]
        for m, name in enumerate(MODALITIES)
    }
    print(f"mismatch: {len(parts.train)} training and {len(test)} test cases, Dice {max(history.of(SCORE)):.3f}")
    print("  " + ", ".join(f"{name} {auc(scores, right):.3f}" for name, scores in wrong.items()))
    return {"mismatch_auc": auc([score for scores in wrong.values() for score in scores], right)}


def mismatch_spec(phantom: Path, options: argparse.Namespace) -> RunSpec:
    """A quick training."""
    return RunSpec.model_validate({
        "data": {
            "sources": [{"path": str(phantom), "layout": "brats", "options": {"year": 2023}}],
            "split": {"folds": 1, "val_share": 0.1, "test_share": 0.4},
        },
        "plan": f"separate[{options.fusion}]",
        "network": "unet(base=8,stages=2,norm=instance)",
        "losses": ["dice_ce", "energy", "alignment"],
        "balancer": "static(energy=0.1,alignment=1.0,warm=0.1)",
        "sampling": {"per_case": 6},
        "augmentation": {"share": 0.0},
        "budget": {"epochs": options.epochs, "learning_rate": 0.003},
        "machine": {"device": options.device, "threads": 1},
    })  # fmt: skip


def found_of(quantifier: Quantifier, case: LoadedCase) -> dict[tuple[int, str], float]:
    """What each modality adds to the energy of each level."""
    return pulls(quantifier.quantify(case, MODALITIES, 0).rows)


def worst(found: dict[tuple[int, str], float], by: Usual) -> float:
    """How suspicious a case is."""
    return max(suspicion(found, by).values())


def swapped(case: LoadedCase, other: LoadedCase, modality: int) -> LoadedCase:
    """A case with one modality of another patient, centred on its grid."""
    images = np.array(case.images, np.float32)
    theirs = np.asarray(other.images, np.float32)[:, modality : modality + 1]
    grid, have = (images.shape[0], *images.shape[2:]), (theirs.shape[0], *theirs.shape[2:])
    start = tuple((b - a) // 2 for a, b in zip(grid, have, strict=True))
    box = np.zeros((grid[0], 1, *grid[1:]), np.float32)
    cut(theirs, start, grid, box)
    images[:, modality] = box[:, 0]
    return replace(case, images=images)


def auc(wrong: Sequence[float], right: Sequence[float]) -> float:
    """How often a wrong case has more energy than a right one; ties count half."""
    a, b = np.asarray(wrong)[:, None], np.asarray(right)[None]
    return float(((a > b) + 0.5 * (a == b)).mean())


if __name__ == "__main__":
    main()
