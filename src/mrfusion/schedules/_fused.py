"""What schedules of a fusion net and a segmentation net share: which modules are which."""

from collections.abc import Sequence

from torch import nn

from mrfusion.errors import SpecError, nearest


def fusion_net(network: nn.Module, schedule: str) -> nn.Module:
    """The image fusions of a network; SpecError where they have nothing to learn."""
    found = getattr(getattr(network, "inputs", None), "fused_images", None)
    if not isinstance(found, nn.Module) or not any(True for _ in found.parameters()):
        raise SpecError(
            f"schedule {schedule} trains a fusion net; write a plan that has one, such as concat+lrrnet(t1c,t2f)"
        )
    return found


def segmentation_net(network: nn.Module) -> tuple[nn.Module, ...]:
    """Everything else that learns: all but the image fusions among the network's inputs."""
    parts = [(name, child) for name, child in network.named_children() if name != "inputs"]
    parts += getattr(network, "inputs", nn.Module()).named_children()
    return tuple(part for name, part in parts if name != "fused_images" and any(True for _ in part.parameters()))


def divided(losses: Sequence[str], fusion: str, schedule: str) -> tuple[str, ...]:
    """The losses without the fusion loss; SpecError where it is not among them, or alone."""
    if fusion not in losses:
        raise SpecError(f"schedule {schedule} trains the fusion net on the loss {fusion!r}; {nearest(fusion, losses)}")
    rest = tuple(name for name in losses if name != fusion)
    if not rest:
        raise SpecError(f"schedule {schedule} needs a loss beside {fusion!r}, for what reads the fused image")
    return rest
