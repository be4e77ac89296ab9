"""Kept volumes: the grid, the orientation and the bits, whatever axis the slices follow."""

import numpy as np
import pytest

from mrfusion.run_folder.pictures import LONGEST, Panel, write_volume


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_is_in_ras_order(tmp_path, axis):
    """Built in (X, Y, Z) = (10, 12, 14), handed over slices first."""
    rng = np.random.default_rng(0)
    image, target = rng.random((2, 10, 12, 14)), rng.random((3, 10, 12, 14)) > 0.5
    spacing = (1.0, 2.0, 3.0)
    others = [a for a in range(3) if a != axis]
    images = np.moveaxis(np.moveaxis(image, 1 + axis, 1), 1, 0)
    truth, answer = (np.moveaxis(mask, 1 + axis, 1) for mask in (target, ~target))
    placed = (spacing[axis], spacing[others[0]], spacing[others[1]])
    panel = Panel("c", ("a", "b"), images, ("WT", "TC", "ET"), truth, answer, placed, axis)
    write_volume(tmp_path / "v.npz", panel)
    with np.load(tmp_path / "v.npz") as kept:
        assert kept["images"].shape == (2, 10, 12, 14)
        assert np.corrcoef(kept["images"][1].ravel(), image[1].ravel())[0, 1] > 0.99
        assert kept["spacing_mm"] == pytest.approx(spacing)
        for place in range(3):
            assert np.array_equal(kept["target"] >> place & 1, target[place])
            assert np.array_equal(kept["prediction"] >> place & 1, ~target[place])


def test_a_large_case_is_thinned(tmp_path):
    masks = np.zeros((1, 200, 30, 20), bool)
    panel = Panel("c", ("a",), np.ones((200, 1, 30, 20), np.float32), ("WT",), masks, masks, (1.0, 1.0, 1.0))
    write_volume(tmp_path / "v.npz", panel)
    with np.load(tmp_path / "v.npz") as kept:
        assert max(kept["images"].shape[1:]) <= LONGEST
        assert tuple(kept["spacing_mm"]) == (1.0, 1.0, 3.0)
