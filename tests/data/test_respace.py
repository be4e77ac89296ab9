"""Cubic respacing against scipy's interpolation at the same places, and CT numbers against their formula."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from mrfusion.data.cache import prepare_cohort
from mrfusion.data.grid import Grid
from mrfusion.data.prepare import prepare, scaled, spaced
from mrfusion.data.prepare import zscore as prepare_one
from mrfusion.data.respace import Respacing
from mrfusion.data.volume import Volume
from mrfusion.errors import SpecError
from mrfusion.spec import Preparation, RunSpec, Scale

VALUES = (np.random.default_rng(0).random((14, 12, 5)) + 1).astype(np.float32)


def grid(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Grid:
    affine = np.diag((*spacing, 1.0))
    affine[:3, 3] = (3, -2, 7)
    return Grid(shape, affine)


def places(source: Grid, onto: Grid) -> np.ndarray:
    """Where the voxels of ``onto`` lie in ``source``, through the world."""
    voxels = np.stack([*np.indices(onto.shape).reshape(3, -1), np.ones(np.prod(onto.shape))])
    return (np.linalg.inv(source.affine) @ onto.affine @ voxels)[:3]


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 1.6), (2.0, 1.5, 2.5)])
def test_images_are_cubic_along_every_axis_of_an_even_grid(spacing: tuple[float, float, float]) -> None:
    source = grid((14, 12, 5), (1.0, 1.2, 2.0))
    onto = spaced(source, spacing)
    move = Respacing(source, onto)
    assert move.apart is None
    expected = map_coordinates(VALUES.astype(float), places(source, onto), order=3, mode="nearest").reshape(onto.shape)
    np.testing.assert_allclose(move.image(VALUES), np.clip(expected, VALUES.min(), VALUES.max()), atol=1e-5)


@pytest.mark.parametrize(("axis", "spacing"), [(2, (0.8, 0.9, 4.0)), (0, (4.0, 0.8, 0.9))])
def test_slices_that_lie_far_apart_are_never_blended(axis: int, spacing: tuple[float, float, float]) -> None:
    own = [1.0, 1.0, 1.0]
    own[axis] = 7.0
    values = np.moveaxis(VALUES, 2, axis)
    source = grid(values.shape, (own[0], own[1], own[2]))
    onto = spaced(source, spacing)
    move = Respacing(source, onto)
    assert move.apart == axis
    found = places(source, onto)
    found[axis] = np.rint(found[axis]).clip(0, values.shape[axis] - 1)
    slices = [np.take(values.astype(float), s, axis) for s in range(values.shape[axis])]
    plane = np.delete(found, axis, 0)
    each = np.stack([map_coordinates(one, plane, order=3, mode="nearest") for one in slices])
    expected = np.take_along_axis(each, found[axis].astype(int)[None], 0)[0].reshape(onto.shape)
    np.testing.assert_allclose(move.image(values), np.clip(expected, values.min(), values.max()), atol=1e-5)
    labels = (values * 3).astype(np.uint8)
    assert set(np.unique(move.labels(labels))) <= set(np.unique(labels))


def test_background_stays_background_where_splines_would_ring() -> None:
    image = np.zeros((20, 20, 4), np.float32)
    image[6:14, 6:14] = 100
    source = grid(image.shape, (1.0, 1.0, 1.0))
    moved = Respacing(source, spaced(source, (0.7, 0.7, 1.0))).image(image)
    assert moved.min() == 0
    assert moved.max() <= 100
    assert np.count_nonzero(moved[0]) == 0
    assert 0.9 < np.count_nonzero(moved) * 0.49 / np.count_nonzero(image) < 1.1


def test_a_case_is_prepared_by_splines_and_put_where_it_lies() -> None:
    source = grid((14, 12, 5), (1.0, 1.0, 6.0))
    labels = np.zeros((14, 12, 5), np.uint8)
    labels[4:9, 3:8, 2] = 1
    volume = Volume(("a",), VALUES[None], labels, source.affine, source.spacing_mm)
    found = prepare(volume, spacing_mm=(0.5, 0.5, None))
    assert found.images.shape == (5, 1, 28, 24)
    assert found.placement.spacing_mm == (6.0, 0.5, 0.5)
    assert found.labels is not None
    assert np.count_nonzero(found.labels) == 4 * np.count_nonzero(labels)


def test_ct_is_clipped_and_scaled_by_what_the_specification_says() -> None:
    values = np.array([-1000.0, -50.0, 40.0, 900.0], np.float32)
    found, note = scaled(values, Scale(low=-100, high=300, mean=50, sd=20))
    np.testing.assert_allclose(found, [(-100 - 50) / 20, -5.0, -0.5, 12.5])
    assert note == ""
    volume = Volume(("ct", "pet"), np.stack([VALUES * 100, VALUES]), None, np.eye(4), (1.0, 1.0, 1.0))
    images = prepare(volume, scaling={"ct": Scale(low=100, high=150, mean=120, sd=10)}).images
    assert images[:, 0].max() == 3.0
    assert abs(float(images[:, 1].astype(float).mean())) < 1e-3


def test_z_scores_of_the_whole_box_count_its_zeros_and_nothing_outside() -> None:
    image = np.zeros((8, 6, 4), np.float32)
    image[2:6, 1:5] = 10
    image[3, 2] = 0
    found = prepare(Volume(("a",), image[None], None, np.eye(4), (1.0, 1.0, 1.0)), whole_box=True)
    inside = image[2:6, 1:5].astype(float)
    expected = (inside - inside.mean()) / inside.std()
    np.testing.assert_allclose(found.images[:, 0].transpose(1, 2, 0), expected, atol=2e-3)
    (of_part, _), (of_box, _) = (prepare_one(image, box) for box in (None, (slice(0, 8), slice(0, 6), slice(0, 4))))
    assert of_part[0, 0, 0] == 0
    assert of_box[0, 0, 0] == pytest.approx(-image.mean() / image.std(), rel=1e-5)


def test_a_scale_of_a_modality_that_is_not_there_is_refused(make_case, cohort_of, tmp_path: Path) -> None:
    scale = {"low": 0, "high": 1, "mean": 0, "sd": 1}
    with pytest.raises(SpecError, match="no modality is called 'ct'"):
        prepare_cohort(cohort_of(make_case()), Preparation(intensities={"ct": scale}), tmp_path / "cache")


def test_what_an_older_specification_did_not_say_changes_no_digest() -> None:
    base = {"data": {"sources": [{"path": "a", "layout": "brats"}]}}
    spec = RunSpec.model_validate(base)
    said = spec.changed({"data": {"preparation": {"interpolation": "linear", "intensities": {}}}})
    cubic = spec.changed({"data": {"preparation": {"interpolation": "cubic"}}})
    assert said.digest == spec.digest != cubic.digest
