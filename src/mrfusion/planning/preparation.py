"""How cases are brought to one grid and their numbers to one scale, with reasons."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from mrfusion.planning.fingerprint import Fingerprint
from mrfusion.planning.target import UNEVEN, Target, differs

_CT = re.compile(r"(^|[^a-z])ct($|[^a-z])")


def plan_preparation(
    fingerprint: Fingerprint, target: Target, spacing_mm: Sequence[float | None] | None
) -> Iterator[tuple[str, Any, str]]:
    """(key, value, reason) of each key of a preparation; ``spacing_mm`` in the order (S, H, W)."""
    moved = spacing_mm is not None and differs(fingerprint, spacing_mm)
    yield "data.preparation.spacing_mm", *_spacing(target, spacing_mm if moved else None)
    yield "data.preparation.interpolation", *_interpolation(target, moved)
    yield "data.preparation.intensities", *_scaling(fingerprint)


def _spacing(target: Target, spacing_mm: Sequence[float | None] | None) -> tuple[Any, str]:
    if spacing_mm is None:
        return None, "every case lies on this grid already"
    between, rows, columns = spacing_mm
    said = " x ".join(f"{s:.3g}" for s in target.spacing_mm[1:])
    rule = "the 10th percentile between slices, which are few" if target.uneven else "the median of the cases"
    what = f"{said} mm in the plane, slices as they are" if between is None else f"{said} mm, {between:.3g} mm between"
    why = "the median of the cases" if between is None else rule
    return [_rounded(rows), _rounded(columns), _rounded(between)], f"{what}: {why}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _interpolation(target: Target, moved: bool) -> tuple[str, str]:
    if not moved:
        return "linear", "no case is resampled"
    if target.uneven:
        return "cubic", f"cubic in the plane; between slices, {UNEVEN:g} times further apart, the nearest one"
    return "cubic", "cubic along every axis"


def _scaling(fingerprint: Fingerprint) -> tuple[dict[str, dict[str, float]], str]:
    """CT by the cohort's foreground, as in nnU-Net's CTNormalization; MRI's numbers mean nothing by themselves."""
    found = {
        name: {"low": one.low, "high": one.high, "mean": one.mean, "sd": one.sd}
        for name, one in fingerprint.intensities.items()
        if _CT.search(name.casefold())
    }
    rounded = {name: {key: round(value, 3) for key, value in one.items()} for name, one in found.items()}
    if not rounded:
        return {}, "z-scores of each modality's own voxels that are not 0: the numbers of MRI have no unit"
    names = ", ".join(rounded)
    return rounded, f"{names}: clipped to the middle 99 % of what has a label, then scaled by its mean and deviation"
