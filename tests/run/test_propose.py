"""Planning through its door: files on disk and a specification in, values with reasons out; asked twice, read once."""

import json
from pathlib import Path

import pytest

from mrfusion.case import Cohort
from mrfusion.part import merge
from mrfusion.phantom.cohort import write_cohort
from mrfusion.planning.fingerprint import CaseFacts, Fingerprint, fingerprint_of
from mrfusion.planning.values import changes_of
from mrfusion.progress import silent
from mrfusion.run.jobs import prepare_data
from mrfusion.run.propose import propose_values, smaller_batch
from mrfusion.spec import RunSpec
from mrfusion.study.planned import KEYS

ASKED = {"like": "residual", "memory_gb": None, "minutes": 0.05, "folds": [0]}


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    write_cohort(folder, cases=4, spacing_mm=8.0, seed=1, control="complementary", workers=1, progress=silent)
    return folder


def spec_of(heads: Path) -> RunSpec:
    data = {"sources": [{"path": str(heads), "layout": "brats(year=2023)"}], "split": {"folds": 1}}
    return RunSpec.model_validate({"data": data, "machine": {"device": "cpu", "threads": 1}})


def test_every_key_is_planned_and_the_plan_is_a_specification(heads: Path, tmp_path: Path) -> None:
    spec = spec_of(heads)
    given = (spec.model_dump_json(), KEYS, json.dumps(ASKED), str(tmp_path), str(tmp_path / "cache"))
    answer = propose_values(*given)
    values = {one["key"]: one["value"] for one in answer["planned"]}
    assert set(values) == set(KEYS)
    assert all(len(one["reason"]) > 10 for one in answer["planned"])
    assert values["sampling.dimensions"] == 2
    assert values["data.preparation.spacing_mm"] is None
    assert values["budget.epochs"] >= 1
    assert "residual(base=(32," in values["network"]
    assert len(values["sampling.size"]) == 2
    RunSpec.model_validate(merge(spec.model_dump(mode="json"), changes_of(answer["planned"])))


def test_the_same_question_is_not_asked_of_the_data_again(
    heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ("network", "sampling.size")
    given = (spec_of(heads).model_dump_json(), keys, json.dumps(ASKED), str(tmp_path), str(tmp_path))
    answer = propose_values(*given)
    monkeypatch.setattr("mrfusion.run.propose.read_facts", None)
    assert propose_values(*given) == answer
    with pytest.raises(TypeError):
        propose_values(given[0], ("network",), *given[2:])


def test_test_cases_are_not_looked_at(heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def remember(facts: list[CaseFacts], cohort: Cohort) -> Fingerprint:
        seen.append(len(facts))
        return fingerprint_of(facts, cohort)

    monkeypatch.setattr("mrfusion.run.propose.fingerprint_of", remember)
    propose_values(spec_of(heads).model_dump_json(), ("network",), json.dumps(ASKED), str(tmp_path), str(tmp_path))
    assert seen == [3], "one of four heads is the hold-out's"


def test_samples_that_do_not_fit_the_cases_are_told_before_a_training(heads: Path, tmp_path: Path) -> None:
    fits = spec_of(heads).changed({"network": "unet(base=4,stages=1)", "sampling": {"size": [16, 16]}})
    large = fits.changed({"sampling": {"size": [16, 96]}})
    arms = {"a": fits.model_dump_json(), "b": large.model_dump_json(), "c": large.model_dump_json()}
    notes = prepare_data(fits.model_dump_json(), str(tmp_path / "out"), str(tmp_path / "cache"), arms)["notes"]
    (said,) = [note for note in notes if "zeros" in note]  # type: ignore[attr-defined]
    assert "a sample has 96 columns" in said


@pytest.mark.parametrize(
    ("batch", "steps", "expected"),
    [(33, 400, 6), (33, 100, 4), (33, 2000, 33), (8, 1000, 4), (2, 10, 2)],
    ids=["few steps", "very few steps", "enough steps", "half of them", "a batch that is small already"],
)
def test_a_batch_that_leaves_too_few_steps_becomes_smaller(batch: int, steps: int, expected: int) -> None:
    assert smaller_batch(batch, steps) == expected


def test_few_minutes_plan_a_smaller_batch_and_more_steps(heads: Path, tmp_path: Path) -> None:
    spec = spec_of(heads).changed({"network": "unet(base=4,stages=1)", "sampling": {"size": [16, 16]}})
    keys, out = ("budget.batch_size", "budget.epochs"), str(tmp_path)
    short, none = (
        propose_values(spec.model_dump_json(), asked_keys, json.dumps({**ASKED, "minutes": minutes}), out, out)
        for asked_keys, minutes in ((keys, 0.01), (keys[:1], None))
    )
    [batch] = [one for one in short["planned"] if one["key"] == keys[0]]
    [planned] = [one for one in none["planned"] if one["key"] == keys[0]]
    assert batch["value"] < planned["value"]
    assert "only about" in batch["reason"]
    assert [one["key"] for one in short["planned"]] == list(keys)


def test_minutes_that_no_epoch_fits_are_told(heads: Path, tmp_path: Path) -> None:
    spec = spec_of(heads).changed({"network": "unet(base=4,stages=1)", "sampling": {"size": [16, 16]}})
    given = (spec.model_dump_json(), ("budget.epochs",), json.dumps({**ASKED, "minutes": 1e-6}), str(tmp_path))
    [planned] = propose_values(*given, str(tmp_path))["planned"]
    assert planned["value"] == 1
    assert "longer than the 1e-06 minutes that are given" in planned["reason"]
