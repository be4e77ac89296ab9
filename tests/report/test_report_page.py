"""The page: numbers computed independently, escaping, one plotly, no network, no torch, what is missing is named."""

import csv
import json
import re
import statistics
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mrfusion.errors import InputError, OutputError
from mrfusion.files import write_json
from mrfusion.report.export import as_json, as_markdown
from mrfusion.report.page import build_report
from mrfusion.report.part import LEDGER
from mrfusion.report.terminal import terminal_table
from mrfusion.result import CaseScore
from mrfusion.run_folder.run import RunFolder
from mrfusion.scoring.masks import summarise
from mrfusion.study.load import load_study

EVIL = "<script>alert(1)</script>"


class Reader(HTMLParser):
    """What the page holds, as a browser would see it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self._open = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open == "script":
            self.scripts[-1] += data
        elif self._open != "style":
            self.text.append(data)

    def attributes(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]


def addresses(page: Reader) -> list[tuple[str, str]]:
    """What leads or loads out of the page: (tag, address)."""
    names = ("src", "href", "srcset", "action", "poster", "data", "xlink:href")
    found = [(tag, attrs[name] or "") for tag, attrs in page.tags for name in names if name in attrs]
    return [(tag, address) for tag, address in found if not address.startswith(("#", "data:image/"))]


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


@pytest.fixture(scope="module")
def report(study_folder, tmp_path_factory) -> Path:
    return build_report(load_study(study_folder), tmp_path_factory.mktemp("out") / "report.html")


@pytest.fixture(scope="module")
def page(report) -> Reader:
    return read(report)


def mean_by_hand(folder: Path, arm: str, metric: str, region: str) -> float:
    """Mean over cases of the mean over seeds, from the CSV files alone (a case is a patient in this cohort)."""
    values: dict[str, list[float]] = {}
    for run in json.loads((folder / "study.json").read_text())["plan"]:
        with (folder / "runs" / run["digest"] / "scores.csv").open() as stream:
            for row in csv.DictReader(stream):
                if (run["arm"], row["metric"], row["region"]) == (arm, metric, region) and row["value"] != "nan":
                    values.setdefault(row["case"], []).append(float(row["value"]))
    return statistics.mean(statistics.mean(v) for v in values.values())


@pytest.mark.parametrize("region", ["WT", "TC", "ET"])
@pytest.mark.parametrize("arm", ["concat", "separate", "only-t1c"])
@pytest.mark.parametrize("metric", ["dice", "iou"])
def test_the_means_stand_in_the_table(study_folder, page, arm, region, metric):
    tables = "".join(page.text).split("Means over patients, in brackets")[1]
    table = tables.split(f"{'Dice' if metric == 'dice' else 'IoU'}, points (higher is better)")[1]
    row = table.split(arm, 1)[1].split("scored", 4)
    column = ["WT", "TC", "ET"].index(region) + 1
    assert f"{100 * mean_by_hand(study_folder, arm, metric, region):.1f}" in row[column]


def test_the_leader_is_in_the_first_sentence(page):
    text = " ".join("".join(page.text).split())
    assert "separate has the best mean Dice of 3 arms" in text
    assert "better than the reference, concat" in text


def test_plotly_is_there_exactly_once(report, page):
    assert report.read_text(encoding="utf-8").count("plotly.js v") == 1
    assert [tag for tag, attrs in page.tags if tag == "script" and "type" not in attrs] == ["script"] * 3


def test_no_address_leaves_the_file(report, page):
    assert addresses(page) == []
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "base", "form"}
    style = report.read_text(encoding="utf-8").split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(attrs["content"] for tag, attrs in page.tags if tag == "meta" and "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src" not in policy


def test_the_link_to_the_ledger_is_all_that_leaves_the_file(make_study, tmp_path):
    """In a study that learns a fused image; searches and energies have the same link, see their tests."""
    folder = make_study(tmp_path / "s", arms={"concat": 0.0, "lrrnet": 0.01}, cases=2, folds=1, seeds=1, size=32)
    assert addresses(read(build_report(load_study(folder)))) == [("a", LEDGER)]


def test_every_anchor_exists(page):
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {v[1:] for v in page.attributes("href") if v.startswith("#")} <= set(ids)
    drawn = json.loads(page.scripts[0])["points-figure"]["difference|dice|mean"]["data"]
    assert {anchor for trace in drawn for anchor in trace.get("customdata", [])} <= set(ids)


def test_readable_without_seeing(page):
    for tag, attrs in page.tags:
        if attrs.get("role") in ("img", "group", "region"):
            assert attrs.get("aria-label"), (tag, attrs)
        if tag == "th":
            assert attrs.get("scope") in ("col", "row", "rowgroup")
        if tag == "button":
            assert attrs.get("type") == "button"
            assert attrs.get("aria-pressed") in ("true", "false")
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_size(report):
    assert report.stat().st_size < 6_000_000


def test_names_are_text(make_study, tmp_path):
    folder = make_study(tmp_path / "s", arms={"concat": 0.0, EVIL: 0.01}, cases=2, folds=1, seeds=1, size=32)
    for place in (folder / "cohort.json", folder / "splits.json"):
        place.write_text(place.read_text().replace("case-01", EVIL))
    for csv_file in folder.glob("runs/*/scores.*"):
        csv_file.write_text(csv_file.read_text().replace("case-01", EVIL))
    study = json.loads((folder / "study.json").read_text())
    write_json(folder / "study.json", study | {"question": f"Is {EVIL} <b>bold</b>?", "name": "</title>" + EVIL})
    html = build_report(load_study(folder)).read_text(encoding="utf-8")
    assert EVIL not in html
    page = read(folder / "report.html")
    assert sum(tag == "script" for tag, _ in page.tags) == 5
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert f"Is {EVIL} <b>bold</b>?" in "".join(page.text)
    hovers = json.dumps(json.loads(page.scripts[0]))
    assert EVIL not in hovers
    assert "&lt;script&gt;" in hovers
    assert terminal_table(load_study(folder)).row_count == 2


def test_missing_and_unreadable_runs_are_named(make_study, tmp_path):
    folder = make_study(tmp_path / "s", cases=4, seeds=1, size=32)
    study = load_study(folder)
    gone, broken = study.runs[0], study.runs[3]
    gone.folder.path.rename(tmp_path / "elsewhere")
    (broken.folder.path / "scores.csv").write_text("case,region\n")
    (study.runs[4].folder.path / "slices" / "0.npz").write_bytes(b"no zip")
    again = load_study(folder)
    assert [run.state for run in again.runs] == ["missing", "done", "done", "unreadable", "done", "done"]
    text = " ".join("".join(read(build_report(load_study(folder))).text).split())
    assert "4 of 6 runs are there" in text
    assert f"{gone.digest}missing" in text
    assert f"{broken.folder.path / 'scores.csv'} lacks the columns metric, value" in text
    assert "0.npz" in text


def test_a_region_that_no_scored_case_has_is_announced_wherever_its_figures_stand(make_study, tmp_path):
    """Cases without a region, of which both masks are empty, count as a Dice of 1 and lift the mean over regions."""
    folder = make_study(tmp_path / "s", cases=4, folds=1, seeds=1, size=32)
    assert load_study(folder).nowhere == ()
    for home in folder.glob("runs/*"):
        rows = RunFolder(home).read_scores()
        empty = {"dice": 1.0, "iou": 1.0, "target_volume_mm3": 0.0}
        rows = [replace(row, value=empty[row.metric]) if row.region == "ET" else row for row in rows]
        RunFolder(home).write_scores(rows, summarise(rows))
    study = load_study(folder)
    assert study.nowhere == ("ET",)
    text = " ".join("".join(read(build_report(study)).text).split())
    said = "ET is in 0 of 4 scored cases: where both masks are empty the Dice is 1"
    assert f"A region that is nowhere. {said}" in text
    assert "no scored case has ET: 0 of 4" in text
    assert said in " ".join(str(terminal_table(study).caption).split())
    assert said in as_markdown(study)
    assert as_json(study)["regions_in_no_case"] == ["ET"]


def test_no_run_yet(make_study, tmp_path):
    folder = make_study(tmp_path / "s", cases=2, folds=1, seeds=1, size=32)
    (folder / "runs").rename(tmp_path / "elsewhere")
    text = " ".join("".join(read(build_report(load_study(folder))).text).split())
    assert "No run of this study has finished yet." in text
    assert "0 of 3 runs" in text


def test_one_arm_without_pictures(make_study, tmp_path):
    folder = make_study(tmp_path / "s", arms={"alone": 0.0}, cases=1, folds=1, seeds=1, size=32)
    for picture in folder.glob("runs/*/slices/*.npz"):
        picture.unlink()
    text = " ".join("".join(read(build_report(load_study(folder))).text).split())
    assert "alone reaches a mean Dice of " in text
    assert "There are no pictures of these cases." in text


def test_of_a_large_cohort_the_worst_are_drawn_and_one_metric_stands_in_full(make_study, tmp_path, monkeypatch):
    folder = make_study(tmp_path / "s", cases=6, folds=1, seeds=1, size=32)
    monkeypatch.setattr("mrfusion.report.section.cases.MOST_DRAWN", 2)
    for section in ("appendix", "points"):
        monkeypatch.setattr(f"mrfusion.report.section.{section}.MOST_CASES", 5)
    page = read(build_report(load_study(folder)))
    text = " ".join("".join(page.text).split())
    assert text.count("Not drawn: only the 2 worst cases are.") == 2, "nor the best and the median"
    assert "The scores of 6 cases are too many for this page" in text
    assert "Dice of every case and region" not in text
    assert {key.split("|")[1] for key in json.loads(page.scripts[0])["points-figure"]} == {"dice"}
    test_every_anchor_exists(page)


def test_arms_on_one_slice_share_its_images_and_others_keep_their_own(make_study, tmp_path):
    folder = make_study(tmp_path / "s", arms={"concat": 0.0, "only-t1c": -0.1}, cases=3, folds=1, seeds=1, size=32)
    changes: tuple[dict[str, Any], ...] = ({"modalities": ["t1c"]}, {"index": 30}, {"modalities": ["unheard-of"]})
    only = load_study(folder).runs[1]
    for path, change in zip(only.slices, changes, strict=True):
        with np.load(path) as file:
            found: dict[str, Any] = dict(file) | {key: np.array(value) for key, value in change.items()}
        found["images"] = found["images"][: len(found["modalities"])]
        np.savez(path, **found)
    page = read(build_report(load_study(folder)))
    text = " ".join("".join(page.text).split())
    assert f"at {only.slices[2]}, found unheard-of; it is not drawn" in text
    images = sorted(v for v in page.attributes("id") if re.fullmatch(r"case-\d-\d-m\d", v))
    frames = [v[:-3] for v in images]
    assert {f: frames.count(f) for f in frames} == {"case-0-0": 4, "case-1-0": 4, "case-1-1": 4, "case-2-0": 4}
    assert sum(attrs.get("class") == "image" for _, attrs in page.tags) == 5


def test_a_classification_shows_accuracy_and_what_is_scored_together(make_study, tmp_path):
    folder = make_study(tmp_path / "s", arms={"concat": 0.0, "late": 0.0}, cases=4, folds=1, seeds=1, size=32)
    for run, right in zip(load_study(folder).runs, (1, 3), strict=True):
        rows = [CaseScore(f"case-0{n}", "*", "correct", float(n < right)) for n in range(4)]
        rows += [CaseScore("case-00", "HGG", "probability", 0.8), CaseScore("*", "*", "auc", 0.875)]
        run.folder.write_scores(rows, {})
    text = " ".join("".join(read(build_report(load_study(folder))).text).split())
    assert "late has the best mean Accuracy of 2 arms: 75.0 points" in text
    assert "AUC, points (higher is better) concat" in text
    assert "87.5[87.5 to 87.5]1 run" in text


@pytest.mark.parametrize(
    ("arms", "asks"),
    [("a", "How good is a?"), ("abc", "Which is best: a, b or c?"), ("abcde", "Which of 5 arms is best?")],
)
def test_a_study_that_asks_nothing_asks_which_is_best(make_study, tmp_path, arms, asks):
    folder = make_study(tmp_path / "s", arms=dict.fromkeys(arms, 0.0), cases=1, folds=1, seeds=1, size=16)
    write_json(folder / "study.json", json.loads((folder / "study.json").read_text()) | {"question": ""})
    assert load_study(folder).question == asks


def test_not_a_study_is_said(tmp_path):
    with pytest.raises(InputError, match=r"study\.json"):
        build_report(load_study(tmp_path))
    for name in ("study", "cohort", "splits"):
        write_json(tmp_path / f"{name}.json", [])
    with pytest.raises(InputError, match="input should be a valid dictionary"):
        build_report(load_study(tmp_path))


def test_a_failed_report_leaves_the_old_one(study_folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        build_report(load_study(study_folder), tmp_path / "file" / "report.html")


def test_built_without_torch(study_folder, tmp_path):
    program = (
        "import sys, pathlib; from mrfusion.report.page import build_report;"
        "from mrfusion.study.load import load_study;"
        f"build_report(load_study({str(study_folder)!r}), pathlib.Path({str(tmp_path / 'r.html')!r}));"
        "heavy = {'torch', 'monai', 'pandas', 'plotly.graph_objects'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (tmp_path / "r.html").exists()
