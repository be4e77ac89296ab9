"""Prediction of whole cases: slices whole, boxes in a window; a network that copies tells where things go."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mrfusion.data.sample import LoadedCase
from mrfusion.errors import SpecError
from mrfusion.losses._base import Output
from mrfusion.training.assemble import make_model, make_network, sample_size
from mrfusion.training.predict import Predictor
from tiny import MODALITIES, cohort_of, cpu, loaded_cases, run_spec


class Echo(nn.Module):
    """Logits that are the images: 2-D (b, m, h, w) or 3-D (b, m, d, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, images: Tensor, present: Tensor) -> Output:
        assert present.shape == images.shape[:2]
        assert not torch.is_grad_enabled()
        self.shapes.append(tuple(images.shape))
        return Output(images)


def case_of(shape: tuple[int, int, int], slices: tuple[int, int] | None = None) -> LoadedCase:
    images = np.random.default_rng(0).normal(size=(shape[0], 2, *shape[1:])).astype(np.float16)
    return LoadedCase("a", images, np.zeros(shape, np.uint8), (True, True), -1, slices or (0, shape[0]))


def predictor(network: nn.Module, size: tuple[int, int, int]) -> Predictor:
    return Predictor(network, size, torch.device("cpu"), cpu().autocast)


def wanted(case: LoadedCase) -> Tensor:
    first, last = case.slices
    return torch.from_numpy(case.images[first:last].astype(np.float32)).movedim(1, 0)


@pytest.mark.parametrize("case", [case_of((11, 17, 19)), case_of((11, 17, 19), (3, 9)), case_of((1, 8, 8))])
def test_boxes_of_one_slice_see_every_slice_whole(case: LoadedCase) -> None:
    network = Echo()
    found = predictor(network, (1, 8, 8)).logits(case)
    assert torch.equal(found, wanted(case))
    assert {shape[2:] for shape in network.shapes} == {case.images.shape[2:]}
    assert max(shape[0] for shape in network.shapes) <= 8


@pytest.mark.parametrize(
    "case", [case_of((11, 17, 19)), case_of((11, 17, 19), (3, 9)), case_of((3, 6, 20)), case_of((1, 8, 8))]
)
def test_boxes_are_slid_over_and_put_back_at_their_place(case: LoadedCase) -> None:
    """Smaller cases than the window included; every window that covers a voxel says the same of it."""
    network = Echo()
    found = predictor(network, (4, 8, 8)).logits(case)
    torch.testing.assert_close(found, wanted(case), rtol=0, atol=1e-5)
    assert {shape[2:] for shape in network.shapes} == {(4, 8, 8)}


def test_windows_near_their_middle_count_more() -> None:
    """A network that is wrong at the border of its window is outvoted there by the overlapping windows."""

    class BadBorder(nn.Module):
        def forward(self, images: Tensor, present: Tensor) -> Output:
            logits = torch.ones_like(images[:, :1])
            logits[:, :, :, :1] = -1.5
            return Output(logits)

    found = predictor(BadBorder(), (4, 8, 8)).logits(case_of((4, 24, 24)))
    assert (found[0, 1:3, 1:, 8:16] > 0).all()


def test_class_logits_are_the_mean_over_slices_or_windows() -> None:
    class Mean(nn.Module):
        def forward(self, images: Tensor, present: Tensor) -> Output:
            return Output(images.flatten(2).mean(2))

    case = case_of((8, 8, 8), (2, 6))
    flat = predictor(Mean(), (1, 8, 8)).class_logits(case)
    torch.testing.assert_close(flat, wanted(case).flatten(1).mean(1))
    assert predictor(Mean(), (4, 8, 8)).class_logits(case).shape == (2,)


def test_a_network_is_put_into_evaluation() -> None:
    network = nn.BatchNorm2d(2).train()
    predictor(network, (1, 8, 8))
    assert not network.training


@pytest.mark.parametrize("dimensions", [2, 3])
def test_whole_prediction_equals_the_network_on_the_whole_image(dimensions: int) -> None:
    cases = loaded_cases(1, shape=(4, 16, 16))
    spec = run_spec(sampling={"dimensions": dimensions})
    network = make_network(spec, cohort_of(cases))
    size = (1, 16, 16) if dimensions == 2 else (4, 16, 16)
    model = make_model(spec, cohort_of(cases), network=network, size=size, fabric=cpu())
    images = torch.from_numpy(cases[0].images)
    present = torch.ones(4 if dimensions == 2 else 1, 2, dtype=torch.bool)
    with torch.inference_mode():
        if dimensions == 2:
            expected = network(images, present).logits.movedim(0, 1)
        else:
            expected = network(images.movedim(1, 0)[None], present).logits[0]
    torch.testing.assert_close(model.predictor.logits(cases[0]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "shapes", "expected"),
    [
        ({}, [(9, 20, 31), (9, 22, 30)], (1, 22, 32)),
        ({}, [(9, 300, 20)], (1, 256, 20)),
        ({"sampling": {"size": [24, 25]}}, [(9, 300, 20)], (1, 24, 26)),
        ({"sampling": {"dimensions": 3}}, [(9, 20, 131)], (10, 20, 96)),
        ({"sampling": {"dimensions": 3, "size": [8, 9, 10]}}, [(9, 20, 131)], (8, 10, 10)),
    ],
)
def test_the_size_of_a_sample(
    changes: dict[str, object], shapes: list[tuple[int, int, int]], expected: tuple[int, int, int]
) -> None:
    spec = run_spec(**changes)
    network = make_network(spec, cohort_of(loaded_cases(1)))
    assert network.stride == (2,) * spec.sampling.dimensions
    assert sample_size(spec, shapes, network) == expected


def test_a_size_that_does_not_fit_the_dimensions() -> None:
    spec = run_spec(sampling={"dimensions": 3, "size": [16, 16]})
    with pytest.raises(SpecError, match=r"expected 3 numbers, as sampling\.dimensions is 3"):
        sample_size(spec, [(9, 9, 9)], make_network(spec, cohort_of(loaded_cases(1))))
    assert MODALITIES == ("a", "b")
