"""How long runs take, from a few timed pieces: what is timed, how often, and what the pieces add up to."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mrfusion.data.read import RunData, read_data
from mrfusion.phantom.cohort import write_cohort
from mrfusion.progress import silent
from mrfusion.run import timing
from mrfusion.run.jobs import _seconds, estimate_runs
from mrfusion.run.timing import Measured, _of_steps, measured, windows
from mrfusion.schedules._base import Phase
from mrfusion.spec import RunSpec

KINDS: dict[str, dict[str, Any]] = {
    "slices": {},
    "volumes": {"sampling": {"dimensions": 3, "size": [16, 16, 16], "per_case": 3}},
    "classes": {"task": "classification"},
    "compiled": {"machine": {"compile": True}},
    "an ensemble's answer": {
        "plan": "separate",
        "members": ["separate", "separate[mean]"],
        "origin": {"parents": ["a" * 16], "keep": True},
    },
}


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timed")
    write_cohort(folder, cases=6, spacing_mm=8.0, seed=1, workers=1, progress=silent)
    return folder


def spec_of(phantom: Path, changes: dict[str, Any]) -> RunSpec:
    layout = "table" if changes.get("task") == "classification" else "brats(year=2023)"
    plain = RunSpec.model_validate(
        {
            "data": {"sources": [{"path": phantom, "layout": layout}], "split": {"folds": 2}},
            "network": "unet(base=4,stages=1)",
            "sampling": {"per_case": 2},
            "budget": {"epochs": 2, "batch_size": 2},
            "machine": {"device": "cpu", "threads": 1},
        }
    )
    return plain.changed(changes)


def data_of(spec: RunSpec, phantom: Path) -> RunData:
    return read_data(spec.data, task=spec.task, cache=phantom.parent / "cache", progress=silent)


@pytest.mark.parametrize("changes", KINDS.values(), ids=list(KINDS))
def test_every_kind_of_run_can_be_timed_and_nothing_is_kept(
    changes: dict[str, Any], phantom: Path, tmp_path: Path
) -> None:
    spec = spec_of(phantom, changes)
    found = measured(spec, data_of(spec, phantom), tmp_path)
    assert len(found.epochs) == len(found.phases) == 1
    assert found.epochs[0] > 0
    assert found.case > 0
    assert list(tmp_path.iterdir()) == []


def timed_steps(spec: RunSpec, phantom: Path, monkeypatch: pytest.MonkeyPatch, *, patience: float) -> list[Any]:
    """The steps and the samples of each epoch that was timed, and the seconds of a case."""
    epochs: list[Any] = []
    fitted = timing._Timing._steps

    def counted(self: timing._Timing, steps: int, samples: int):
        epochs.append((steps, samples))
        training = fitted(self, steps, samples)
        assert len(training.batches) == steps
        return training

    monkeypatch.setattr(timing._Timing, "_steps", counted)
    monkeypatch.setattr(timing, "PATIENCE_SECONDS", patience)
    found = measured(spec, data_of(spec, phantom), phantom.parent)
    assert found.case > 0
    return epochs


def test_a_few_cases_are_timed_however_many_there_are(phantom: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sample, a step and five steps, the first two again."""
    spec = spec_of(phantom, {"sampling": {"per_case": 50}, "network": "unet(base=4,stages=1,norm=instance)"})
    assert timed_steps(spec, phantom, monkeypatch, patience=1e9) == [(1, 1), (1, 1), (1, 2), (1, 2), (5, 2)]


def test_a_whole_step_is_timed_where_it_can_be(phantom: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where making the trainings has taken all the time: a part of a step says too much of the whole."""
    spec = spec_of(phantom, {"network": "unet(base=4,stages=1,norm=instance)"})
    monkeypatch.setattr(timing._Timing, "_has_time_for", lambda self, seconds: False)
    assert timed_steps(spec, phantom, monkeypatch, patience=1e9) == [(1, 1), (1, 2)]


def test_without_patience_one_sample_is_timed_or_two_where_they_are_normed_together(
    phantom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(phantom, {"budget": {"batch_size": 4}})
    for norm, samples in (("instance", 1), ("batch", 2)):
        normed = spec.changed({"network": f"unet(base=4,stages=1,norm={norm})"})
        assert timed_steps(normed, phantom, monkeypatch, patience=-1.0) == [(1, samples)]


def test_a_sample_that_takes_all_the_time_is_its_share_of_a_step(
    phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two training cases with twelve samples each: a sample of a second makes an epoch of 24 seconds."""
    changes = {"budget": {"batch_size": 4}, "sampling": {"per_case": 12}}
    spec = spec_of(phantom, changes | {"network": "unet(base=4,stages=1,norm=instance)"})
    data = data_of(spec, phantom)
    assert len(data.splits[spec.fold].train) == 2
    monkeypatch.setattr(timing, "PATIENCE_SECONDS", -1.0)
    monkeypatch.setattr(timing._Timing, "_timed", lambda self, work: (work(), 1e-9))
    monkeypatch.setattr(timing, "fit", lambda training, phases: Seconds())
    assert list(measured(spec, data, tmp_path).epochs) == [pytest.approx(24.0)]


class Seconds:
    """A history of an epoch of a second."""

    def of(self, quantity: object) -> list[float]:
        return [1.0]


def test_runs_are_told_by_the_first_one_with_what_is_theirs(
    phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()

    def pretend(spec: RunSpec, data: RunData, out: Path) -> Measured:
        asked["timings"] += 1
        return Measured([Phase("all", (), ())], [10.0], 1.0)

    monkeypatch.setattr("mrfusion.run.jobs.measured", pretend)
    spec = spec_of(phantom, {})
    inherited = {"origin": {"parents": ["a" * 16], "keep": True}}
    every = [spec, spec.changed({"budget": {"epochs": 5}}), spec.changed(inherited)]
    texts = [one.model_dump_json() for one in every]
    assert estimate_runs(texts, str(tmp_path), str(phantom.parent / "cache"), False) == [23.0, 53.0, 3.0]
    assert asked["timings"] == 1


def test_subsets_score_each_tested_case_once_more_for_each(phantom: Path) -> None:
    """Four modalities have 15 subsets that are not empty."""
    spec, found = spec_of(phantom, {}), Measured([Phase("all", (), ())], [10.0], 1.0)
    data = data_of(spec, phantom)
    assert _seconds(spec, data, found, subsets=True) == 20 + 3 * (1 + 15)
    alone = spec.changed({"plan": "only(t1c)"})
    assert _seconds(alone, data, found, subsets=True) == 20 + 3


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [((10, 64, 64), (1, 64, 64), 10), ((10, 128, 64), (1, 64, 64), 20), ((10, 32, 32), (1, 64, 64), 10),
     ((96, 96, 96), (96, 96, 96), 1), ((144, 96, 40), (96, 96, 96), 2), ((145, 145, 96), (96, 96, 96), 9)],
)  # fmt: skip
def test_boxes_of_a_whole_case(shape: tuple[int, int, int], size: tuple[int, int, int], expected: float) -> None:
    """By hand: slices whole, windows half overlapping."""
    assert windows(shape, size) == expected


@pytest.mark.parametrize(
    ("pairs", "steps", "expected"),
    [([(1, 3.0), (5, 11.0)], 30, 61.0), ([(5, 11.0)], 30, 66.0), ([(2, 9.0), (6, 8.0)], 30, 9.0)],
    ids=["beside its steps an epoch takes a second", "one length", "noise never makes steps cost less than nothing"],
)
def test_seconds_of_an_epoch_from_shorter_ones(pairs: list[tuple[int, float]], steps: int, expected: float) -> None:
    assert _of_steps(steps, pairs) == pytest.approx(expected)


def test_the_epochs_that_fit_a_time_count_every_phase() -> None:
    phases = [Phase("first", (), (), span=(0.0, 0.5)), Phase("second", (), (), span=(0.5, 1.0))]
    found = Measured(phases, [1.0, 3.0], 0.5)
    assert found.training(10) == 5 * 1 + 5 * 3
    assert found.budget(20.0) == 10
    assert found.budget(19.9) == 9
    assert found.budget(0.1) == 1
