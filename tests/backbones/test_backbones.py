"""Every backbone keeps one contract: the modules of each level, halving the grid on the way down."""

import pytest
import torch
from torch import nn

from mrfusion import families
from mrfusion.backbones._base import Backbone
from mrfusion.model.network import build_network
from mrfusion.plan import parse_plan

every = pytest.mark.parametrize("name", families.names("backbones"))
dimensions = pytest.mark.parametrize("dimensions", [2, 3])


def make(name: str, dimensions: int, **options: object) -> Backbone:
    torch.manual_seed(0)
    backbone = families.load("backbones", name)(dimensions, base=4, stages=2, **options)
    assert isinstance(backbone, Backbone)
    return backbone


@every
@dimensions
def test_levels_halve_the_grid_and_decoders_bring_it_back(name: str, dimensions: int) -> None:
    backbone = make(name, dimensions)
    assert backbone.stride == 4
    assert len(backbone.channels) == 3
    features, maps = torch.randn(2, 3, *[16] * dimensions), []
    for level, width in enumerate(backbone.channels):
        features = backbone.encoder_level(level, features.shape[1])(features)
        assert features.shape == (2, width, *[16 // 2**level] * dimensions)
        maps.append(features)
    for level in (1, 0):
        features = backbone.decoder_level(level)(features, maps[level])
        assert features.shape == maps[level].shape


@every
@dimensions
def test_a_network_gives_logits_on_odd_grids(name: str, dimensions: int) -> None:
    grid = (13, 18, 21)[:dimensions]
    backbone = make(name, dimensions)
    network = build_network(parse_plan("concat"), ("a", "b"), backbone, task="segmentation", out_channels=3).eval()
    logits = network(torch.randn(2, 2, *grid), torch.ones(2, 2, dtype=torch.bool)).logits
    assert logits.shape == (2, 3, *grid)
    assert logits.isfinite().all()


@every
def test_deep_supervision_has_a_head_at_each_supervised_level_in_training_alone(name: str) -> None:
    backbone = make(name, 2)
    network = build_network(parse_plan("concat"), ("a",), backbone, task="segmentation", out_channels=3)
    images, present = torch.randn(2, 1, 16, 16), torch.ones(2, 1, dtype=torch.bool)
    coarse = network.train()(images, present).coarse
    assert [tuple(c.shape) for c in coarse] == [(2, 3, 8, 8)][: backbone.deep_supervision - 1]
    assert network.eval()(images, present).coarse == []


@every
def test_every_parameter_learns(name: str) -> None:
    network = build_network(parse_plan("concat"), ("a",), make(name, 2), task="segmentation", out_channels=2)
    output = network.train()(torch.randn(2, 1, 16, 16), torch.ones(2, 1, dtype=torch.bool))
    sum(logits.square().sum() for logits in (output.logits, *output.coarse)).backward()
    assert not [n for n, p in network.named_parameters() if p.grad is None]


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_unet_has_the_papers_layers() -> None:
    """Two stages, two 3x3 convolutions a level, counted by hand: weights and biases of every convolution."""
    backbone = families.load("backbones", "unet")(2, base=16, stages=2, norm=None)
    network = build_network(parse_plan("concat"), ("a", "b", "c", "d"), backbone, task="segmentation", out_channels=4)

    def convolution(inputs: int, outputs: int, kernel: int) -> int:
        return kernel * kernel * inputs * outputs + outputs

    down = sum(convolution(i, o, 3) + convolution(o, o, 3) for i, o in ((4, 16), (16, 32), (32, 64)))
    up = sum(convolution(2 * o, o, 2) + convolution(2 * o, o, 3) + convolution(o, o, 3) for o in (32, 16))
    assert parameters(network) == down + up + convolution(16, 4, 1)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(convolutions) == 10
    assert sum(isinstance(m, nn.ReLU) for m in network.modules()) == 10


@pytest.mark.parametrize(("norm", "kind"), [("batch", nn.BatchNorm2d), ("instance", nn.InstanceNorm2d)])
def test_unets_norm_is_a_choice(norm: str, kind: type[nn.Module]) -> None:
    backbone = families.load("backbones", f"unet(norm={norm})")(2)
    assert any(isinstance(m, kind) for m in backbone.encoder_level(0, 1).modules())
    without = families.load("backbones", "unet(norm=none)")(2).encoder_level(0, 1)
    assert not any(isinstance(m, nn.BatchNorm2d | nn.InstanceNorm2d) for m in without.modules())


def test_residual_widens_up_to_its_bound_and_repeats_its_blocks() -> None:
    backbone = families.load("backbones", "residual(base=32,stages=5,blocks=3,widest=100)")(2)
    assert backbone.channels == (32, 64, 100, 100, 100, 100)
    assert len(list(backbone.encoder_level(1, 32).children())) == 3


@pytest.mark.parametrize("norm", ["batch", "instance"])
@dimensions
def test_norms_scale_and_shift(norm: str, dimensions: int) -> None:
    level = make("unet", dimensions, norm=norm).encoder_level(0, 3)
    kinds = {"batch": nn.modules.batchnorm._BatchNorm, "instance": nn.modules.instancenorm._InstanceNorm}
    norms = [module for module in level.modules() if isinstance(module, kinds[norm])]
    assert len(norms) == 2
    assert all(module.weight is not None and module.bias is not None for module in norms)
