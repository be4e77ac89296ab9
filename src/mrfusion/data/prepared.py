"""A prepared case on disk, opened when it is read: arrays for any subset of its modalities, and the way back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion import families
from mrfusion.data.on_disk import OnDisk, opened
from mrfusion.data.prepare import STORED, Box, Placement
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
        return self.images_on_disk(modalities)[:]

    def labels(self, modalities: Sequence[str]) -> NDArray[np.uint8] | None:
        """(S, H, W) indices into ``label_values`` (0 background, i + 1 the i-th) on the grid of :meth:`images`."""
        found = self.labels_on_disk(modalities)
        return None if found is None else found[:]

    def images_on_disk(self, modalities: Sequence[str]) -> OnDisk:
        """What :meth:`images` gives, opened when it is read."""
        window = self.placement.window(self._known(modalities))
        places = [self.modalities.index(name) for name in modalities]
        return OnDisk(self.folder / "images.npy", window, STORED, places)

    def labels_on_disk(self, modalities: Sequence[str]) -> OnDisk | None:
        """What :meth:`labels` gives, opened when it is read."""
        if self.truth_box is None:
            return None
        return OnDisk(self.folder / "labels.npy", self.placement.window(self._known(modalities)), np.uint8)

    def truth(self) -> NDArray[np.uint8] | None:
        """The whole label map as indices, (X, Y, Z) in RAS+ on the grid of the files: what is scored against."""
        if self.truth_box is None:
            return None
        whole = np.zeros(self.placement.source.shape, np.uint8)
        whole[self.truth_box] = opened(self.folder / "truth.npy")
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


def resampler() -> Callable[..., NDArray[Any]]:
    """The resampler there is; the import of MONAI (seconds) happens here, at the first need."""
    return families.load("resampler", RESAMPLER)
