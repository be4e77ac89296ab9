"""How a slice is shown: the outline of a mask is what erosion by one point takes away."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from mrfusion.run_folder.slice_view import outline


@pytest.mark.parametrize("seed", range(5))
def test_the_outline_is_what_erosion_takes_away(seed: int) -> None:
    mask = np.random.default_rng(seed).random((17, 12)) < 0.7
    assert np.array_equal(outline(mask), mask & ~binary_erosion(mask, border_value=1))
