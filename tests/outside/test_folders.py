"""Which folders an arm names: nnU-Net's folds in the folder of a trainer, several folders, a pattern."""

from pathlib import Path

import pytest

from mrfusion.errors import SpecError
from mrfusion.outside.folders import named_arms


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
    return root


def test_the_folder_of_a_trainer_stands_for_its_folds(tmp_path: Path) -> None:
    """As nnU-Net 2.8 leaves it: fold_all and what was predicted for all folds together stand beside."""
    names = ("fold_0/validation", "fold_1/validation", "fold_all/validation", "crossval_results_folds_0_1")
    root = make(tmp_path / "nnUNetTrainer__nnUNetPlans__2d", *names)
    (root / "dataset.json").write_text("{}")
    assert named_arms([f"nnU-Net={root}"]) == {"nnU-Net": [root / names[0], root / names[1]]}


def test_fold_all_is_refused_however_it_is_named(tmp_path: Path) -> None:
    root = make(tmp_path, "fold_all/validation")
    for place in (root, root / "fold_all" / "validation", f"{root}/*/validation"):
        with pytest.raises(SpecError, match=r"trained on every case that it predicted in .*fold_all.validation"):
            named_arms([f"nnU-Net={place}"])


def test_folders_and_patterns(tmp_path: Path) -> None:
    root = make(tmp_path, "run1", "run2", "other")
    (root / "run3").write_text("no folder")
    assert named_arms([f"a={root}/run*", f"b={root}/other,{root}/run1"]) == {
        "a": [root / "run1", root / "run2"],
        "b": [root / "other", root / "run1"],
    }
    with pytest.raises(SpecError, match="found no match"):
        named_arms([f"a={root}/nothing*"])
    with pytest.raises(SpecError, match=r"expected a folder of predictions at .*run3, found none"):
        named_arms([f"a={root}/run3"])
