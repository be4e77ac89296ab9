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
    cure = "unset it" if "NUMBA_DISABLE_JIT" in str(error) else "pip install numba"
    warnings.warn(
        f"numba cannot be used ({error}): metrics are the same to the last bit but take ten to fifteen times as long; "
        f"{cure} to have the fast ones",
        Note,
        stacklevel=2,
    )
    engine = libraries

__all__ = ["engine"]
