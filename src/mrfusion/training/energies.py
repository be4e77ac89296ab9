"""What becomes of the energies of a network in the course of a training: means over the validation cases."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mrfusion import families
from mrfusion.case import Cohort
from mrfusion.fusions._base import Fusion
from mrfusion.fusions._energy import PARTS
from mrfusion.losses._base import Output
from mrfusion.losses._factors import measure
from mrfusion.losses._levels import class_energies
from mrfusion.run_folder.quantity import Quantity
from mrfusion.spec import RunSpec

FACTORS = 4
KINDS = ("energy", "pi", "alignment")  # of quantities


class Energies:
    """Rows for the history, gathered case by case; nothing where no fusion has an energy.

    ``energy/level<l>/step<k>`` is E before (0) and after each step (with ``steps=inf`` step 1 is the minimum),
    ``energy/level<l>/evidence`` and its like the parts of the last one, ``energy/level<l>/class/<name>`` the mean over
    the voxels of a class, ``pi/level<l>/<modality>`` the mean weight where the modality is present,
    ``alignment/level<l>/factor<r>/direction`` and its like the measures of the alignment loss. Level 0 is the finest.
    """

    def __init__(self, modalities: Sequence[str], classes: Sequence[str], factors: int) -> None:
        self.modalities, self.classes, self.factors = tuple(modalities), tuple(classes), factors
        self.found: dict[Quantity, list[Tensor]] = {}

    def add(self, output: Output, make_masks: Callable[[], Tensor]) -> None:
        """The samples of one case; ``make_masks`` gives (b, C, *xyz) or (b, C) of its classes, if they are needed."""
        if not any("energy" in state for state in output.states):
            return
        masks = make_masks()
        dimensions = masks.ndim - 2
        for level, (record, state) in enumerate(zip(output.records, output.states, strict=True)):
            if "energy" in state:
                self._add(level_rows(record, self.modalities), level)
                self._add(self._of_classes(state, masks, output.scale(level, dimensions)), level)
                self._add(alignment_rows(state, self.factors), level)

    def means(self) -> dict[Quantity, float]:
        """The means over the cases that have a value; gathering begins anew."""
        names = list(self.found)
        means = [torch.stack(values).nanmean() for values in self.found.values()]
        self.found = {}
        numbers = torch.stack(means).tolist() if means else []
        return {name: value for name, value in zip(names, numbers, strict=True) if value == value}

    def _add(self, rows: dict[Quantity, Tensor], level: int) -> None:
        for quantity, value in rows.items():
            self.found.setdefault(quantity.at(level), []).append(value.float())

    def _of_classes(self, state: dict[str, Tensor], masks: Tensor, scale: Sequence[int]) -> dict[Quantity, Tensor]:
        each, _ = energies_of_classes(state, masks, scale)
        return {Quantity("energy", f"class/{name}"): value for name, value in zip(self.classes, each, strict=True)}


def make_energies(spec: RunSpec, cohort: Cohort) -> Energies:
    """The gathering of a run."""
    return Energies(spec.plan.modalities(cohort.modalities), class_names(spec, cohort), factors_of(spec))


def class_names(spec: RunSpec, cohort: Cohort) -> tuple[str, ...]:
    """The classes that share a level of energy: those of cases, or background and the regions."""
    names: tuple[str, ...] = spec.chosen_task.energy_classes(cohort)
    return names


def factors_of(spec: RunSpec) -> int:
    """The factors of the energy space, as the run's alignment loss has them."""
    calls = {call.name: call for call in map(families.parse, spec.loss_texts)}
    given = dict(calls["alignment"].kwargs) if "alignment" in calls else {}
    return int(given.get("factors", FACTORS))


def has_energy(network: nn.Module) -> bool:
    """Whether a fusion of the network quantifies what it does as an energy; an ensemble of them tells nothing."""
    fusions = getattr(network, "fusions", None)
    inside = fusions.modules() if isinstance(fusions, nn.Module) else ()
    return any(isinstance(module, Fusion) and bool(module.adaptable) for module in inside)


def level_rows(record: dict[str, Tensor], modalities: Sequence[str]) -> dict[Quantity, Tensor]:
    """What the record of one level says of the samples of one case together: ``energy/step0``, .., ``pi/<modality>``.

    The quantities do not say the level.
    """
    steps, parts, share = record["steps"].mean(0), record["parts"].mean(0), record["share"]
    rows = {Quantity("energy", f"step{k}"): value for k, value in enumerate(steps)}
    rows |= {Quantity("energy", name): value for name, value in zip(PARTS, parts, strict=True)}
    there = (share > 0).sum(0)
    return rows | {Quantity("pi", name): value for name, value in zip(modalities, share.sum(0) / there, strict=True)}


def energies_of_classes(state: dict[str, Tensor], masks: Tensor, scale: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The mean energy (c,) of each class over the samples together, NaN (0 / 0) where there is none, and its voxels.

    ``scale`` is that of the level, along each axis.
    """
    means, count = class_energies(state["energy"], masks, scale)
    voxels = count.sum(0)
    return (means * count).sum(0) / voxels, voxels


def alignment_rows(state: dict[str, Tensor], factors: int) -> dict[Quantity, Tensor]:
    """How the modalities lie in each factor: ``alignment/factor1/direction``, ..; nothing where factors do not divide
    the space."""
    if state["vectors"].shape[2] % factors:
        return {}
    found = measure(state["vectors"].float(), state["vector_weights"].float(), state["present"], factors)
    return {Quantity("alignment", name): value for name, value in found.terms().items()}
