"""The design of a study: what its YAML says, which runs follow, and what it refuses."""

from pathlib import Path

import pytest

from mrfusion.errors import SpecError
from mrfusion.study.design import describe, plan_runs, read_single, read_study

BASE = "data:\n  sources: [{path: x, layout: brats}]\n  split: {folds: 3}\n"


def at(folder: Path, text: str, base: str = BASE) -> Path:
    path = folder / "my_study.yaml"
    path.write_text(base + text)
    return path


def test_a_study_and_its_defaults(tmp_path: Path) -> None:
    study = read_study(at(tmp_path, "arms:\n  late: {plan: separate>mean}\n  concat: {}\nseed: 4\n"))
    assert study.name == "my_study"
    assert [arm.name for arm in study.arms] == ["late", "concat"]
    assert study.reference == "late"
    assert study.folds == (0, 1, 2)
    assert study.seeds == (4,)


def test_arms_times_folds_times_seeds(tmp_path: Path) -> None:
    text = "arms: {a: {}, b: {budget: {epochs: 3}}}\nfolds: [0, 2]\nseeds: [0, 1]\nreference: b\n"
    study = read_study(at(tmp_path, text + "name: n\nquestion: q?\n"))
    planned = plan_runs(study, "fingerprint")
    assert [(p.seed, p.fold, p.arm) for p in planned] == [(s, f, a) for s in (0, 1) for f in (0, 2) for a in ("a", "b")]
    assert len({p.spec.digest for p in planned}) == 8
    assert {p.spec.data.fingerprint for p in planned} == {"fingerprint"}
    assert {p.spec.budget.epochs for p in planned if p.arm == "b"} == {3}
    assert {p.spec.budget.epochs for p in planned if p.arm == "a"} == {50}
    content = describe(study, planned)
    assert [cell["digest"] for cell in content["plan"]] == [p.spec.digest for p in planned]
    assert (content["name"], content["question"], content["reference"]) == ("n", "q?", "b")


def test_only_what_an_arm_says_differs(tmp_path: Path) -> None:
    study = read_study(at(tmp_path, "arms:\n  a: {}\n  b: {plan: separate, budget: {epochs: 3}}\n"))
    first, second = (study.spec(arm, fold=0, seed=0) for arm in study.arms)
    assert second.changed({"plan": "concat", "budget": {"epochs": first.budget.epochs}}) == first


def test_without_arms_it_is_one_arm(tmp_path: Path) -> None:
    assert [arm.name for arm in read_study(at(tmp_path, "")).arms] == ["base"]


def test_data_and_splits_of_the_command_line_stand_in(tmp_path: Path) -> None:
    splits = tmp_path / "splits_final.json"
    splits.write_text('[{"train": ["a"], "val": ["b"]}, {"train": ["b"], "val": ["a"]}]')
    study = read_study(at(tmp_path, ""), data=Path("/elsewhere"), splits=splits)
    assert study.base.data.sources[0].path == Path("/elsewhere")
    assert study.base.data.split.file == splits
    assert study.folds == (0, 1)
    two = "data:\n  sources: [{path: x, layout: brats}, {path: y, layout: brats}]\n"
    with pytest.raises(SpecError, match=r"names 2 sources; --data can stand in for a single one"):
        read_study(at(tmp_path, "", two), data=Path("/elsewhere"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("armz: {}\n", r"my_study.yaml: no key is called 'armz'; did you mean 'arms'"),
        ("arms: [a, b]\n", r"arms: expected arm names with what each changes"),
        ("arms: {a: 3}\n", r"arms: expected arm names with what each changes"),
        ("arms: {a: {plann: concat}}\n", r"no key is called 'plann'; did you mean 'plan'\?"),
        ("arms: {a: {plan: concta}}\n", r"did you mean 'concat'"),
        ("arms: {a: {network: unett}}\n", r"arm 'a': no backbones choice is called 'unett'; did you mean 'unet'"),
        ("arms: {a: {}, b: {}}\n", r"arms 'a' and 'b' say the same; change or drop one"),
        ("arms: {a: {}, b: {budget: {epochs: 50}}}\n", r"arms 'a' and 'b' say the same"),
        ("arms: {a: {}}\nreference: c\n", r"reference: no arm is called 'c'"),
        ("folds: [3]\n", r"folds: 3 is not one of the 3 folds"),
        ("folds: [-1]\n", r"folds: -1 is not one of"),
        ("folds: x\n", r"folds"),
        ("seeds: [a]\n", r"seeds"),
        ("folds: []\n", r"folds"),
        ("seeds: []\n", r"seeds"),
        ("losses: [dise]\n", r"no losses choice is called 'dise'"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        read_study(at(tmp_path, text))


def test_a_single_run(tmp_path: Path) -> None:
    study = read_single(at(tmp_path, "plan: only(t1c)\nfold: 2\nseed: 5\n"))
    (planned,) = plan_runs(study, "f")
    assert (planned.fold, planned.seed, str(planned.spec.plan)) == (2, 5, "only(t1c)")
    with pytest.raises(SpecError, match=r"make a study; run it with 'mrfusion study'"):
        read_single(at(tmp_path, "arms: {a: {}}\n"))
    with pytest.raises(SpecError, match="fold"):
        read_single(at(tmp_path, "fold: 7\n"))


def test_hypotheses_name_arms_that_exist(tmp_path):
    path = tmp_path / "study.yaml"
    text = "data: {sources: [{path: x, layout: brats}]}\narms: {early: {}, late: {plan: separate>mean}}\n"
    path.write_text(text + "hypotheses: {arms: [late], margins: {dice: 0.02}}\n")
    assert read_study(path).hypotheses.margins == {"dice": 0.02}
    path.write_text(text + "hypotheses: {arms: [lat]}\n")
    with pytest.raises(SpecError, match=r"hypotheses\.arms: no arm is called 'lat'.*late"):
        read_study(path)
    path.write_text(text + "hypotheses: {margins: {dice: -1}}\n")
    with pytest.raises(SpecError, match=r"hypotheses\.margins\.dice"):
        read_study(path)
    path.write_text(text + "family: {arms: [late]}\n")
    with pytest.raises(SpecError, match="'family' is now called 'hypotheses'"):
        read_study(path)


def test_a_search_may_place_modules_between_chosen_modalities(tmp_path: Path) -> None:
    study = read_study(at(tmp_path, 'plan: "separate(t1c,t2f)>mean"\narms:\n  late: {}\n  where: {search: forward}\n'))
    assert [arm.search for arm in study.arms] == [None, "forward"]
