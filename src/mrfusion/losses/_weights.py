"""Class weights as they stand in a specification."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mrfusion.errors import SpecError


def class_weights(given: object, loss: str) -> Float[Tensor, " c"] | None:
    """One number of at least 0 for each class, not all 0; SpecError for anything else."""
    if given is None:
        return None
    listed = given if isinstance(given, Sequence) and not isinstance(given, str) else ()
    numbers = [w for w in listed if isinstance(w, int | float) and w >= 0]
    if not any(numbers) or len(numbers) != len(listed):
        raise SpecError(
            f"loss {loss}: weight must be a list of one number for each class, as in [0.5,2,4], found {given!r}"
        )
    return torch.tensor(numbers, dtype=torch.float32)
