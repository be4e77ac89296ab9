"""A modality joins a trained network: which fusions can take it, and that an absent newcomer changes nothing."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mrfusion import families
from mrfusion.errors import InputError, SpecError
from mrfusion.model.network import FusionNetwork, build_network
from mrfusion.plan import parse_plan
from mrfusion.run_folder.run import RunFolder
from mrfusion.training.inherit import inherit
from tiny import run_spec

CANNOT = {"concat", "mmtm", "lowrank", "gated"}  # their weights mix all modalities at once
LATE = {"max": "max(exchange=true)", "moments": "moments(exchange=true)", "energy": "energy(width=8,exchange=true)"}


def network_of(plan: str, names: str) -> FusionNetwork:
    torch.manual_seed(len(names))
    backbone = families.load("backbones", "unet(base=4,stages=1,norm=instance)")(2)
    network = build_network(parse_plan(plan), tuple(names), backbone, task="segmentation", out_channels=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # what starts as zero must count too
    return network.eval()


def kept(network: nn.Module, plan: str, folder: Path) -> RunFolder:
    folder.mkdir()
    run = RunFolder(folder)
    run.write_spec(run_spec(plan=plan))
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, run.weights)
    return run


def answer(network: FusionNetwork, images: Tensor, present: list[bool]) -> Tensor:
    with torch.no_grad():
        return network(images, torch.tensor([present]).expand(len(images), -1)).logits


@pytest.mark.parametrize("late", [False, True], ids=["one decoder", "late"])
@pytest.mark.parametrize("name", sorted(set(families.names("fusions")) - CANNOT))
def test_with_the_new_modality_absent_the_network_answers_as_before(name: str, late: bool, tmp_path: Path) -> None:
    fusion = LATE.get(name, name) if late else {"energy": "energy(width=8)"}.get(name, name)
    plan = f"separate[{fusion}]" + (">mean" if late else "")
    before, after = network_of(plan, "ab"), network_of(plan, "abc")
    own = {name: value.clone() for name, value in after.state_dict().items()}
    inherit(after, parse_plan(plan), [kept(before, plan, tmp_path / "run")])
    images = torch.randn(2, 3, 16, 16)
    expected = answer(before, images[:, :2], [True, True])
    torch.testing.assert_close(answer(after, images, [True, True, False]), expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(answer(after, images, [True, True, True]), expected)
    new = [name for name in own if name.startswith(("encoders.2.", "heads.2."))]
    assert new
    assert all(torch.equal(after.state_dict()[name], own[name]) for name in new), "an encoder of its own"


@pytest.mark.parametrize("name", sorted(CANNOT))
def test_a_fusion_that_cannot_be_given_a_modality_says_so(name: str, tmp_path: Path) -> None:
    plan = f"separate[{name}]"
    run = kept(network_of(plan, "ab"), plan, tmp_path / "run")
    with pytest.raises(InputError, match=r"trained for 2 modalities and cannot be given another: fusions\.0\."):
        inherit(network_of(plan, "abc"), parse_plan(plan), [run])


def test_what_is_trained_when_a_modality_joins() -> None:
    network = network_of("separate[energy(width=8)]", "abc")
    (phase,) = families.load("schedules", "adapt(added=1)")().phases(network, ("dice_ce",))
    trained = {id(parameter) for module in phase.modules for parameter in module.parameters()}
    names = {name for name, parameter in network.named_parameters() if id(parameter) in trained}
    assert {name for name in names if name.startswith("encoders.")} == {
        name for name, _ in network.named_parameters() if name.startswith("encoders.2.")
    }
    assert "fusions.0.project" in names
    assert not any(name.startswith("heads.0") and not name.startswith("heads.0.heads.0.") for name in names)
    with pytest.raises(SpecError, match="added=3 of 3 modalities are new"):
        families.load("schedules", "adapt(added=3)")().phases(network, ("dice_ce",))
