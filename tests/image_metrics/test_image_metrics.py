"""Every image metric: its contract, its invariances, and references by hand or patch by patch."""

from typing import Any

import numpy as np
import pytest
from image_literal import halve, mef_ssim, qabf_by_pixel, ssim_pair, vif_pair
from scipy.ndimage import gaussian_filter
from sklearn.metrics import mutual_info_score

from mrfusion import families
from mrfusion.errors import CaseError, SpecError
from mrfusion.image_metrics._images import Convention, FusedImages
from mrfusion.result import Value

NAMES = families.names("image_metrics")


def images_of(shape: tuple[int, ...], *, seed: int = 0, **options: Any) -> FusedImages:
    """Smooth random whole numbers from 0 to 255; the fused image is near the mean of the two sources."""
    random = np.random.default_rng(seed)

    def smooth() -> np.ndarray:
        noise = gaussian_filter(random.normal(size=shape), 1.5) + 0.05 * random.normal(size=shape)
        return np.rint(255 * (noise - noise.min()) / np.ptp(noise))

    a, b = smooth(), smooth()
    fused = np.rint(np.clip((a + b) / 2 + random.normal(size=shape), 0, 255))
    return FusedImages(fused, {"a": a, "b": b}, (0, 255), **options)


def alike(shape: tuple[int, ...], convention: Convention = "exact") -> FusedImages:
    image = images_of(shape).fused
    return FusedImages(image, {"a": image, "b": image}, (0, 255), convention)


def flat(fused: float, a: float, b: float, *, shape: tuple[int, ...] = (2, 2)) -> FusedImages:
    return FusedImages(np.full(shape, fused), {"a": np.full(shape, a), "b": np.full(shape, b)}, (0, 255))


def ask(name: str, images: FusedImages) -> Value:
    return families.load("image_metrics", name)(images)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("convention", ["exact", "published"])
def test_value_lies_in_the_stated_range(name: str, convention: Convention) -> None:
    about = families.module_of("image_metrics", name).ABOUT
    value = ask(name, images_of((170, 165), convention=convention))
    assert value.status == "scored"
    assert about.better in ("higher", "lower")
    high = 2 if name == "vif" else about.range[1]
    assert about.range[0] <= float(value) <= high


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(12, 11, 13), (5, 7)])
def test_other_images_are_scored_or_refused_with_a_reason(name: str, shape: tuple[int, ...]) -> None:
    about = families.module_of("image_metrics", name).ABOUT
    value = ask(name, images_of(shape))
    assert np.isnan(float(value)) == (value.status == "undefined") == bool(value.reason)
    if len(shape) == 3:
        assert (value.status == "scored") == (3 in about.dimensions)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("convention", ["exact", "published"])
def test_the_order_of_the_sources_does_not_matter(name: str, convention: Convention) -> None:
    images = images_of((165, 170), convention=convention)
    turned = FusedImages(images.fused, dict(reversed(list(images.sources.items()))), (0, 255), convention)
    assert float(ask(name, turned)) == pytest.approx(float(ask(name, images)), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_exact_values_do_not_depend_on_the_scale(name: str) -> None:
    """The same images on -1 to 1: equal, or in proportion where the unit is a grey value."""
    about = families.module_of("image_metrics", name).ABOUT
    images = images_of((165, 161))
    moved = FusedImages(images.fused / 127.5 - 1, {n: s / 127.5 - 1 for n, s in images.sources.items()}, (-1, 1))
    factor = 127.5 if "grey value" in about.unit else 1.0
    assert float(ask(name, moved)) * factor == pytest.approx(float(ask(name, images)), abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_published_values_do_not_depend_on_the_scale(name: str) -> None:
    images = images_of((50, 60))
    moved = FusedImages(
        images.fused / 255, {n: s / 255 for n, s in images.sources.items()}, (0, 1), convention="published"
    )
    expected = ask(name, FusedImages(images.fused, images.sources, (0, 255), "published"))
    assert float(ask(name, moved)) == pytest.approx(float(expected), rel=1e-8)


@pytest.mark.parametrize(("name", "exact", "published"), [("ssim", 1, 1), ("ms_ssim", 1, 1), ("vif", 1, 2)])
def test_identical_images_are_kept_whole(name: str, exact: float, published: float) -> None:
    assert float(ask(name, alike((161, 170)))) == pytest.approx(exact, abs=1e-6)
    assert float(ask(name, alike((161, 170), "published"))) == pytest.approx(published, abs=1e-3)


def test_edges_of_identical_images_end_where_the_sigmoids_end() -> None:
    exact = 0.9994 / (1 + np.exp(-7.5)) * 0.9879 / (1 + np.exp(-4.4))
    assert float(ask("qabf", alike((50, 60)))) == pytest.approx(exact, abs=1e-12)
    published = np.sqrt(0.9999 / (1 + np.exp(-9.5)) * 0.9995 / (1 + np.exp(-11)))
    assert float(ask("qabf", alike((50, 60), "published"))) == pytest.approx(published, abs=1e-3)


def test_identical_images_have_no_noise_and_no_difference() -> None:
    images = alike((20, 20))
    assert ask("psnr", images).status == ask("scd", images).status == "undefined"
    assert float(ask("mi", images)) == pytest.approx(2 * float(ask("en", images)))


def test_steps_and_spread_by_hand() -> None:
    ramp = np.array([[0.0, 10.0], [20.0, 30.0]])
    images = FusedImages(ramp, {"a": ramp, "b": ramp}, (0, 255))
    assert float(ask("sf", images)) == pytest.approx(np.sqrt(10**2 + 20**2))
    assert float(ask("ag", images)) == pytest.approx(np.sqrt((10**2 + 20**2) / 2))
    assert float(ask("sd", images)) == pytest.approx(np.sqrt(125))
    assert float(ask("en", images)) == 2
    published = FusedImages(ramp, {"a": ramp, "b": ramp}, (0, 255), "published")
    assert float(ask("ag", published)) == pytest.approx(4 * np.sqrt(250))


def test_noise_by_hand() -> None:
    images = flat(100, 100 + 51, 100 - 51)
    assert float(ask("psnr", images)) == pytest.approx(20 * np.log10(5))
    published = FusedImages(images.fused, images.sources, (0, 255), "published")
    assert float(ask("psnr", published)) == pytest.approx(20 * np.log10(5) + 20 * np.log10(255))


def test_information_and_correlation_against_scikit_learn_and_numpy() -> None:
    images = images_of((40, 50))
    a, b = images.images
    shared = sum(mutual_info_score(s.astype(int).ravel(), images.fused.astype(int).ravel()) for s in (a, b))
    assert float(ask("mi", images)) == pytest.approx(shared / np.log(2), abs=1e-10)
    expected = np.corrcoef((images.fused - b).ravel(), a.ravel()) + np.corrcoef((images.fused - a).ravel(), b.ravel())
    assert float(ask("scd", images)) == pytest.approx(expected[0, 1], abs=1e-12)
    added = FusedImages(a / 2 + b / 2, {"a": a / 2, "b": b / 2}, (0, 255))
    assert float(ask("scd", added)) == pytest.approx(2)


def test_ssim_window_by_window() -> None:
    images = images_of((15, 17))
    expected = np.mean([ssim_pair(s, images.fused, 255)[0] for s in images.images])
    assert float(ask("ssim", images)) == pytest.approx(expected, abs=1e-12)


def test_ms_ssim_scale_by_scale() -> None:
    images = images_of((161, 161))
    values = []
    for source in images.images:
        x, y, value = source, images.fused, 1.0
        for weight in [0.0448, 0.2856, 0.3001, 0.2363]:
            value *= max(ssim_pair(x, y, 255)[1], 0) ** weight
            x, y = halve(x), halve(y)
        values.append(value * max(ssim_pair(x, y, 255)[0], 0) ** 0.1333)
    assert float(ask("ms_ssim", images)) == pytest.approx(np.mean(values), abs=1e-12)


def test_published_ms_ssim_patch_by_patch() -> None:
    images = images_of((43, 41), convention="published")
    sources, fused, expected = list(images.images), images.fused, 1.0
    for weight in np.array([0.0448, 0.2856, 0.3001]) / 0.6305:
        expected *= mef_ssim(sources, fused) ** weight
        sources, fused = [halve(s) for s in sources], halve(fused)
    assert float(ask("ms_ssim", images)) == pytest.approx(expected, abs=1e-10)


def test_vif_window_by_window() -> None:
    random = np.random.default_rng(3)
    a = np.rint(random.uniform(0, 200, (45, 44)))
    images = FusedImages(np.rint(a * 0.8 + random.uniform(0, 30, a.shape)), {"a": a, "b": a}, (0, 255))
    assert float(ask("vif", images)) == pytest.approx(vif_pair(a, images.fused), abs=1e-9)
    raised = FusedImages(a * 1.2, {"a": a, "b": a}, (0, 255))
    assert float(ask("vif", raised)) > 1


def test_qabf_pixel_by_pixel() -> None:
    images = images_of((9, 12))
    assert float(ask("qabf", images)) == pytest.approx(qabf_by_pixel(images.fused, list(images.images)), abs=1e-12)


def test_flat_images_have_no_edges_and_no_information() -> None:
    images = flat(10, 20, 30, shape=(50, 50))
    for name in ("qabf", "vif", "scd"):
        assert ask(name, images).status == "undefined", name
    assert float(ask("en", images)) == float(ask("mi", images)) == float(ask("sd", images)) == 0


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"fused": np.zeros((3, 4))}, CaseError, "one shape"),
        ({"fused": np.zeros(3)}, CaseError, "2-D or 3-D"),
        ({"fused": np.full((4, 4), np.nan)}, CaseError, "NaN"),
        ({"fused": np.full((4, 4), 300.0)}, CaseError, "outside data_range"),
        ({"sources": {"a": np.zeros((4, 4))}}, CaseError, "two source images"),
        ({"data_range": (1, 0)}, SpecError, "low below high"),
        ({"convention": "publish"}, SpecError, "did you mean 'published'"),
    ],
)
def test_images_that_do_not_fit_together_are_refused(change: dict, error: type[Exception], message: str) -> None:
    zeros = np.zeros((4, 4))
    given = {"fused": zeros, "sources": {"a": zeros, "b": zeros}, "data_range": (0, 255)}
    with pytest.raises(error, match=message):
        FusedImages(**{**given, **change})


def test_the_published_conventions_are_for_2d_images() -> None:
    with pytest.raises(CaseError, match="2-D images"):
        images_of((12, 12, 12), convention="published")
