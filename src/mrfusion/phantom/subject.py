"""One synthetic case in memory: anatomy, tumour, signals, confounders and the scanner, in that order."""

from dataclasses import dataclass

import numpy as np

from mrfusion.phantom.anatomy import Head, mni_maps, tumour_sites
from mrfusion.phantom.confounders import Scanner, Vessels, blood, hyperintensities
from mrfusion.phantom.controls import Signs, control_named
from mrfusion.phantom.fields import Array, Grid, SmoothField, soft_step
from mrfusion.phantom.lesion import COARSE_MM, ED, Lesion, Tumour, lesion_on
from mrfusion.phantom.signal import LESION, MODALITIES, NORMAL, SEQUENCES, Canvas

_LESION_BOX_MM = 52.0


@dataclass(frozen=True)
class Subject:
    """A case of the phantom: images [X, Y, Z] int16 by modality, labels [X, Y, Z] uint8, and its class."""

    images: dict[str, np.ndarray]
    labels: np.ndarray
    signs: Signs
    high_grade: bool


class Brain:
    """The tissue fractions of one head on a grid."""

    def __init__(self, head: Head, grid: Grid) -> None:
        maps, points = mni_maps(grid.spacing_mm), head.atlas_points(grid.axes)
        self.mask = maps.at("brain", points.reshape(3, -1)).reshape(grid.shape) > 0.5
        inside = points[:, self.mask]
        self.grey, self.white, self.near_ventricles = (maps.at(n, inside) for n in ("grey", "white", "periventricular"))
        self.csf = np.clip(1 - self.grey - self.white, 0, 1)

    def on_grid(self, values_N: Array) -> Array:
        """Values of the brain's voxels on the whole grid, 0 outside."""
        whole = np.zeros(self.mask.shape, dtype=values_N.dtype)
        whole[self.mask] = values_N
        return whole

    def from_box(self, box: tuple[slice, slice, slice], values: Array) -> Array:
        """Values of a box at the brain's voxels, 0 elsewhere."""
        whole = np.zeros(self.mask.shape, dtype=values.dtype)
        whole[box] = values
        return whole[self.mask]


def make_subject(seed: int, index: int, spacing_mm: float, control_name: str) -> Subject:
    """Case ``index`` of a cohort; it depends on nothing but these four values."""
    control, grid = control_named(control_name), Grid(spacing_mm)
    signs = control.signs(seed, index)
    streams = [np.random.default_rng([seed, index, k]) for k in range(5)]
    head = Head(streams[0])
    brain = Brain(head, grid)
    tumour = Tumour(streams[1], head.mass.centre_mm)
    box = grid.box(tumour.centre_mm, _LESION_BOX_MM)
    axes = tuple(a[s] for a, s in zip(grid.axes, box, strict=True))
    lesion = lesion_on(tumour, head, box, axes, enhancing=signs.ring)
    interior = control.interior(streams[2], signs)
    signals_MN = paint(streams[3], brain, lesion, interior, grid)
    images = acquire(streams[4], brain, signals_MN, grid)
    labels = brain.on_grid(brain.from_box(box, lesion.labels))
    csf = brain.on_grid(brain.csf)
    labels[(labels == ED) & (csf > 0.5)] = 0
    return Subject(images, labels, signs, control.is_high(signs))


def paint(rng, brain: Brain, lesion: Lesion, interior, grid: Grid) -> Array:
    """The four signals [4, N] of the brain's voxels, 1 in normal white matter."""
    texture = np.stack([_mixture(rng, grid)[brain.mask] for _ in range(2)])
    canvas = Canvas(texture)
    normal = {name: tissue.jittered(rng, 0.02) for name, tissue in NORMAL.items()}
    ill = {name: tissue.jittered(rng, 0.06) for name, tissue in LESION.items()}
    interior = interior.jittered(rng, 0.06)
    canvas.paint(normal["csf"], np.ones_like(brain.csf))
    canvas.paint(normal["grey"], brain.grey / np.maximum(brain.grey + brain.csf, 1e-6))
    canvas.paint(normal["white"], brain.white)
    spots = hyperintensities(rng, grid.axes, brain.on_grid(brain.white), brain.on_grid(brain.near_ventricles))
    canvas.paint(ill["hyperintensity"], spots[brain.mask])
    vessels = Vessels.drawn(rng)
    weight = vessels.weight(grid.axes)[brain.mask] * soft_step(brain.grey + 0.7 * brain.csf - 0.45, 0.08)
    canvas.paint(ill["vessel"], weight, np.full_like(weight, vessels.gadolinium_mm))
    box_in = lambda values: brain.from_box(lesion.box, values)
    oedema = box_in(lesion.oedema) * (1 - brain.csf)
    canvas.paint(ill["oedema"], oedema * 0.9, np.full_like(oedema, 0.03))
    canvas.paint(interior, box_in(lesion.core))
    canvas.paint(ill["rim"], box_in(lesion.rim), box_in(lesion.gadolinium))
    axes = tuple(a[s] for a, s in zip(grid.axes, lesion.box, strict=True))
    depth = np.where(lesion.core > 0.5, -1.0, np.where(lesion.core > 0.01, 1.0, 9.0))
    canvas.paint(ill["blood"], box_in(blood(rng, axes, depth)))
    white = [SEQUENCES[m].signal(normal["white"].t1_ms, normal["white"].t2_ms, normal["white"].pd) for m in MODALITIES]
    return canvas.signals_MN / np.array(white, dtype=np.float32)[:, None]


def acquire(rng, brain: Brain, signals_MN: Array, grid: Grid) -> dict[str, np.ndarray]:
    """What the scanner makes of the signals: int16, at least 1 in the brain, 0 outside."""
    images = {}
    for name, signal in zip(MODALITIES, signals_MN, strict=True):
        whole = np.full(grid.shape, signal.mean(), dtype=np.float32)
        whole[brain.mask] = signal
        picture = Scanner.drawn(rng, name).acquire(rng, whole, grid)
        images[name] = np.where(brain.mask, np.clip(np.rint(picture), 1, 32000), 0).astype(np.int16)
    return images


def _mixture(rng, grid: Grid) -> Array:
    return 0.8 * SmoothField(rng, 4.0).on(grid.axes) + 0.6 * SmoothField(rng, 12.0).on(grid.axes)


def warm_up(spacing_mm: float) -> None:
    """Load the atlas before threads ask for it side by side."""
    for spacing in (spacing_mm, COARSE_MM):
        mni_maps(spacing)
    tumour_sites()
