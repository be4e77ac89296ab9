"""The parameters of the energies and the last layer alone: a trained network meets other patients or modalities."""

from collections.abc import Sequence

from torch import nn

from mrfusion.errors import SpecError
from mrfusion.kinds import CountFrom0
from mrfusion.schedules._base import Phase, Schedule


class Adapt(Schedule):
    """Method 3.2, after E2PA's claim that only an energy's parameters need to move for a new disease.

    Trains what each fusion calls ``adaptable`` (of an energy alpha, beta, gamma, theta, tau, the prior b and O) and the
    head, which is the last layer of each decoder or classifier; all else stays as it is to the bit. Where the last
    ``added`` modalities are new to the network, their encoders are trained whole, in late fusion their decoders too,
    and of the fusions the parameters that have a row for each modality (of an energy the projections P). [ours]

    Options:
        added: how many modalities, the last ones, the network has just been given; default: none
    Example: adapt(added=1)
    """

    def __init__(self, *, added: CountFrom0 = 0) -> None:
        self.added = added

    def phases(self, network: nn.Module, losses: Sequence[str]) -> list[Phase]:
        fusions = getattr(network, "fusions", None)
        inside = [] if fusions is None else list(fusions.modules())
        found = [p for module in inside for p in _named(module, "adaptable")]
        if not found and not self.added:
            raise SpecError("schedule adapt trains parameters of energies, of which the plan has none; write one, "
                            "such as separate[energy]")  # fmt: skip
        heads = tuple(_last_layer(head) for head in network.heads)  # type: ignore[union-attr]
        if self.added:
            heads += _new_streams(network, self.added)
            found += [p for module in inside for key in ("by_modality", "by_pair") for p in _named(module, key)]
        once = {id(parameter): parameter for parameter in found}
        return [Phase("adapt", (nn.ParameterList(once.values()), *heads), tuple(losses))]


def _named(fusion: nn.Module, key: str) -> list[nn.Parameter]:
    """The parameters that a fusion names under ``key``, those of modules that it names among them."""
    parts = [getattr(fusion, name) for name in getattr(fusion, key, ())]
    inside = [list(part.parameters()) for part in parts if isinstance(part, nn.Module)]
    return [part for part in parts if isinstance(part, nn.Parameter)] + [p for each in inside for p in each]


def _new_streams(network: nn.Module, added: int) -> tuple[nn.Module, ...]:
    """The encoders of the last modalities, and the decoders of their own that they have in late fusion."""
    encoders, heads = list(network.encoders), list(network.heads)  # type: ignore[arg-type]
    if added >= len(encoders):
        raise SpecError(
            f"schedule adapt: added={added} of {len(encoders)} modalities are new; one at least must be known"
        )
    return (*encoders[-added:], *(heads[-added:] if len(heads) == len(encoders) else ()))


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
