"""Networks of somebody else's, as they are: MONAI's and any class of modules, for plans with one stream."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mrfusion.errors import SpecError
from mrfusion.model.whole import WholeNetwork, backbone_named
from mrfusion.plan import parse_plan
from mrfusion.run_folder.quantity import Quantity
from tiny import fitted, run_spec, training_of, weights_of


class Average(nn.Module):
    """The mean of its channels, scaled by one weight for each output; on half the grid too, in training."""

    multiple = 4

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int, *, factor: float = 1.0) -> None:
        super().__init__()
        self.factor, self.dimensions = factor, spatial_dims
        self.weight = nn.Parameter(torch.ones(out_channels))

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        assert all(n % 4 == 0 for n in images.shape[2:])
        weight = self.weight.view(-1, *[1] * self.dimensions)
        logits = self.factor * weight * images.mean(1, keepdim=True)
        half = (slice(None), slice(None), *[slice(None, None, 2)] * self.dimensions)
        return [logits, logits[half]] if self.training else logits


class Strange(Average):
    """Forgets its last row."""

    def forward(self, images: Tensor) -> Tensor:
        return images[:, :, 1:]


def whole(text: str, plan: str = "concat", dimensions: int = 2, outputs: int = 3) -> WholeNetwork:
    torch.manual_seed(0)
    made = backbone_named(text, dimensions)
    return WholeNetwork(parse_plan(plan), parse_plan(plan).modalities(("a", "b")), made, outputs)  # type: ignore[arg-type]


def test_a_class_of_ones_own_gets_padded_images_and_absent_modalities_as_zeros() -> None:
    network = whole("test_whole:Average(factor=2)").eval()
    images, present = torch.randn(2, 2, 13, 18), torch.tensor([[True, True], [True, False]])
    images[1, 1] = torch.nan
    logits = network(images, present).logits
    assert network.stride == (4, 4)
    torch.testing.assert_close(logits[0], (2 * images[0].mean(0)).expand(3, -1, -1))
    torch.testing.assert_close(logits[1], images[1, 0].expand(3, -1, -1))
    assert [tuple(c.shape) for c in network.train()(images.nan_to_num(), present).coarse] == [(2, 3, 8, 10)]


@pytest.mark.parametrize(
    ("text", "dimensions", "grid", "shape"),
    [
        ("monai(SwinUNETR,feature_size=12)", 2, (33, 40), (2, 3, 33, 40)),
        ("monai(SwinUNETR,feature_size=12)", 3, (20, 33, 18), (2, 3, 20, 33, 18)),
        ("monai(UNet,channels=(4,8),strides=(2,),multiple=2)", 3, (5, 6, 9), (2, 3, 5, 6, 9)),
        ("monai(SegResNet,init_filters=8,multiple=8)", 2, (20, 12), (2, 3, 20, 12)),
        ("monai(DenseNet121)", 2, (40, 33), (2, 3)),
    ],
)
def test_networks_of_monai(text: str, dimensions: int, grid: tuple[int, ...], shape: tuple[int, ...]) -> None:
    network = whole(text, dimensions=dimensions)
    logits = network.train()(torch.randn(2, 2, *grid), torch.ones(2, 2, dtype=torch.bool)).logits
    assert logits.shape == shape
    assert logits.isfinite().all()


def test_the_seed_alone_decides_the_first_weights() -> None:
    first, again = (whole("monai(UNet,channels=(4,8),strides=(2,),multiple=2)").state_dict() for _ in range(2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())


def test_a_whole_network_is_trained(tmp_path: Path) -> None:
    network = "monai(UNet,channels=(4,8),strides=(2,),multiple=2)"
    spec = run_spec(network=network, budget={"epochs": 2})
    training = training_of(spec, tmp_path / "run")
    before = weights_of(training)
    history = fitted(spec, training)
    assert len(history.of(Quantity.parse("train/dice_ce"))) == 2
    assert any(not torch.equal(value, before[name]) for name, value in weights_of(training).items())


@pytest.mark.parametrize("plan", ["separate[mean]", "separate>mean", "concat>image(a,b)"])
def test_streams_that_meet_need_levels(plan: str) -> None:
    with pytest.raises(SpecError, match="needs the levels of a network"):
        whole("test_whole:Average", plan)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("monai.networks.nets:UNet", "UNet cannot be built with in_channels=2.*channels.*Options go in"),
        ("monai(SwinUNTER)", "did you mean 'SwinUNETR'"),
        ("monai(UNet,channels=(4,8))", "cannot be built with these options"),
        ("monai(UNet,channels=(4,8),strides=(2,),multiple=0)", "multiple: expected a whole number"),
        ("monai(EfficientNetBN,model_name='efficientnet-b0',pretrained=true)", "pretrained weights are not fetched"),
    ],
)
def test_what_cannot_be_built_says_why(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        whole(text)


def test_pretrained_weights_are_never_fetched() -> None:
    assert whole("monai(EfficientNetBN,model_name='efficientnet-b0')").network is not None


def test_what_gives_no_logits_is_found_before_a_training() -> None:
    whole("test_whole:Average").check("mine")
    with pytest.raises(SpecError, match=r"network mine: expected logits of \(1, 3, 8, 8\), found \(1, 2, 7, 8\)"):
        whole("test_whole:Strange").check("mine")
    with pytest.raises(SpecError, match=r"network monai\(UNETR\) fails on images|cannot be built"):
        whole("monai(UNETR,img_size=48)").check("monai(UNETR)")
