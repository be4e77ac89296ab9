"""The fusion loss against a literal computation, and its extractor: a recorded choice, never a silent fallback."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from mrfusion import families
from mrfusion.errors import InputError, SpecError
from mrfusion.losses._base import FusedImage, Itemised, Output
from mrfusion.losses._vgg import Vgg

THIN = "fusion(width=0.05)"


def output_of(
    samples: int = 2, *, complete: tuple[bool, ...] = (True, True), grid: tuple[int, ...] = (16, 24)
) -> Output:
    generator = torch.Generator().manual_seed(samples)
    image, t1c, t2f = (torch.rand(samples, 1, *grid, generator=generator) for _ in range(3))
    fused = FusedImage("lrrnet(t1c,t2f)", image.requires_grad_(), {"t1c": t1c, "t2f": t2f}, torch.tensor(complete))
    return Output(torch.zeros(samples, 2, *grid), fused=[fused])


def loss_of(output: Output, text: str = THIN) -> Itemised:
    found = families.load("losses", text)(True)(output, torch.zeros(1))
    assert isinstance(found, Itemised)
    return found


def plain_features(vgg: Vgg, images: Tensor) -> list[Tensor]:
    """VGG-16 written out: numbers are torchvision's, and so is the normalisation; features in grey levels."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x, found, weights = (images.repeat(1, 3, 1, 1) / 255 - mean) / std, [], vgg.state_dict()
    for number in (0, 2, "pool", 5, 7, "pool", 10, 12, 14, "pool", 17, 19, 21):
        if number == "pool":
            found.append(x)
            x = functional.max_pool2d(x, 2)
        else:
            kernel, bias = weights[f"features.{number}.weight"], weights[f"features.{number}.bias"]
            x = functional.relu(functional.conv2d(x, kernel, bias, padding=1))
    return [57.63 * features for features in (*found, x)]


def test_every_term_by_formula() -> None:
    loss, output = families.load("losses", THIN)(True), output_of()
    found = loss(output, torch.zeros(1))
    images = (output.fused[0].image, output.fused[0].sources["t2f"], output.fused[0].sources["t1c"])
    f, d, c = (plain_features(loss.extractor, 255 * image) for image in images)

    def gram(x: Tensor) -> Tensor:
        return torch.einsum("bihw,bjhw->bij", x, x) / (512 * x.shape[2] * x.shape[3])

    mse = lambda a, b: (a - b).square().mean()  # noqa: E731
    terms = {
        "pixel": mse(255 * images[0], 255 * images[1]),
        "shallow": mse(f[0], d[0]),
        "middle": 0.01 * mse(f[1], 3.0 * c[1] + 0.5 * d[1]) + 0.5 * mse(f[2], 3.0 * c[2] + 0.5 * d[2]),
        "deep": mse(gram(f[3]), gram(c[3])),
    }
    assert found.terms.keys() == terms.keys()
    for name, value in terms.items():
        torch.testing.assert_close(found.terms[name], value)
    total = 10 * terms["pixel"] + 1.5 * terms["shallow"] + terms["middle"] + 2000 * terms["deep"]
    torch.testing.assert_close(found.total, total)
    found.total.backward()
    assert images[0].grad is not None
    assert all(p.grad is None and not p.requires_grad for p in loss.parameters())


def test_detail_and_contrast_are_arguments() -> None:
    output = output_of()
    fused = output.fused[0]
    fused.sources = {"t1c": fused.sources["t2f"], "t2f": fused.sources["t1c"]}
    torch.testing.assert_close(
        loss_of(output).total, loss_of(output_of(), "fusion(width=0.05,detail=t1c,contrast=t2f)").total
    )


def test_the_detail_image_itself_has_no_pixel_and_shallow_loss() -> None:
    output = output_of()
    output.fused[0].image = output.fused[0].sources["t2f"].clone()
    terms = loss_of(output).terms
    assert float(terms["pixel"]) == 0
    assert float(terms["shallow"]) == 0


def test_incomplete_samples_count_nothing() -> None:
    both, one = output_of(2, complete=(True, False)), output_of(2)
    first = one.fused[0]
    cut = FusedImage("x", first.image[:1], {k: v[:1] for k, v in first.sources.items()}, torch.tensor([True]))
    torch.testing.assert_close(loss_of(both).total, loss_of(Output(one.logits, fused=[cut])).total)
    nothing = loss_of(output_of(2, complete=(False, False)))
    assert float(nothing.total.detach()) == 0
    nothing.total.backward()


def test_a_volume_is_its_slices() -> None:
    volume = output_of(2, grid=(3, 8, 8))
    image = volume.fused[0]
    flat = FusedImage(
        "x",
        image.image.movedim(2, 1).reshape(6, 1, 8, 8),
        {k: v.movedim(2, 1).reshape(6, 1, 8, 8) for k, v in image.sources.items()},
        torch.ones(6, dtype=torch.bool),
    )
    torch.testing.assert_close(loss_of(volume).total, loss_of(Output(volume.logits, fused=[flat])).total)


def test_random_weights_are_the_same_everywhere() -> None:
    torch.manual_seed(1)
    one = families.load("losses", THIN)(True).extractor.state_dict()
    torch.manual_seed(2)
    two = families.load("losses", THIN)(True).extractor.state_dict()
    other = families.load("losses", "fusion(width=0.05,seed=1)")(True).extractor.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["features.0.weight"], other["features.0.weight"])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor]]:
    """A file as torchvision writes it, with random weights and the layers that are not needed."""
    torch.manual_seed(3)
    content = {name: 0.05 * torch.randn_like(value) for name, value in Vgg("a test").state_dict().items()}
    folder = tmp_path_factory.mktemp("vgg")
    more = content | {"features.24.weight": torch.zeros(2), "classifier.0.bias": torch.zeros(3)}
    torch.save(more, folder / "vgg16.pth")
    save_file(more, folder / "vgg16.safetensors")
    return folder, content


@pytest.mark.parametrize("name", ["vgg16.pth", "vgg16.safetensors"])
def test_weights_from_a_file(weights: tuple[Path, dict[str, Tensor]], name: str) -> None:
    folder, content = weights
    loss = families.load("losses", f"fusion(extractor=vgg16,weights='{folder / name}')")(True)
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert loss.recorded == {"extractor": f"vgg16, {name}, SHA-256 {digest}, torchvision scale"}
    found = loss.extractor.state_dict()
    assert found.keys() == content.keys()
    assert len(found) == 20
    assert all(torch.equal(found[key], content[key]) for key in content)
    assert [m.shape[1] for m in loss.extractor(torch.zeros(1, 1, 8, 8))] == [64, 128, 256, 512]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fusion(extractor=vgg16)", "needs weights"),
        ("fusion(weights='x.pth')", "takes no weights"),
        ("fusion(extractor=vgg19)", "no extractor is called 'vgg19'.*vgg16"),
        ("fusion(extractor=vgg16,weights='x',width=0.5)", "only random_vgg takes a width"),
        ("fusion(extractor=vgg16_caffe)", "needs weights"),
    ],
)
def test_options_that_do_not_fit(text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        families.load("losses", text)(True)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "half.pth")
    (tmp_path / "text.pth").write_text("no weights at all")
    (tmp_path / "text.safetensors").write_text("no weights at all")
    torch.save(nn.Linear(1, 1), tmp_path / "code.pth")
    for name in ("half.pth", "text.pth", "text.safetensors", "code.pth", "absent.pth"):
        with pytest.raises(InputError, match=r"expected torchvision's"):
            families.load("losses", f"fusion(extractor=vgg16,weights='{tmp_path / name}')")(True)


def test_a_plan_without_a_fitting_image_is_told() -> None:
    with pytest.raises(SpecError, match="fused images of this plan: none"):
        loss_of(Output(torch.zeros(1, 2, 8, 8)))
    with pytest.raises(SpecError, match=r"compares with adc and t1c; fused images of this plan: lrrnet\(t1c,t2f\)"):
        loss_of(output_of(), "fusion(width=0.05,detail=adc)")


def test_weights_of_caffe_s_scale_see_grey_levels_less_the_mean(tmp_path: Path) -> None:
    """The same network either way: one that divides by nothing, and one whose first layer and biases make up for it."""
    torch.manual_seed(4)
    caffe = {name: 0.05 * torch.randn_like(value) for name, value in Vgg("a test").state_dict().items()}
    means, deviations = torch.tensor((123.675, 116.28, 103.53)), torch.tensor((58.395, 57.12, 57.375))
    torchvision = {name: value / 57.63 if name.endswith("bias") else value for name, value in caffe.items()}
    torchvision["features.0.weight"] = caffe["features.0.weight"] * (deviations / 57.63).view(1, 3, 1, 1)
    names = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3")
    styled = [f"conv{name}.{kind}" for name in names for kind in ("weight", "bias")]
    torch.save(dict(zip(styled, caffe.values(), strict=True)), tmp_path / "styled.pth")
    torch.save(torchvision, tmp_path / "torchvision.pth")
    one, other = (
        families.load("losses", f"fusion(extractor={kind},weights='{tmp_path / name}.pth')")(True).extractor
        for name, kind in (("styled", "vgg16_caffe"), ("torchvision", "vgg16"))
    )
    assert one.identity.endswith("caffe scale")
    assert one.mean.flatten().tolist() == pytest.approx([103.939, 116.779, 123.68])
    one.mean.copy_(means.view(1, 3, 1, 1))  # Caffe's own means are another selection of the same images
    grey = 255 * torch.rand(1, 1, 8, 8)
    for found, expected in zip(one(grey), other(grey), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_a_thinner_extractor_does_not_change_the_balance() -> None:
    """The deep term is divided by the full width's channels: by its own, a quarter of them would count 16 times."""
    deep = []
    for width in (0.0625, 0.25):
        terms = [loss_of(output_of(grid=(32, 32)), f"fusion(width={width},seed={seed})").terms for seed in range(6)]
        deep.append(sum(float((t["deep"] / t["shallow"]).detach()) for t in terms) / len(terms))
    assert 1 / 3 < deep[0] / deep[1] < 3
