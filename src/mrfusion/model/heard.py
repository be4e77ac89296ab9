"""Whether each module of a plan can change what the network answers; one that cannot is refused before a training."""

from dataclasses import dataclass

import torch
from torch import nn

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.fusions._base import Fusion
from mrfusion.model.network import FusionNetwork
from mrfusion.plan import FusionPlan

GRID = 4  # grid points along each axis of the small streams that a module is asked with


@dataclass(frozen=True)
class Ways:
    """How a module can be heard: it changes the ``streams``, it ``hands`` something on to coarser levels, and it
    ``reads`` what finer levels hand on. Its joint map is heard where the level's skip is read."""

    streams: bool
    hands: bool
    reads: bool


def check_heard(network: FusionNetwork, plan: FusionPlan, *, alone: bool = False) -> None:
    """SpecError where a module of the plan changes nothing that is read.

    A decoder for each modality (late fusion) reads the streams alone, and a classifier the coarsest level alone; so a
    module that changes only the joint map is heard nowhere in the one and at the coarsest level only in the other.
    ``alone``: each module must be heard without any at another level, as a search asks that places them one by one.
    """
    levels = unheard(network, alone=alone)
    named = [level for level in levels if families.parse(plan.fusion_at(level)).name != "mean"]
    if not named:
        return
    reader = (
        "in late fusion the decoder of each modality reads the streams alone"
        if network.late
        else "a classifier reads the joint map of the coarsest level alone"
    )
    raise SpecError(
        f"plan {str(plan)!r}: {plan.fusion_at(named[0])} at level {named[0] + 1} changes only the joint map of that "
        f"level, and {reader}, so that it would change nothing; write it with exchange=true, which hands the joint map "
        "back to the streams, or take another fusion, such as mmtm"
    )


def unheard(network: FusionNetwork, *, alone: bool = False) -> list[int]:
    """The levels (0 = finest) whose fusion changes nothing that a head reads, the mean among them."""
    found, told = list[int](), False
    for level in reversed(range(len(network.fusions))):
        ways = _ways(network.fusions[level])
        heard = ways.streams or _skip_is_read(network, level) or (ways.hands and told and not alone)
        if not heard:
            found.insert(0, level)
        if ways.hands or (ways.reads and heard):
            told = ways.reads and heard
    return found


def _skip_is_read(network: FusionNetwork, level: int) -> bool:
    coarsest = level == len(network.fusions) - 1
    return not network.late and (coarsest or not getattr(network.heads[0], "reads_the_coarsest_alone", False))


@torch.no_grad()
def _ways(fusion: nn.Module) -> Ways:
    """A module is asked with small streams: what it leaves alone it hands back as the same tensors. One of somebody
    else's that is no ``Fusion`` is believed to change them."""
    if not isinstance(fusion, Fusion):
        return Ways(streams=True, hands=False, reads=False)
    training, reads = fusion.training, fusion.reads_finer
    streams = torch.ones(1, fusion.modalities, fusion.channels, *[GRID] * fusion.dimensions)
    present = torch.ones(1, fusion.modalities, dtype=torch.bool)
    fused = fusion.eval()(streams, present, *[None] * reads)
    fusion.train(training)
    return Ways(fused.streams is not streams, fused.handed is not None, reads)
