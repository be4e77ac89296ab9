"""ONNX: one file that onnxruntime and many other programs run, without torch; extra [export]."""

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import parametrize

from mrfusion.errors import SpecError
from mrfusion.exports._base import Answering, Export, Package, quiet, write_around

try:
    import onnxruntime
    import onnxscript  # noqa: F401  torch.onnx needs it
except ImportError:
    raise SpecError("--to onnx: onnx is not installed: pip install 'mrfusion[export]'") from None

_OPERATOR = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")


class Onnx(Export):
    """``model.onnx`` with the inputs ``images`` (1, modalities, *grid) and ``present`` (1, modalities), and the output
    ``logits``; single precision, one case at a time.

    Beside it ``model.json`` says what comes before and after the network, ``case.py`` does it, and ``README.md`` is the
    model card. Energies with ``steps=inf`` cannot be written: ONNX has no Cholesky decomposition; a few ``steps`` can.
    """

    def write(self, package: Package, folder: Path) -> None:
        network = without_parametrizations(package.network)
        shapes = None if package.multiples is None else {"images": _axes(package.multiples), "present": None}
        names: dict[str, Any] = {"input_names": ["images", "present"], "output_names": ["logits"]}
        try:
            with quiet(), torch.no_grad():
                program = torch.onnx.export(
                    network, package.example, dynamo=True, dynamic_shapes=shapes, verbose=False, **names
                )
                program.save(str(folder / "model.onnx"))  # type: ignore[union-attr]
        except Exception as error:  # of any of the three libraries that are at work here
            raise SpecError(f"the network cannot be written as ONNX: {_reason(error)}") from None
        write_around(package, folder)

    def read(self, folder: Path) -> Answering:
        session = onnxruntime.InferenceSession(str(folder / "model.onnx"))

        def answer(images: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float32]:
            return np.asarray(session.run(None, {"images": images, "present": present})[0])

        return answer


def without_parametrizations(network: nn.Module) -> nn.Module:
    """A copy whose weights are plain numbers where the network computes them from others."""
    found = copy.deepcopy(network)
    for module in list(found.modules()):
        if parametrize.is_parametrized(module):
            made = type(module)  # shared with the original, and what follows takes the weight's property away from it
            module.__class__ = type(made.__name__, made.__bases__, dict(vars(made)))
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name)
    return found.eval()


def _axes(multiples: tuple[int, ...]) -> dict[int, Any]:
    return {axis: step * torch.export.Dim(f"n{axis}", min=1) for axis, step in enumerate(multiples, 2)}


def _reason(error: Exception) -> str:
    text = str(error)
    if operator := _OPERATOR.search(text):
        return f"ONNX has nothing for {operator[1]}; write it --to torchscript, or train a plan without it"
    return f"{' '.join(text.split())[:300]}; write it --to torchscript"
