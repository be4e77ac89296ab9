"""What each control promises about its pictures and its classes, measured on the pictures."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from mrfusion.errors import SpecError
from mrfusion.phantom.controls import CONTROLS, Signs, control_named
from mrfusion.phantom.fields import Grid
from mrfusion.phantom.lesion import ED, ET, NCR
from mrfusion.phantom.signal import MODALITIES
from mrfusion.phantom.subject import Subject, make_subject, subject_with

SPACING_MM = 5.0
OTHERS = ("t1n", "t2w", "t2f")


@cache
def subject(index: int, control: str = "complementary", signs: Signs | None = None) -> Subject:
    if signs is None:
        return make_subject(0, index, SPACING_MM, control)
    return subject_with(signs, control_named(control), Grid(SPACING_MM), (0, index))


def told_apart(values: NDArray[np.int16], these: NDArray[np.bool_], those: NDArray[np.bool_]) -> float:
    """Area under the ROC curve of the raw intensity, whichever side is brighter."""
    a, b = values[these], values[those]
    area = mannwhitneyu(a, b).statistic / (len(a) * len(b))
    return float(max(area, 1 - area))


def ringed(count: int) -> list[Subject]:
    cases = [subject(i) for i in range(2 * count)]
    return [s for s in cases if (s.labels == ET).sum() > 3][:count]


def test_complementary_needs_t1c_for_the_rim_and_flair_for_oedema() -> None:
    rim, oedema = {}, {}
    for name in MODALITIES:
        cases = ringed(5)
        rim[name] = np.mean([told_apart(s.images[name], s.labels == ET, np.isin(s.labels, (NCR, ED))) for s in cases])
        oedema[name] = np.mean(
            [told_apart(s.images[name], s.labels == ED, (s.labels == 0) & (s.images[name] > 0)) for s in cases]
        )
    assert rim["t1c"] > 0.9
    assert rim["t1c"] - max(rim[m] for m in OTHERS) > 0.1
    assert oedema["t2f"] > 0.95
    assert oedema["t2f"] - max(oedema[m] for m in ("t1n", "t1c", "t2w")) > 0.08


def test_redundant_pictures_differ_by_gain_and_offset_only() -> None:
    images = subject(0, "redundant").images
    inside = images["t1n"] > 0
    for name in MODALITIES[1:]:
        assert np.corrcoef(images["t1n"][inside], images[name][inside])[0, 1] > 0.9999


def test_redundant_shows_every_region() -> None:
    s = subject(0, "redundant")
    brain = (s.labels == 0) & (s.images["t1n"] > 0)
    assert told_apart(s.images["t1n"], s.labels == ET, brain) > 0.95
    assert told_apart(s.images["t1n"], s.labels == ED, brain) > 0.9


def test_noise_modality_knows_nothing_of_the_head() -> None:
    noisy, true = subject(0, "noise"), subject(0)
    inside = true.images["t1n"] > 0
    seen = [true.images[m][inside].astype(float) for m in MODALITIES] + [(true.labels > 0)[inside].astype(float)]
    blobs = noisy.images["t1n"][inside].astype(float)
    assert max(abs(np.corrcoef(blobs, other)[0, 1]) for other in seen) < 0.12
    for name in ("t1c", "t2w", "t2f"):
        np.testing.assert_array_equal(noisy.images[name], true.images[name])


def test_xor_class_and_balance() -> None:
    control = CONTROLS["xor"]
    signs = [control.signs(4, i) for i in range(400)]
    for ring in (False, True):
        for mismatch in (False, True):
            assert control.is_high(Signs(ring, mismatch)) == (ring ^ mismatch)
            assert sum(s == Signs(ring, mismatch) for s in signs) == pytest.approx(100, abs=4)
    for sign in ("ring", "mismatch"):
        high = [control.is_high(s) for s in signs if getattr(s, sign)]
        assert np.mean(high) == pytest.approx(0.5, abs=0.03)


def test_xor_interior_shows_in_t2_and_not_in_t1() -> None:
    bright, dark = (subject(2, "xor", Signs(True, mismatch)) for mismatch in (True, False))
    np.testing.assert_array_equal(bright.labels, dark.labels)
    core = bright.labels == NCR
    for name in ("t1n", "t1c"):
        assert np.median(bright.images[name][core]) == pytest.approx(np.median(dark.images[name][core]), rel=0.03)
    assert np.median(bright.images["t2w"][core]) > 1.5 * np.median(dark.images["t2w"][core])


@pytest.mark.parametrize("control", ["complementary", "redundant", "noise"])
def test_glioma_classes_have_their_frequencies(control: str) -> None:
    chosen = CONTROLS[control]
    signs = [chosen.signs(1, i) for i in range(500)]
    assert np.mean([chosen.is_high(s) for s in signs]) == pytest.approx(0.5, abs=0.01)
    assert np.mean([s.ring for s in signs]) == pytest.approx(0.74, abs=0.01)
    assert chosen.is_high(Signs(True, False))
    assert not chosen.is_high(Signs(True, True))


def test_ring_leaks_into_nothing_but_t1c() -> None:
    ring, none = (subject(1, "complementary", Signs(ring, mismatch=False)) for ring in (True, False))
    for name in OTHERS:
        np.testing.assert_array_equal(ring.images[name], none.images[name])
    np.testing.assert_array_equal(ring.labels == ED, none.labels == ED)
    np.testing.assert_array_equal(np.isin(ring.labels, (NCR, ET)), none.labels == NCR)
    changed = ring.images["t1c"].astype(int) - none.images["t1c"]
    assert changed[ring.labels == ET].mean() > 5 * abs(changed[ring.labels == 0].mean())


def test_mismatch_leaks_into_no_label_and_no_other_tissue() -> None:
    plain, mismatch = (subject(1, "complementary", Signs(True, m)) for m in (False, True))
    np.testing.assert_array_equal(plain.labels, mismatch.labels)
    far = plain.labels == 0
    for name in MODALITIES:
        a, b = plain.images[name][far].astype(float), mismatch.images[name][far].astype(float)
        assert np.mean(np.abs(a - b) > 0.03 * b + 2) < 0.02


def test_sizes_do_not_depend_on_the_class() -> None:
    small, large = (
        subject_with(s, CONTROLS["xor"], Grid(SPACING_MM), (0, 2)).labels > 0
        for s in (Signs(True, True), Signs(False, True))
    )
    np.testing.assert_array_equal(small, large)


def test_unknown_control_is_answered_with_the_nearest() -> None:
    with pytest.raises(SpecError, match="did you mean 'redundant'"):
        control_named("redundent")
