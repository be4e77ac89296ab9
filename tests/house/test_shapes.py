"""The shapes in signatures are promises that the tests hold: a call that does not fit is refused."""

import pytest
import torch
from jaxtyping import TypeCheckError

from mrfusion.fusions._base import mean_present
from shape_checker import modules_with_shapes


def test_every_module_with_shapes_is_known() -> None:
    known = modules_with_shapes()
    assert len(known) > 30
    assert {"mrfusion.fusions._grid", "mrfusion.fusions.attention", "mrfusion.model.network"} <= set(known)


def test_a_shape_that_does_not_fit_is_refused() -> None:
    streams, present = torch.zeros(2, 3, 4, 5), torch.ones(2, 3, dtype=torch.bool)
    assert mean_present(streams, present).shape == (2, 4, 5)
    with pytest.raises(TypeCheckError, match="present"):
        mean_present(streams, present[:, :2])
    with pytest.raises(TypeCheckError, match="present"):
        mean_present(streams, present.float())
