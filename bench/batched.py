"""Whether networks trained side by side as one are faster: candidates of a search, and the encoders of the modalities.

    python bench/batched.py [--device cuda] [--repeats 7] [--smoke]

Candidates: four small U-Nets, forward and backward, one after another against one batched network whose parameters are
stacked (torch.func.vmap). Encoders: the four convolutions of a level, one for each modality, against one convolution of
four groups. On a CPU one thread and CPU time, in turn, medians of ratios of neighbours. Last line: JSON; above 1 the
batched form is faster.
"""

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from mrfusion.backbones.unet import Unet
from mrfusion.model.network import FusionNetwork, build_network
from mrfusion.plan import parse_plan

MODALITIES = ("t1n", "t1c", "t2w", "t2f")
GRIDS: dict[int, tuple[int, ...]] = {2: (96, 112), 3: (24, 32, 32)}
SMALL: dict[int, tuple[int, ...]] = {2: (16, 16), 3: (8, 8, 8)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--smoke", action="store_true", help="a few seconds, to see that it runs; figures mean nothing")
    given = parser.parse_args()
    repeats, grids = (1, SMALL) if given.smoke else (given.repeats, GRIDS)
    torch.set_num_threads(1)
    device = torch.device(given.device)
    answer = {"candidates_2d": ratio(*candidates(device, grids[2]), repeats)}
    for dimensions, grid in grids.items():
        for channels in (8, 32):
            name = f"encoders_{dimensions}d_{channels}"
            answer[name] = ratio(*encoders(dimensions, channels, grid, device), repeats)
    for name, value in answer.items():
        print(f"{name:20s} {value:.2f} times as fast batched")
    print(json.dumps({name: round(value, 3) for name, value in answer.items()}))


def candidates(device: torch.device, grid: tuple[int, ...]) -> tuple[Callable[[], None], Callable[[], None]]:
    """Four networks, one after another and as one."""
    networks = [small_network().to(device) for _ in range(4)]
    images = torch.randn(4, 4, *grid, device=device)
    present = torch.ones(4, 4, dtype=torch.bool, device=device)
    stacked, buffers = stack_module_state(networks)
    skeleton = networks[0]

    def loss(parameters: dict[str, Tensor], statistics: dict[str, Tensor]) -> Tensor:
        answer: Tensor = functional_call(skeleton, (parameters, statistics), (images, present)).logits
        return answer.square().mean()

    def one_by_one() -> None:
        for network in networks:
            network(images, present).logits.square().mean().backward()

    def together() -> None:
        losses: Tensor = vmap(loss)(stacked, buffers)
        torch.autograd.backward(losses.sum())

    return one_by_one, together


def small_network() -> FusionNetwork:
    """Four encoders of 8 channels, means at all levels."""
    backbone = Unet(2, base=8, stages=3, norm="instance")
    plan = parse_plan("separate[mean]")
    return build_network(plan, MODALITIES, backbone, task="segmentation", out_channels=3)


def encoders(
    dimensions: int, channels: int, grid: tuple[int, ...], device: torch.device
) -> tuple[Callable[[], None], Callable[[], None]]:
    """A level's convolutions and norms of four modalities, one by one and as groups; channels-last."""
    convolution, norm = {2: (nn.Conv2d, nn.InstanceNorm2d), 3: (nn.Conv3d, nn.InstanceNorm3d)}[dimensions]
    layout = torch.channels_last if dimensions == 2 else torch.channels_last_3d

    def level(groups: int) -> nn.Module:
        width = groups * channels
        layers = nn.Sequential(convolution(width, width, 3, padding=1, groups=groups), norm(width), nn.ReLU())
        return layers.to(device, memory_format=layout)  # type: ignore[call-overload, no-any-return]

    each, grouped = [level(1) for _ in range(4)], level(4)
    images = torch.randn(4, 4 * channels, *grid, device=device)
    apart = [part.contiguous(memory_format=layout) for part in images.chunk(4, 1)]
    whole = images.contiguous(memory_format=layout)

    def one_by_one() -> None:
        for network, part in zip(each, apart, strict=True):
            network(part).square().mean().backward()

    def together() -> None:
        grouped(whole).square().mean().backward()

    return one_by_one, together


def ratio(plain: Callable[[], None], batched: Callable[[], None], repeats: int) -> float:
    """How many times as fast the second is."""
    for work in (plain, batched):
        seconds(work)
    return median(seconds(plain) / seconds(batched) for _ in range(repeats))


def seconds(work: Callable[[], None]) -> float:
    """CPU seconds of three calls, or seconds of the clock with a GPU."""
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    synchronise()
    started = clock()
    for _ in range(3):
        work()
    synchronise()
    return clock() - started


def synchronise() -> None:
    """Wait for a GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
