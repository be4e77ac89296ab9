"""Metrics against numbers computed by hand, by scipy and by formula: boxes, spheres, lines, any voxel size, 2-D."""

import math

import numpy as np
import pytest
from scipy import ndimage

from mrfusion.errors import CaseError, SpecError
from mrfusion.families import load
from mrfusion.metrics._pair import MaskPair
from mrfusion.rules import PLAIN, RULES


def value(metric, pred, target, spacing_mm=(1.0, 1.0, 1.0), rule=PLAIN):
    return load("metrics", metric)(MaskPair(pred, target, spacing_mm, rule=rule)).value


def box(low, high, shape=(20, 20, 20)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


A, B = box((4, 4, 4), (8, 8, 8)), box((6, 4, 4), (10, 8, 8))  # two cubes of 64 voxels, 32 in common


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("dice", 0.5),
        ("iou", 1 / 3),
        ("sensitivity", 0.5),
        ("precision", 0.5),
        ("specificity", 1 - 32 / (8000 - 64)),
        ("volume_mm3", 64.0),
        ("target_volume_mm3", 64.0),
        ("hd", 2.0),
        ("hd95", 2.0),
        ("hd(variant=voxel)", 2.0),
        ("lesion_tp", 1.0),
        ("lesion_dice", 0.5),
        ("lesion_f1", 1.0),
    ],
)
def test_two_cubes_by_hand(metric, expected):
    assert value(metric, A, B) == pytest.approx(expected, abs=1e-15)


def test_voxel_size_scales_volumes_and_distances():
    spacing = (3.0, 1.0, 0.5)
    assert value("volume_mm3", A, B, spacing) == 64 * 1.5
    assert value("hd", A, B, spacing) == 6.0
    assert value("hd", np.roll(A, 2, axis=2), A, spacing) == 1.0
    assert value("dice", A, B, spacing) == 0.5
    assert value("hd95", A, B, (2.0, 2.0, 2.0)) == 2 * value("hd95", A, B)


def sphere(radius_mm, spacing_mm, shape):
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing_mm, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return x**2 + y**2 + z**2 <= radius_mm**2


@pytest.mark.parametrize(("spacing_mm", "shape"), [((1.0, 1.0, 1.0), (64, 64, 64)), ((0.8, 1.0, 2.0), (80, 64, 32))])
def test_spheres_in_each_other(spacing_mm, shape):
    inner, outer = sphere(16.0, spacing_mm, shape), sphere(24.0, spacing_mm, shape)
    assert value("dice", inner, outer, spacing_mm) == pytest.approx(2 * 16**3 / (16**3 + 24**3), abs=0.01)
    for metric in ("hd95", "hd95(variant=voxel)", "hd95(variant=pooled)", "assd", "hd"):
        assert value(metric, inner, outer, spacing_mm) == pytest.approx(8.0, abs=1.5), metric
    pair = MaskPair(inner, outer, spacing_mm)
    area = pair.surfaces()[1].area_mm2.sum()
    assert area == pytest.approx(4 * math.pi * 24**2, rel=0.15)  # steps of voxels are longer than a sphere


def test_surface_areas_of_a_slab_are_those_of_its_faces():
    slab = box((5, 0, 0), (9, 20, 20))
    areas = MaskPair(slab, slab, (1.0, 2.0, 3.0)).surfaces()[0].area_mm2
    faces = 2 * (20 * 2) * (20 * 3) + 2 * 4 * (20 * 2) + 2 * 4 * (20 * 3)
    assert areas.sum() == pytest.approx(faces, rel=0.04)


def border_distances(mine, theirs, spacing_mm):
    """Distances from the border voxels of one mask to those of the other: scipy alone."""
    borders = [mask & ~ndimage.binary_erosion(mask) for mask in (mine, theirs)]
    return ndimage.distance_transform_edt(~borders[1], sampling=spacing_mm)[borders[0]]


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.9, 1.4, 5.0)])
@pytest.mark.parametrize("seed", range(3))
def test_voxel_distances_against_scipy(seed, spacing_mm):
    rng = np.random.default_rng(seed)
    pred, target = (ndimage.gaussian_filter(rng.random((18, 17, 16)), 2) > 0.5 for _ in range(2))
    one, other = border_distances(pred, target, spacing_mm), border_distances(target, pred, spacing_mm)
    both = np.concatenate([one, other])
    expected = {
        "hd95(variant=voxel)": max(np.percentile(one, 95), np.percentile(other, 95)),
        "hd95(variant=pooled)": np.percentile(both, 95),
        "hd(variant=voxel)": both.max(),
        "assd(variant=voxel)": both.mean(),
    }
    for metric, number in expected.items():
        assert value(metric, pred, target, spacing_mm) == pytest.approx(number, rel=1e-12), metric


def test_surface_dice_counts_what_lies_within_the_tolerance():
    assert value("nsd", A, A) == 1.0
    assert value("nsd(tolerance_mm=2)", A, B) == 1.0
    assert 1 / 3 < value("nsd(tolerance_mm=0)", A, B) < 1 / 2  # half of four of six faces coincides, and edges
    assert value("nsd(tolerance_mm=0.5)", A, np.roll(A, 10, axis=0)) == 0.0


def test_pooling_hides_what_one_direction_sees():
    target = box((2, 2, 2), (18, 18, 10), (20, 20, 60))
    pred = target.copy()
    pred[9:11, 9:11, 55:57] = True  # a speck 46 voxels away: 2 % of the pooled border
    assert value("hd", pred, target) > 40
    assert value("hd95(variant=pooled)", pred, target) == 0.0
    assert value("lesion_fp", pred, target) == 1.0


# ---------------------------------------------------------------- two dimensions


def test_a_flat_image_is_measured_along_its_contour():
    square = np.zeros((12, 12), bool)
    square[3:7, 3:7] = True
    shifted = np.roll(square, 2, axis=1)
    assert value("dice", square, shifted, (1.0, 1.0)) == 0.5
    assert value("hd", square, shifted, (1.0, 0.5)) == 1.0
    assert value("hd(variant=voxel)", square, shifted, (1.0, 0.5)) == 1.0
    assert value("volume_mm3", square, shifted, (2.0, 0.5)) == 16.0
    contour = MaskPair(square, square, (1.0, 1.0)).surfaces()[0].area_mm2.sum()
    assert contour == pytest.approx(12 + 4 * math.sqrt(0.5), rel=1e-12)  # four sides of 3, four cut corners


def test_flat_borders_are_those_of_the_image_plane():
    square = np.zeros((9, 9), bool)
    square[2:7, 2:7] = True
    hole = square.copy()
    hole[4, 4] = False
    one, other = border_distances(square, hole, (1, 1)), border_distances(hole, square, (1, 1))
    expected = max(np.percentile(one, 95), np.percentile(other, 95))
    assert value("hd95(variant=voxel)", square, hole, (1.0, 1.0)) == pytest.approx(expected)


def test_flat_lesions_touch_at_corners():
    mask = np.zeros((12, 12), bool)
    mask[1:3, 1:3] = mask[3:5, 3:5] = True
    mask[9, 9] = True
    empty = np.zeros_like(mask)
    assert value("lesion_fp", mask, empty, (1.0, 1.0)) == 2.0
    assert value("lesion_fn", empty, mask, (1.0, 1.0)) == 2.0
    assert value("lesion_tp", mask, mask, (1.0, 1.0)) == 2.0


# ---------------------------------------------------------------- lesions and rules


def two_lesions():
    target = np.zeros((20, 20, 40), bool)
    target[5:10, 5:10, 5:10] = True
    target[5:10, 5:10, 12:17] = True  # two voxels between them
    return target


def test_lesions_merge_where_their_dilations_touch():
    target = two_lesions()
    counts = [
        value("lesion_tp", target, target, rule=RULES[name]) for name in ("paper", "brats2023-MEN", "brats2023-GLI")
    ]
    assert counts == [2.0, 1.0, 1.0]
    apart = target.copy()
    apart[5:10, 5:10, 12:17] = False
    apart[5:10, 5:10, 14:19] = True  # four voxels between them: only three dilations meet
    counts = [value("lesion_tp", apart, apart, rule=RULES[name]) for name in ("brats2023-MEN", "brats2023-GLI")]
    assert counts == [2.0, 1.0]


def test_small_target_lesions_leave_the_list_and_predicted_specks_do_not():
    target = np.zeros((20, 20, 40), bool)
    target[2:7, 2:7, 2:4] = True  # 50 voxels: at most 50 mm3
    pred = target.copy()
    pred[15, 15, 30] = True
    for name, expected in (("brats2023-MEN", (0, 1, 0)), ("brats2023-MET", (1, 1, 0)), ("paper", (1, 1, 0))):
        found = tuple(value(f"lesion_{what}", pred, target, rule=RULES[name]) for what in ("tp", "fp", "fn"))
        assert found == expected, name
    assert value("lesion_dice", target, target, rule=RULES["brats2023-MEN"]) == 1.0


def test_a_miss_and_a_false_lesion_cost_the_penalty_and_the_literal_paper_rewards_them():
    target, pred = two_lesions(), two_lesions()
    pred[5:10, 5:10, 12:17] = False
    pred[15:17, 15:17, 30:33] = True
    rule = RULES["paper"]
    diagonal = math.sqrt(20**2 + 20**2 + 40**2)
    assert value("lesion_hd95", pred, target, rule=rule) == pytest.approx((0 + 2 * diagonal) / 3)
    assert value("lesion_hd95", pred, target, rule=RULES["brats2023-MEN"]) == pytest.approx((3.0 + 374.0) / 2, abs=4)
    worse, better = pred, pred & two_lesions()
    moved = np.roll(worse, 1, axis=0), np.roll(better, 1, axis=0)
    literal = [value("lesion_hd95_literal", mask, target, rule=rule) for mask in moved]
    assert literal[0] < literal[1]  # one more false lesion, and a lower number
    assert [value("lesion_hd95", mask, target, rule=rule) for mask in moved] == sorted(
        [value("lesion_hd95", mask, target, rule=rule) for mask in moved], reverse=True
    )


def test_one_component_may_find_several_lesions():
    target = np.zeros((20, 20, 40), bool)
    target[5:8, 5:8, 2:8] = target[5:8, 5:8, 20:26] = True
    pred = box((5, 5, 2), (8, 8, 26), target.shape)
    assert value("lesion_tp", pred, target) == 2.0
    assert value("lesion_fp", pred, target) == 0.0
    assert value("lesion_dice", pred, target) == pytest.approx(2 * 54 / (216 + 54))


def test_a_surface_that_is_not_there_costs_what_the_rule_says():
    empty = np.zeros_like(A)
    penalty = load("metrics", "hd95")(MaskPair(empty, A, (1.0, 1.0, 1.0), rule=RULES["brats2023-PED"]))
    assert (penalty.value, penalty.status) == (374.0, "penalised")
    assert value("hd95", A, empty, (1.0, 2.0, 3.0)) == pytest.approx(math.sqrt(20**2 + 40**2 + 60**2))


@pytest.mark.parametrize(
    ("pred", "target", "spacing_mm", "said"),
    [
        (A, A[:10], (1.0, 1.0, 1.0), "differ in shape"),
        (A[None], A[None], (1.0, 1.0, 1.0), "two or three dimensions"),
        (A, A, (1.0, 1.0), "voxel sizes"),
        (A, A, (1.0, 0.0, 1.0), "voxel sizes"),
        (A, A, (1.0, math.nan, 1.0), "voxel sizes"),
    ],
)
def test_masks_that_do_not_fit_together_are_refused(pred, target, spacing_mm, said):
    with pytest.raises(CaseError, match=said):
        MaskPair(pred, target, spacing_mm)


def test_an_unknown_variant_is_answered_with_the_known_ones():
    with pytest.raises(SpecError, match="surfel"):
        value("hd95(variant=surfl)", A, B)
    with pytest.raises(SpecError, match="voxel"):
        value("hd(variant=pooled)", A, B)
