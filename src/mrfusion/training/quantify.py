"""The energies of one whole case: how much its modalities disagree, where, and which of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mrfusion.data.sample import LoadedCase, Place, cut
from mrfusion.training.energies import level_rows
from mrfusion.training.predict import SLICES_AT_ONCE, Predictor

Row = tuple[int, str, float]


@dataclass(frozen=True)
class CaseEnergies:
    """Of one case: ``rows`` of (level, quantity, value), and maps of one slice on the case's own grid.

    Quantities are ``energy`` (the last E), ``step<k>``, ``evidence``, ``hierarchy``, ``dependency``, ``pi/<modality>``
    and ``without/<modality>``, the last E of the level if that modality were not there. ``levels`` are those that have
    an energy; ``energy`` (L, H, W) is e of each, ``weights`` (L, M, H, W) pi.
    """

    rows: tuple[Row, ...]
    levels: tuple[int, ...]
    energy: NDArray[np.float32]
    weights: NDArray[np.float32]


class Quantifier:
    """A trained network's energies on whole cases, as its predictor has it.

    Boxes of one slice: every slice of a case's range, whole; thicker ones: boxes side by side, each counted alike.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.network, self.device, self.autocast = predictor.network, predictor.device, predictor.autocast
        self.size = predictor.size

    @torch.inference_mode()
    def quantify(self, case: LoadedCase, modalities: Sequence[str], index: int) -> CaseEnergies:
        """The case's energies, and maps of its slice ``index`` (counted in the whole case).

        Only for a network that :func:`mrfusion.training.energies.has_energy`.
        """
        sums: dict[tuple[int, str], list[float]] = {}
        maps: dict[int, NDArray[np.float32]] = {}
        for places, images in self._boxes(case):
            present = torch.tensor([case.present], device=self.device).expand(len(images), -1)
            layout = torch.channels_last if images.ndim == 4 else torch.channels_last_3d
            with self.autocast():
                output = self.network(images.to(self.device).contiguous(memory_format=layout), present)
            for level, record in enumerate(output.records):
                if "steps" in record:
                    for name, value in _quantities(record, modalities).items():
                        sums.setdefault((level, name), []).extend([value] * len(places))
                    whole = maps.setdefault(level, np.zeros((1 + len(modalities), *case.labels.shape[1:]), np.float32))
                    self._paint(whole, record, 2**level, places, index)
        rows = tuple((level, name, float(np.mean(values))) for (level, name), values in sums.items())
        stacked = np.stack([maps[level] for level in sorted(maps)])
        return CaseEnergies(rows, tuple(sorted(maps)), stacked[:, 0], stacked[:, 1:])

    def _boxes(self, case: LoadedCase) -> Iterator[tuple[list[Place], Tensor]]:
        """Boxes by their first (slice, row, column), several at once, with their images."""
        first, last = case.slices
        if self.size[0] == 1:
            for start in range(first, last, SLICES_AT_ONCE):
                stop = min(start + SLICES_AT_ONCE, last)
                yield [(s, 0, 0) for s in range(start, stop)], torch.from_numpy(case.spread(slice(start, stop)))
            return
        _, rows, columns = case.labels.shape
        spread = case.spread(slice(0, len(case.labels)))
        counts = [-(-n // size) for n, size in zip((last - first, rows, columns), self.size, strict=True)]
        for a, b, c in np.ndindex(*counts):
            here = (first + a * self.size[0], b * self.size[1], c * self.size[2])
            box = np.zeros((self.size[0], spread.shape[1], *self.size[1:]), np.float32)
            cut(spread, here, self.size, box)
            yield [here], torch.from_numpy(box).movedim(1, 0)[None]

    def _paint(
        self, whole: NDArray[np.float32], record: dict[str, Tensor], factor: int, places: list[Place], index: int
    ) -> None:
        """Put the maps of slice ``index`` where they belong, each coarse voxel over the finer ones it stands for."""
        both = torch.cat((record["energy"].unsqueeze(1), record["weights"]), 1).float().cpu().numpy()
        for place, maps in zip(places, both, strict=True):
            if not place[0] <= index < place[0] + self.size[0]:
                continue
            plane = maps if maps.ndim == 3 else maps[:, (index - place[0]) // factor]
            fine = plane.repeat(factor, 1).repeat(factor, 2)
            target = whole[:, place[1] : place[1] + fine.shape[1], place[2] : place[2] + fine.shape[2]]
            target[...] = fine[:, : target.shape[1], : target.shape[2]]


def _quantities(record: dict[str, Tensor], modalities: Sequence[str]) -> dict[str, float]:
    rows = {name.removeprefix("energy/"): float(value) for name, value in level_rows(record, modalities).items()}
    last = float(record["steps"][:, -1].mean())
    without = record["without"].mean(0).tolist()
    kept = {name: value for name, value in rows.items() if value == value}
    fewer = {f"without/{name}": v for name, v in zip(modalities, without, strict=True) if f"pi/{name}" in kept}
    return {"energy": last} | kept | fewer
