"""Tissues at 3 T, the signal equations of the four sequences, and a canvas that tissues are painted on.

Spin echo:           S = PD (1 - e^(-TR/T1)) e^(-TE/T2)                        (TE << TR)
Inversion recovery:  S = PD |1 - 2 e^(-TI/T1) + e^(-TR/T1)| e^(-TE/T2)
Gadolinium:          1/T1' = 1/T1 + r1 [Gd],  r1 = 4.3 per s per mM at 3 T

Equations: Bernstein, King, Zhou, Handbook of MRI Pulse Sequences (2004), sections 14.2 and 14.3 (magnitude signal);
relaxivity of gadolinium chelates in blood at 3 T: Rohrer et al., Invest. Radiol. 40 (2005) 715. Relaxation times of
grey and white matter: Wansapura et al., JMRI 9 (1999) 531; Stanisz et al., MRM 54 (2005) 507, rounded.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mrfusion.phantom.fields import Array

MODALITIES = ("t1n", "t1c", "t2w", "t2f")
RELAXIVITY_PER_S_MM = 4.3
_STEP = 1e-3  # relative step of the numeric derivatives for texture


@dataclass(frozen=True)
class Tissue:
    """Relaxation times in ms, proton density relative to water, relative sd of the texture of T1 and T2."""

    t1_ms: float
    t2_ms: float
    pd: float
    texture: float = 0.0

    def jittered(self, rng: np.random.Generator, sd: float) -> "Tissue":
        """The same tissue in another patient: T1, T2 and PD each off by a relative ``sd``."""
        a, b, c = np.exp(sd * rng.standard_normal(3)).tolist()
        return replace(self, t1_ms=self.t1_ms * a, t2_ms=self.t2_ms * b, pd=self.pd * c)


NORMAL = {
    "grey": Tissue(1350, 98, 0.82, 0.03),
    "white": Tissue(830, 70, 0.70, 0.025),
    "csf": Tissue(4200, 1700, 1.0),
}
LESION = {
    "oedema": Tissue(1450, 160, 0.86, 0.09),
    "necrosis": Tissue(2600, 330, 0.93, 0.12),
    "necrosis_dark": Tissue(2300, 52, 0.78, 0.12),  # T1 on either side of the mismatch: t1c alone cannot tell it
    "solid": Tissue(1700, 170, 0.87, 0.08),
    "solid_dark": Tissue(1500, 58, 0.74, 0.08),
    "mismatch": Tissue(3000, 260, 0.93, 0.06),
    "rim": Tissue(1550, 125, 0.85, 0.08),
    "hyperintensity": Tissue(1250, 145, 0.79, 0.05),
    "blood": Tissue(480, 78, 0.80, 0.05),
    "vessel": Tissue(1650, 60, 0.80),
}


@dataclass(frozen=True)
class SpinEcho:
    """Repetition and echo time in ms."""

    tr_ms: float
    te_ms: float

    def signal(self, t1_ms: Array | float, t2_ms: Array | float, pd: Array | float) -> Array:
        """Magnitude relative to water with full magnetisation."""
        return np.asarray(pd * (1 - np.exp(-self.tr_ms / t1_ms)) * np.exp(-self.te_ms / t2_ms), dtype=np.float32)


@dataclass(frozen=True)
class InversionRecovery:
    """Repetition, echo and inversion time in ms."""

    tr_ms: float
    te_ms: float
    ti_ms: float

    def signal(self, t1_ms: Array | float, t2_ms: Array | float, pd: Array | float) -> Array:
        """Magnitude relative to water with full magnetisation."""
        longitudinal = np.abs(1 - 2 * np.exp(-self.ti_ms / t1_ms) + np.exp(-self.tr_ms / t1_ms))
        return np.asarray(pd * longitudinal * np.exp(-self.te_ms / t2_ms), dtype=np.float32)


Sequence = SpinEcho | InversionRecovery
SEQUENCES: dict[str, Sequence] = {
    "t1n": SpinEcho(600, 10),
    "t1c": SpinEcho(600, 10),
    "t2w": SpinEcho(4500, 95),
    "t2f": InversionRecovery(9000, 120, 2480),
}


def with_gadolinium(t1_ms: float, concentration_mm: Array | float) -> Array:
    """The shortened T1 in ms at a concentration of contrast agent in mM."""
    return np.asarray(1 / (1 / t1_ms + RELAXIVITY_PER_S_MM * concentration_mm / 1000), dtype=np.float32)


class Canvas:
    """The four signals [4, N] of the brain's voxels; what is painted later lies over what was there.

    ``texture_2N`` are two fields of unit variance that vary T1 and T2; their effect is the first derivative of the
    signal, which is some ten times cheaper than the exponentials of every voxel and off by less than a percent.
    """

    def __init__(self, texture_2N: Array) -> None:
        self.texture_2N = texture_2N
        self.signals_MN = np.zeros((len(MODALITIES), texture_2N.shape[1]), dtype=np.float32)

    def paint(self, tissue: Tissue, weight_N: Array, gadolinium_N: Array | None = None) -> None:
        """Cover each voxel by ``weight`` (0 to 1) of a tissue, which may have taken up contrast agent (mM)."""
        where = np.flatnonzero(weight_N > 1e-3)
        weight = weight_N[where]
        enhanced = tissue.t1_ms if gadolinium_N is None else with_gadolinium(tissue.t1_ms, gadolinium_N[where])
        for row, name in enumerate(MODALITIES):
            t1_ms = enhanced if name == "t1c" else tissue.t1_ms
            signal = self._textured(SEQUENCES[name], tissue, t1_ms, where)
            self.signals_MN[row, where] += weight * (signal - self.signals_MN[row, where])

    def _textured(self, sequence: Sequence, tissue: Tissue, t1_ms: Array | float, where: NDArray[np.intp]) -> Array:
        t2, pd, sd = tissue.t2_ms, tissue.pd, tissue.texture
        signal = sequence.signal(t1_ms, t2, pd)
        if not sd:
            return signal
        by_t1 = (sequence.signal(t1_ms * (1 + _STEP), t2, pd) - signal) / _STEP
        by_t2 = (sequence.signal(t1_ms, t2 * (1 + _STEP), pd) - signal) / _STEP
        n1, n2 = self.texture_2N[:, where]
        return np.asarray(signal + sd * (by_t1 * n1 + by_t2 * n2), dtype=np.float32)
