"""Levels, strides and kernels by hand, and what memory does to a patch."""

import pytest

from mrfusion.errors import SpecError
from mrfusion.planning.doubts import few_slices, never_labelled, too_large
from mrfusion.planning.presets import PRESETS, memory_of, preset_named
from mrfusion.planning.topology import Room, coarsen, fit_batch, fit_memory, map_points


def test_an_even_grid_is_halved_to_four_points() -> None:
    found = coarsen((1.0, 1.0, 1.0), (32, 32, 32))
    assert found.strides == ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2))
    assert found.kernels == ((3, 3, 3),) * 4
    assert found.grids() == [(32, 32, 32), (16, 16, 16), (8, 8, 8), (4, 4, 4)]
    assert found.multiple == (8, 8, 8)


def test_a_coarse_axis_is_halved_and_convolved_once_the_others_have_come_up_to_it() -> None:
    """4 mm between slices of 1 mm: in the plane twice alone, then all three; until then kernels are flat."""
    found = coarsen((4.0, 1.0, 1.0), (16, 64, 64))
    assert found.strides == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))
    assert found.kernels == ((1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))


def test_a_patch_is_enlarged_to_a_multiple_of_its_strides() -> None:
    found = coarsen((1.0, 1.0), (50, 33))
    assert found.multiple == (8, 8)
    assert found.patch == (56, 40)


def test_one_axis_alone_is_halved_while_it_has_twelve_points() -> None:
    assert coarsen((1.0, 1.0), (8, 12)).strides == ((1, 1), (2, 2))
    assert coarsen((1.0, 1.0), (4, 12)).strides == ((1, 1), (1, 2))
    assert coarsen((1.0, 1.0), (4, 11)).strides == ((1, 1),)


def test_map_points_of_a_plain_network_by_hand() -> None:
    """Levels of 32 and 64 channels on 8 x 8 and 4 x 4: two convolutions each, one up, two after it, three logits."""
    found = map_points(preset_named("nnunet"), coarsen((1.0, 1.0), (8, 8)), 3)
    assert found == 2 * 32 * 64 + 2 * 64 * 16 + (1 + 2) * 32 * 64 + 3 * 64


def test_less_memory_makes_a_smaller_patch_and_never_fewer_than_two_samples() -> None:
    preset, spacing, shape = preset_named("nnunet"), (1.0, 1.0, 1.0), (150.0, 180.0, 140.0)
    fits = [fit_memory(preset, spacing, shape, Room(memory, 1e9, 4)) for memory in (24.0, 8.0, 2.0)]
    points = [fit.topology.patch[0] * fit.topology.patch[1] * fit.topology.patch[2] for fit in fits]
    assert points == sorted(points, reverse=True)
    assert len(set(points)) == 3
    assert [fit.batch for fit in fits][1:] == [2, 2]
    assert fits[2].reduced


def test_without_a_gpu_our_plan_has_small_steps_and_nnunets_has_its_own() -> None:
    assert memory_of(preset_named("residual"), gpu=True) == 8
    assert memory_of(preset_named("residual"), gpu=False) < 1
    for name in set(PRESETS) - {"residual"}:
        assert memory_of(preset_named(name), gpu=False) == preset_named(name).memory_gb
    preset, shape = preset_named("residual"), (474.0, 471.0)
    fit = fit_memory(preset, (0.73, 0.73), shape, Room(memory_of(preset, gpu=False), 1e8, 5))
    assert fit.reduced
    assert fit.batch * fit.topology.patch[0] * fit.topology.patch[1] < 200_000


def test_a_step_sees_no_more_than_its_share_of_all_voxels() -> None:
    topology = coarsen((1.0, 1.0), (64, 64))
    rooms = [Room(8.0, voxels * 64 * 64, 4) for voxels in (10_000, 200, 10)]
    assert [fit_batch(preset_named("nnunet"), topology, room) for room in rooms][1:] == [10, 2]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_plans_for_both_dimensions(name: str) -> None:
    preset = PRESETS[name]
    for spacing, shape in (((1.0, 1.0), (60.0, 70.0)), ((2.0, 1.0, 1.0), (30.0, 60.0, 70.0))):
        fit = fit_memory(preset, spacing, shape, Room(preset.memory_gb, 1e7, 3))
        assert all(n % m == 0 for n, m in zip(fit.topology.patch, fit.topology.multiple, strict=True))
        assert fit.batch >= 2
    with pytest.raises(SpecError, match="did you mean"):
        preset_named(f"{name}x")


def test_bad_fits_are_said() -> None:
    assert ["region core" in said for said in never_labelled({"lesion": 1e-6, "core": 0.0})] == [True]
    assert not list(few_slices(2, (3, 60, 61)))
    assert not list(few_slices(3, (8, 60, 61)))
    (few,) = few_slices(3, (5, 60, 61))
    assert "5 slices" in few
    assert not list(too_large((1, 64, 64), (1, 16, 16), (3, 60, 61)))
    (large,) = too_large((1, 96, 64), (1, 16, 16), (30, 60, 61))
    assert "96 rows" in large
    assert "the median case 60" in large


def test_our_preset_is_no_wider_than_our_default() -> None:
    levels = coarsen((1.0, 1.0), (128, 128))
    assert preset_named("residual").features(levels) == (32, 64, 128, 256, 320, 320)
    assert preset_named("nnunet").features(levels) == (32, 64, 128, 256, 512, 512)
