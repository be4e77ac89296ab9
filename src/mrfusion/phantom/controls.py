"""The four kinds of cohort: what the right answer is, and how the modalities are made to give it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mrfusion.errors import SpecError, nearest
from mrfusion.phantom.signal import LESION, Tissue

_CELLS = ((True, False), (True, True), (False, False), (False, True))


@dataclass(frozen=True)
class Signs:
    """The two signs that a class is made of: an enhancing ring, and a T2-FLAIR mismatch of the interior."""

    ring: bool
    mismatch: bool


def _grade(signs: Signs) -> bool:
    return signs.ring and not signs.mismatch


def _either(signs: Signs) -> bool:
    return signs.ring != signs.mismatch


def _glioma_interior(rng: np.random.Generator, signs: Signs) -> Tissue:
    kind = rng.choice(["necrosis", "necrosis_dark", "solid", "solid_dark"], p=[0.3, 0.25, 0.25, 0.2])
    return LESION["mismatch" if signs.mismatch else str(kind)]


# Equal T1 and equal PD e^(-10/T2): t1n and t1c cannot tell the two interiors apart, so t1c alone shows the ring only.
_BRIGHT = Tissue(2200, 260, 0.85, 0.06)
_DARK = Tissue(2200, 60, float(0.85 * np.exp(10 / 60 - 10 / 260)), 0.06)


def _xor_interior(rng: np.random.Generator, signs: Signs) -> Tissue:
    rng.random()
    return _BRIGHT if signs.mismatch else _DARK


@dataclass(frozen=True)
class Control:
    """``frequencies`` of the cells (ring, mismatch) = (1,0), (1,1), (0,0), (0,1), and what follows from them."""

    frequencies: tuple[float, float, float, float]
    is_high: Callable[[Signs], bool]
    interior: Callable[[np.random.Generator, Signs], Tissue]

    def signs(self, seed: int, index: int) -> Signs:
        """The signs of a case; a golden-ratio sequence keeps every run of cases near the wanted frequencies."""
        start = np.random.default_rng([seed, 7]).random()
        place = (start + index * (np.sqrt(5) - 1) / 2) % 1
        cell = int(np.searchsorted(np.cumsum(self.frequencies[:-1]), place, side="right"))
        return Signs(*_CELLS[cell])


_GLIOMA = (0.50, 0.24, 0.24, 0.02)
CONTROLS = {
    "complementary": Control(_GLIOMA, _grade, _glioma_interior),
    "redundant": Control(_GLIOMA, _grade, _glioma_interior),
    "noise": Control(_GLIOMA, _grade, _glioma_interior),
    "xor": Control((0.25, 0.25, 0.25, 0.25), _either, _xor_interior),
}


def control_named(name: str) -> Control:
    """The control of this name; SpecError with the nearest ones otherwise."""
    if name not in CONTROLS:
        raise SpecError(f"no phantom control is called {name!r}; {nearest(name, CONTROLS)}")
    return CONTROLS[name]
