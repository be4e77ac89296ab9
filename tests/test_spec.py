"""Specifications: what YAML may say, how errors speak, and what names a run's folder."""

from pathlib import Path
from typing import Any

import pytest

from mrfusion.errors import SpecError
from mrfusion.files import read_json
from mrfusion.part import merge, read_part
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import RunSpec, Sampling
from mrfusion.study.choices import check_choices
from mrfusion.study.yaml_file import read_yaml

BASE: dict[str, Any] = {"data": {"sources": [{"path": "/data/a", "layout": "brats(year=2023)"}]}}


def spec(**changes: Any) -> RunSpec:
    return read_part(RunSpec, merge(BASE, changes), "study.yaml")


def yaml_at(folder: Path, text: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(text)
    return path


def test_yaml_round_trip(tmp_path: Path) -> None:
    text = "data:\n  sources: [{path: x, layout: brats}]\nbudget: {epochs: 3}\nplan: separate>mean\n"
    read = read_part(RunSpec, read_yaml(yaml_at(tmp_path, text)), "study.yaml")
    assert (read.budget.epochs, str(read.plan), read.data.sources[0].layout) == (3, "separate>mean", "brats")
    assert RunSpec.model_validate_json(read.model_dump_json()) == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: *x\n", "aliases .* are not read"),
        ("a: [1", "expected a YAML file"),
        ("- a\n- b\n", "expected keys and values, found list"),
        ("", "expected keys and values, found NoneType"),
        ("1: x\n", "expected keys and values"),
        ("a: !!python/object/apply:os.system ['true']\n", "expected a YAML file"),
        ("a: " + "[" * 500 + "\n", "expected a YAML file"),
        ("a: \x00\n", "expected a YAML file"),
    ],
    ids=["alias", "open", "list", "empty", "number", "code", "deep", "control"],
)
def test_what_is_no_specification(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        read_yaml(yaml_at(tmp_path, text))


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"expected a YAML file at .*absent"):
        read_yaml(tmp_path / "absent.yaml")
    (tmp_path / "study.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="expected a YAML file"):
        read_yaml(tmp_path / "study.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budgte": {}}, r"study.yaml: no key is called 'budgte'; did you mean 'budget'\?"),
        ({"budget": {"epoch": 3}}, r"no key is called 'budget.epoch'; did you mean 'epochs'\?"),
        ({"data": {"preparation": {"spacing": 1}}}, r"'data.preparation.spacing'; did you mean 'spacing_mm'\?"),
        ({"data": {"sources": [{"path": "x", "layuot": "y"}]}}, r"layuot'; did you mean 'layout'\?"),
        ({"machine": {"devcie": "cpu"}}, r"'machine.devcie'; did you mean 'device'"),
        ({"budget": {"epochs": 0}}, "budget.epochs: .*at least 1, found 0"),
        ({"budget": {"epochs": "many"}}, "budget.epochs: .*found 'many'"),
        ({"budget": {"optimiser": "adm"}}, "budget.optimiser: .*'adamw', 'adam' or 'sgd', found 'adm'"),
        ({"sampling": {"size": [4, 4]}}, "sampling.size: .*2 or 3 numbers of at least 8"),
        ({"plan": "sepparate"}, "did you mean 'separate'"),
        ({"plan": "separate[maen]"}, "did you mean 'mean'"),
        ({"fold": -1}, "fold: "),
        ({"data": {"sources": []}}, "data.sources: "),
        ({"budget": 3}, "budget: "),
    ],
)
def test_errors_name_the_place_the_key_and_the_nearest(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        spec(**changes)


def test_every_fault_is_reported_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        spec(budget={"epochs": 0, "lr": 1}, task="segment")
    assert len(str(caught.value).splitlines()) == 3


def test_not_keys_and_values() -> None:
    with pytest.raises(SpecError, match=r"study.yaml: expected keys and values, found list"):
        read_part(RunSpec, [1], "study.yaml")


def test_a_spec_is_a_value() -> None:
    assert spec() == spec()
    with pytest.raises(Exception, match="frozen"):
        spec().fold = 3  # type: ignore[misc]


def test_the_digest_ignores_the_machine_and_where_things_lie(tmp_path: Path) -> None:
    digest = spec().digest
    assert len(digest) == 16
    assert spec(machine={"device": "cpu", "devices": 2, "threads": 1, "compile": True}).digest == digest
    assert spec(data={"sources": [{"path": str(tmp_path), "layout": "brats(year=2023)"}]}).digest == digest
    assert spec(data={"split": {"file": "/somewhere/splits.json"}}).digest == digest
    assert spec(budget={"epochs": 50}).digest == digest, "a default that is written out is the same run"


CHANGES: list[dict[str, Any]] = [
    {"predictions": {"folders": ["nn"], "fingerprint": "f"}},
    {"data": {"sources": [{"path": "/data/a", "layout": "brats(year=2021)"}]}},
    {"data": {"sources": [{"path": "/data/a", "layout": "brats(year=2023)", "options": {"x": 1}}]}},
    {"data": {"fingerprint": "x"}},
    {"data": {"preparation": {"crop": False}}},
    {"data": {"preparation": {"spacing_mm": [1, 1, 1]}}},
    {"data": {"split": {"seed": 1}}},
    {"data": {"split": {"folds": 3}}},
    {"task": "classification"},
    {"plan": "separate"},
    {"plan": "separate[max]"},
    {"network": "unet"},
    {"head": "labels"},
    {"sampling": {"dimensions": 3}},
    {"sampling": {"slices": [0.4, 0.5]}},
    {"augmentation": {"flip": False}},
    {"augmentation": {"noise": 0}},
    {"losses": ["cross_entropy"]},
    {"balancer": "static(dice_ce=2)"},
    {"budget": {"epochs": 51}},
    {"budget": {"precision": "bf16-mixed"}},
    {"metrics": ["dice"]},
    {"mirror": True},
    {"augmentation": "strong"},
    {"rules": "paper"},
    {"fold": 1},
    {"seed": 1},
    {"score_on": "val"},
    {"members": ["concat", "only(t1c)"]},
    {"origin": {"parents": ["0123456789abcdef"]}},
    {"absence": "uniform"},
    {"absence": {"t1c": 0.3}},
    {"absence": {"t1c": 0.3, "t2f": 0.3}},
]


def test_the_digest_changes_with_everything_else() -> None:
    digests = {spec(**change).digest for change in CHANGES}
    assert len(digests) == len(CHANGES)
    assert spec().digest not in digests
    touched = {next(iter(change)) for change in CHANGES}
    untested = set(RunSpec.model_fields) - touched - {"machine", "schedule", "tracking"}
    assert not untested, "a new key decides a run: test it here"


def test_the_digest_of_a_run_without_absence_is_what_it_was_before_there_was_any() -> None:
    assert spec().digest == "53fb5a841821af03"  # of NUMBERS 6
    assert spec(absence="none").digest == spec(absence={"t1c": 0}).digest == spec().digest


def test_absence_as_rates() -> None:
    assert [spec(absence=a).absence_of("t1c") for a in ("none", "uniform", {"t1c": 0.3})] == [0.0, 0.5, 0.3]
    assert spec(absence={"t1c": 0.3}).absence_of("t2f") == 0.0
    assert spec(absence={"t1c": 0.3}).changed({"absence": {"t2f": 0.1}}).absence == {"t1c": 0.3, "t2f": 0.1}
    assert spec(absence={"t1c": 0.3}).changed({"absence": "none"}).absence == "none"


@pytest.mark.parametrize("value", ["unifrom", {"t1c": 1.0}, {"t1c": -0.1}, {"t1c": "x"}, {"t1c": True}, None, 0.3, [1]])
def test_absence_that_is_none(value: Any) -> None:
    with pytest.raises(SpecError, match=r"absence: .*expected none, uniform, or rates from 0 to below 1"):
        spec(absence=value)


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    first = read_part(RunSpec, {"seed": 1, "budget": {"epochs": 2, "batch_size": 3}, **BASE}, "a")
    second = read_part(RunSpec, {**BASE, "budget": {"batch_size": 3, "epochs": 2}, "seed": 1}, "b")
    assert first.digest == second.digest


def test_changed_merges_part_by_part() -> None:
    changed = spec(budget={"epochs": 3, "batch_size": 2}).changed({"budget": {"epochs": 9}, "plan": "only(t1c)"})
    assert (changed.budget.epochs, changed.budget.batch_size, str(changed.plan)) == (9, 2, "only(t1c)")
    assert changed.data == spec().data
    with pytest.raises(SpecError, match=r"changes: no key is called 'budget.epoch'"):
        spec().changed({"budget": {"epoch": 9}})


def test_merge() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}, "e": 4}) == {"a": {"b": 9, "c": 2}, "d": 3, "e": 4}
    assert merge({"a": {"b": 1}}, {"a": 2}) == {"a": 2}
    assert merge({"a": 2}, {"a": {"b": 1}}) == {"a": {"b": 1}}
    assert merge({"options": {"b": 1}}, {"options": {"c": 2}}) == {"options": {"c": 2}}, "options are one value"
    base = {"a": {"b": 1}}
    merge(base, {"a": {"b": 2}})
    assert base == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "unett"}, r"no backbones choice is called 'unett'; did you mean 'unet'\?"),
        ({"losses": ["dice_c"]}, r"no losses choice is called 'dice_c'; did you mean 'dice_ce'\?"),
        ({"balancer": "statik(a=1)"}, r"no balancers choice is called 'statik'; did you mean 'static'\?"),
        ({"schedule": "endtoend"}, r"no schedules choice is called 'endtoend'"),
        ({"metrics": ["dise"]}, r"no metrics choice is called 'dise'; did you mean 'dice'"),
        ({"task": "classification", "metrics": ["dice"]}, r"no class_metrics choice is called 'dice'"),
        ({"data": {"sources": [{"path": "x", "layout": "bratz"}]}}, r"no layouts choice is called 'bratz'"),
        ({"plan": "only(t1c)", "absence": "uniform"}, r"only\(t1c\)' reads one modality, .* write absence: none"),
        ({"members": ["concat", "only(t1c)"], "absence": "uniform"}, r"only\(t1c\)' reads one modality"),
        ({"plan": "concat(fill=learned)"}, r"learns its fill from absent modalities; write absence: uniform"),
    ],
)
def test_unknown_choices_are_found_before_anything_runs(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        check_choices(spec(**changes))


def test_known_choices_and_anyones_own_pass() -> None:
    check_choices(spec(losses=["dice_ce", "cross_entropy(smoothing=0.1)"], metrics=["dice", "hd95"], network="my.x:Y"))


def test_losses_default_to_the_tasks_usual_one() -> None:
    assert spec().loss_names == ("dice_ce",)
    assert spec(task="classification").loss_names == ("cross_entropy",)
    assert spec(losses=["dice_ce(weight=(1,2))"]).loss_names == ("dice_ce",)


def test_sizes() -> None:
    assert Sampling(size=(64, 64)).size == (64, 64)
    assert Sampling(size=[32, 32, 32]).size == (32, 32, 32)


def test_a_specification_on_disk_keeps_the_order_of_regions(tmp_path: Path) -> None:
    regions = {"scar": [2], "oedema": [1, 2], "a": [3]}
    source = {"path": "x", "layout": "folder", "options": {"regions": regions}}
    spec = read_part(RunSpec, {"data": {"sources": [source]}}, "here")
    RunFolder(tmp_path).write_spec(spec)
    back = read_part(RunSpec, read_json(tmp_path / "spec.json"), "there")
    assert list(back.data.sources[0].options["regions"]) == list(regions)
    assert back == spec
    assert back.digest == spec.digest
