"""The grid that all cases are brought to, and what the median case looks like on it: nnU-Net's rules."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrfusion.planning.fingerprint import Fingerprint, Triple

UNEVEN = 3.0  # times further apart than the pixels: slices are then treated apart, as in nnU-Net
SAME = 0.01  # spacings that differ by less are the same


@dataclass(frozen=True)
class Target:
    """A spacing in mm and the median case's shape on it, in the order (S, H, W)."""

    spacing_mm: Triple
    median_shape: tuple[float, float, float]

    @property
    def uneven(self) -> bool:
        """Whether slices lie three times further apart than pixels."""
        return max(self.spacing_mm) / min(self.spacing_mm) > UNEVEN


def target_of(fingerprint: Fingerprint) -> Target:
    """The median spacing along each axis; where slices are few and far apart, the 10th percentile between them.

    After nnU-Net 2.8.1's ``determine_fullres_target_spacing``: a median between slices of very different distances
    would take slices away from the cases that have more of them.
    """
    spacings, sizes = np.array(fingerprint.spacings), np.array(fingerprint.shapes)
    spacing, size = np.percentile(spacings, 50, 0), np.percentile(sizes, 50, 0)
    worst = int(np.argmax(spacing))
    others = [axis for axis in range(3) if axis != worst]
    far = spacing[worst] > UNEVEN * max(spacing[others])
    few = size[worst] * UNEVEN < min(size[others])
    if far and few:
        near = float(np.percentile(spacings[:, worst], 10))
        spacing[worst] = max(near, float(max(spacing[others])) + 1e-5 if near < max(spacing[others]) else near)
    return on_grid(fingerprint, [float(s) for s in spacing])


def on_grid(fingerprint: Fingerprint, spacing_mm: Sequence[float | None]) -> Target:
    """The median case on a grid (S, H, W); None leaves each case's own spacing along an axis."""
    shapes = [
        [n if new is None else round(old / new * n) for n, old, new in zip(shape, own, spacing_mm, strict=True)]
        for shape, own in zip(fingerprint.shapes, fingerprint.spacings, strict=True)
    ]
    own = np.median(np.array(fingerprint.spacings), 0)
    s, h, w = (float(m if new is None else new) for m, new in zip(own, spacing_mm, strict=True))
    a, b, c = (float(n) for n in np.median(np.array(shapes), 0))
    return Target((s, h, w), (a, b, c))


def differs(fingerprint: Fingerprint, spacing_mm: Sequence[float | None]) -> bool:
    """Whether any case lies on another grid, along the axes that are not None."""
    return any(
        new is not None and abs(old / new - 1) > SAME
        for own in fingerprint.spacings
        for old, new in zip(own, spacing_mm, strict=True)
    )
