"""Every recipe's design earns the words of its verdict, or its header says that it does not."""

from pathlib import Path

import pytest

from mrfusion.comparison.reasons import FOLDS_FOR_A_WORD
from mrfusion.study.design import read_study
from mrfusion.study.yaml_file import read_yaml

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))


def test_there_are_recipes() -> None:
    assert len(RECIPES) > 15


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_earns_its_words_or_says_that_it_does_not(path: Path) -> None:
    content = read_yaml(path)
    if len(content.get("arms", {})) < 2:
        return
    split = content["data"].get("split", {})
    folds = len(content["folds"]) if "folds" in content else split.get("folds", 5)
    earns = folds >= FOLDS_FOR_A_WORD
    header = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert earns != any(line.startswith("# Words:") for line in header)


@pytest.mark.parametrize(
    ("name", "suffix"), [("myops_whether", ""), ("myops_whether", " slow"), ("brats_men_whether", "")]
)
def test_the_control_without_the_fusion_loss_differs_from_its_siblings_by_the_loss_alone(
    name: str, suffix: str
) -> None:
    study = read_study(RECIPES[0].with_name(f"{name}.yaml"))
    specs = {arm.name: study.spec(arm, fold=0, seed=0) for arm in study.arms}
    control = specs[f"C segmentation only{suffix}"]
    for arm in ("C dynamic", "C 5e-5"):
        sibling = specs[f"{arm}{suffix}"]
        assert control.changed({"losses": sibling.losses, "balancer": sibling.balancer}).digest == sibling.digest


def test_a_recipe_on_real_data_has_a_strong_network_or_says_why_not() -> None:
    real = [path for path in RECIPES if path.stem.startswith(("brats", "myops", "sts"))]
    assert len(real) > 8
    for path in real:
        strong = str(read_yaml(path).get("network", "residual")).startswith(("residual", "auto", "nnunet"))
        header = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# Network:")]
        assert strong != bool(header), path.name
