"""Finished runs taken away: written in a form that needs no mrfusion, and asked whether it still answers the same."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mrfusion import __version__, families
from mrfusion.data.label_map import can_be_painted
from mrfusion.errors import OutputError, SpecError
from mrfusion.exports._base import Answering, Export, Package
from mrfusion.files import building_anew
from mrfusion.finished_run.card import model_card
from mrfusion.finished_run.load import FinishedRun
from mrfusion.finished_run.side_by_side import SideBySide
from mrfusion.finished_run.together import check_alike
from mrfusion.standalone.program import program
from mrfusion.training.assemble import check_mirror, load_network
from mrfusion.training.objective import out_channels
from mrfusion.training.predict import OVERLAP

MEANINGS = {"RegionDecision": "regions", "LabelDecision": "labels", "ClassDecision": "classes"}
TOLERANCE = 1e-3  # of the largest logit: single precision in another order
PROGRAMS = {"case.py": "mrfusion.standalone.case", "resample.py": "mrfusion.data.resample"}


def export_runs(
    runs: Sequence[FinishedRun], out: Path, form: str, *, mirror: bool = False, values: Mapping[int, int] | None = None
) -> Path:
    """Write the runs, the folds and seeds of one arm or a single one, to the new folder ``out``; gives the folder.

    ``form`` is a choice of the family ``exports``. ``values`` maps what is to stand in written label maps to the values
    that the regions mean; without it these values themselves are written. What was written is read back and compared
    with the networks on random images, with each modality absent in turn, before ``out`` is there: SpecError where it
    answers otherwise, or where the network cannot be written in this form.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"expected a folder that is new or empty at {out}; name another")
    check_alike(runs)
    chosen = [replace(run, spec=run.spec.model_copy(update={"mirror": run.spec.mirror or mirror})) for run in runs]
    for run in chosen:
        check_mirror(run.spec)
    choice: Export = families.load("exports", form.replace("-", "_"))()
    taken = Taken(chosen, dict(values or {}))
    package = taken.package()
    with building_anew(out) as folder:
        choice.write(package, folder)
        check_same(package, choice.read(folder), taken.optional)
    return out


@dataclass(frozen=True)
class Taken:
    """The runs that are taken away together, as they are said and as one network."""

    runs: Sequence[FinishedRun]
    values: Mapping[int, int]

    def package(self) -> Package:
        """Everything that an export is given."""
        network = SideBySide([load_network(run.spec, run.outline, run.folder.weights) for run in self.runs]).eval()
        strides = zip(*(member.stride for member in network.members), strict=True)
        multiples = tuple(int(np.lcm.reduce(axis)) for axis in strides)
        grid = self.window if self.fixed else tuple((number + 3) * step for number, step in enumerate(multiples))
        example = torch.randn(1, len(self.first.modalities), *grid, generator=torch.Generator().manual_seed(0))
        statement = self.statement(multiples)
        return Package(
            network,
            (example, torch.ones(example.shape[:2], dtype=torch.bool)),
            None if self.fixed else multiples,
            statement,
            model_card(self.runs, statement),
            {name: program(module) for name, module in PROGRAMS.items()},
        )

    @property
    def first(self) -> FinishedRun:
        """What all runs have in common is read from the first."""
        return self.runs[0]

    @property
    def meaning(self) -> str:
        """Whether logits are of regions, labels or classes."""
        name = self.first.spec.chosen_task.decision(self.first.spec.head)
        if name not in MEANINGS:
            raise SpecError(
                f"task {self.first.spec.task} understands its logits by code of its own, {name}, which cannot be "
                "exported; only the tasks of mrfusion can"
            )
        return MEANINGS[name]

    @property
    def fixed(self) -> bool:
        """Whether the network always sees a window of one size; else whole slices, or slabs of them."""
        return self.first.spec.sampling.dimensions == 3 and self.meaning != "classes"

    @cached_property
    def window(self) -> tuple[int, int, int]:
        """The window (S, H, W); SpecError where the runs differ in it and it matters."""
        sizes = {run.sample_size for run in self.runs}
        depths = {size[0] for size in sizes}
        if len(sizes if self.fixed else depths) > 1:
            raise SpecError(
                f"the runs predict in windows of different sizes ({' and '.join(map(str, sorted(sizes)))}), and one "
                "file has one size; export each run by itself"
            )
        return self.first.sample_size

    @property
    def optional(self) -> tuple[str, ...]:
        """The modalities that a case may lack, as the training has practised."""
        return tuple(name for name in self.first.modalities if all(run.spec.absence_of(name) for run in self.runs))

    def statement(self, multiples: Sequence[int]) -> dict[str, Any]:
        """model.json: what comes before and after the network, in plain values and in words."""
        spec, outline, window = self.first.spec, self.first.outline, self.window
        preparation = spec.data.preparation
        needed = {*self.first.modalities, preparation.resample_to}
        return {
            "mrfusion": __version__,
            "runs": [run.folder.digest for run in self.runs],
            "task": spec.task,
            "plan": str(spec.plan),
            "modalities": list(self.first.modalities),
            "may_be_absent": list(self.optional),
            "read": [name for name in outline.modalities if name in needed],
            "preparation": preparation.model_dump(mode="json"),
            "slices": None if spec.sampling.slices is None else list(spec.sampling.slices),
            "dimensions": spec.sampling.dimensions,
            "window": list(window),
            "overlap": OVERLAP,
            "multiple": list(multiples),
            "mirror": spec.mirror,
            "members": len(self.runs),
            "channels": out_channels(spec, outline),
            "answer": self._answer(),
            "in_words": list(
                in_words(window, self.meaning, fixed=self.fixed, members=len(self.runs), mirror=spec.mirror)
            ),
        }

    def _answer(self) -> dict[str, Any]:
        outline, classes = self.first.outline, self.meaning == "classes"
        raw: dict[int, int] = {}
        for stored, meant in self.values.items():
            raw.setdefault(meant, stored)
        return {
            "logits_of": self.meaning,
            "exclusive": self.meaning != "regions",
            "classes": list(outline.classes) if classes else [],
            "regions": [] if classes else [[region.name, sorted(region.labels)] for region in outline.regions],
            "label_values": list(outline.label_values),
            "file_values": [raw.get(value, value) for value in outline.label_values],
            "one_label_map": can_be_painted(outline.regions),
        }


def in_words(window: Sequence[int], meaning: str, *, fixed: bool, members: int, mirror: bool) -> list[str]:
    """What comes before and after the network, one sentence a step; ``case.py`` does the same."""
    whole = (
        f"The network sees windows of {' x '.join(map(str, window))} grid points that overlap by half; their logits "
        "are averaged with Gaussian weights whose sigma is an eighth of each side (MONAI's sliding_window_inference)."
        if fixed
        else "The network sees each slice whole, padded behind with zeros to the multiples that `multiple` says."
    )
    if not fixed and window[0] > 1:
        whole = f"The network sees slabs of {window[0]} slices, half overlapping, padded behind as `multiple` says."
    decisions = {
        "regions": "A voxel belongs to a region where the logit is above 0 (the sigmoid above one half).",
        "labels": "A voxel has the label with the highest logit, and belongs to each region that holds this label.",
        "classes": "The mean logits over the slices or slabs of a case go through a softmax.",
    }
    turned = (
        "Each is answered in all its mirrors, padded after it is mirrored; the logits are mirrored back and averaged."
    )
    mean = "The output holds the logits of all members one behind the other; their probabilities are averaged first. "
    return [
        "Every file is turned to RAS+ order; the files of a case lie on one grid, or are brought to that of "
        "`resample_to`.",
        "Where `spacing_mm` is given, cases are resampled to it: twice within a slice, then between slices.",
        "Each modality is scaled as `intensities` says, or to z-scores of its voxels that are not 0 (`zscore: box`: of "
        "all voxels of the box around them).",
        "The case is cut to the box that holds what is not 0 in any modality that is there, stored in half precision, "
        "and its axes are turned to (slice, row, column); slices lie along the axis with the largest spacing.",
        "A modality that is absent is filled with zeros and marked in the mask `present`; `may_be_absent` lists those "
        "that the training has left out at times.",
        whole,
        *([turned] if mirror else []),
        (mean if members > 1 else "") + decisions[meaning],
        *(
            ()
            if meaning == "classes"
            else (
                "Outside the box, and outside `slices`, nothing is predicted. Masks go back to the grid of the files.",
                "A voxel whose regions are exactly those of one label gets this label. Where regions contradict each "
                "other, the region with the fewest labels decides. Label number i of `label_values` is written as "
                "number i of `file_values`.",
            )
        ),
    ]


def check_same(package: Package, answering: Answering, optional: Sequence[str]) -> None:
    """SpecError unless what was written answers as the network does: everything there, and each modality absent."""
    names, grids = package.statement["modalities"], [tuple(package.example[0].shape[2:])]
    if package.multiples is not None:
        grids.append(tuple((4 - number) * step for number, step in enumerate(package.multiples)))
    random = np.random.default_rng(0)
    for grid, absent in itertools.product(grids, (None, *optional)):
        images = random.normal(size=(1, len(names), *grid)).astype(np.float32)
        present = np.array([[name != absent for name in names]])
        with torch.inference_mode():
            expected = package.network(torch.from_numpy(images), torch.from_numpy(present)).numpy()
        found = answering(images, present)
        apart = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
        if not apart <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise SpecError(
                f"the written network does not answer as the trained one (logits up to {apart:.2g} apart, on a grid of "
                f"{' x '.join(map(str, grid))}{f' without {absent}' if absent else ''}); nothing was kept of it. "
                "Please report this plan; another form may do"
            )
