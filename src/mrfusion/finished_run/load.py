"""The folder of a finished run as values: its specification, its cohort in outline, its network when asked for."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from lightning_fabric import Fabric

from mrfusion import families
from mrfusion.case import Cohort
from mrfusion.errors import InputError, SpecError
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import Model, load_network, make_model

LARGEST_SAMPLE = 2**24  # grid points; 256 x 256 x 256
MOST_NAMES = 64


@dataclass(frozen=True)
class FinishedRun:
    """A run's folder as prediction needs it."""

    folder: RunFolder
    spec: RunSpec
    outline: Cohort
    sample_size: tuple[int, int, int]

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that a case should have; those that training left out at times it may lack."""
        return self.spec.plan.modalities(self.outline.modalities)

    def model(self, fabric: Fabric) -> Model:
        """The trained network on the device of ``fabric``."""
        network = load_network(self.spec, self.outline, self.folder.weights)
        return make_model(self.spec, self.outline, network=network, size=self.sample_size, fabric=fabric)


def read_run(folder: PathLike[str] | str, trusted: Sequence[str] | None = ()) -> FinishedRun:
    """The run in ``folder``; InputError if it is none.

    A run may come from anyone, and its specification may name code by its address (``package.module:Class``). Such
    code is imported only where ``trusted`` holds its package; SpecError otherwise. None trusts all: the study that is
    being conducted named them itself.
    """
    here = RunFolder(Path(folder))
    spec = here.read_spec()
    if trusted is not None:
        _check_trusted(outside_code(spec), trusted, here.path)
    try:
        outline, size = here.read_outline(), here.read_environment()["sample_size"]
        if len(size) != 3 or not all(type(n) is int and n > 0 for n in size) or math.prod(size) > LARGEST_SAMPLE:
            raise ValueError(f"sample_size is {size}")
        if max(len(outline.modalities), len(outline.regions), len(outline.classes)) > MOST_NAMES:
            raise ValueError(f"more than {MOST_NAMES} modalities, regions or classes")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"expected cohort.json and environment.json of a finished run in {folder}, found others ({error}); "
            "copy the run's folder anew"
        ) from None
    return FinishedRun(here, spec, outline, (size[0], size[1], size[2]))


def outside_code(spec: RunSpec) -> list[str]:
    """The addresses of code outside of mrfusion that a run names; its files' paths are none."""
    content = spec.model_dump(mode="json", exclude={"data"})
    return families.addresses([content, *(source.layout for source in spec.data.sources)])


def _check_trusted(addresses: Iterable[str], trusted: Sequence[str], folder: Path) -> None:
    for address in addresses:
        package = address.partition(":")[0]
        if not any(package == name or package.startswith(f"{name}.") for name in trusted):
            raise SpecError(
                f"the run in {folder} names code outside of mrfusion, {address}, which loading it would run; "
                f"if you know it, say --trust {package}"
            )
