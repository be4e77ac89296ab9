"""Memory of a training on 100 cases of 240x240x155 voxels with four modalities.

    python bench/memory.py [--cases 100] [--dimensions 2] [--smoke]

A few distinct cases are written as gzipped NIfTI and prepared as ``mrfusion run`` prepares them, in a process of its
own; their prepared folders are then copied, so that each case has files of its own. A fresh process reads every byte
of every case once through its memory maps, as many epochs would, and trains an epoch in which every case is sampled.
Its peak counts all pages in memory; the mapped ones among them the system may drop at any time. About 5 GB of disk
while it runs. The last line is JSON.
"""

import argparse
import gzip
import json
import multiprocessing
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray

from mrfusion import families
from mrfusion.case import Case
from mrfusion.data.load import load_cases
from mrfusion.data.prepared import Prepared
from mrfusion.data.read import RunData, read_data
from mrfusion.hardware import cores
from mrfusion.progress import silent
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import Parts, make_fabric, make_network, make_training, sample_size
from mrfusion.training.environment import peak_mib
from mrfusion.training.loop import fit

SHAPE, SMALL = (240, 240, 155), (64, 64, 32)
DISTINCT = 4
MODALITIES = ("t1n", "t1c", "t2w", "t2f")


def main() -> None:
    """Write, prepare, copy, train; print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--dimensions", type=int, choices=(2, 3), default=2, help="slices, or patches of 64^3")
    parser.add_argument("--smoke", action="store_true", help="a few seconds, to see that it runs; figures mean nothing")
    options = parser.parse_args()
    cases, shape = (DISTINCT, SMALL) if options.smoke else (options.cases, SHAPE)
    with tempfile.TemporaryDirectory(prefix="mrfusion-bench-") as folder:
        root = Path(folder)
        for index in range(DISTINCT):
            write_case(root / "data", index, shape)
        spec = _spec(root / "data", options)
        data, preparing = _in_fresh_process(prepare, spec, root / "cache")
        many = copied(data, root / "copies", cases)
        megabytes = sum(path.stat().st_size for path in (root / "copies").rglob("*") if path.is_file()) / 1e6
        about, training = _in_fresh_process(train, spec, many, root / "run")
    print(f"prepared arrays on disk: {megabytes:.0f} MB in {cases} cases")
    print(f"preparing, two cases at a time: peak {preparing['peak']:.2f} GiB, {preparing['anonymous']:.2f} not mapped")
    print(f"training ({about}): peak {training['peak']:.2f} GiB, {training['anonymous']:.2f} not mapped")
    figures = {"peak_gib": training["peak"], "anonymous_gib": training["anonymous"], "prepare_gib": preparing["peak"]}
    print(json.dumps({name: round(value, 3) for name, value in figures.items()} | {"cases": cases}))


def write_case(folder: Path, index: int, shape: tuple[int, int, int]) -> None:
    """A head-sized ellipsoid of noisy tissue with three nested lesions in it, by BraTS 2023's names."""
    random = np.random.default_rng(index)
    axes = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    head = sum((axis / extent) ** 2 for axis, extent in zip(axes, (0.58, 0.73, 0.9), strict=True)) < 1
    off = random.uniform(-0.2, 0.2, 3)
    distance = np.sqrt(sum((axis - o) ** 2 for axis, o in zip(axes, off, strict=True)))
    labels = np.select([distance < 0.08, distance < 0.12, distance < 0.25], [1, 3, 2], 0).astype(np.uint8) * head
    name = f"BraTS-GLI-{index:05d}-000"
    (folder / name).mkdir(parents=True)
    for number, modality in enumerate(MODALITIES):
        tissue = (
            np.float32(300) + 40 * number * labels.astype(np.float32) + random.normal(0, 25, shape).astype(np.float32)
        )
        _write(folder / name / f"{name}-{modality}.nii.gz", (tissue.clip(1) * head).astype(np.int16))
    _write(folder / name / f"{name}-seg.nii.gz", labels)


def prepare(spec: RunSpec, cache: Path) -> RunData:
    """As ``mrfusion run`` does it."""
    return read_data(spec.data, task=spec.task, cache=cache, progress=silent)


def copied(data: RunData, folder: Path, count: int) -> RunData:
    """As many cases, each with files of its own."""
    cases: list[Case] = []
    prepared: dict[str, Prepared] = {}
    for index in range(count):
        case = data.cohort.cases[index % DISTINCT]
        name = f"case{index:03d}"
        shutil.copytree(data.prepared[case.id].folder, folder / name)
        cases.append(replace(case, id=name, patient=name))
        prepared[name] = replace(data.prepared[case.id], case_id=name, folder=folder / name)
    return RunData(replace(data.cohort, cases=tuple(cases)), prepared, ())


def train(spec: RunSpec, data: RunData, folder: Path) -> str:
    """Read everything once, train an epoch; what was trained, in words."""
    folder.mkdir()
    cases = list(load_cases(data.cohort, data.prepared, data.cohort.modalities, None).values())
    for case in cases:
        case.images[:].max()
        case.labels[:].max()
    size = sample_size(spec, [case.labels.shape for case in cases], make_network(spec, data.cohort))
    fabric, parts = make_fabric(spec.machine, spec.budget.precision), Parts(cases[2:], cases[:2], size)
    training = make_training(spec, data.cohort, parts, fabric=fabric, folder=RunFolder(folder), progress=silent)
    started = time.perf_counter()
    fit(training, families.load("schedules", spec.schedule)().phases(training.network, spec.loss_names))
    seconds, batch = time.perf_counter() - started, spec.budget.batch_size
    return f"{spec.network}, samples {size}, batch {batch}, {len(training.batches)} steps in {seconds:.0f} s"


def _spec(data: Path, options: argparse.Namespace) -> RunSpec:
    three = options.dimensions == 3
    sampling = {"dimensions": options.dimensions, "per_case": 1, "size": (64, 64, 64) if three else None}
    source = {"path": data, "layout": "brats", "options": {"year": 2023}}
    split = {"folds": 1, "val_share": 0.3, "test_share": 0.3}
    budget = {"epochs": 1, "batch_size": 2 if three else 4}
    threads = cores()
    return RunSpec.model_validate(
        {
            "data": {"sources": [source], "split": split},
            "sampling": sampling,
            "budget": budget,
            "machine": {"device": "cpu", "threads": threads},
        }
    )


def _in_fresh_process(function: Callable[..., Any], *arguments: Any) -> tuple[Any, dict[str, float]]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_watched, function, *arguments).result()


def _watched(function: Callable[..., Any], *arguments: Any) -> tuple[Any, dict[str, float]]:
    """What ``function`` gives, and the peaks of this process in GiB: all pages in memory, and those not mapped."""
    highest, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            highest[0] = max(highest[0], _anonymous_gib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        found = function(*arguments)
    finally:
        over.set()
        watcher.join()
    return found, {"peak": peak_mib(torch.device("cpu")) / 1024, "anonymous": highest[0]}


def _anonymous_gib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 2**20


def _write(path: Path, values: NDArray[Any]) -> None:
    image = nib.Nifti1Image(values, np.diag([-1.0, -1.0, 1.0, 1.0]))
    path.write_bytes(gzip.compress(image.to_bytes(), 1))


if __name__ == "__main__":
    main()
