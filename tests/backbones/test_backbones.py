"""Every backbone keeps one contract: the modules of each level, halving the grid on the way down."""

import json
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from mrfusion import families
from mrfusion.backbones._base import Backbone
from mrfusion.errors import SpecError
from mrfusion.model.network import build_network
from mrfusion.plan import parse_plan
from tiny import fitted, run_spec, training_of, weights_of

LISTED = ("plain", "resenc")  # nnU-Net's: their levels are always a list
WHOLE = ("monai",)  # has no levels; tests/model/test_whole.py asks it what it must do
every = pytest.mark.parametrize("name", [name for name in families.names("backbones") if name not in WHOLE])
dimensions = pytest.mark.parametrize("dimensions", [2, 3])


def make(name: str, dimensions: int, **options: object) -> Backbone:
    torch.manual_seed(0)
    width = {"features": (4, 8, 16), "blocks": 1} if name in LISTED else {"base": 4, "stages": 2}
    backbone = families.load("backbones", name)(dimensions, **width, **options)
    assert isinstance(backbone, Backbone)
    return backbone


@every
@dimensions
def test_levels_halve_the_grid_and_decoders_bring_it_back(name: str, dimensions: int) -> None:
    backbone = make(name, dimensions)
    assert backbone.stride == (4,) * dimensions
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
    assert not [n for n, p in network.named_parameters() if p.grad is None and ".idle." not in n]


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
    backbone = families.load("backbones", "residual(base=32,stages=5,blocks=3)")(2)
    assert backbone.channels == (32, 64, 128, 256, 320, 320)
    assert len(list(backbone.encoder_level(1, 32).children())) == 3


def test_residual_s_norm_is_a_choice() -> None:
    """By default instance norm, as it always was: no batch norm anywhere, and with norm=batch nothing else."""
    for norm, kept, gone in (
        ("instance", nn.InstanceNorm2d, nn.BatchNorm2d),
        ("batch", nn.BatchNorm2d, nn.InstanceNorm2d),
    ):
        backbone = families.load("backbones", f"residual(base=4,stages=1,norm={norm})")(2)
        levels = [backbone.encoder_level(0, 1), backbone.encoder_level(1, 4), backbone.decoder_level(0)]
        kinds = [{type(module) for module in level.modules()} for level in levels]
        assert all(kept in found and gone not in found for found in kinds)
    with pytest.raises(SpecError, match="expected instance or batch for norm, found 'none'"):
        families.load("backbones", "residual(norm='none')")


@pytest.mark.parametrize("norm", ["batch", "instance"])
@dimensions
def test_norms_scale_and_shift(norm: str, dimensions: int) -> None:
    level = make("unet", dimensions, norm=norm).encoder_level(0, 3)
    kinds = {"batch": nn.modules.batchnorm._BatchNorm, "instance": nn.modules.instancenorm._InstanceNorm}
    norms = [module for module in level.modules() if isinstance(module, kinds[norm])]
    assert len(norms) == 2
    assert all(module.weight is not None and module.bias is not None for module in norms)


UNEVEN = "strides=(1,(1,2,2),(2,2,2)),kernels=((1,3,3),3,3)"
LISTS = (f"plain(features=(4,8,12),{UNEVEN})", f"resenc(features=(4,8,12),blocks=1,{UNEVEN})",
         f"residual(base=(4,8,12),{UNEVEN})", f"unet(base=(4,8,12),norm=instance,{UNEVEN})")  # fmt: skip
LONGER = ("strides=(1,(1,2,2),2,(1,2,2))", "plain(features=(4,8,12,12),", "resenc(features=(4,8,12,12),blocks=1,",
          "residual(base=(4,8,12,12),", "unet(base=(4,8,12,12),norm=instance,")  # fmt: skip


@pytest.mark.parametrize("text", LISTS)
def test_lists_say_each_level_s_grid_axis_by_axis(text: str) -> None:
    backbone = families.load("backbones", text)(3)
    assert backbone.channels == (4, 8, 12)
    assert backbone.scales == ((1, 1, 1), (1, 2, 2), (2, 4, 4))
    assert backbone.stride == (2, 4, 4)
    network = build_network(parse_plan("concat"), ("a", "b"), backbone, task="segmentation", out_channels=3)
    output = network.eval()(torch.randn(1, 2, 5, 17, 14), torch.ones(1, 2, dtype=torch.bool))
    assert output.logits.shape == (1, 3, 5, 17, 14)
    maps = torch.randn(1, 2, 4, 16, 16)
    for level, grid in enumerate([(4, 16, 16), (4, 8, 8), (2, 4, 4)]):
        maps = network.encoders[0][level](maps)
        assert maps.shape[2:] == grid
    kernels = [m.kernel_size for m in network.encoders[0][0].modules() if isinstance(m, nn.Conv3d)]
    assert (1, 3, 3) in kernels
    assert (3, 3, 3) not in kernels


@pytest.mark.parametrize("text", [f"{opening}{LONGER[0]})" for opening in LONGER[1:]])
def test_listed_levels_are_supervised_at_all_decoder_levels_but_the_coarsest(text: str) -> None:
    backbone = families.load("backbones", text)(3)
    assert backbone.deep_supervision == 2
    network = build_network(parse_plan("concat"), ("a",), backbone, task="segmentation", out_channels=2).train()
    coarse = network(torch.randn(1, 1, 4, 16, 16), torch.ones(1, 1, dtype=torch.bool)).coarse
    assert [tuple(c.shape[2:]) for c in coarse] == [(4, 8, 8)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plain(features=(4,8),strides=(1,2,2))", "strides: expected 2 entries, one for each level, found 3"),
        ("plain(features=(4,8),strides=(2,2))", "expected 1 for the first level"),
        ("resenc(features=(4,8),kernels=4,blocks=1)", "expected odd numbers"),
        ("residual(base=(4,8),strides=(1,(2,2)))", "expected a number, or one for each of 3 axes"),
        ("unet(base=(4,0))", "features: expected a whole number from 1"),
        ("plain(features=(4,8),strides=(1,3))", "strides: expected a whole number from 1 to 2, found 3"),
        ("plain(features=8)", "expected a list for features, found 8"),
    ],
)
def test_lists_that_do_not_fit_are_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        families.load("backbones", text)(3)


def test_nnunets_networks_have_its_numbers_of_parameters(oracle_root: Path) -> None:
    """Counted by nnU-Net 2.8.1 itself, plain and residual, for two data sets; nothing is drawn here."""
    plans = oracle_root / "nnunet_plans"
    counted = json.loads((plans / "parameters.json").read_text())
    for place, expected in counted.items():
        data, name, configuration = place.split("/")
        content = json.loads((plans / data / f"{name}.json").read_text())["configurations"][configuration]
        lists = content["architecture"]["arch_kwargs"]
        blocks = lists.get("n_conv_per_stage") or lists["n_blocks_per_stage"]
        with torch.device("meta"):
            backbone = families.load("backbones", "plain" if "n_conv_per_stage" in lists else "resenc")(
                len(expected["patch"]), features=lists["features_per_stage"], strides=lists["strides"],
                kernels=lists["kernel_sizes"], blocks=blocks, up=lists["n_conv_per_stage_decoder"][::-1],
            )  # fmt: skip
            modalities = tuple("abcd"[: expected["channels"]])
            network = build_network(
                parse_plan("concat"), modalities, backbone, task="segmentation", out_channels=expected["heads"]
            )
        assert parameters(network) == expected["parameters"], place
        assert parameters(network.encoders) == expected["encoder_parameters"], place
    assert len(counted) == 12


def test_the_head_that_nnunet_gives_no_weight_does_not_learn(tmp_path: Path) -> None:
    spec = run_spec(network="plain(features=(4,8,8))", budget={"epochs": 1}, sampling={"per_case": 1})
    training = training_of(spec, tmp_path / "run")
    before = weights_of(training)
    fitted(spec, training)
    changed = {name for name, value in weights_of(training).items() if not torch.equal(value, before[name])}
    assert "heads.0.heads.0.weight" in changed
    assert not {name for name in changed if ".idle." in name}
    assert {name for name in before if ".idle." in name} == {"heads.0.idle.0.weight", "heads.0.idle.0.bias"}
