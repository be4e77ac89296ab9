"""TorchScript: one file that torch alone loads, in Python or in C++."""

from pathlib import Path

from mrfusion.exports._base import Answering, Export, Package, write_around
from mrfusion.exports._traced import read_traced, write_traced


class Torchscript(Export):
    """``model.ts``, read by ``torch.jit.load``; it is called as ``model(images, present)``.

    Beside it ``model.json`` says what comes before and after the network, ``case.py`` does it, and ``README.md`` is the
    model card.
    """

    def write(self, package: Package, folder: Path) -> None:
        write_traced(package, folder / "model.ts")
        write_around(package, folder)

    def read(self, folder: Path) -> Answering:
        return read_traced(folder / "model.ts")
