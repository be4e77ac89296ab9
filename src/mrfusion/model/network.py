"""The network: encoders, the fusions where they meet, decoders. Its architecture is this file's constructor."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from zlib import crc32

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from mrfusion import families
from mrfusion.backbones._base import Backbone
from mrfusion.fusions._base import Fused, Fusion, mean_present, where_present
from mrfusion.losses._base import FusedImage, Output
from mrfusion.model.drawer import Drawer
from mrfusion.model.inputs import Inputs
from mrfusion.plan import FusionPlan


class FusionNetwork(nn.Module):
    """A plan made of a backbone's modules, for the modalities that it reads, in their order.

    ``make_head`` builds what reads the maps of all levels: a decoder or a classifier. Each part draws its first weights
    from torch's seed and its own name, so that the parts that two plans have in common begin alike: arms that differ in
    a fusion differ in nothing else.
    """

    def __init__(
        self,
        plan: FusionPlan,
        modalities: Sequence[str],
        backbone: Backbone,
        make_head: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        plan.check_levels(len(backbone.channels))
        self.stride, self.scales, self.late = backbone.stride, backbone.scales, plan.output == "mean"
        with drawn_apart("inputs"):
            self.inputs = Inputs(plan, modalities)
        streams = self.inputs.streams
        self.encoders = nn.ModuleList(_encoder(backbone, self.inputs.channels, number) for number in range(streams))
        self.fusions = nn.ModuleList(_fusions(plan, backbone, streams))
        self.heads = nn.ModuleList(_head(make_head, number) for number in range(streams if self.late else 1))
        self.drawn = tuple(str(name) for name in families.parse(plan.output).args)
        with drawn_apart("image decoder"):
            self.image_decoders = nn.ModuleList(Drawer(backbone, len(self.drawn)) for _ in range(bool(self.drawn)))

    def forward(self, images: Float[Tensor, "b m *xyz"], present: Bool[Tensor, "b m"]) -> Output:
        """Logits on the grid of ``images``; the grid is padded with zeros to a multiple of the stride and cut back.

        What stands in the place of an absent modality is replaced by zeros here, before anything else sees it.
        """
        grid = images.shape[2:]
        images = padded(where_present(images, present), self.stride)
        streams, stream_present, fused = self.inputs(images, present)
        levels = self._encode(streams, stream_present)
        fused += self._drawn(levels, images, present)
        if self.late:
            maps = [[level.streams[:, s] for level in levels] for s in range(len(streams))]
        else:
            maps = [[level.skip for level in levels]]
        logits = [head(m) for head, m in zip(self.heads, maps, strict=True)]
        finest, *coarse = (mean_present(torch.stack(each, 1), stream_present) if self.late else each[0]
                           for each in zip(*logits, strict=True))  # fmt: skip
        whole = (slice(None), slice(None), *(slice(n) for n in grid))
        records, states = [level.record for level in levels], [level.state for level in levels]
        answer = finest[whole] if finest.ndim > 2 else finest
        return Output(answer, coarse, records, fused, states, self.scales)

    def _drawn(self, levels: list[Fused], images: Tensor, present: Bool[Tensor, "b m"]) -> list[FusedImage]:
        """The fused image of the second decoder, where the plan has one: it weighs the images (SF-Net)."""
        return [
            self.inputs.weighed("image", draw([level.skip for level in levels]), images, present, of=self.drawn)
            for draw in self.image_decoders
        ]

    def _encode(self, streams: list[Tensor], present: Bool[Tensor, "b s"]) -> list[Fused]:
        levels: list[Fused] = []
        finer: Tensor | None = None
        for level in range(len(self.encoders[0])):  # type: ignore[arg-type]
            streams = [encoder[level](x) for encoder, x in zip(self.encoders, streams, strict=True)]  # type: ignore[index]
            stacked = torch.stack(streams, 1) if len(streams) > 1 else streams[0].unsqueeze(1)
            fused = self._meet(level, stacked, present, finer) if self.fusions else Fused(stacked, streams[0])
            finer = finer if fused.handed is None else fused.handed
            streams = list(fused.streams.unbind(1))
            levels.append(fused)
        return levels

    def _meet(self, level: int, streams: Tensor, present: Bool[Tensor, "b s"], finer: Tensor | None) -> Fused:
        """The fusion of a level; one that does not read what finer levels handed on lets it pass."""
        fuse = self.fusions[level]
        told = (finer,) if getattr(fuse, "reads_finer", False) else ()
        return fuse(streams, present, *told)  # type: ignore[no-any-return]


def build_network(
    plan: FusionPlan, modalities: Sequence[str], backbone: Backbone, *, task: str, out_channels: int
) -> FusionNetwork:
    """The network of a plan with the head of a task, a choice of the family ``tasks``."""
    head = families.piece("mrfusion.model.decoder", families.load("tasks", task)().head)
    return FusionNetwork(plan, modalities, backbone, lambda: head(backbone, out_channels))


@contextmanager
def drawn_apart(name: str) -> Iterator[None]:
    """Random numbers of its own for what is made inside, from torch's seed and a name."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(crc32(f"{torch.initial_seed()} {name}".encode()))
        yield


def _encoder(backbone: Backbone, in_channels: int, number: int) -> nn.ModuleList:
    levels = []
    for level, width in enumerate((in_channels, *backbone.channels[:-1])):
        with drawn_apart(f"encoder {number} level {level}"):
            levels.append(backbone.encoder_level(level, width))
    return nn.ModuleList(levels)


def _head(make_head: Callable[[], nn.Module], number: int) -> nn.Module:
    with drawn_apart(f"head {number}"):
        return make_head()


def _fusions(plan: FusionPlan, backbone: Backbone, streams: int) -> list[nn.Module]:
    """One fusion a level where several streams meet, none where there is a single stream."""
    fusions: list[nn.Module] = []
    for level, width in enumerate(backbone.channels if streams > 1 else ()):
        with drawn_apart(f"fusion {level}"):
            fusion = families.load("fusions", plan.fusion_at(level))(streams, width, backbone.dimensions)
        if isinstance(fusion, Fusion) and level + 1 < len(backbone.strides):
            fusion.coarsened(backbone.strides[level + 1])
        fusions.append(fusion)
    return fusions


def padded(images: Tensor, stride: Sequence[int]) -> Tensor:
    """The images with zeros behind them, so that the grid is a multiple of ``stride`` along each axis."""
    lacking = [-n % step for n, step in zip(reversed(images.shape[2:]), reversed(stride), strict=True)]
    return functional.pad(images, [p for n in lacking for p in (0, n)]) if any(lacking) else images
