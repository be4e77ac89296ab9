"""nnU-Net 2.8.1's own plans, three planners and two data sets, from its own fingerprints."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mrfusion import families
from mrfusion.planning.fingerprint import Fingerprint
from mrfusion.planning.presets import preset_named
from mrfusion.planning.proposal import BATCH, DIMENSIONS, INTERPOLATION, NETWORK, SIZE, SPACING, Wishes, propose
from mrfusion.planning.target import target_of

PLANNERS = {"nnunet": "nnUNetPlans", "resenc-m": "nnUNetResEncUNetMPlans", "resenc-l": "nnUNetResEncUNetLPlans"}
KEYS = frozenset((NETWORK, SIZE, SPACING, INTERPOLATION, BATCH))


def read(oracle_root: Path, data: str, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((oracle_root / "nnunet_plans" / data / f"{name}.json").read_text())
    return content


def fingerprint(oracle_root: Path, data: str) -> Fingerprint:
    """nnU-Net's fingerprint as ours: both have the axis of the slices first."""
    theirs, about = (read(oracle_root, data, name) for name in ("dataset_fingerprint", "dataset"))
    shapes, spacings = (tuple(map(tuple, theirs[key])) for key in ("shapes_after_crop", "spacings"))
    return Fingerprint(shapes, spacings, theirs["median_relative_size_after_cropping"], {}, {}, len(about["labels"]))


def proposed(oracle_root: Path, data: str, like: str, dimensions: int) -> dict[str, Any]:
    preset = preset_named(like)
    wishes = Wishes(KEYS, preset, preset.memory_gb, gpu=True, dimensions=dimensions)
    return {one.key: one.value for one in propose(fingerprint(oracle_root, data), wishes).planned}


@pytest.mark.parametrize("data", ["hearts", "brats2021"])
@pytest.mark.parametrize("like", PLANNERS)
@pytest.mark.parametrize(("configuration", "dimensions"), [("2d", 2), ("3d_fullres", 3)])
def test_a_plan_is_nnunets(oracle_root: Path, data: str, like: str, configuration: str, dimensions: int) -> None:
    plan = read(oracle_root, data, PLANNERS[like])["configurations"][configuration]
    lists, found = plan["architecture"]["arch_kwargs"], proposed(oracle_root, data, like, dimensions)
    assert found[SIZE] == plan["patch_size"]
    assert found[BATCH] == plan["batch_size"]
    backbone = families.load("backbones", found[NETWORK])(dimensions)
    assert families.parse(found[NETWORK]).name == {"nnunet": "plain"}.get(like, "resenc")
    assert [list(step) for step in backbone.levels.strides] == lists["strides"]
    assert [list(kernel) for kernel in backbone.levels.kernels] == lists["kernel_sizes"]
    assert list(backbone.channels) == lists["features_per_stage"]
    assert list(backbone.levels.blocks) == (lists.get("n_conv_per_stage") or lists["n_blocks_per_stage"])
    assert list(backbone.up) == lists["n_conv_per_stage_decoder"]


@pytest.mark.parametrize("data", ["hearts", "brats2021"])
def test_the_grid_is_nnunets(oracle_root: Path, data: str) -> None:
    plan = read(oracle_root, data, "nnUNetPlans")["configurations"]["3d_fullres"]
    target = target_of(fingerprint(oracle_root, data))
    np.testing.assert_allclose(target.spacing_mm, plan["spacing"], rtol=1e-12)
    assert list(target.median_shape) == plan["median_image_size_in_voxels"]


def test_cases_that_lie_on_the_grid_already_are_not_resampled(oracle_root: Path) -> None:
    hearts, heads = (proposed(oracle_root, data, "nnunet", 3) for data in ("hearts", "brats2021"))
    assert heads[SPACING] is None
    assert heads[INTERPOLATION] == "linear"
    np.testing.assert_allclose(hearts[SPACING], (0.7291, 0.7291, 12.0), atol=1e-4)
    assert hearts[INTERPOLATION] == "cubic"


@pytest.mark.parametrize(
    ("data", "gpu", "expected"), [("hearts", True, 2), ("brats2021", True, 3), ("brats2021", False, 2)]
)
def test_slices_or_volumes(oracle_root: Path, data: str, gpu: bool, expected: int) -> None:
    preset = preset_named("residual")
    found = propose(fingerprint(oracle_root, data), Wishes(frozenset({DIMENSIONS}), preset, 8, gpu=gpu))
    assert [(one.key, one.value) for one in found.planned] == [(DIMENSIONS, expected)]
    assert "slices" in found.planned[0].reason


def test_volumes_of_a_few_slices_are_a_bad_fit(oracle_root: Path) -> None:
    preset = preset_named("nnunet")
    wishes = Wishes(KEYS, preset, 8, gpu=True, dimensions=3)
    (doubt,) = propose(fingerprint(oracle_root, "hearts"), wishes).doubts
    assert "the median case has 6 slices" in doubt
    assert propose(fingerprint(oracle_root, "brats2021"), wishes).doubts == ()


def test_a_grid_that_is_given_decides_what_is_planned_on_it(oracle_root: Path) -> None:
    """Heads of 139 slices 1 mm apart, read 20 mm apart: seven are left."""
    preset = preset_named("nnunet")
    wishes = Wishes(frozenset({DIMENSIONS, SIZE}), preset, 8, gpu=True, spacing_mm=(20.0, 2.0, 2.0))
    found = {one.key: one for one in propose(fingerprint(oracle_root, "brats2021"), wishes).planned}
    assert found[DIMENSIONS].value == 2
    assert "7 slices, 20 mm apart" in found[DIMENSIONS].reason
    assert found[SIZE].value == [96, 80]
