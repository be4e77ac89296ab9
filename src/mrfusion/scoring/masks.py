"""Masks and label maps in, one number a row out: every metric of every region of a case, and their summaries."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.case import Region
from mrfusion.errors import CaseError, SpecError
from mrfusion.families import load, parse
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import CaseScore, Value
from mrfusion.rules import PLAIN, Rule
from mrfusion.scoring.values import check_known, check_shapes
from mrfusion.surface.box import window


def score_case(
    case_id: str,
    prediction: NDArray[Any],
    *,
    target: NDArray[Any],
    regions: Sequence[Region],
    spacing_mm: Sequence[float],
    metrics: Sequence[str] = ("dice",),
    rule: Rule = PLAIN,
) -> list[CaseScore]:
    """Every metric of every region of one case.

    ``prediction`` and ``target`` are each a label map on the grid of ``spacing_mm`` whose values are those that
    ``regions`` name, or one mask of 0 and 1 per region stacked in front: (region, *xyz). Metrics are named as in
    ``hd95(variant=voxel)``. Raises CaseError, naming the case, where the two do not fit together, and for values that
    are in no region: probabilities, NaN, 255.
    """
    arrays = {"prediction": np.asarray(prediction), "target": np.asarray(target)}
    try:
        check_shapes(arrays, regions, spacing_mm)
        grids = _cut(*arrays.values(), dimensions=len(spacing_mm), margin=rule.dilation)
        check_known(dict(zip(arrays, grids.arrays, strict=True)), regions, len(spacing_mm))
    except CaseError as error:
        raise CaseError(f"case {case_id}: {error}") from None
    return _scored(case_id, grids, regions=regions, spacing_mm=spacing_mm, metrics=metrics, rule=rule)


def score_checked(
    case_id: str,
    prediction: NDArray[Any],
    *,
    target: NDArray[Any],
    regions: Sequence[Region],
    spacing_mm: Sequence[float],
    metrics: Sequence[str],
    rule: Rule,
) -> list[CaseScore]:
    """As :func:`score_case`, of arrays whose values were checked when they were read; values that are in no region
    count as background."""
    try:
        grids = _cut(prediction, target, dimensions=len(spacing_mm), margin=rule.dilation)
    except CaseError as error:
        raise CaseError(f"case {case_id}: {error}") from None
    return _scored(case_id, grids, regions=regions, spacing_mm=spacing_mm, metrics=metrics, rule=rule)


@dataclass(frozen=True, eq=False)
class Grids:
    """Prediction and target, label maps in 3-D cut to the box of both, and the shape of the whole image."""

    arrays: tuple[NDArray[Any], NDArray[Any]]
    shape: tuple[int, ...]


def _cut(prediction: NDArray[Any], target: NDArray[Any], *, dimensions: int, margin: int) -> Grids:
    """Most of a volume is empty, so label maps are cut once, before their values are looked at and for all regions."""
    shapes = tuple(a.shape if a.ndim == dimensions else a.shape[1:] for a in (prediction, target))
    if shapes[0] != shapes[1]:
        raise CaseError(f"prediction {shapes[0]} and target {shapes[1]} differ in shape; resample one to the other")
    if prediction.ndim == target.ndim == dimensions == 3:
        part = window([prediction, target], margin=margin)
        prediction, target = _side_by_side(prediction[part]), _side_by_side(target[part])
    return Grids((prediction, target), shapes[0])


def _side_by_side(cut: NDArray[Any]) -> NDArray[Any]:
    """A cut whose bytes lie side by side, in the order of axes that it had: it is read several times a region."""
    return cut if cut.flags.forc else cut.copy(order="K")


def _scored(
    case_id: str,
    grids: Grids,
    *,
    regions: Sequence[Region],
    spacing_mm: Sequence[float],
    metrics: Sequence[str],
    rule: Rule,
) -> list[CaseScore]:
    readers = [reader(text) for text in metrics]
    spacing = tuple(float(s) for s in spacing_mm)
    scores = []
    try:
        for region, pair in _pairs(grids, regions, spacing, rule):
            if pair:
                values = [(name, read(pair)) for name, read in readers]
            scores += [value.of(case_id, region.name, name) for name, value in values]
            del pair  # its arrays go before those of the next region come
    except CaseError as error:
        raise CaseError(f"case {case_id}: {error}") from None
    return scores


def summarise(scores: Sequence[CaseScore]) -> dict[str, dict[str, dict[str, Any]]]:
    """Region -> metric -> mean, std and median over scored and penalised cases, and how many there were of each status.

    Where ``target_volume_mm3`` is among the metrics, ``present`` and ``absent`` give the same for the cases with and
    without the region in their target.
    """
    groups: dict[tuple[str, str], list[CaseScore]] = {}
    for score in scores:
        groups.setdefault((score.region, score.metric), []).append(score)
    absent = {(s.case, s.region) for s in scores if s.metric == "target_volume_mm3" and s.value == 0.0}
    summary: dict[str, dict[str, dict[str, Any]]] = {}
    for (region, name), group in groups.items():
        figures: dict[str, Any] = _figures(group)
        if (region, "target_volume_mm3") in groups:
            for part, lacking in (("present", False), ("absent", True)):
                figures[part] = _figures([s for s in group if ((s.case, region) in absent) is lacking])
        summary.setdefault(region, {})[name] = figures
    return summary


@lru_cache(maxsize=256)
def reader(text: str) -> tuple[str, Callable[..., Value]]:
    """A metric's name as it stands in the table, and its function; kept, for a table has many cases."""
    call = parse(text)
    if call.args:
        raise SpecError(f"a metric's arguments are named, as in 'nsd(tolerance_mm=2)', found {text!r}")
    return str(call), load("metrics", text)


def _pairs(
    grids: Grids, regions: Sequence[Region], spacing_mm: tuple[float, ...], rule: Rule
) -> Iterator[tuple[Region, MaskPair | None]]:
    """Each region's masks, or None where they are those of the region before, as where a tumour has no oedema."""
    arrays = grids.arrays
    maps = all(array.ndim == len(spacing_mm) for array in arrays)
    for index, region in enumerate(regions):
        if maps and index and not _differ(arrays, *regions[index - 1 : index + 1]):
            yield region, None
            continue
        pred, target = arrays if maps else (_mask(array, index, regions, len(spacing_mm)) for array in arrays)
        values = region.labels if maps else None
        yield region, MaskPair(pred, target, spacing_mm, values=values, rule=rule, image_shape=grids.shape)


def _differ(maps: Sequence[NDArray[Any]], one: Region, other: Region) -> bool:
    """Whether label maps hold any of the values that only one of two regions has; else both have the same masks."""
    return any((array == value).any() for array in maps for value in set(one.labels) ^ set(other.labels))


def _mask(array: NDArray[Any], index: int, regions: Sequence[Region], dimensions: int) -> NDArray[Any]:
    """The mask of the region at ``index`` out of a label map, or out of masks stacked in the order of the regions."""
    if array.ndim == dimensions:
        mask = np.zeros(array.shape, bool)
        for value in regions[index].labels:
            mask |= array == value
        return mask
    if array.ndim == dimensions + 1 and array.shape[0] == len(regions):
        return np.asarray(array[index])
    raise CaseError(
        f"expected a label map in {dimensions} dimensions or one mask for each of {len(regions)} regions, "
        f"found shape {array.shape}"
    )


def _figures(group: list[CaseScore]) -> dict[str, Any]:
    values = np.array([s.value for s in group if s.status != "undefined"], dtype=np.float64)
    count = {status: sum(s.status == status for s in group) for status in ("scored", "penalised", "undefined")}
    if not values.size:
        return {"mean": None, "std": None, "median": None, **count}
    std = float(values.std(ddof=1)) if values.size > 1 else None
    return {"mean": float(values.mean()), "std": std, "median": float(np.median(values)), **count}
