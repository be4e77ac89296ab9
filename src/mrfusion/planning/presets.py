"""The networks that a plan may be like: how wide and deep they are, and what memory they were measured to take."""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from mrfusion.errors import SpecError, nearest

NNUNETS_MOST, OUR_MOST = {2: 512, 3: 320}, {2: 320, 3: 320}  # features of a level, by dimensions
RESENC_BLOCKS = (1, 3, 4, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6)


class Levels(Protocol):
    """What features are counted for."""

    @property
    def strides(self) -> tuple[tuple[int, ...], ...]: ...


@dataclass(frozen=True)
class Preset:
    """nnU-Net's planners as numbers.

    ``reference`` is the number of map points (in 2-D and 3-D) of which a step of ``samples`` takes ``memory_gb``;
    ``coverage`` the largest share of all cases' voxels in a step; ``least`` how many samples of a patch must fit;
    ``most`` the largest number of features of a level.
    """

    name: str
    network: str
    reference: dict[int, int]
    memory_gb: float
    coverage: float
    least: dict[int, int]
    most: dict[int, int]
    base: int = 32
    samples: ClassVar[dict[int, int]] = {2: 12, 3: 2}

    @property
    def residual(self) -> bool:
        """Whether its encoder is made of residual blocks."""
        return self.network != "plain"

    @property
    def maps_a_block(self) -> int:
        """Maps that a block (or, of a plain network, a convolution) leaves."""
        return 2 if self.residual else 1

    def features(self, levels: Levels) -> tuple[int, ...]:
        """Channels of each level: doubled, up to what its number of dimensions allows."""
        most = self.most[len(levels.strides[0])]
        return tuple(min(most, self.base * 2**level) for level in range(len(levels.strides)))

    def blocks(self, count: int) -> tuple[int, ...]:
        """Of each encoder level."""
        each = {"resenc": RESENC_BLOCKS, "plain": (2,) * 13, "residual": (1,) * 13}
        return each[self.network][:count]

    def up(self, count: int) -> tuple[int, ...]:
        """Convolutions of each decoder level."""
        return (1 if self.network == "resenc" else 2,) * (count - 1)

    def options(self, levels: Levels) -> dict[str, Any]:
        """What a network's text holds beside strides and kernels."""
        width = "base" if self.network == "residual" else "features"
        count = len(levels.strides)
        found: dict[str, Any] = {width: self.features(levels), "blocks": self.blocks(count)}
        return found if self.network == "residual" else found | {"up": self.up(count)}


WITHOUT_GPU_GB = 0.25  # a CPU has more, but then a step of it takes minutes
_TWO, _ALL = {2: 2, 3: 2}, Preset.samples
PRESETS = {
    "residual": Preset("residual", "residual", {2: 135_000_000, 3: 680_000_000}, 8, 0.05, _TWO, OUR_MOST),
    "nnunet": Preset("nnunet", "plain", {2: 85_000_000, 3: 560_000_000}, 8, 0.05, _TWO, NNUNETS_MOST),
    "resenc-m": Preset("resenc-m", "resenc", {2: 135_000_000, 3: 680_000_000}, 8, 1.0, _ALL, NNUNETS_MOST),
    "resenc-l": Preset("resenc-l", "resenc", {2: 380_000_000, 3: 2_100_000_000}, 24, 1.0, _ALL, NNUNETS_MOST),
}


def memory_of(preset: Preset, *, gpu: bool) -> float:
    """Gigabytes to plan for where nobody says how many; nnU-Net's planners have theirs whatever the machine.

    Ours plans for :data:`WITHOUT_GPU_GB` where there is no GPU, so that a training has many steps. The rule is ours;
    nnU-Net plans for a GPU alone.
    """
    return preset.memory_gb if gpu or preset.name != "residual" else WITHOUT_GPU_GB


def preset_named(name: str) -> Preset:
    """A preset; SpecError with the nearest where there is none."""
    if name not in PRESETS:
        raise SpecError(f"planning.like: no preset is called {name!r}; {nearest(name, PRESETS)}")
    return PRESETS[name]
