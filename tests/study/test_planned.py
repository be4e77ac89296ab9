"""The word auto in a study's file: what is planned, what stands fast, and that nothing is left of it in a run."""

from pathlib import Path
from typing import Any

import pytest

from mrfusion.errors import SpecError
from mrfusion.files import write_text
from mrfusion.planning.values import changes_of
from mrfusion.spec import RunSpec
from mrfusion.study.design import Study, read_study
from mrfusion.study.planned import GROUPS, KEYS, divided

DATA = "data: {sources: [{path: nowhere, layout: brats}], PREPARATION}\n"


def study_of(tmp_path: Path, text: str, preparation: str = "split: {folds: 2}") -> Study:
    write_text(tmp_path / "study.yaml", DATA.replace("PREPARATION", preparation) + text)
    return read_study(tmp_path / "study.yaml")


def test_auto_is_one_key_or_a_whole_part() -> None:
    content = {"network": "auto", "sampling": "auto", "data": {"preparation": "auto", "sources": []}, "seed": 3}
    rest, keys = divided(content)
    assert rest == {"data": {"sources": []}, "seed": 3}
    assert keys == tuple(key for key in KEYS if key != "budget.epochs")
    rest, keys = divided({"sampling": {"size": "auto", "per_case": 4}, "data": {"preparation": {"spacing_mm": "auto"}}})
    assert rest == {"sampling": {"per_case": 4}, "data": {"preparation": {}}}
    assert keys == ("sampling.size", "data.preparation.spacing_mm")
    assert content["network"] == "auto", "what was given is left as it was"


def test_a_batch_size_that_is_given_stands_fast() -> None:
    assert divided({"sampling": "auto"})[1] == GROUPS["sampling"]
    assert divided({"sampling": "auto", "budget": {"batch_size": 3}})[1] == GROUPS["sampling"][:2]
    assert divided({"sampling": "auto"}, {"budget": {"batch_size": 3}})[1] == GROUPS["sampling"][:2]
    assert divided({"sampling": "auto", "budget": {"batch_size": "auto"}})[1] == GROUPS["sampling"]


def test_other_autos_are_left_alone(tmp_path: Path) -> None:
    study = study_of(tmp_path, "machine: {device: auto}\n")
    assert study.auto == ()
    assert study.base.machine.device == "auto"


def test_what_is_planned_stands_in_every_run_and_in_its_digest(tmp_path: Path) -> None:
    study = study_of(
        tmp_path, "network: auto\nsampling: auto\narms: {a: {}, b: {plan: only(t1c)}, c: {network: unet}}\n"
    )
    asked: list[tuple[str, tuple[str, ...]]] = []

    def ask(arm: str, spec: RunSpec, keys: tuple[str, ...]) -> list[dict[str, Any]]:
        asked.append((arm, keys))
        values = {"network": "residual(base=8)", "sampling.size": [32, 48], "budget.batch_size": 6}
        return [{"key": key, "value": values[key]} for key in keys if key in values]

    decided = study.decided(ask)
    specs = [decided.spec(arm, fold=0, seed=0) for arm in decided.arms]
    assert [spec.network for spec in specs] == ["residual(base=8)", "residual(base=8)", "unet"]
    assert {spec.sampling.size for spec in specs} == {(32, 48)}
    assert {spec.budget.batch_size for spec in specs} == {6}
    assert asked == [("", ("network", *GROUPS["sampling"])), ("a", ()), ("b", ()), ("c", ())]
    written = study_of(tmp_path, "network: residual(base=8)\nsampling: {size: [32, 48]}\nbudget: {batch_size: 6}\n")
    assert written.spec(written.arms[0], fold=0, seed=0).digest == specs[0].digest
    assert decided.auto == ()


def test_an_arm_may_be_planned_by_itself(tmp_path: Path) -> None:
    study = study_of(tmp_path, "arms: {a: {}, volumes: {sampling: {dimensions: 3, size: auto}}}\n")
    seen: list[int] = []

    def ask(arm: str, spec: RunSpec, keys: tuple[str, ...]) -> list[dict[str, Any]]:
        seen.append(spec.sampling.dimensions)
        return [{"key": key, "value": [16, 32, 32]} for key in keys]

    decided = study.decided(ask)
    assert seen == [2, 2, 3]
    assert decided.spec(decided.arms[1], fold=0, seed=0).sampling.size == (16, 32, 32)
    assert decided.spec(decided.arms[0], fold=0, seed=0).sampling.size is None


def test_epochs_need_minutes_and_presets_exist(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"planning: \{minutes: 10\}"):
        study_of(tmp_path, "budget: {epochs: auto}\n")
    assert study_of(tmp_path, "budget: {epochs: auto}\nplanning: {minutes: 5}\n").auto == ("budget.epochs",)
    with pytest.raises(SpecError, match=r"planning\.like: expected 'residual', 'nnunet', 'resenc-m' or 'resenc-l'"):
        study_of(tmp_path, "planning: {like: nnunett}\n")


def test_changes_of_several_keys_are_merged() -> None:
    size: dict[str, Any] = {"key": "sampling.size", "value": [8, 8]}
    dimensions: dict[str, Any] = {"key": "sampling.dimensions", "value": 2}
    assert changes_of([size, dimensions]) == {"sampling": {"size": [8, 8], "dimensions": 2}}
