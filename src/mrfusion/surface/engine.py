"""Which implementation of the operations on masks is used: kernels compiled by numba, or libraries alone."""

import warnings
from types import ModuleType

from mrfusion.errors import Note
from mrfusion.surface import libraries

engine: ModuleType
try:
    from mrfusion.surface import kernels as engine
except ImportError as error:
    if (error.name or "").startswith("mrfusion"):
        raise
    warnings.warn(
        f"numba cannot be used ({error}): metrics are the same to the last bit but take ten to fifteen times as long; "
        "pip install numba",
        Note,
        stacklevel=2,
    )
    engine = libraries

__all__ = ["engine"]
