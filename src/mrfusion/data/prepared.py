"""A prepared case on disk, read through memory maps: arrays for any subset of its modalities, and the way back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion import families
from mrfusion.data.prepare import Box, Placement
from mrfusion.errors import CaseError, nearest

RESAMPLER = "mrfusion.data.resample:resample"


@dataclass(frozen=True, eq=False)
class Prepared:
    """One case as trainings read it; holds paths and numbers only, so it can be sent to another process.

    ``digest`` is of the content of the case's files, ``reason`` says why it was prepared now (or ``cached``), ``notes``
    what was put up with. ``label_voxels`` counts each label value in the whole label map (empty without one).
    ``reference`` is the file whose grid the case has: predictions are written in its geometry.
    """

    case_id: str
    folder: Path
    modalities: tuple[str, ...]
    label_values: tuple[int, ...]
    placement: Placement
    label_voxels: dict[int, int]
    truth_box: Box | None
    digest: str
    reference: Path
    reason: str
    notes: tuple[str, ...]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Of the prepared arrays, in their order (S, H, W)."""
        return self.placement.spacing_mm

    def shape(self, modalities: Sequence[str]) -> tuple[int, int, int]:
        """(S, H, W) of what :meth:`images` gives for these modalities, nothing read."""
        s, h, w = (w.stop - w.start for w in self.placement.window(self._known(modalities)))
        return s, h, w

    def box(self, modalities: Sequence[str]) -> Box:
        """Where these arrays lie in the prepared grid, in voxels (X, Y, Z)."""
        return self.placement.box(self._known(modalities))

    def images(self, modalities: Sequence[str]) -> NDArray[np.float16]:
        """(S, M, H, W) of these modalities in this order, cropped to the box of just these; zero is background.

        A view into the memory map where the modalities lie evenly in the file (all, one, any two), else a copy.
        CaseError for a modality that the case lacks.
        """
        s, h, w = self.placement.window(self._known(modalities))
        stored = self._load("images")[s, :, h, w]
        return stored[:, _evenly([self.modalities.index(name) for name in modalities])]

    def labels(self, modalities: Sequence[str]) -> NDArray[np.uint8] | None:
        """(S, H, W) indices into ``label_values`` (0 background, i + 1 the i-th) on the grid of :meth:`images`."""
        if self.truth_box is None:
            return None
        return self._load("labels")[self.placement.window(self._known(modalities))]

    def truth(self) -> NDArray[np.uint8] | None:
        """The whole label map as indices, (X, Y, Z) in RAS+ on the grid of the files: what is scored against."""
        if self.truth_box is None:
            return None
        whole = np.zeros(self.placement.source.shape, np.uint8)
        whole[self.truth_box] = self._load("truth")
        return whole

    def restore(self, array: NDArray[Any], modalities: Sequence[str], *, fill: float = 0) -> NDArray[Any]:
        """A prediction (S, H, W) or (C, S, H, W) on the grid of :meth:`images` -> (X, Y, Z) or (C, X, Y, Z) in RAS+
        on the grid of the files; ``fill`` outside the box.

        Where the case was resampled, whole numbers and booleans go back as labels, others trilinearly.
        """
        channels = array if array.ndim == 4 else array[None]
        back = np.argsort(self.placement.order) + 1
        whole = np.full((len(channels), *self.placement.grid.shape), fill, array.dtype)
        whole[(slice(None), *self.box(modalities))] = channels.transpose(0, *back)
        source, grid = self.placement.source, self.placement.grid
        if source.shape != grid.shape or not np.array_equal(source.affine, grid.affine):
            whole = resampler()(whole, grid.affine, onto=source, labels=array.dtype.kind in "biu")
        return whole if array.ndim == 4 else whole[0]

    def _known(self, modalities: Sequence[str]) -> Sequence[str]:
        for name in modalities:
            if name not in self.modalities:
                raise CaseError(f"case {self.case_id} has no {name}; {nearest(name, self.modalities)}")
        return modalities

    def _load(self, name: str) -> NDArray[Any]:
        try:
            return np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
        except (OSError, ValueError) as error:
            raise CaseError(f"the prepared case {self.folder} is damaged ({error}); delete the folder") from None


def resampler() -> Callable[..., NDArray[Any]]:
    """The resampler there is; the import of MONAI (seconds) happens here, at the first need."""
    return families.load("resampler", RESAMPLER)


def _evenly(places: list[int]) -> slice | list[int]:
    """A slice where the places are evenly spaced, so that numpy gives a view."""
    step = places[1] - places[0] if len(places) > 1 else 1
    if step == 0 or places != list(range(places[0], places[-1] + (1 if step > 0 else -1), step)):
        return places
    stop = places[-1] + (1 if step > 0 else -1)
    return slice(places[0], None if stop < 0 else stop, step)
