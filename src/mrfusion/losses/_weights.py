"""Class weights as they stand in a specification."""

from collections.abc import Sequence
from numbers import Real

import torch
from jaxtyping import Float
from torch import Tensor

from mrfusion.errors import SpecError


def class_weights(given: Sequence[float] | None, loss: str) -> Float[Tensor, " c"] | None:
    """One number of at least 0 for each class, not all 0; SpecError for anything else."""
    if given is None:
        return None
    numbers = [] if isinstance(given, str | Real) else [w for w in given if isinstance(w, Real) and w >= 0]
    if not any(numbers) or len(numbers) != len(given):
        raise SpecError(f"loss {loss}: weight is a number of at least 0 for each class, (0.5,2,4), found {given!r}")
    return torch.tensor(numbers, dtype=torch.float32)
