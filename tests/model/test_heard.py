"""In every plan that is accepted each module reaches the output, and what is refused does not: found by trying."""

from itertools import product

import pytest
import torch
from torch import Tensor

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.model.heard import check_heard, unheard
from mrfusion.model.network import FusionNetwork, build_network
from mrfusion.plan import parse_plan

NAMES, LEVELS = ("a", "b"), 2
EXCHANGING = ("concat", "energy", "lowrank", "max", "moments")  # each has a form that hands the joint map back
SMALL = {"energy": "energy(width=4)", "gated": "gated(fusion=mmtm)"}
FORMS = [
    *(SMALL.get(name, name) for name in families.names("fusions") if name != "mean"),
    *(f"{name}(exchange=true)" for name in EXCHANGING if name != "energy"),
    *("energy(width=4,exchange=true)", "energy(width=4,hierarchy=false)", "gated(fusion='energy(width=4)')"),
    *("gated(fusion=concat)", "energy(width=4,kind=hopfield)"),
]
OUTPUTS, TASKS = ("", ">mean"), ("segmentation", "classification")


def network_of(text: str, task: str) -> FusionNetwork:
    """A network away from its start, so that every gate is open."""
    torch.manual_seed(0)
    backbone = families.load("backbones", "unet")(2, base=4, stages=LEVELS - 1, norm="instance")
    network = build_network(parse_plan(text), NAMES, backbone, task=task, out_channels=2).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            torch.manual_seed(len(name))
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network


def answer(network: FusionNetwork) -> Tensor:
    torch.manual_seed(1)
    images = torch.randn(2, len(NAMES), 8, 8)
    with torch.no_grad():
        return network(images, torch.ones(2, len(NAMES), dtype=torch.bool)).logits


def is_heard(text: str, task: str, level: int) -> bool:
    """Whether the answer is another one without the module of one level: with the mean in its place."""
    network = network_of(text, task)
    before = answer(network)
    mean = families.load("fusions", "mean")
    network.fusions[level] = mean(len(NAMES), network.fusions[level].channels, 2)
    return not torch.equal(before, answer(network))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("output", "task"), list(product(OUTPUTS, TASKS)))
@pytest.mark.parametrize("level", range(LEVELS))
def test_a_module_alone_is_accepted_where_it_reaches_the_output(form: str, output: str, task: str, level: int) -> None:
    levels = ["mean"] * LEVELS
    levels[level] = form
    plan = parse_plan(f"separate[{','.join(levels)}]{output}")
    network = network_of(str(plan), task)
    if is_heard(str(plan), task, level):
        check_heard(network, plan)
    else:
        with pytest.raises(SpecError, match=f"at level {level + 1} changes only the joint map of that level"):
            check_heard(network, plan)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("output", "task"), list(product(OUTPUTS, TASKS)))
def test_modules_at_every_level(form: str, output: str, task: str) -> None:
    text = f"separate[{form}]{output}"
    found = unheard(network_of(text, task))
    assert found == [level for level in range(LEVELS) if not is_heard(text, task, level)]


@pytest.mark.parametrize("form", ["concat", "energy(width=4)"])
def test_a_search_asks_for_modules_that_are_heard_alone(form: str) -> None:
    plan = parse_plan(f"separate[{form}]")
    check_heard(network_of(str(plan), "segmentation"), plan, alone=True)
    with pytest.raises(SpecError, match="a classifier reads the joint map of the coarsest level alone"):
        check_heard(network_of(str(plan), "classification"), plan, alone=True)


def test_energies_of_finer_levels_are_heard_through_the_coarser_ones_that_read_them() -> None:
    plan = parse_plan("separate[energy(width=4),energy(width=4)]")
    check_heard(network_of(str(plan), "classification"), plan)
    silent = parse_plan("separate[energy(width=4),energy(width=4,hierarchy=false)]")
    with pytest.raises(SpecError, match="energy\\(width=4\\) at level 1"):
        check_heard(network_of(str(silent), "classification"), silent)
