"""Our loop, as ``mrfusion run`` executes it; or with some of what makes it fast turned back, to see what each gives.

A rung of the ladder has everything that is above it in :data:`RUNGS` and nothing of what is below.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from rounds import Rounds, read_settings
from torch import Tensor

from mrfusion import families
from mrfusion.augmentations._base import Samples
from mrfusion.augmentations.light import Light
from mrfusion.data.batch import Batch, Batches
from mrfusion.data.read import read_data
from mrfusion.progress import silent
from mrfusion.run.execute import parts_of
from mrfusion.run_folder.quantity import SCORE, Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import make_fabric, make_training
from mrfusion.training.loop import fit

AUGMENTATION = (
    "rotation (15 degrees) and scaling (15 %) of half the samples, flips, contrast 15 %, brightness 0.1, gamma, "
    "noise 0.05; whole batches"
)


def contiguous(images: Tensor) -> Tensor:
    """Instead of channels-last."""
    return images.contiguous()


def one_after_another(jobs: Sequence[Callable[[], Batch]], depth: int = 2) -> Iterator[Batch]:
    """Instead of reading ahead in a thread."""
    del depth
    return (job() for job in jobs)


WHOLE = Light.__call__


def sample_by_sample(self: Light, samples: Samples, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Instead of augmenting a whole batch at once; the same numbers."""
    parts = (Samples(*(part[i : i + 1] for part in vars(samples).values())) for i in range(len(seeds)))
    pairs = [WHOLE(self, part, [seed]) for part, seed in zip(parts, seeds, strict=True)]
    return torch.cat([image for image, _ in pairs]), torch.cat([label for _, label in pairs])


def unfused(groups: Any, **settings: Any) -> torch.optim.Optimizer:
    """Instead of one kernel for all parameters."""
    return ADAMW(groups, **settings | {"fused": None})


ADAMW = torch.optim.AdamW
RUNGS: dict[str, list[Any]] = {
    "torch's defaults": [],
    "channels-last": [
        patch("mrfusion.data.batch._channels_last", contiguous),
        patch("mrfusion.training.assemble.channels_last", lambda network, _: network),
    ],
    "fused optimiser": [patch("torch.optim.AdamW", unfused)],
    "whole-batch augmentation": [patch.object(Light, "__call__", sample_by_sample)],
    "heap kept": [patch("mrfusion.training.assemble.keep_heap", lambda: None)],
    "read ahead": [patch("mrfusion.data.batch.read_ahead", one_after_another)],
}


class Gated(Batches):
    """Batches that wait for the word before each epoch."""

    def __init__(self, batches: Batches, rounds: Rounds) -> None:
        super().__init__(batches.sampler, batches.batch_size, batches.augmentation, batches.share)
        self.rounds = rounds

    def epoch(self, number: int) -> Iterator[Batch]:
        self.rounds.begin()
        return super().epoch(number)


def spec_of(settings: dict[str, Any]) -> RunSpec:
    """The conductor's settings as a specification; one round is one epoch."""
    content = settings["spec"] | {
        "plan": "concat",
        "network": "unet",
        "budget": {"epochs": 10**6, "batch_size": settings["batch"], "precision": settings["precision"]},
        "machine": {"threads": settings["threads"], "device": settings["device"], "compile": settings["compile"]},
        "sampling": {
            "dimensions": settings["dimensions"],
            "size": settings["size"],
            "per_case": -(-settings["steps"] * settings["batch"] // len(settings["cases"])),
        },
    }
    return RunSpec.model_validate(content)


def main() -> None:
    """Serve rounds."""
    rounds, settings = Rounds(), read_settings()
    spec, rung = spec_of(settings), settings["rung"]
    without = list(RUNGS)[list(RUNGS).index(rung) + 1 :]
    with ExitStack() as stack:
        for undone in (undone for name in without for undone in RUNGS[name]):
            stack.enter_context(undone)
        data = read_data(spec.data, task=spec.task, cache=Path(settings["cache"]), progress=silent)
        fabric = make_fabric(spec.machine, spec.budget.precision)
        folder = RunFolder(Path(settings["work"]))
        training = make_training(spec, data.cohort, parts_of(spec, data), fabric=fabric, folder=folder, progress=silent)

        def validate(network: torch.nn.Module) -> dict[Quantity, float]:
            del network
            rounds.end()
            return {SCORE: 0.0}

        training = replace(training, batches=Gated(training.batches, rounds), validate=validate)
        parameters = sum(p.numel() for p in training.network.parameters())
        rounds.ready(parameters=parameters, augmentation=AUGMENTATION, note=f"{settings['threads']} threads")
        fit(training, families.load("schedules", spec.schedule)().phases(training.network, spec.loss_names))


if __name__ == "__main__":
    main()
