"""Every image fusion keeps one contract: images of some modalities in, one image out."""

import pytest
import torch
from torch import nn

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.image_fusions._base import ImageFusion

every = pytest.mark.parametrize("name", families.names("image_fusions"))
NAMED = {"copy": ("t1c",)}  # those that need a certain number of modalities


def make(name: str) -> ImageFusion:
    torch.manual_seed(0)
    fusion = families.load("image_fusions", name)(*NAMED.get(name, ("t1c", "t2f")))
    assert isinstance(fusion, ImageFusion)
    assert isinstance(fusion, nn.Module)
    return fusion.eval()


@every
@pytest.mark.parametrize("grid", [(16, 16), (17, 33), (8, 16, 9)])
def test_one_channel_on_the_same_grid(name: str, grid: tuple[int, ...]) -> None:
    fusion = make(name)
    images = torch.randn(2, len(fusion.modalities), *grid)
    fused = fusion(images)
    assert fused.shape == (2, 1, *grid)
    assert fused.isfinite().all()


@every
def test_remembers_the_modalities_it_was_given(name: str) -> None:
    assert make(name).modalities == NAMED.get(name, ("t1c", "t2f"))


@every
def test_the_names_stand_in_the_text(name: str) -> None:
    text = f"{name}({','.join(NAMED.get(name, ('t1c', 't2f')))})"
    assert families.load("image_fusions", text)().modalities == make(name).modalities


@every
def test_state_round_trip(name: str) -> None:
    fusion, other = make(name), make(name)
    other.load_state_dict(fusion.state_dict())
    images = torch.randn(1, len(fusion.modalities), 16, 16)
    assert torch.equal(fusion(images), other(images))


def test_the_controls_by_hand() -> None:
    images = torch.tensor([[1.0, 3.0]]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
    assert families.load("image_fusions", "mean_image")("x", "y")(images).eq(2).all()
    assert families.load("image_fusions", "zeros")()(images).eq(0).all()
    assert torch.equal(families.load("image_fusions", "copy")("x")(images[:, :1]), images[:, :1])


def test_copy_takes_exactly_one() -> None:
    with pytest.raises(SpecError, match=r"expected copy\(x\) with one modality, found copy\(x, y\)"):
        families.load("image_fusions", "copy(x,y)")()
