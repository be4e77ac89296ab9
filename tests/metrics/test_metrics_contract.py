"""What every metric of the family promises: its ABOUT is true, its range holds, a mask against itself is perfect."""

import math

import numpy as np
import pytest
from scipy import ndimage

from mrfusion import families
from mrfusion.metrics._base import MEASURED, PENALTY, UNDEFINED, About
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value
from mrfusion.rules import PLAIN, RULES

NAMES = families.names("metrics")
SYMMETRIC = {"dice", "iou", "hd", "hd95", "assd", "nsd"}  # lesions are not: one component may find several
SPACING = (1.0, 1.5, 2.5)


def blobs(seed, shape=(16, 17, 18)):
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.random(shape), 1.5) > 0.53


FULL, OTHER, EMPTY = blobs(0), blobs(1), np.zeros((16, 17, 18), bool)


def read(name, pred, target, rule=PLAIN):
    return families.load("metrics", name)(MaskPair(pred, target, SPACING, rule=rule))


def about(name) -> About:
    return families.module_of("metrics", name).ABOUT


@pytest.mark.parametrize("name", NAMES)
def test_about_says_what_an_empty_mask_gives(name):
    cases = {
        "both_empty": (EMPTY, EMPTY),
        "prediction_empty": (EMPTY, FULL),
        "target_empty": (FULL, EMPTY),
    }
    for field, (pred, target) in cases.items():
        answer, found = getattr(about(name), field), read(name, pred, target)
        if answer == PENALTY:
            expected = Value(math.sqrt(16**2 + (17 * 1.5) ** 2 + (18 * 2.5) ** 2), "penalised")
            assert (found.value, found.status) == (pytest.approx(expected.value), "penalised")
        elif answer == UNDEFINED:
            assert math.isnan(found.value)
            assert found.status == "undefined"
        elif answer == MEASURED:
            assert math.isfinite(found.value)
        else:
            expected = answer if isinstance(answer, Value) else Value(answer)
            assert (found.value, found.status) == (expected.value, expected.status)
        assert bool(found.reason) == (found.status != "scored"), "what is not scored says why"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", [PLAIN, RULES["brats2023-MET"]], ids=lambda rule: rule.name)
def test_values_stay_in_range_and_are_finite(name, rule):
    low, high = about(name).range
    for pred, target in [(FULL, OTHER), (FULL, FULL), (FULL, EMPTY), (EMPTY, OTHER), (~EMPTY, FULL)]:
        found = read(name, pred, target, rule)
        assert math.isnan(found.value) if found.status == "undefined" else low <= found.value <= high
        assert isinstance(found.value, float)


@pytest.mark.parametrize("name", NAMES)
def test_identity(name):
    found, best = read(name, FULL, FULL), about(name)
    assert found.status == "scored"
    if best.unit == "1":
        assert found.value == 1.0
    elif best.unit == "mm" or name in ("lesion_fp", "lesion_fn"):
        assert found.value == 0.0


@pytest.mark.parametrize("name", sorted(SYMMETRIC))
def test_symmetry(name):
    assert read(name, FULL, OTHER).value == pytest.approx(read(name, OTHER, FULL).value, rel=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_turning_the_image_changes_nothing(name):
    """A rotation by 90 degrees, a mirror image and more background are not seen by any metric but specificity."""
    pred, target = np.pad(FULL, 2), np.pad(OTHER, 2)
    metric = families.load("metrics", name)
    expected = metric(MaskPair(pred, target, SPACING)).value
    turned = MaskPair(np.flip(pred.transpose(2, 0, 1), 0), np.flip(target.transpose(2, 0, 1), 0), (2.5, 1.0, 1.5))
    assert metric(turned).value == pytest.approx(expected, rel=1e-9)
    if name != "specificity":
        rule = PLAIN if about(name).unit != "mm" else RULES["brats2023-MEN"]
        tight, wide = (MaskPair(a, b, SPACING, rule=rule) for a, b in ((pred, target), (FULL, OTHER)))
        assert metric(tight).value == pytest.approx(metric(wide).value, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_about_is_complete(name):
    found = about(name)
    assert found.unit in {"1", "mm", "mm3", "lesions"}
    assert found.better in {"higher", "lower", "neither"}
    assert found.range[0] < found.range[1]
