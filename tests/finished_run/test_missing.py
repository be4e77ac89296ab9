"""Every plan and every fusion: what is absent cannot change a single bit, and a lacking file is a masked one."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import Tensor

from mrfusion import families
from mrfusion.case import Case, Cohort, Region
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.load import load_case
from mrfusion.data.prepared import Prepared
from mrfusion.losses._base import Output
from mrfusion.model.network import FusionNetwork, build_network
from mrfusion.plan import INPUTS, OUTPUTS, parse_plan
from mrfusion.run.prediction import predict_masks
from mrfusion.spec import Preparation
from mrfusion.training.assemble import make_model
from tiny import cpu, run_spec

NAMES = ("a", "b", "c")
SMALL = {"copy": "copy(a)", "lrrnet": "lrrnet(a,c,n=2,iterations=1)"}  # others as name(a,c)
IMAGES = [SMALL.get(name, f"{name}(a,c)") for name in families.names("image_fusions")]
FUSIONS = families.names("fusions")
PLANS = (
    *("concat", "concat(a,c)", "concat(fill=learned)", "concat(a,b,fill=learned)", "concat>image(a,c)", "only(b)"),
    *("separate>mean", "separate(a,b)", f"concat(fill=learned)+{'+'.join(IMAGES)}"),
    *(f"concat+{image}" for image in IMAGES),
    *(f"fused+{image}+copy(b)" for image in IMAGES),
    *(f"separate[{fusion}]" for fusion in FUSIONS),
    *(f"separate[{fusion}]>mean" for fusion in FUSIONS),
)
every = pytest.mark.parametrize("text", PLANS)


def network_of(text: str, dimensions: int = 2, task: str = "segmentation") -> FusionNetwork:
    """A network away from its start, so that every gate is open and every parameter matters."""
    torch.manual_seed(0)
    plan = parse_plan(text)
    backbone = families.load("backbones", "unet")(dimensions, base=4, stages=1, norm="instance")
    network = build_network(plan, plan.modalities(NAMES), backbone, task=task, out_channels=2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network.eval()


def sets_of(modalities: int) -> Tensor:
    """Every non-empty set of modalities, one a sample."""
    return torch.tensor([row for row in product((False, True), repeat=modalities) if any(row)])


def fillings(images: Tensor) -> Iterator[Tensor]:
    """What may stand in an absent slot: nothing, noise, what is no number, another patient."""
    yield torch.zeros_like(images)
    yield 50 * torch.randn(images.shape, generator=torch.Generator().manual_seed(9))
    for value in (float("nan"), float("inf"), float("-inf"), 1e30):
        yield torch.full_like(images, value)
    yield images.roll(1, 0)


def told(output: Output) -> list[Tensor]:
    """All that a network answers."""
    return [output.logits, *output.coarse, *(each.image for each in output.fused)]


def test_the_plans_here_are_of_every_kind() -> None:
    plans = [parse_plan(text) for text in PLANS]
    assert {families.parse(plan.input).name for plan in plans} == set(INPUTS)
    assert {families.parse(plan.output).name for plan in plans} == set(OUTPUTS)


@every
@pytest.mark.parametrize(("dimensions", "task"), [(2, "segmentation"), (3, "segmentation"), (2, "classification")])
def test_what_is_absent_changes_not_a_bit(text: str, dimensions: int, task: str) -> None:
    network = network_of(text, dimensions, task)
    present = sets_of(len(network.inputs.modalities))
    grid = (7, 9, 5)[:dimensions]
    images = torch.randn(*present.shape, *grid, generator=torch.Generator().manual_seed(3))
    mask = present.view(*present.shape, *[1] * dimensions)
    with torch.inference_mode():
        answers = [told(network(torch.where(mask, images, filling), present)) for filling in fillings(images)]
    assert all(part.isfinite().all() for part in answers[0])
    for other in answers[1:]:
        assert all(torch.equal(one, two) for one, two in zip(answers[0], other, strict=True))
    whole = told(network(images, torch.ones_like(present)))
    if len(network.inputs.modalities) > 1:
        assert not torch.equal(whole[0][:-1], answers[0][0][:-1]), "absence is not without effect"


@every
def test_what_is_absent_spoils_no_training(text: str) -> None:
    network = network_of(text).train()
    present = sets_of(len(network.inputs.modalities))
    images = torch.randn(*present.shape, 8, 8, generator=torch.Generator().manual_seed(3))
    filled = torch.where(present[..., None, None], images, float("nan")).requires_grad_()
    network(filled, present).logits.square().sum().backward()
    assert filled.grad is not None
    assert not filled.grad[~present].any()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_a_learned_fill_is_what_stands_in_the_channel() -> None:
    network = network_of("concat(fill=learned)")
    (fill,) = network.inputs.fills
    images, present = torch.randn(1, 3, 8, 8), torch.tensor([[True, False, True]])
    by_hand = images.clone()
    by_hand[:, 1] = fill.value[1]
    assert torch.equal(network(images, present).logits, network(by_hand, torch.ones_like(present)).logits)
    network.train()(images, present).logits.square().sum().backward()
    assert [bool(gradient) for gradient in fill.value.grad] == [False, True, False]
    assert all(not v.any() for v in build_fills())


def test_a_learned_fill_learns_with_what_reads_it_and_not_with_the_fusion_net() -> None:
    network = network_of("concat(fill=learned)+lrrnet(a,c,n=2,iterations=1)")
    first, second = families.load("schedules", "decoupled")().phases(network, ("dice_ce", "fusion"))
    (fill,) = network.inputs.fills.parameters()
    learning = [any(p is fill for module in phase.modules for p in module.parameters()) for phase in (first, second)]
    assert learning == [False, True]


def build_fills() -> list[Tensor]:
    """The fills of a network at its start."""
    plan = parse_plan("concat(fill=learned)")
    backbone = families.load("backbones", "unet")(2, base=4, stages=1)
    network = build_network(plan, NAMES, backbone, task="segmentation", out_channels=1)
    fills: Any = network.inputs.fills
    return [fill.value for fill in fills]


SHAPE = (14, 17, 9)
REGIONS = (Region("whole", frozenset({1})),)


def save(path: Path, seed: int, box: tuple[slice, ...]) -> Path:
    array = np.zeros(SHAPE, np.int16)
    array[box] = np.random.default_rng(seed).integers(1, 999, array[box].shape)
    nib.save(nib.Nifti1Image(array, np.diag([1.0, 1, 2, 1])), path)
    return path


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Case, Cohort, Prepared]]:
    """One case whose modalities have boxes of their own: whole, with another patient's b, and without its b."""
    folder = tmp_path_factory.mktemp("missing")
    boxes = {"a": np.s_[2:9, 3:12, 1:7], "b": np.s_[1:13, 2:17, 0:9], "c": np.s_[3:11, 1:11, 2:8]}
    files = {name: save(folder / f"{name}.nii.gz", place, box) for place, (name, box) in enumerate(boxes.items())}
    other = save(folder / "other.nii.gz", 77, np.s_[0:14, 0:15, 0:8])
    label = folder / "label.nii.gz"
    nib.save(
        nib.Nifti1Image(np.pad(np.ones((3, 3, 3), np.uint8), ((5, 6), (6, 8), (3, 3))), np.diag([1.0, 1, 2, 1])), label
    )
    contents = {"whole": files, "other": {**files, "b": other}, "lacking": {n: files[n] for n in ("a", "c")}}
    found = {}
    for name, images in contents.items():
        case = Case("case", "case", images, label, label_values={1: 1})
        cohort = Cohort(NAMES, (case,), REGIONS)
        found[name] = (case, cohort, prepare_cohort(cohort, Preparation(), folder / name)["case"])
    return found


@every
@pytest.mark.parametrize("size", [(1, 16, 16), (4, 8, 8)], ids=["slices", "windows"])
def test_a_case_without_a_file_is_the_case_with_the_file_masked_out(
    text: str, size: tuple[int, int, int], stored: dict[str, tuple[Case, Cohort, Prepared]]
) -> None:
    """To the bit, from the files to the masks, whatever the file held, its box included."""
    modalities = parse_plan(text).modalities(NAMES)
    if set(modalities) <= {"b"}:
        pytest.skip("the plan reads nothing else")
    dimensions = 2 if size[0] == 1 else 3
    spec = run_spec(sampling={"dimensions": dimensions})
    model = make_model(spec, stored["whole"][1], network=network_of(text, dimensions), size=size, fabric=cpu())
    answers = []
    for case, cohort, prepared in stored.values():
        loaded = load_case(case, cohort, prepared, modalities, None, absent=("b",))
        masks = predict_masks(case, prepared, loaded, modalities, model).masks
        answers.append((model.predictor.logits(loaded), masks))
    for logits, masks in answers[1:]:
        assert torch.equal(logits, answers[0][0])
        assert np.array_equal(masks, answers[0][1])
    case, cohort, prepared = stored["whole"]
    if "b" in modalities:
        seen = load_case(case, cohort, prepared, modalities, None)
        assert seen.labels.shape != load_case(case, cohort, prepared, modalities, None, absent=("b",)).labels.shape
