"""What `convert --to nnunet` says to type next: it leads to the folder that an arm's `predictions` reads."""

from pathlib import Path

import yaml

from mrfusion.command.convert import nnunet_commands


def test_the_commands_lead_to_the_folder_that_a_study_reads(tmp_path: Path) -> None:
    said = nnunet_commands(tmp_path / "my data", folds=3)
    assert said[1] == f"mv '{tmp_path}/my data' {tmp_path}/Dataset001_mydata"
    assert f"export nnUNet_raw={tmp_path} " in said[2]
    assert said[4] == 'cp "$nnUNet_raw/Dataset001_mydata/splits_final.json" "$nnUNet_preprocessed/Dataset001_mydata/"'
    assert said[5:8] == [f"nnUNetv2_train 001 3d_fullres {fold}" for fold in range(3)]
    folder = "nnUNet_results/Dataset001_mydata/nnUNetTrainer__nnUNetPlans__3d_fullres"
    assert yaml.safe_load(said[-3]) == {"nnU-Net": {"predictions": folder}}
    assert f" --arm nnU-Net={folder} " in said[-1]


def test_a_name_that_nnunet_wants_is_kept(tmp_path: Path) -> None:
    said = nnunet_commands(tmp_path / "Dataset027_ACDC", folds=0)
    assert not [line for line in said if line.startswith(("mv", "cp"))], "without splits nnU-Net makes its own"
    assert "nnUNetv2_train 027 3d_fullres 4" in said
