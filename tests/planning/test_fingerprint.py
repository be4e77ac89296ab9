"""The fingerprint of real heads and of a case made by hand; and of nnU-Net's own, from the same files."""

import json
from pathlib import Path

import numpy as np
import pytest

from mrfusion import families
from mrfusion.case import Case, Cohort, Region
from mrfusion.data.volume import Volume
from mrfusion.planning.fingerprint import facts_of, fingerprint_of, read_facts
from mrfusion.planning.preparation import plan_preparation
from mrfusion.planning.target import on_grid, target_of

REGIONS = (Region("lesion", frozenset({1})), Region("core", frozenset({2})))


def test_a_case_by_hand() -> None:
    """Sagittal slices 5 mm apart: the slice axis is the first of the file; the box is around both modalities."""
    images = np.zeros((2, 4, 10, 12), np.float32)
    images[0, 1:4, 2:8, 3:9] = 7
    images[1, 1:3, 1:5, 3:10] = np.arange(2 * 4 * 7).reshape(2, 4, 7) + 1
    labels = np.zeros((4, 10, 12), np.uint8)
    labels[1, 2, 3:6], labels[2, 2, 3] = 1, 2
    cohort = Cohort(("a", "b"), (), REGIONS)
    volume = Volume(("a", "b"), images, labels, np.diag((5.0, 1.0, 2.0, 1.0)), (5.0, 1.0, 2.0))
    facts = facts_of(Case("x", "x", {}), volume, cohort)
    assert facts.shape == (3, 7, 7)
    assert facts.spacing_mm == (5.0, 1.0, 2.0)
    assert facts.kept == pytest.approx(3 * 7 * 7 / 480)
    assert facts.label_voxels == {1: 3, 2: 1}
    values = images[1][labels > 0]
    assert facts.foreground["b"][:2] == pytest.approx((values.mean(), values.std()))
    found = fingerprint_of([facts, facts], cohort)
    assert found.cases == 2
    assert found.out_channels == 3
    assert found.shares == {"lesion": pytest.approx(3 / 147), "core": pytest.approx(1 / 147)}
    assert found.intensities["b"].mean == pytest.approx(values.mean())
    assert (found.intensities["b"].least, found.intensities["b"].most) == (values.min(), values.max())
    assert found.intensities["a"].sd == 0


def test_heads_have_nnunets_fingerprint(data_root: Path, oracle_root: Path) -> None:
    """Shapes to the voxel, with (y, x) in the place of (x, y); intensities but for what nnU-Net draws at random."""
    theirs = json.loads((oracle_root / "nnunet_plans" / "brats2021" / "dataset_fingerprint.json").read_text())
    cohort = families.load("layouts", "brats(year=2021)")(data_root / "brats2021")
    found = fingerprint_of(list(read_facts(cohort).values()), cohort)
    assert sorted(found.shapes) == sorted((z, x, y) for z, y, x in theirs["shapes_after_crop"])
    np.testing.assert_allclose(found.spacings, theirs["spacings"])
    assert found.kept == pytest.approx(theirs["median_relative_size_after_cropping"], rel=1e-6)
    for number, name in enumerate(cohort.modalities):
        other, ours = theirs["foreground_intensity_properties_per_channel"][str(number)], found.intensities[name]
        assert ours.mean == pytest.approx(other["mean"], rel=0.01)
        assert ours.sd == pytest.approx(other["std"], rel=0.01)
        assert ours.low == pytest.approx(other["percentile_00_5"], rel=0.03)
        assert ours.high == pytest.approx(other["percentile_99_5"], rel=0.03)
        assert (ours.least, ours.most) == (other["min"], other["max"])


def test_ct_is_planned_by_the_cohorts_foreground_and_mri_is_not() -> None:
    random = np.random.default_rng(0)
    images = random.normal(0, 1, (3, 20, 20, 8)).astype(np.float32)
    images[0] = images[0] * 50 + 40
    labels = np.ones((20, 20, 8), np.uint8)
    cohort = Cohort(("CT", "pet", "pct_map"), (), REGIONS)
    volume = Volume(cohort.modalities, images, labels, np.eye(4), (1.0, 1.0, 1.0))
    found = fingerprint_of([facts_of(Case("x", "x", {}), volume, cohort)], cohort)
    planned = {key: value for key, value, _ in plan_preparation(found, target_of(found), None)}
    (name, scale) = next(iter(planned["data.preparation.intensities"].items()))
    assert list(planned["data.preparation.intensities"]) == ["CT"] == [name]
    np.testing.assert_allclose(scale["mean"], images[0].mean(), rtol=1e-3)
    np.testing.assert_allclose(scale["low"], np.quantile(images[0], 0.005), rtol=0.02)
    np.testing.assert_allclose(scale["high"], np.quantile(images[0], 0.995), rtol=0.02)


def test_without_labels_the_foreground_is_what_is_not_0() -> None:
    image = np.zeros((4, 4, 4), np.float32)
    image[1:3] = np.arange(32).reshape(2, 4, 4) + 1
    volume = Volume(("CT",), image[None], None, np.eye(4), (1.0, 1.0, 1.0))
    facts = facts_of(Case("x", "x", {}), volume, Cohort(("CT",), (), (), ("high", "low")))
    assert facts.foreground["CT"][:4] == pytest.approx((16.5, np.arange(1, 33).std(), 1, 32))
    assert facts.label_voxels == {}


def test_the_median_case_on_a_grid_keeps_axes_that_are_left_alone() -> None:
    cohort = Cohort(("a",), (), REGIONS)
    volumes = [Volume(("a",), np.ones((1, 10, 12, n), np.float32), None, np.diag((1.0, 2.0, 5.0, 1.0)), (1.0, 2.0, 5.0))
               for n in (3, 4, 8)]  # fmt: skip
    found = fingerprint_of([facts_of(Case("x", "x", {}), volume, cohort) for volume in volumes], cohort)
    assert on_grid(found, (None, 2.0, 2.0)).median_shape == (4.0, 5.0, 12.0)
    assert on_grid(found, (2.5, None, None)).median_shape == (8.0, 10.0, 12.0)
