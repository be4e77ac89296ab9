"""From the maps that leave the encoder's levels to logits: a decoder for regions, a head for classes."""

from collections.abc import Sequence

from torch import Tensor, nn

from mrfusion.backbones._base import Backbone


class Idle(nn.ModuleList):
    """Heads that a network of somebody else's has and never asks: they are kept, counted, and do not learn."""


class Decoder(nn.Module):
    """The way up: coarsest map first, a skip at each level, a 1x1 head at the ``supervised`` finest levels (default:
    as many as the backbone says)."""

    def __init__(self, backbone: Backbone, out_channels: int, *, supervised: int | None = None) -> None:
        super().__init__()
        levels = len(backbone.channels) - 1
        asked = supervised or backbone.deep_supervision
        self.levels = nn.ModuleList(backbone.decoder_level(level) for level in range(levels))
        self.heads = nn.ModuleList(backbone.head(level, out_channels) for level in range(asked))
        built = asked if supervised else backbone.built_heads
        self.idle = Idle(backbone.head(level, out_channels) for level in range(asked, built))

    def forward(self, skips: Sequence[Tensor]) -> list[Tensor]:
        """Logits of the supervised levels, finest first; outside training of the finest alone."""
        *finer, features = skips
        logits: list[Tensor] = []
        for level in reversed(range(len(finer))):
            features = self.levels[level](features, finer[level])
            if level == 0 or (self.training and level < len(self.heads)):
                logits.insert(0, self.heads[level](features))
        return logits


class Classifier(nn.Module):
    """Global average of the coarsest map, then one linear layer."""

    reads_the_coarsest_alone = True

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(backbone.channels[-1], classes)

    def forward(self, skips: Sequence[Tensor]) -> list[Tensor]:
        """Logits (b, classes), in a list of one."""
        return [self.head(skips[-1].flatten(2).mean(2))]
