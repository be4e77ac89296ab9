"""Missing modalities: which ones a training sample is made to lack, and which ones a case may lack on disk."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from mrfusion.case import Case, Cohort
from mrfusion.errors import CaseError, SpecError, nearest
from mrfusion.spec import RunSpec

_STREAM = 0xAB5E  # keeps these draws apart from the augmentation of the same sample


@dataclass(frozen=True)
class Absence:
    """How often each modality of a plan is left out of a sample; rates below 1, so that one can always stay.

    Modalities are left out independently, and a sample that would keep none is drawn again. With a rate of one half
    for all that is the uniform distribution over the 2^M - 1 non-empty sets.
    """

    rates: tuple[float, ...]

    def drawn(self, present: Bool[Tensor, "b m"], seeds: Sequence[int]) -> Bool[Tensor, "b m"]:
        """What is left of what is ``present``, at least one modality of each sample; a function of its seed alone."""
        rows = [self._one(row, seed) for row, seed in zip(present.cpu().numpy(), seeds, strict=True)]
        return torch.from_numpy(np.stack(rows)).to(present.device)

    def _one(self, there: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
        random = np.random.default_rng((seed, _STREAM))
        while True:
            kept = there & (random.random(len(self.rates)) >= self.rates)
            if kept.any():
                return kept


def absence_of(spec: RunSpec, cohort: Cohort) -> Absence | None:
    """What a run's samples are made to lack; None where nothing.

    SpecError for a rate of a modality that is not there, and for a plan that reads a single one.
    """
    for name in spec.absence if isinstance(spec.absence, dict) else ():
        if name not in cohort.modalities:
            raise SpecError(f"absence: no modality is called {name!r}; {nearest(name, cohort.modalities)}")
    rates = tuple(spec.absence_of(name) for name in spec.plan.modalities(cohort.modalities))
    if any(rates) and len(rates) == 1:
        raise SpecError(f"plan {str(spec.plan)!r} reads one modality, which cannot be absent; write absence: none")
    return Absence(rates) if any(rates) else None


def are_absent(modalities: Sequence[str]) -> str:
    """``t1 is absent``, ``t1, t2 are absent``."""
    return f"{', '.join(modalities)} {'is' if len(modalities) == 1 else 'are'} absent"


def check_files(case: Case, spec: RunSpec, modalities: Sequence[str]) -> None:
    """CaseError where a modality of the run's plan is absent that training never left out, or all of them are."""
    absent = [name for name in modalities if name not in case.images]
    if len(absent) < len(modalities) and all(spec.absence_of(name) for name in absent):
        return
    remedy = (
        "train for it, with 'absence: uniform' in the run's specification or a rate for each modality, "
        f"'absence: {{{absent[0]}: 0.3}}'"
        if len(absent) < len(modalities)
        else "drop the case"
    )
    raise CaseError(
        f"case {case.id}: {are_absent(absent)}, and the run's plan {str(spec.plan)!r} reads them all; the case has "
        f"{', '.join(sorted(case.images))}. Add the file, use a run whose plan does not read it, or {remedy}"
    )
