"""nnU-Net's own plans as keys of a specification: topology, spacing, patch, batch, CT numbers and folds."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mrfusion import families
from mrfusion.errors import InputError, SpecError
from mrfusion.files import write_text
from mrfusion.planning.plans_file import plans_named, read_plans
from mrfusion.study.design import Study, read_study

LISTS = {
    "features_per_stage": [8, 16],
    "strides": [[1, 1, 1], [1, 2, 1]],
    "kernel_sizes": [[1, 3, 3], [3, 3, 1]],
    "n_conv_per_stage": [1, 2],
    "n_conv_per_stage_decoder": [3],
}
FULL: dict[str, Any] = {
    "architecture": {"network_class_name": "somewhere.PlainConvUNet", "arch_kwargs": LISTS},
    "patch_size": [6, 32, 48],
    "batch_size": 5,
    "spacing": [8.0, 0.5, 0.75],
    "normalization_schemes": ["CTNormalization", "ZScoreNormalization"],
    "use_mask_for_norm": [False, True],
}
CT = {"mean": 40.0, "std": 20.0, "percentile_00_5": -100.0, "percentile_99_5": 300.0}


def plans(folder: Path, **changes: Any) -> Path:
    configurations = {"3d_fullres": {**FULL, **changes}, "small": {"inherits_from": "3d_fullres", "batch_size": 2},
                      "cascade": {"inherits_from": "3d_fullres", "previous_stage": "small"}}  # fmt: skip
    content = {"configurations": configurations, "foreground_intensity_properties_per_channel": {"0": CT}}
    (folder / "nnUNetPlans.json").write_text(json.dumps(content))
    (folder / "dataset.json").write_text(json.dumps({"channel_names": {"0": "CT", "1": "PET"}}))
    return folder / "nnUNetPlans.json"


def study_of(folder: Path, text: str) -> Study:
    write_text(folder / "study.yaml", "data: {sources: [{path: nowhere, layout: brats}]}\n" + text)
    return read_study(folder / "study.yaml")


def test_a_plan_by_hand_with_the_axes_of_the_plane_in_our_order(tmp_path: Path) -> None:
    values = read_plans(plans(tmp_path), "3d_fullres").values()
    assert values["sampling"] == {"dimensions": 3, "size": [6, 48, 32]}
    assert values["budget"] == {"batch_size": 5}
    scale = {"low": -100.0, "high": 300.0, "mean": 40.0, "sd": 20.0}
    expected = {"spacing_mm": [0.75, 0.5, 8.0], "interpolation": "cubic", "intensities": {"CT": scale}}
    expected["zscore"] = "nonzero"
    assert values["data"] == {"preparation": expected}
    network = families.load("backbones", values["network"])(3)
    assert network.levels.strides == ((1, 1, 1), (1, 1, 2))
    assert network.levels.kernels == ((1, 3, 3), (3, 1, 3))
    assert (network.channels, network.levels.blocks, network.up) == ((8, 16), (1, 2), (3,))
    assert read_plans(tmp_path / "nnUNetPlans.json", "small").values()["budget"] == {"batch_size": 2}


def test_a_study_takes_what_it_does_not_say_from_the_plans(tmp_path: Path) -> None:
    file = plans(tmp_path)
    folds = [{"train": ["a", "b"], "val": ["c"]}, {"train": ["a", "c"], "val": ["b"]}]
    (tmp_path / "splits_final.json").write_text(json.dumps(folds))
    text = f"network: nnunet(plans={file},configuration=3d_fullres)\nsampling: auto\nbudget: {{batch_size: 3}}\n"
    study = study_of(
        tmp_path, text + "arms: {a: {}, small: {network: 'nnunet(plans=" + f"{file}" + ",configuration=small)'}}\n"
    )
    assert study.auto == ()
    assert study.folds == (0, 1)
    assert study.base.data.split.file == tmp_path / "splits_final.json"
    assert study.base.sampling.size == (6, 48, 32)
    assert study.base.budget.batch_size == 3, "what is given stands fast"
    assert study.base.network.startswith("plain(blocks=(1,2)")
    assert study.spec(study.arms[1], fold=0, seed=0).budget.batch_size == 2


@pytest.mark.parametrize("data", ["hearts", "brats2021"])
@pytest.mark.parametrize("name", ["nnUNetPlans", "nnUNetResEncUNetMPlans", "nnUNetResEncUNetLPlans"])
@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
def test_nnunets_own_plans_become_a_study(
    oracle_root: Path, tmp_path: Path, data: str, name: str, configuration: str
) -> None:
    folder = oracle_root / "nnunet_plans"
    for file in (f"{data}/{name}.json", f"{data}/dataset.json"):
        shutil.copy(folder / file, tmp_path / Path(file).name)
    plan = json.loads((tmp_path / f"{name}.json").read_text())["configurations"][configuration]
    spec = study_of(tmp_path, f"network: nnunet(plans={tmp_path}/{name}.json,configuration={configuration})\n").base
    assert spec.sampling.size is not None
    assert sorted(spec.sampling.size) == sorted(plan["patch_size"])
    assert spec.budget.batch_size == plan["batch_size"]
    assert spec.data.preparation.intensities == {}
    assert spec.data.preparation.zscore == {"hearts": "box", "brats2021": "nonzero"}[data]
    assert spec.data.preparation.spacing_mm is not None
    assert spec.data.preparation.spacing_mm[:2] == tuple(reversed(plan["spacing"][-2:]))
    backbone = families.load("backbones", spec.network)(spec.sampling.dimensions)
    assert backbone.channels == tuple(plan["architecture"]["arch_kwargs"]["features_per_stage"])


@pytest.mark.parametrize(
    ("changes", "configuration", "message"),
    [
        ({}, "2d", "with the configuration '2d', found 3d_fullres, small, cascade"),
        ({}, "cascade", "second stage of a cascade"),
        ({"normalization_schemes": ["ZScoreNormalization"] * 2}, "3d_fullres", "the same for all channels"),
        ({"normalization_schemes": ["NoNormalization"]}, "3d_fullres", "found NoNormalization"),
        ({"architecture": {**FULL["architecture"], "network_class_name": "x.Mamba"}}, "3d_fullres", "found Mamba"),
    ],
)
def test_plans_that_cannot_be_used_say_why(
    tmp_path: Path, changes: dict[str, Any], configuration: str, message: str
) -> None:
    file = plans(tmp_path, **changes)
    with pytest.raises(InputError, match=message):
        read_plans(file, configuration).values()


def test_the_text_must_name_a_file_and_a_configuration(tmp_path: Path) -> None:
    assert plans_named("residual(base=8)") is None
    for text in ("nnunet", "nnunet(plans=x.json)", "nnunet(plans=x.json,configuration=2d,more=1)"):
        with pytest.raises(SpecError, match="configuration=3d_fullres"):
            plans_named(text)
    with pytest.raises(InputError):
        plans_named(f"nnunet(plans={tmp_path}/none.json,configuration=2d)")
