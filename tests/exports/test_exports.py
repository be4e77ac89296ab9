"""Every form of export, as a contract: what is written answers as the network does, on other grids and with gaps."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mrfusion import families
from mrfusion.backbones._base import Backbone
from mrfusion.errors import SpecError
from mrfusion.exports._base import Package
from mrfusion.finished_run.export import check_same
from mrfusion.finished_run.side_by_side import SideBySide
from mrfusion.model.network import build_network
from mrfusion.model.whole import backbone_named
from mrfusion.plan import parse_plan

MODALITIES = ("a", "b", "c")
FORMS = [name for name in families.names("exports") if name != "onnx" or find_spec("onnxruntime")]
PLANS = (
    "concat", "concat(fill=learned)", "only(a)", "concat+lrrnet(a,b)", "fused+mean_image(a,b)", "concat>image(a,b)",
    "separate>mean", "separate[energy(exchange=true)]>mean", "separate[energy,mean]", "separate[energy(width=4)]",
    "separate[energy(steps=inf)]", "separate[energy(kind=hopfield)]", "separate[attention(window=4),mean]",
    *(f"separate[{name}]" for name in families.names("fusions")),
)  # fmt: skip


def network_of(plan: str, dimensions: int = 2) -> nn.Module:
    """A small network whose parts all count: nothing in it is zero, as at the start of a training."""
    torch.manual_seed(0)
    backbone = backbone_named("unet(base=4,stages=1,norm=instance)", dimensions)
    assert isinstance(backbone, Backbone)
    modalities = parse_plan(plan).modalities(MODALITIES)
    network = build_network(parse_plan(plan), modalities, backbone, task="segmentation", out_channels=2).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return network


def package_of(network: Any, *, fixed: tuple[int, ...] | None = None) -> Package:
    grid = fixed or tuple(5 * step for step in network.stride)
    read = len(MODALITIES)
    answer = {"classes": [], "regions": [["x", [1]], ["y", [2]]]}
    statement = {"modalities": list(MODALITIES[:read]), "answer": answer, "members": 1, "channels": 2, "mrfusion": "0"}
    example = (torch.randn(1, read, *grid), torch.ones(1, read, dtype=torch.bool))
    whole = SideBySide([network]).eval()
    multiples = None if fixed else tuple(network.stride)
    return Package(whole, example, multiples, statement | {"task": "segmentation"}, "# Card\n", {"case.py": "pass\n"})


def written(name: str, package: Package, folder: Path) -> None:
    """Write and compare: every modality absent in turn, on the grid of the example and on another one."""
    choice = families.load("exports", name)()
    choice.write(package, folder)
    check_same(package, choice.read(folder), MODALITIES)


@pytest.mark.parametrize("name", FORMS)
def test_a_form_answers_as_the_network_and_brings_what_goes_with_it(name: str, tmp_path: Path) -> None:
    package = package_of(network_of("separate[moments]"))
    written(name, package, tmp_path)
    texts = {path.name: path.read_text() for path in tmp_path.rglob("*") if path.suffix in (".md", ".json", ".py")}
    assert texts["README.md"] == "# Card\n"
    assert json.loads(texts["model.json"]) == package.statement
    assert texts["case.py"] == "pass\n"


@pytest.mark.parametrize("plan", dict.fromkeys(PLANS))
def test_every_plan_as_torchscript_to_the_bit(plan: str, tmp_path: Path) -> None:
    network = network_of(plan)
    if plan == "only(a)":
        package = package_of(SideBySide([network]).members[0])
        one = (package.example[0][:, :1], package.example[1][:, :1])
        package = Package(package.network, one, package.multiples, package.statement | {"modalities": ["a"]}, "", {})
    else:
        package = package_of(network)
    choice = families.load("exports", "torchscript")()
    choice.write(package, tmp_path)
    answering, names = choice.read(tmp_path), package.statement["modalities"]
    for grid in ((8, 12), (20, 6)):
        images = torch.randn(1, len(names), *grid)
        for absent in (None, *(names if len(names) > 1 else ())):
            present = torch.tensor([[name != absent for name in names]])
            with torch.inference_mode():
                expected = package.network(images, present).numpy()
            assert np.array_equal(answering(images.numpy(), present.numpy()), expected)


def test_a_window_of_three_dimensions_as_torchscript(tmp_path: Path) -> None:
    written("torchscript", package_of(network_of("separate[energy]", 3), fixed=(4, 8, 6)), tmp_path)


ONNX = pytest.mark.skipif("onnx" not in FORMS, reason="onnxruntime is not installed")


@ONNX
@pytest.mark.slow
@pytest.mark.parametrize("plan", [plan for plan in dict.fromkeys(PLANS) if "inf" not in plan and plan != "only(a)"])
def test_every_plan_as_onnx(plan: str, tmp_path: Path) -> None:
    written("onnx", package_of(network_of(plan)), tmp_path)


@ONNX
def test_what_onnx_is_given_is_a_copy_and_the_network_answers_on() -> None:
    network = network_of("separate[energy]")
    images, present = torch.randn(1, 3, *(2 * step for step in network.stride)), torch.ones(1, 3, dtype=torch.bool)
    plain = families.module_of("exports", "onnx").without_parametrizations(network)
    with torch.no_grad():
        torch.testing.assert_close(plain(images, present).logits, network(images, present).logits)


@ONNX
@pytest.mark.slow
def test_a_decomposition_that_onnx_lacks_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"ONNX has nothing for aten.linalg_cholesky_ex; write it --to torchscript"):
        written("onnx", package_of(network_of("separate[mean,energy(steps=inf)]")), tmp_path)
    assert not list(tmp_path.iterdir()), "nothing is half written"


class Counting(nn.Module):
    """Answers by the number of columns as Python knows it: what a recording cannot follow."""

    stride = (2, 2)

    def forward(self, images: Tensor, present: Tensor) -> Tensor:
        return images[:, :2] * float(images.shape[-1])


def test_a_file_that_answers_otherwise_is_never_given_away(tmp_path: Path) -> None:
    package = package_of(network_of("concat"))
    recorded = Package(Counting(), package.example, (2, 2), package.statement, "", {})
    with pytest.raises(SpecError, match="does not answer as the trained one"):
        written("torchscript", recorded, tmp_path)
