"""A GPU that is there for minutes: each figure printed as soon as it is known, the most valuable first.

    python bench/gpu.py [--nnunet PYTHON] [--minutes 8]
    python bench/gpu.py --device cpu --smoke            the same path on small grids; its figures mean nothing; peers
                                                        are in it where --nnunet names a Python

In this order: our loop against steps on one batch that stays on the GPU (aim at most 1.05), samples per second against
nnU-Net's trainer (aim at least 1.5) and MONAI's loop (1.0) on the same network, in 2-D (256 x 256) and 3-D (128^3);
peak memory; energies against the mean; a study of three tiny arms from its start to its report (aim below 60 s).
Nothing is made or loaded twice: ours runs in this process, each peer in one of its own, which loads while ours is
measured. A step that takes longer than 90 s is given up, and what is left is skipped when the minutes are over; both
are said. Needs mrfusion's own dependencies, and for nnU-Net a Python that has it (default: this one, if it has).
Torch's compilation is
off for nnU-Net, which would take longer than all the rest. The last line is JSON.
"""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import nibabel as nib
import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import torch
from contestant import Contestant

from mrfusion import families
from mrfusion.data.batch import Batch
from mrfusion.data.read import read_data
from mrfusion.progress import silent
from mrfusion.run.execute import parts_of
from mrfusion.run_folder.quantity import SCORE, Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import make_fabric, make_training, said_precision
from mrfusion.training.environment import peak_mib, reset_peak
from mrfusion.training.loop import Training, fit
from mrfusion.training.optimiser import make_optimiser

MODALITIES = ("t1n", "t1c", "t2w", "t2f")
STEP_SECONDS = 90
STARTED = time.perf_counter()


class Figures:
    """What is known so far; steps that take too long are given up, and none begins after the end."""

    def __init__(self, minutes: float) -> None:
        self.end, self.known = STARTED + 60 * minutes, dict[str, Any]()

    def say(self, name: str, value: Any) -> None:
        """Print a figure at once and keep it for the last line."""
        self.known[name] = round(value, 4) if isinstance(value, float) else value
        print(f"{time.perf_counter() - STARTED:6.1f} s  {name}: {self.known[name]}", flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step; what goes wrong in it is said, and the next one begins."""
        left = min(STEP_SECONDS, self.end - time.perf_counter())
        if left < 1:
            self.say(f"{name}_skipped", "the minutes are over")
            left = 0.001
        signal.signal(signal.SIGALRM, _give_up)
        signal.setitimer(signal.ITIMER_REAL, left)
        try:
            yield
        except Exception as error:  # a short loan must not end with its first surprise
            self.say(f"{name}_failed", f"{type(error).__name__}: {str(error)[-300:]}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _give_up(*_: object) -> None:
    raise TimeoutError(f"longer than {STEP_SECONDS} s, or the minutes are over")


def main() -> None:
    """Measure and print."""
    options = _options()
    if options.smoke:
        torch.set_num_threads(1)  # the other core loads a peer
    figures = Figures(options.minutes)
    with tempfile.TemporaryDirectory(prefix="mrfusion-gpu-") as folder:
        work = Path(folder)
        figures.say("device", _device(options.device))
        made = _cases(work, 24 if options.smoke else 144, 4 if options.smoke else 6)
        figures.say("data_s", time.perf_counter() - STARTED)
        for dimensions in (2, 3):
            _against_peers(figures, options, work, dimensions, made)
        with figures.step("energy"):
            figures.say("energy_2d_over_mean", _energy(options, work))
        with figures.step("study"):
            figures.say("study_of_three_arms_s", _study(options, work))
    figures.say("seconds", time.perf_counter() - STARTED)
    print(json.dumps(figures.known))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    usual = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cpu", "cuda"), default=usual, help="default: a GPU where there is one")
    parser.add_argument("--nnunet", type=Path, help="a Python that has nnunetv2; default: this one")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--smoke", action="store_true", help="small grids; peers with --nnunet alone")
    return parser.parse_args()


def _device(device: str) -> str:
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    return f"{name}, {len(os.sched_getaffinity(0))} cores, torch {torch.__version__}"


def _cases(work: Path, side: int, count: int) -> list[dict[str, Any]]:
    """Smooth random heads with three labels inside one another: as NIfTI files, and as arrays for nnU-Net."""
    random, cases = np.random.default_rng(0), []
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side)] * 3, indexing="ij"))
    for number in range(count):
        name = f"BraTS-GLI-{number:05d}-000"
        distance = np.sqrt(((grid - random.uniform(-0.3, 0.3, (3, 1, 1, 1))) ** 2).sum(0))
        label = np.select([distance < 0.2, distance < 0.3, distance < 0.5], [1, 3, 2], 0).astype(np.uint8)
        head = ((grid**2).sum(0) < 0.9)[None]
        noise = random.integers(200, 800, (4, side, side, side), dtype=np.int16)
        images = np.where(head, noise + 300 * label.astype(np.int16), 0).astype(np.int16)
        folder = work / "cases" / name
        folder.mkdir(parents=True)
        for modality, image in (*zip(MODALITIES, images, strict=True), ("seg", label)):
            nib.save(nib.Nifti1Image(image, np.eye(4)), folder / f"{name}-{modality}.nii.gz")
        arrays: dict[str, Any] = {"array": images.astype(np.float32) / 300, "label_array": label}
        for kind, array in arrays.items():
            np.save(work / f"{name}-{kind}.npy", array)
        cases.append({
            "id": name,
            "images": [str(folder / f"{name}-{modality}.nii.gz") for modality in MODALITIES],
            "label": str(folder / f"{name}-seg.nii.gz"),
            **{kind: str(work / f"{name}-{kind}.npy") for kind in arrays},
        })  # fmt: skip
    return cases


def _sizes(options: argparse.Namespace, dimensions: int) -> tuple[list[int], int, int]:
    """Grid points of a sample, samples of a batch, and steps of a round."""
    if options.smoke:
        return [32] * 2 if dimensions == 2 else [16] * 3, 2, 3
    return ([256] * 2, 12, 40) if dimensions == 2 else ([128] * 3, 2, 12)


def _against_peers(
    figures: Figures, options: argparse.Namespace, work: Path, dimensions: int, cases: list[dict[str, Any]]
) -> None:
    """Ours, then each peer, which has been loading meanwhile."""
    size, batch, steps = _sizes(options, dimensions)
    settings = {
        "batch": batch, "steps": steps, "dimensions": dimensions, "size": size, "device": options.device,
        "cases": cases,
        "precision": said_precision("auto", torch.device(options.device)), "threads": len(os.sched_getaffinity(0)),
        "monai_workers": 2 if options.smoke else 8,
    }  # fmt: skip
    peers = {}
    asked = {"nnunet": _nnunet(options), "monai": Path(sys.executable)}
    for name, python in asked.items() if options.nnunet or not options.smoke else ():
        if python is None:
            figures.say(f"{name}_{dimensions}d_skipped", "this Python has no nnunetv2; name one that has with --nnunet")
        else:
            own = settings | {"work": str(work / f"{name}{dimensions}")}
            peers[name] = Contestant(name, f"{name}_loop", python, own)
    rate = 0.0
    with figures.step(f"ours_{dimensions}d"):
        rate = _ours(figures, options, work, dimensions)
    for name, peer in peers.items():
        with figures.step(f"{name}_{dimensions}d"), peer:
            peer.wait()
            seconds = []
            for _ in range(4):  # the first warms up
                peer.begin()
                seconds.append(peer.end()[0])
            theirs = steps * batch / median(seconds[1:])
            figures.say(f"{name}_{dimensions}d_samples_per_s", theirs)
            if rate:
                figures.say(f"{dimensions}d_over_{name}", rate / theirs)


def _nnunet(options: argparse.Namespace) -> Path | None:
    os.environ.update({"nnUNet_compile": "f"})
    if options.nnunet is not None:
        return Path(options.nnunet)
    return Path(sys.executable) if importlib.util.find_spec("nnunetv2") else None


def _spec(options: argparse.Namespace, work: Path, dimensions: int, **changes: Any) -> RunSpec:
    size, batch, steps = _sizes(options, dimensions)
    source = {"path": str(work / "cases"), "layout": "brats", "options": {"year": 2023}}
    return RunSpec.model_validate({
        "data": {"sources": [source], "split": {"folds": 1, "val_share": 0.2, "test_share": 0.2}},
        "plan": "concat",
        "network": "unet",
        "budget": {"epochs": 3, "batch_size": batch},
        "sampling": {"dimensions": dimensions, "size": size, "per_case": -(-steps * batch // 2)},
        "machine": {"device": options.device},
    }).changed(changes)  # fmt: skip


def _training(work: Path, spec: RunSpec) -> Training:
    data = read_data(spec.data, task=spec.task, cache=work / "cache", progress=silent)
    folder = work / f"training-{spec.digest}"
    folder.mkdir(exist_ok=True)
    fabric = make_fabric(spec.machine, spec.budget.precision)
    parts = parts_of(spec, data)
    return make_training(spec, data.cohort, parts, fabric=fabric, folder=RunFolder(folder), progress=silent)


def _ours(figures: Figures, options: argparse.Namespace, work: Path, dimensions: int) -> float:
    """Samples per second of our loop; how much slower it is than steps on a batch that lies on the device."""
    training = _training(work, _spec(options, work, dimensions))
    reset_peak(training.fabric.device)
    times = _epochs(training)
    each = median(times) / len(training.batches)
    rate = training.budget.batch_size / each
    figures.say(f"ours_{dimensions}d_samples_per_s", rate)
    figures.say(f"ours_{dimensions}d_peak_mib", peak_mib(training.fabric.device))
    step = _resident(training, next(iter(training.batches.epoch(0))), len(training.batches))
    figures.say(f"ours_{dimensions}d_step_ms", 1000 * step)
    figures.say(f"{dimensions}d_loop_over_step", each / step)
    return rate


def _epochs(training: Training) -> list[float]:
    """Seconds of all epochs but the first, which warms up; the checkpoint after an epoch is not among them."""
    spent = []

    def validate(_: torch.nn.Module) -> dict[Quantity, float]:
        _wait(training.fabric.device)
        spent.append(time.perf_counter())
        return {SCORE: 0.0}

    batches, begun = training.batches.epoch, []

    def epoch(number: int) -> Iterator[Batch]:
        begun.append(time.perf_counter())
        return batches(number)

    training.validate, training.batches.epoch = validate, epoch  # type: ignore[method-assign]
    phases = families.load("schedules", "end_to_end")().phases(training.network, tuple(training.objective.losses))
    fit(training, phases)
    training.batches.epoch = batches  # type: ignore[method-assign]
    return [end - start for start, end in zip(begun, spent, strict=False)][1:]


def _resident(training: Training, batch: Batch, steps: int) -> float:
    """Seconds of one step on a batch that stays where it is: forward, loss, backward, clipping, update."""
    phases = families.load("schedules", "end_to_end")().phases(training.network, tuple(training.objective.losses))
    optimiser = make_optimiser(phases[0], training.balancer, training.budget)
    module, optimiser = training.fabric.setup(training.network, optimiser)
    module.train()

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with training.fabric.autocast():
            losses = training.objective(module(batch.images, batch.present), batch)
        training.balancer.backward(losses, list(training.network.parameters()), training.fabric.backward)
        training.fabric.clip_gradients(module, optimiser, max_norm=12.0, error_if_nonfinite=False)
        optimiser.step()

    return _seconds(step, steps, training.fabric.device)


def _seconds(step: Callable[[], None], steps: int, device: torch.device) -> float:
    for _ in range(3):
        step()
    _wait(device)
    started = time.perf_counter()
    for _ in range(steps):
        step()
    _wait(device)
    return (time.perf_counter() - started) / steps


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _energy(options: argparse.Namespace, work: Path) -> float:
    """The time of a step with energies at all levels over one with the mean, on the default network."""
    found = {}
    for fusion in ("energy", "mean"):
        network = "residual(base=8,stages=2)" if options.smoke else "residual"
        spec = _spec(options, work, 2, plan=f"separate[{fusion}]", network=network, budget={"batch_size": 4})
        training = _training(work, spec)
        training.network.to(training.fabric.device)
        found[fusion] = _resident(training, next(iter(training.batches.epoch(0))), 3 if options.smoke else 20)
    return found["energy"] / found["mean"]


def _study(options: argparse.Namespace, work: Path) -> float:
    """From the command to its report, three arms of one epoch on whole slices of 64 x 64."""
    file = work / "study.yaml"
    file.write_text(f"""
data: {{sources: [{{path: {work / "cases"}, layout: brats(year=2023)}}], split: {{folds: 1}}}}
network: unet(base=8)
sampling: {{size: [64, 64], per_case: 4}}
budget: {{epochs: 1}}
machine: {{device: {options.device}}}
arms: {{early: {{}}, mean: {{plan: "separate[mean]"}}, late: {{plan: separate>mean}}}}
""")
    started = time.perf_counter()
    workers = ["--workers", "1"] if options.smoke else []
    command = [sys.executable, "-m", "mrfusion", "study", str(file), "--out", str(work / "study"), *workers]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not (work / "study" / "report.html").is_file():
        raise RuntimeError(done.stdout[-500:] + done.stderr[-1500:])
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
