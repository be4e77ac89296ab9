"""Patients of one category, or tissues of one class, share one level of energy: variance within over that of all."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from mrfusion.kinds import CountFrom0
from mrfusion.losses._base import Itemised, Loss, Output, Samples
from mrfusion.losses._levels import levels_of, no_level
from mrfusion.losses._points import ClassPoints, PatientPoints, Points


class Energy(Loss):
    """L_EHF of method 3.1: the mean over levels of within-class variance / (total variance + delta), in [0, 1].

    ``of=classes``: its points are the mean energies of the classes in each sample. The classes of a segmentation are
    its labels or regions, and background; a sample of slices is a patient's part. [ours]
    ``of=patients``: its points are the mean energies of whole cases, and a class is the category of a case: its class,
    or in a segmentation its label (a table's column ``label``: grade, disease). This is what the paper says: patients
    of the same category share an energy level. Where no case has a label they are of one category.
    The points are those of the batch and of the last ``queue`` samples (or cases) of the training before it, without
    gradient, because batches of MRI are small. 0 iff every class sits on its own level, 1 iff the classes coincide;
    unchanged by energy -> p energy + q, so that small energies win nothing. While a single class or category has been
    seen: the plain variance within it. The paper has the idea; the formula is ours.

    Options:
        queue: how many earlier samples or cases are compared with those of the batch
        of: whose energies are compared: those of classes in each sample, or of patients by their category
        needed: whether a plan without an energy is refused; false: the loss is 0 there, as at the base of a search
    Example: energy(of=patients)
    """

    judges = False
    one_process = True

    def __init__(
        self,
        exclusive: bool,
        *,
        queue: CountFrom0 = 64,
        of: Literal["classes", "patients"] = "classes",
        needed: bool = True,
    ) -> None:
        super().__init__(exclusive)
        kinds: dict[str, type[Points]] = {"classes": ClassPoints, "patients": PatientPoints}
        self.points, self.needed = kinds[of](exclusive, queue), needed
        self.reads_samples = self.points.reads_samples

    def forward(self, output: Output, target: Tensor, samples: Samples | None = None) -> Itemised:
        levels = levels_of(output, "energy", needed=self.needed)
        if not levels:
            return no_level(output)
        shares = self.points.shares(levels, output, target, samples)
        terms = {f"level{level}": share for level, share in shares.items()}
        return Itemised(torch.stack(list(terms.values())).mean(), terms)

    def remember(self) -> None:
        self.points.remember()

    def memory(self) -> dict[str, Any]:
        return self.points.memory()

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.points.recall(memory)
