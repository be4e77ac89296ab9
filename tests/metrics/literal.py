"""The BraTS 2023 lesion-wise scores computed slowly, as the definition says them: one whole-volume step after another.

Written from the definition (method.md, the challenge's description), sharing no code with mrfusion. No crop of
lesions, no table, no shortcut: each lesion is dilated, labelled and measured over the whole volume, as the official
script does it with the same library calls. ``areas`` is a function from voxel size to the 256 areas of a 2x2x2 block.
"""

from typing import Any

import cc3d
import numpy as np
from scipy import ndimage

PENALTY_MM = 374
STRUCTURE = ndimage.generate_binary_structure(3, 2)
KERNEL = np.array([[[128, 64], [32, 16]], [[8, 4], [2, 1]]])


def scores(
    pred_map: Any, target_map: Any, spacing_mm: Any, *, labels: Any, dilation: int, smallest_mm3: float, areas: Any
) -> dict[str, float]:
    """All columns of the official table for one region of two label maps, under mrfusion's metric names."""
    pred, target = _region(pred_map, labels), _region(target_map, labels)
    empty = not pred.any() and not target.any()
    true = np.where(pred == target, 1, 0)[pred == 1].sum()
    false, missed = pred.sum() - true, target.sum() - true
    outside = np.count_nonzero((pred != 1) & (target != 1))
    tiny = np.finfo(float).eps
    result = {
        "dice": 1.0 if empty else _dice(pred, target),
        "hd95": 0.0 if empty else hd95(target.astype(int), pred.astype(int), spacing_mm, areas),
        "sensitivity": 1.0 if empty else true / (true + missed + tiny),
        "specificity": outside / (outside + false + tiny),
        "target_volume_mm3": np.sum(target) * np.prod(np.asarray(spacing_mm, float)),
    }
    result["hd95"] = float(PENALTY_MM) if np.isinf(result["hd95"]) else result["hd95"]
    lesions, false = _lesions(pred, target, spacing_mm, dilation, areas)
    kept = [(hit, dice, PENALTY_MM if np.isinf(far) else far) for hit, mm3, dice, far in lesions if mm3 > smallest_mm3]
    count = len(kept) + false
    result["lesion_tp"] = sum(hit for hit, _, _ in kept)
    result["lesion_fn"] = sum(not hit for hit, _, _ in kept)
    result["lesion_fp"] = false
    result["lesion_dice"] = sum(dice for _, dice, _ in kept) / count if count else 1.0
    result["lesion_hd95"] = (sum(far for _, _, far in kept) + PENALTY_MM * false) / count if count else 0.0
    return result


def _region(label_map, labels):
    mask = label_map.copy()
    np.place(mask, ~np.logical_or.reduce([mask == value for value in labels]), 0)
    np.place(mask, mask > 0, 1)
    return mask


def _dice(pred, target):
    pred, target = pred.astype(bool), target.astype(bool)
    return 2.0 * np.logical_and(pred, target).sum() / (pred.sum() + target.sum())


def _lesions(pred, target, spacing_mm, dilation, areas):
    """(found, volume, dice, hd95) of each target lesion, and the number of predicted components that meet none."""
    components = cc3d.connected_components(pred.astype(np.uint8), connectivity=26)
    grown = cc3d.connected_components(_dilated(target, dilation), connectivity=26)
    merged = np.zeros_like(grown)
    for k in range(1, int(grown.max()) + 1):
        merged += np.where((grown == k) & (target > 0), k, 0).astype(merged.dtype)
    lesions, matched = [], [0]
    for k in range(1, int(merged.max()) + 1):
        lesion = np.zeros_like(merged)
        lesion[merged == k] = 1
        touching = np.unique(components * _dilated(lesion, dilation))
        touching = touching[touching != 0]
        matched += list(touching)
        found = np.copy(components)
        found[np.isin(found, touching, invert=True)] = 0
        found[np.isin(found, touching)] = 1
        far = hd95(lesion.astype(int), found.astype(int), spacing_mm, areas)
        mm3 = np.sum(lesion) * np.prod(np.asarray(spacing_mm, float))
        lesions.append((len(touching) > 0, mm3, _dice(found, lesion), far))
    return lesions, len(np.unique(components[np.isin(components, matched, invert=True)]))


def _dilated(mask, times):
    return ndimage.binary_dilation(mask, structure=STRUCTURE, iterations=times) if times else mask.astype(bool)


def hd95(target, pred, spacing_mm, areas):
    """The larger of the two directed 95th percentiles over surface elements by area; inf where one is empty."""
    either = target | pred
    box = []
    for axis in range(3):
        inside = np.nonzero(np.max(either, axis=tuple(a for a in range(3) if a != axis)))[0]
        if len(inside) == 0:
            return np.inf
        box.append(slice(inside.min(), inside.max() + 1))
    codes = [_codes(mask[tuple(box)]) for mask in (target, pred)]
    surfaces = [(code != 0) & (code != 255) for code in codes]
    table = areas(spacing_mm)
    return max(
        _percentile(code, mine, theirs, spacing_mm, table)
        for code, mine, theirs in zip(codes, surfaces, surfaces[::-1], strict=True)
    )


def _codes(mask):
    padded = np.zeros(np.array(mask.shape) + 1, np.uint8)
    padded[:-1, :-1, :-1] = mask
    return ndimage.correlate(padded, KERNEL, mode="constant", cval=0)


def _percentile(codes, mine, theirs, spacing_mm, table):
    if not theirs.any() or not mine.any():
        return np.inf
    distance = ndimage.distance_transform_edt(~theirs, sampling=spacing_mm)
    pairs = np.array(sorted(zip(distance[mine], table[codes][mine], strict=True)))
    share = np.cumsum(pairs[:, 1]) / np.sum(pairs[:, 1])
    return pairs[min(int(np.searchsorted(share, 0.95)), len(pairs) - 1), 0]
