"""The energies of one whole case: how much its modalities disagree, where, and which of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mrfusion.data.sample import LoadedCase, Place, cut
from mrfusion.run_folder.quantity import Quantity
from mrfusion.training.energies import FACTORS, alignment_rows, energies_of_classes, level_rows
from mrfusion.training.predict import SLICES_AT_ONCE, Predictor

Row = tuple[Quantity, float]
Weighed = dict[Quantity, tuple[float, float]]  # a value and how much it counts: samples, or voxels


@dataclass(frozen=True)
class Classes:
    """The classes whose energies are wanted; ``masks`` (S, C, H, W) of a whole case, 1 where a voxel is of a class."""

    names: tuple[str, ...]
    masks: NDArray[np.float32]


@dataclass(frozen=True)
class CaseEnergies:
    """Of one case: ``rows`` of quantities and their values, and maps of one slice on the case's own grid.

    At each level: E after each step and its parts, the last E, the energies of classes (epsilon of method 3.1), the
    weights of modalities, the last E without each, and the alignment as the alignment loss measures it.
    ``levels`` are those that have an energy; ``energy`` (L, H, W) is
    e of each, ``weights`` (L, M, H, W) pi.
    """

    rows: tuple[Row, ...]
    levels: tuple[int, ...]
    energy: NDArray[np.float32]
    weights: NDArray[np.float32]


class Quantifier:
    """A trained network's energies on whole cases, as its predictor has it; alignment in ``factors`` of the space.

    Boxes of one slice: every slice of a case's range, whole; thicker ones: boxes side by side. Each box counts alike,
    for the energy of a class each voxel.
    """

    def __init__(self, predictor: Predictor, factors: int = FACTORS) -> None:
        self.network, self.device, self.autocast = predictor.network, predictor.device, predictor.autocast
        self.size, self.factors = predictor.size, factors

    @torch.inference_mode()
    def quantify(
        self, case: LoadedCase, modalities: Sequence[str], index: int, classes: Classes | None = None
    ) -> CaseEnergies:
        """The case's energies, and maps of its slice ``index`` (counted in the whole case).

        Only for a network that :func:`mrfusion.training.energies.has_energy`.
        """
        sums: dict[Quantity, list[tuple[float, float]]] = {}
        maps: dict[int, NDArray[np.float32]] = {}
        for places, images, masks in self._boxes(case, classes):
            present = torch.tensor([case.present], device=self.device).expand(len(images), -1)
            layout = torch.channels_last if images.ndim == 4 else torch.channels_last_3d
            with self.autocast():
                output = self.network(images.to(self.device).contiguous(memory_format=layout), present)
            for level, (record, state) in enumerate(zip(output.records, output.states, strict=True)):
                if "steps" in record:
                    scale = output.scale(level, images.ndim - 2)
                    found = _quantities(record, modalities) | self._aligned(state)
                    found |= _of_classes(state, masks.to(self.device), scale, classes)
                    for quantity, weighed in found.items():
                        sums.setdefault(quantity.at(level), []).append(weighed)
                    whole = maps.setdefault(level, np.zeros((1 + len(modalities), *case.labels.shape[1:]), np.float32))
                    self._paint(whole, record, scale, places, index)
        rows = tuple((quantity, _weighed_mean(values)) for quantity, values in sums.items())
        stacked = np.stack([maps[level] for level in sorted(maps)])
        return CaseEnergies(rows, tuple(sorted(maps)), stacked[:, 0], stacked[:, 1:])

    def _boxes(self, case: LoadedCase, classes: Classes | None) -> Iterator[tuple[list[Place], Tensor, Tensor]]:
        """Boxes by their first (slice, row, column), several at once, with their images and masks."""
        first, last = case.slices
        images = case.spread(slice(0, len(case.labels)))
        split = images.shape[1]
        whole = images if classes is None else np.concatenate((images, classes.masks), 1)
        if self.size[0] == 1:
            for start in range(first, last, SLICES_AT_ONCE):
                part = torch.from_numpy(whole[start : min(start + SLICES_AT_ONCE, last)])
                yield [(start + s, 0, 0) for s in range(len(part))], part[:, :split], part[:, split:]
            return
        _, rows, columns = case.labels.shape
        counts = [-(-n // size) for n, size in zip((last - first, rows, columns), self.size, strict=True)]
        for a, b, c in np.ndindex(*counts):
            here = (first + a * self.size[0], b * self.size[1], c * self.size[2])
            box = np.zeros((self.size[0], whole.shape[1], *self.size[1:]), np.float32)
            cut(whole, here, self.size, box)
            part = torch.from_numpy(box).movedim(1, 0)[None]
            yield [here], part[:, :split], part[:, split:]

    def _paint(
        self,
        whole: NDArray[np.float32],
        record: dict[str, Tensor],
        scale: Sequence[int],
        places: list[Place],
        index: int,
    ) -> None:
        """Put the maps of slice ``index`` where they belong, each coarse voxel over the finer ones it stands for."""
        rows, columns = scale[-2:]
        both = torch.cat((record["energy"].unsqueeze(1), record["weights"]), 1).float().cpu().numpy()
        for place, maps in zip(places, both, strict=True):
            if not place[0] <= index < place[0] + self.size[0]:
                continue
            plane = maps if maps.ndim == 3 else maps[:, (index - place[0]) // scale[0]]
            fine = plane.repeat(rows, 1).repeat(columns, 2)
            target = whole[:, place[1] : place[1] + fine.shape[1], place[2] : place[2] + fine.shape[2]]
            target[...] = fine[:, : target.shape[1], : target.shape[2]]

    def _aligned(self, state: dict[str, Tensor]) -> Weighed:
        rows = alignment_rows(state, self.factors)
        return {name: (float(value), float(len(state["energy"]))) for name, value in rows.items()}


def _quantities(record: dict[str, Tensor], modalities: Sequence[str]) -> Weighed:
    rows = {quantity: float(value) for quantity, value in level_rows(record, modalities).items()}
    last = float(record["steps"][:, -1].mean())
    without = record["without"].mean(0).tolist()
    kept = {quantity: value for quantity, value in rows.items() if value == value}
    pairs = zip(modalities, without, strict=True)
    fewer = {Quantity("without", name): value for name, value in pairs if Quantity("pi", name) in kept}
    whole = {Quantity("energy"): last} | kept | fewer
    return {quantity: (value, float(len(record["steps"]))) for quantity, value in whole.items()}


def _of_classes(state: dict[str, Tensor], masks: Tensor, scale: Sequence[int], classes: Classes | None) -> Weighed:
    """The energy of each class that has voxels here."""
    if classes is None:
        return {}
    each, voxels = (found.tolist() for found in energies_of_classes(state, masks, scale))
    rows = zip(classes.names, each, voxels, strict=True)
    return {Quantity("energy", f"class/{name}"): (value, count) for name, value, count in rows if count > 0}


def _weighed_mean(values: Sequence[tuple[float, float]]) -> float:
    return math.fsum(value * weight for value, weight in values) / math.fsum(weight for _, weight in values)
