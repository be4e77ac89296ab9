"""The signal equations against numbers worked out by hand, and the fields against what they promise."""

import numpy as np
import pytest

from mrfusion.phantom.controls import XOR_BRIGHT, XOR_DARK
from mrfusion.phantom.fields import Grid, SmoothField, cubic_basis
from mrfusion.phantom.scanner import rician
from mrfusion.phantom.signal import (
    NORMAL,
    SEQUENCES,
    Canvas,
    InversionRecovery,
    SpinEcho,
    Tissue,
    with_gadolinium,
)


def test_spin_echo_by_hand() -> None:
    # 0.70 (1 - e^(-600/830)) e^(-10/70) = 0.70 x 0.514656 x 0.866878
    assert SpinEcho(600, 10).signal(830.0, 70.0, 0.70) == pytest.approx(0.312300, abs=2e-5)
    # 1.0 (1 - e^(-4500/4200)) e^(-95/1700) = 0.657483 x 0.945650
    assert SpinEcho(4500, 95).signal(4200.0, 1700.0, 1.0) == pytest.approx(0.621749, abs=2e-4)


def test_inversion_recovery_by_hand() -> None:
    # 0.86 |1 - 2 e^(-2480/1450) + e^(-9000/1450)| e^(-120/160) = 0.86 x 0.640407 x 0.472367
    assert InversionRecovery(9000, 120, 2480).signal(1450.0, 160.0, 0.86) == pytest.approx(0.260155, abs=2e-4)


def test_inversion_recovery_nulls_csf_and_is_a_magnitude() -> None:
    # 1 - 2 e^(-2480/4200) + e^(-9000/4200) = 1 - 1.108121 + 0.117319
    assert float(SEQUENCES["t2f"].signal(4200.0, 1700.0, 1.0)) == pytest.approx(0.009198 * 0.931848, rel=0.02)
    assert float(SEQUENCES["t2f"].signal(9000.0, 1700.0, 1.0)) > 0


def test_gadolinium_by_hand() -> None:
    # 1 / (1/1.55 s + 4.3 x 0.5) = 1 / 2.795161 s = 357.76 ms
    assert with_gadolinium(1550.0, 0.5) == pytest.approx(357.76, abs=0.01)
    assert with_gadolinium(1550.0, 0.0) == pytest.approx(1550.0)


def test_contrasts_have_the_order_that_readers_know() -> None:
    def order(sequence: str) -> list[str]:
        return sorted(
            NORMAL, key=lambda n: float(SEQUENCES[sequence].signal(NORMAL[n].t1_ms, NORMAL[n].t2_ms, NORMAL[n].pd))
        )

    assert order("t1n") == ["csf", "grey", "white"]
    assert order("t2w") == ["white", "grey", "csf"]
    assert order("t2f") == ["csf", "white", "grey"]


def test_texture_is_the_first_derivative() -> None:
    plain, tissue = Tissue(1350, 98, 0.82), Tissue(1350, 98, 0.82, 0.03)
    canvas = Canvas(np.array([[1.0], [-1.0]], dtype=np.float32))
    canvas.paint(tissue, np.ones(1, np.float32))
    exact = [s.signal(plain.t1_ms * 1.03, plain.t2_ms * 0.97, plain.pd) for s in SEQUENCES.values()]
    np.testing.assert_allclose(canvas.signals_MN[:, 0], np.array(exact), rtol=5e-3)


def test_paint_covers_by_weight_and_only_t1c_sees_contrast_agent() -> None:
    canvas = Canvas(np.zeros((2, 3), np.float32))
    canvas.paint(NORMAL["csf"], np.ones(3, np.float32))
    before = canvas.signals_MN.copy()
    canvas.paint(NORMAL["white"], np.array([0, 0.25, 1], np.float32))
    white = [float(s.signal(830.0, 70.0, 0.70)) for s in SEQUENCES.values()]
    np.testing.assert_allclose(canvas.signals_MN[:, 2], white, rtol=1e-5)
    np.testing.assert_allclose(canvas.signals_MN[:, 1], 0.75 * before[:, 1] + 0.25 * np.array(white), rtol=1e-5)
    canvas.paint(NORMAL["white"], np.array([0, 0, 1], np.float32), np.full(3, 0.5, np.float32))
    assert canvas.signals_MN[1, 2] > 1.5 * white[1]
    np.testing.assert_allclose(canvas.signals_MN[[0, 2, 3], 2], np.array(white)[[0, 2, 3]], rtol=1e-5)


@pytest.mark.parametrize("modality", ["t1n", "t1c"])
def test_xor_interiors_look_the_same_in_t1(modality: str) -> None:
    bright, dark = (float(SEQUENCES[modality].signal(t.t1_ms, t.t2_ms, t.pd)) for t in (XOR_BRIGHT, XOR_DARK))
    assert bright == pytest.approx(dark, rel=1e-5)
    assert float(SEQUENCES["t2w"].signal(2200.0, 260.0, XOR_BRIGHT.pd)) > 2 * float(
        SEQUENCES["t2w"].signal(2200.0, 60.0, XOR_DARK.pd)
    )


def test_cubic_splines_add_up_to_one() -> None:
    basis = cubic_basis(np.linspace(0, 30, 50, dtype=np.float32), 5.0, -15.0, 13)
    np.testing.assert_allclose(basis.sum(1), 1, atol=1e-5)
    assert cubic_basis(np.zeros(1, np.float32), 5.0, 0.0, 2)[0] == pytest.approx([2 / 3, 1 / 6])


def test_fields_have_unit_variance_and_do_not_depend_on_the_grid() -> None:
    field = SmoothField(np.random.default_rng(3), 8.0)
    coarse, fine = field.on(Grid(6.0).axes), field.on(Grid(2.0).axes)
    assert abs(float(fine.mean())) < 0.1
    assert float(fine.std()) == pytest.approx(1, abs=0.1)
    x, y, z = Grid(6.0).axes
    one = field.on((x[4:5], y[7:8], z[2:3]))
    np.testing.assert_allclose(one[0, 0, 0], coarse[4, 7, 2], rtol=1e-4)


def test_distance_to_zero_grows_by_a_millimetre_a_millimetre() -> None:
    field = SmoothField(np.random.default_rng(5), 20.0)
    axes = Grid(1.0).axes
    x = axes[0][60:130]
    line = field.on((x, axes[1][90:91], axes[2][80:81]))[:, 0, 0]
    distance = field.distance_to_zero((x, axes[1][90:91], axes[2][80:81]))[:, 0, 0]
    assert (np.diff(np.sign(line)) != 0).any()
    crossing = int(np.flatnonzero(np.diff(np.sign(line)))[0])
    assert distance[crossing] + distance[crossing + 1] <= 1.05


def test_rician_noise_without_signal_is_rayleigh() -> None:
    noise = rician(np.random.default_rng(0), np.zeros((40, 40, 40), np.float32), 2.0)
    assert float(noise.mean()) == pytest.approx(2 * np.sqrt(np.pi / 2), rel=0.02)
