"""A network as TorchScript: what torch does on an example is recorded, for any grid and any absent modalities."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mrfusion.errors import SpecError
from mrfusion.exports._base import Answering, Package, quiet


def write_traced(package: Package, path: Path) -> None:
    """The network in a file that ``torch.jit.load`` reads; SpecError where it holds what cannot be recorded."""
    try:
        with quiet(), torch.no_grad():
            torch.jit.save(torch.jit.trace(package.network, package.example, check_trace=False), str(path))  # type: ignore[no-untyped-call]
    except (RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise SpecError(f"the network cannot be written as TorchScript: {reason}") from None


def read_traced(path: Path) -> Answering:
    """The network in such a file as a function of arrays."""
    with quiet():
        module = torch.jit.load(str(path)).eval()  # type: ignore[no-untyped-call]

    def answer(images: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(images), torch.from_numpy(present)).numpy())

    return answer
