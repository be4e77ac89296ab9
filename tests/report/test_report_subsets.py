"""The heat map of subsets: every number in text, the worst named, dedicated arms beside, worth, what was trained."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mrfusion.comparison.shapley import subsets
from mrfusion.comparison.subset_scores import summarise_subsets, text_of
from mrfusion.errors import InputError
from mrfusion.files import read_json, write_json
from mrfusion.report.export import as_json
from mrfusion.report.page import page
from mrfusion.report.section import modalities
from mrfusion.result import ScoreRow
from mrfusion.run_folder.subsets import SubsetFolder
from mrfusion.study.load import load_study

NAMES = ("t1n", "t1c", "t2w", "t2f")
GAIN = {"t1n": 0.02, "t1c": 0.4, "t2w": 0.1, "t2f": 0.3}  # what each modality adds, to every case the same


def rows_of(cases: list[str]) -> list[ScoreRow]:
    """Dice that add up: the gains of what is present, a little by case and region."""
    found = []
    for subset in subsets(NAMES):
        for number, case in enumerate(cases):
            for place, region in enumerate(("WT", "TC", "ET")):
                value = sum(GAIN[name] for name in subset) + 0.001 * number - 0.01 * place if subset else 0.0
                found.append(ScoreRow(text_of(subset, NAMES), 0, 0, case, f"patient of {case}", region, "dice", value))
    return found


def with_subsets(folder: Path, arm: str, *, absence: str = "uniform") -> None:
    for run in load_study(folder).runs_of(arm):
        with run.folder.subsets.building() as home:
            home.write(rows_of(sorted({row.case for row in run.scores})), {"modalities": NAMES, "absence": absence})
        write_json(run.folder.path / "spec.json", {**read_json(run.folder.path / "spec.json"), "absence": absence})


@pytest.fixture
def folder(make_study: Any, tmp_path: Path) -> Path:
    arms = {"concat": 0.0, "concat(t1c,t2f)": 0.02, "separate": 0.01}
    return make_study(tmp_path, arms=arms, folds=2, seeds=2, cases=6, size=32)


def shown(folder: Path) -> tuple[str, str]:
    found = modalities.section(load_study(folder))
    assert found is not None
    return found.html, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found.html).replace("&nbsp;", " "))


def test_every_subset_is_a_row_with_its_numbers(folder: Path) -> None:
    with_subsets(folder, "concat")
    html, text = shown(folder)
    assert html.count('<td class="dot">') == 15 * 4
    assert html.count('class="num shade"') == 15 * 4
    assert html.count(">present<") == html.count("●") == 32
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.S)
    worst = next(row for row in rows if "worst" in row)
    assert re.findall(r">(present|absent)<", worst) == ["present", "absent", "absent", "absent"]
    assert worst.count("worst<") == 4
    assert "Dice of concat for 15 subsets of its modalities" in html
    assert "with t1n alone, the worst" in html
    assert "out of its training" not in text


def test_arms_trained_on_just_these_stand_beside(folder: Path) -> None:
    with_subsets(folder, "concat")
    html, text = shown(folder)
    study = load_study(folder)
    mean = study.arm_means["concat(t1c,t2f)", "dice", "mean"].mean
    assert "Trained on just these" in text
    row = next(row for row in re.findall(r"<tr>(.*?)</tr>", html, re.S) if "concat(t1c,t2f)" in row)
    assert re.findall(r">(present|absent)<", row) == ["absent", "present", "absent", "present"]
    assert f"{100 * mean:.1f}" in row
    assert html.count("separate") == 1, "trained on all four, so beside all four"


def test_worth_is_what_was_planted(folder: Path) -> None:
    with_subsets(folder, "concat")
    _, text = shown(folder)
    order = [text.index(f" {name} +") for name in sorted(GAIN, key=lambda name: -GAIN[name])]
    assert order == sorted(order)
    (arm,) = as_json(load_study(folder))["modalities"]
    found = {row["modality"]: row["value"] for row in arm["shapley"] if row["region"] == "WT"}
    mean_case = np.mean([0.001 * n for n in (0, 1, 2)])
    assert sum(found.values()) == pytest.approx(sum(GAIN.values()) + mean_case)
    assert found["t1c"] - found["t1n"] == pytest.approx(GAIN["t1c"] - GAIN["t1n"])
    assert arm["trained_for"] is True


def test_a_run_that_was_not_trained_for_it_is_said_to_be(folder: Path) -> None:
    with_subsets(folder, "concat", absence="none")
    assert "what it answers without some of them is out of its training" in shown(folder)[1]


def test_the_page_has_the_section_where_there_are_scores(folder: Path) -> None:
    assert modalities.section(load_study(folder)) is None
    assert as_json(load_study(folder))["modalities"] == []
    with_subsets(folder, "concat")
    assert 'id="modalities"' in page(load_study(folder))


def test_a_broken_table_is_named(folder: Path) -> None:
    with_subsets(folder, "concat")
    run = load_study(folder).runs_of("concat")[0]
    (run.folder.path / "subsets" / "scores.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"scores\.csv lacks the columns"):
        modalities.section(load_study(folder))
    (run.folder.path / "subsets" / "summary.json").write_text("[]")
    with pytest.raises(InputError, match=r"expected the modalities of a run in .*summary\.json"):
        modalities.section(load_study(folder))


def test_the_table_round_trip_and_the_summary(tmp_path: Path) -> None:
    rows = rows_of(["a", "b", "c"])
    SubsetFolder(tmp_path).write(rows, {"modalities": NAMES})
    assert SubsetFolder(tmp_path).read_scores() == rows
    found = summarise_subsets(rows, NAMES)
    assert found.regions == ("WT", "TC", "ET", "mean")
    full, worst = found.of("dice", "WT")[-1], found.worst("dice", "mean")
    assert (full.present, worst.present) == (NAMES, ("t1n",))
    assert (full.drop, full.drop_low, full.drop_high) == (0, 0, 0)
    assert worst.drop == pytest.approx(0.8)
    assert (worst.drop_low, worst.drop_high) == pytest.approx((0.8, 0.8))
    for region in ("WT", "TC", "ET", "mean"):
        none = [r.value for r in rows if r.arm == "none"]
        total = sum(worth.value for worth in found.worth_of("dice", region))
        assert total == pytest.approx(found.of("dice", region)[-1].mean - np.mean(none))


def test_a_single_region_has_no_mean_of_its_own() -> None:
    rows = [row for row in rows_of(["a", "b"]) if row.region == "WT"]
    assert summarise_subsets(rows, NAMES).regions == ("WT",)


def test_a_metric_without_a_value_for_an_empty_answer_has_means_and_no_worth() -> None:
    rows = [ScoreRow(r.arm, 0, 0, r.case, r.patient, r.region, "precision", r.value if r.arm != "none" else math.nan)
            for r in rows_of(["a", "b"])]  # fmt: skip
    found = summarise_subsets(rows, NAMES)
    assert len(found.of("precision", "WT")) == 15
    assert found.worths == ()
