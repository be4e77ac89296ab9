"""The parameters of the energies and the last layer alone: a trained network meets other patients or modalities."""

from collections.abc import Sequence

from torch import nn

from mrfusion.errors import SpecError
from mrfusion.schedules._base import Phase, Schedule


class Adapt(Schedule):
    """Method 3.2, after E2PA's claim that only an energy's parameters need to move for a new disease.

    Trains what each fusion calls ``adaptable`` (of an energy alpha, beta, gamma, theta, tau, the prior b and O) and the
    head, which is the last layer of each decoder or classifier; all else stays as it is to the bit.
    """

    def phases(self, network: nn.Module, losses: Sequence[str]) -> list[Phase]:
        fusions = getattr(network, "fusions", None)
        found = [] if fusions is None else [p for module in fusions.modules() for p in _adaptable(module)]
        if not found:
            raise SpecError("schedule adapt trains parameters of energies, of which the plan has none; write one, "
                            "such as separate[energy]")  # fmt: skip
        heads = tuple(_last_layer(head) for head in network.heads)  # type: ignore[union-attr]
        return [Phase("adapt", (nn.ParameterList(found), *heads), tuple(losses))]


def _adaptable(fusion: nn.Module) -> list[nn.Parameter]:
    """The parameters that a fusion names as such, those of modules that it names among them."""
    parts = [getattr(fusion, name) for name in getattr(fusion, "adaptable", ())]
    inside = [list(part.parameters()) for part in parts if isinstance(part, nn.Module)]
    return [part for part in parts if isinstance(part, nn.Parameter)] + [p for each in inside for p in each]


def _last_layer(head: nn.Module) -> nn.Module:
    """The finest of a decoder's ``heads``, the only one that answers; the ``head`` of a classifier."""
    heads = getattr(head, "heads", None)
    last = heads[0] if isinstance(heads, nn.ModuleList) else getattr(head, "head", None)
    if not isinstance(last, nn.Module):
        raise SpecError(
            "schedule adapt: expected a network that ends in a decoder or a classifier, found "
            f"{type(head).__name__}; take another network"
        )
    return last
