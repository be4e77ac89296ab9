"""A ceiling on the memory of new tensors, so that a specification from a stranger cannot ask for terabytes."""

import math
from collections.abc import Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from mrfusion.errors import InputError

_MAKERS = frozenset(f"aten::{name}" for name in ("empty", "zeros", "ones", "full", "rand", "randn"))


class Ceiling(TorchDispatchMode):
    """Inside the block tensors of at most ``limit`` bytes are made, all together; ``error`` before one more is.

    What is freed in between counts as well; ``what`` was expected and found, for the message.
    """

    def __init__(self, limit: int, what: str, error: type[InputError] = InputError) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.left, self.what, self.error = limit, what, error

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func._schema.name in _MAKERS:
            self.left -= 4 * math.prod(args[0])
            if self.left < 0:
                raise self.error(f"{self.what}: it asks for a tensor of {list(args[0])}")
        return func(*args, **(kwargs or {}))
