"""Resampling against scipy's interpolation at the same places of the world."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from mrfusion.data.grid import Grid
from mrfusion.data.resample import resample


def turned(degrees, spacing, origin):
    angle = np.radians(degrees)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, :3] *= spacing
    affine[:3, 3] = origin
    return affine


GRIDS = {
    "finer": Grid((20, 24, 15), turned(0, (0.5, 0.5, 1.0), (0.2, 0, 0))),
    "coarser": Grid((5, 6, 4), turned(0, (2, 2, 4), (0.5, 0.5, 1))),
    "turned": Grid((10, 9, 7), turned(20, (1.3, 0.8, 2.1), (1, -1, 2))),
    "one slice": Grid((10, 12, 1), turned(5, (1, 1, 3), (0, 0, 6))),
}
SOURCE = turned(-10, (1, 1, 2), (-1, 0.5, 0))
VALUES = np.random.default_rng(0).random((11, 13, 8)).astype(np.float32)


def scipys(array, onto):
    to_source = np.linalg.inv(SOURCE) @ onto.affine
    voxels = np.stack([*np.indices(onto.shape).reshape(3, -1), np.ones(np.prod(onto.shape))])
    places = (to_source @ voxels)[:3]
    sure = np.all((places >= 0) & (places <= np.array(array.shape)[:, None] - 1), axis=0)
    return map_coordinates(array, places, order=1).reshape(onto.shape), sure.reshape(onto.shape)


@pytest.mark.parametrize("name", GRIDS)
def test_intensities_are_trilinear_and_zero_outside(name):
    expected, inside = scipys(VALUES, GRIDS[name])
    found = resample(VALUES, SOURCE, onto=GRIDS[name], labels=False)
    assert found.dtype == np.float32
    assert found.shape == GRIDS[name].shape
    assert inside.sum() > 50
    np.testing.assert_allclose(found[inside], expected[inside], atol=2e-5)


@pytest.mark.parametrize("name", GRIDS)
def test_labels_have_the_largest_share(name):
    labels = (VALUES * 4).astype(np.uint8)
    shares = np.stack([scipys((labels == value).astype(np.float32), GRIDS[name])[0] for value in range(4)])
    _, inside = scipys(VALUES, GRIDS[name])
    clear = inside & (np.sort(shares, axis=0)[-1] - np.sort(shares, axis=0)[-2] > 1e-3)
    found = resample(labels, SOURCE, onto=GRIDS[name], labels=True)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[clear], shares.argmax(0)[clear])


def test_channels_go_together_and_nothing_comes_from_outside():
    far = Grid((4, 4, 4), turned(0, (1, 1, 1), (500, 0, 0)))
    both = np.stack([VALUES, VALUES + 1])
    for labels in (False, True):
        assert resample(both, SOURCE, onto=far, labels=labels).shape == (2, 4, 4, 4)
        assert not resample((both > 0.5).astype(np.uint8), SOURCE, onto=far, labels=labels).any()
    np.testing.assert_array_equal(
        resample(both, SOURCE, onto=GRIDS["turned"], labels=False)[0],
        resample(VALUES, SOURCE, onto=GRIDS["turned"], labels=False),
    )
