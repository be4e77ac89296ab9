"""One synthetic case in memory: anatomy, tumour, signals, confounders and the scanner, in that order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrfusion.phantom.anatomy import Brain, Head, maps_seen_at, tumour_sites
from mrfusion.phantom.confounders import Vessels, blood, hyperintensities
from mrfusion.phantom.controls import Control, Signs, control_named
from mrfusion.phantom.fields import Array, Grid, SmoothField, soft_step
from mrfusion.phantom.lesion import COARSE_MM, ED, Lesion, Tumour
from mrfusion.phantom.signal import LESION, MODALITIES, NORMAL, SEQUENCES, Canvas, Tissue

_LESION_BOX_MM = 52.0
_OEDEMA_MM = 0.03  # contrast agent that leaks into oedema
NORMAL_JITTER, LESION_JITTER = 0.02, 0.06


@dataclass(frozen=True)
class Subject:
    """A case of the phantom: images [X, Y, Z] int16 by modality, labels [X, Y, Z] uint8, and its signs."""

    images: dict[str, NDArray[np.int16]]
    labels: NDArray[np.uint8]
    signs: Signs


def make_subject(seed: int, index: int, spacing_mm: float, control: str) -> Subject:
    """Case ``index`` of a cohort; it depends on nothing but these four values."""
    chosen = control_named(control)
    return subject_with(chosen.signs(seed, index), chosen, Grid(spacing_mm), (seed, index))


def subject_with(signs: Signs, control: Control, grid: Grid, key: tuple[int, int]) -> Subject:
    """The case that follows from ``key`` (seed, index), with given signs: all else is the same whatever the signs."""
    anatomy, growth, inside, tissue, scan = (np.random.default_rng([*key, k]) for k in range(5))
    head = Head(anatomy)
    brain = Brain(head, grid)
    tumour = Tumour(growth, head.mass.centre_mm)
    box = grid.box(tumour.centre_mm, _LESION_BOX_MM)
    lesion = Lesion.grown(tumour, head, grid.axes_of(box), enhancing=signs.ring)
    painter = Painter(tissue, brain, grid)
    painter.normal_brain()
    painter.lesion(lesion, control.interior(inside, signs), box)
    pictures = control.scan(scan, painter.signals(), grid)
    labels = brain.from_box(box, lesion.labels)
    labels = np.where((labels == ED) & (brain.csf > 0.5), 0, labels)
    images = {name: _stored(picture, brain) for name, picture in pictures.items()}
    return Subject(images, brain.on_grid(labels.astype(np.uint8)), signs)


def warm_up(spacing_mm: float) -> None:
    """Load the atlas before threads ask for it side by side."""
    for spacing in (spacing_mm, COARSE_MM):
        maps_seen_at(spacing)
    tumour_sites()


class Painter:
    """Paints one brain: normal tissue and old findings first, the tumour over them."""

    def __init__(self, rng: np.random.Generator, brain: Brain, grid: Grid) -> None:
        self.rng, self.brain, self.grid = rng, brain, grid
        self.normal = {name: tissue.jittered(rng, NORMAL_JITTER) for name, tissue in NORMAL.items()}
        self.ill = {name: tissue.jittered(rng, LESION_JITTER) for name, tissue in LESION.items()}
        self.canvas = Canvas(np.stack([self._texture() for _ in range(2)]))

    def normal_brain(self) -> None:
        """CSF, grey and white matter, hyperintensities and vessels."""
        brain, axes = self.brain, self.grid.axes
        self.canvas.paint(self.normal["csf"], np.ones_like(brain.csf))
        self.canvas.paint(self.normal["grey"], brain.grey / np.maximum(brain.grey + brain.csf, 1e-6))
        self.canvas.paint(self.normal["white"], brain.white)
        spots = hyperintensities(self.rng, axes, brain.on_grid(brain.near_ventricles))[brain.mask]
        self.canvas.paint(self.ill["hyperintensity"], spots * brain.white)
        vessels = Vessels.drawn(self.rng)
        weight = vessels.weight(axes)[brain.mask] * soft_step(brain.grey + brain.csf - 0.45, 0.08)
        self.canvas.paint(self.ill["vessel"], weight, np.full_like(weight, vessels.gadolinium_mm))

    def lesion(self, lesion: Lesion, interior: Tissue, box: tuple[slice, slice, slice]) -> None:
        """Oedema, core, rim and blood."""
        brain = self.brain
        oedema = brain.from_box(box, lesion.oedema) * (1 - brain.csf)
        self.canvas.paint(self.ill["oedema"], oedema, np.full_like(oedema, _OEDEMA_MM))
        self.canvas.paint(interior.jittered(self.rng, LESION_JITTER), brain.from_box(box, lesion.core))
        uptake = brain.from_box(box, lesion.gadolinium)
        self.canvas.paint(self.ill["rim"], brain.from_box(box, lesion.rim), uptake)
        stain = blood(self.rng, self.grid.axes_of(box), lesion.core_depth)
        self.canvas.paint(self.ill["blood"], brain.from_box(box, stain))

    def signals(self) -> dict[str, Array]:
        """By modality the signal [X, Y, Z], 1 in normal white matter; outside the brain its mean, so no edge rings."""
        white, signals = self.normal["white"], {}
        for name, signal in zip(MODALITIES, self.canvas.signals_MN, strict=True):
            relative = signal / SEQUENCES[name].signal(white.t1_ms, white.t2_ms, white.pd)
            signals[name] = np.full(self.grid.shape, relative.mean(), dtype=np.float32)
            signals[name][self.brain.mask] = relative
        return signals

    def _texture(self) -> Array:
        fine, coarse = SmoothField(self.rng, 4.0), SmoothField(self.rng, 12.0)
        axes = self.grid.axes
        return np.asarray((0.8 * fine.on(axes) + 0.6 * coarse.on(axes))[self.brain.mask], dtype=np.float32)


def _stored(picture: Array, brain: Brain) -> NDArray[np.int16]:
    """Whole numbers as a scanner stores them: at least 1 in the brain, 0 outside."""
    return np.where(brain.mask, np.clip(np.rint(picture), 1, 32000), 0).astype(np.int16)
