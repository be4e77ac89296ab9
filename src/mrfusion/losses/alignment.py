"""Modalities agree in direction and distribution in some factors of the energy space and stay free in the others."""

import torch
from torch import Tensor

from mrfusion.errors import SpecError
from mrfusion.kinds import Count, CountFrom0
from mrfusion.losses._base import Itemised, Loss, Output
from mrfusion.losses._factors import measure
from mrfusion.losses._levels import levels_of, no_level


class Alignment(Loss):
    """L_ESA of method 3.2: the mean over the aligned factors of E_dir + 0.5 E_dist, plus 0.1 E_ind and 0.1 a floor.

    The orthogonal Q belongs to the fusion, whose vectors come turned; its columns are ``factors`` blocks, the first
    ``aligned`` of which are aligned (default: half of them; all of them is the paper's literal reading, which forces
    redundancy). The mean over levels. All factors are recorded, aligned or not.
    The weights pi of E_dir send no gradient: the cheapest agreement would be to listen to one modality alone.
    The paper has the idea; the formulas, and the floor under each direction's deviation, are ours.

    Options:
        factors: blocks into which the energy space is divided; must divide its width
        aligned: how many of the blocks are aligned; default: half of them
        needed: whether a plan without an energy is refused; false: the loss is 0 there, as at the base of a search
    Example: alignment(factors=8,aligned=2)
    """

    judges = False
    one_process = True

    def __init__(
        self, exclusive: bool, *, factors: Count = 4, aligned: CountFrom0 | None = None, needed: bool = True
    ) -> None:
        super().__init__(exclusive)
        self.needed = needed
        self.factors, self.aligned = factors, factors // 2 if aligned is None else aligned
        if self.aligned > factors:
            raise SpecError(f"loss alignment: aligned must be at most factors, {factors}, found {self.aligned}")

    def forward(self, output: Output, target: Tensor) -> Itemised:
        del target
        totals: list[Tensor] = []
        terms: dict[str, Tensor] = {}
        levels = levels_of(output, "alignment", needed=self.needed)
        if not levels:
            return no_level(output)
        for level, state in levels.items():
            with torch.autocast(output.logits.device.type, enabled=False):
                total, found = self._one_level(state)
            totals.append(total)
            terms |= {f"level{level}/{name}": value for name, value in found.items()}
        return Itemised(torch.stack(totals).mean(), terms)

    def _one_level(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        width = state["vectors"].shape[2]
        if width % self.factors:
            raise SpecError(
                f"loss alignment: expected a number of factors that divides the energy's width {width}, found "
                f"{self.factors}; write alignment(factors=..), or another width of the energy"
            )
        weights = state["vector_weights"].detach()
        found = measure(state["vectors"], weights, state["present"], self.factors)
        each = (found.direction + 0.5 * found.distribution)[: self.aligned]
        total = each.sum() / max(1, self.aligned) + 0.1 * found.independence + 0.1 * found.floor
        return total, found.terms()
