"""Studies that earlier versions left are read whole, and their reports have every figure that they had.

That of 0.1.0 lies among the oracles; from 0.2.0 on each version leaves one in stored/, made by store_study.py.
"""

import csv
import json
import math
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mrfusion.report.page import build_report
from mrfusion.run_folder.energies import read_maps
from mrfusion.run_folder.pictures import read_slice, read_volume
from mrfusion.study.load import LoadedStudy, load_study

# what the judge says of the same scores, which other versions say otherwise: intervals, p-values, words
JUDGED = {"ci_low", "ci_high", "low", "high", "drop_low", "drop_high", "p", "p_holm", "verdict", "violations", "words"}


@pytest.fixture(scope="module")
def out(oracle_root: Path) -> Path:
    folder = oracle_root / "study_0.1.0" / "out"
    if not folder.is_dir():
        pytest.skip("no study of version 0.1.0 here")
    return folder


@pytest.fixture(scope="module")
def study(out: Path) -> LoadedStudy:
    return load_study(out)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_run_and_every_number_of_it_is_there(study: LoadedStudy) -> None:
    assert [arm.name for arm in study.arms] == ["concat", "only t1c", "energy", "searched"]
    assert len(study.done) == len(study.runs) == 16
    for run in study.done:
        folder = run.folder.path
        scores = [
            (r["case"], r["region"], r["metric"], float(r["value"] or "nan")) for r in table(folder / "scores.csv")
        ]
        found = [(row.case, row.region, row.metric, row.value) for row in run.scores]
        assert all(a[:3] == b[:3] and (a[3] == b[3] or math.isnan(a[3])) for a, b in zip(found, scores, strict=True))
        history = [(int(r["epoch"]), r["quantity"], float(r["value"] or "nan")) for r in table(folder / "history.csv")]
        assert [(epoch, str(quantity)) for epoch, quantity, _ in run.history] == [row[:2] for row in history]
        assert sum(value for *_, value in run.history) == sum(value for *_, value in history)


def test_what_lies_beside_the_scores_is_read(study: LoadedStudy) -> None:
    energies = [run for run in study.done if run.folder.has_energies]
    assert {run.arm for run in energies} == {"energy"}
    for run in energies:
        rows = table(run.folder.path / "energy.csv")
        assert [row.value for row in run.folder.read_energies()] == [float(row["value"]) for row in rows]
        assert [read_maps(maps, read_slice(picture)).levels for maps, picture in run.folder.energy_maps]
    for run in study.done:
        assert {read_slice(path).case for path in run.slices} == {row.case for row in run.scores}
        assert all(min(read_volume(path).target.shape) > 0 for path in run.folder.volumes)
    with_subsets = [run for run in study.done if run.folder.subsets.is_done]
    assert {run.arm for run in with_subsets} == {"concat", "energy", "searched"}
    for run in with_subsets:
        rows = table(run.folder.path / "subsets" / "scores.csv")
        assert [row.value for row in run.folder.subsets.read_scores()] == [float(row["value"]) for row in rows]
    assert [(search.arm, len(search.trials)) for search in study.searches] == [
        (entry["arm"], len(entry["trials"])) for entry in json.loads((study.folder.path / "searches.json").read_text())
    ]


def leaves(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every plain value of JSON with its place."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, (*place, key))
    else:
        yield place, value


def alike(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return one == other


def test_the_report_has_every_figure_that_it_had(study: LoadedStudy, out: Path, tmp_path: Path) -> None:
    page = build_report(study, tmp_path / "report.html")
    old, new = (dict(leaves(json.loads(p.read_text()))) for p in (out / "report.json", page.with_suffix(".json")))
    lost = [place for place in old if place not in new and not set(place) & {"violations", "words"}]
    assert not lost
    same = {place: value for place, value in old.items() if not set(place) & JUDGED}
    assert len(same) > 1000
    different = [(place, value, new[place]) for place, value in same.items() if not alike(value, new[place])]
    assert not different
    html = page.read_text()
    for section in (
        "answer",
        "ranking",
        "search",
        "modalities",
        "energy",
        "points",
        "cases",
        "viewer",
        "curves",
        "cost",
    ):
        assert f'id="{section}"' in html, section


STORED = sorted((Path(__file__).parent / "stored").glob("*.zip"))


@pytest.fixture(params=STORED, ids=lambda path: path.stem)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(tmp_path / "out")
    return tmp_path / "out"


def test_each_version_left_a_small_study() -> None:
    assert "0.2.0" in {path.stem for path in STORED}
    assert all(path.stat().st_size < 200_000 for path in STORED)


def test_a_stored_study_is_read_and_reported_with_every_score(stored: Path) -> None:
    study = load_study(stored)
    assert [run.state for run in study.runs] == ["done", "done"]
    for run in study.done:
        rows = table(run.folder.path / "scores.csv")
        found = [(row.case, row.region, row.metric, repr(row.value)) for row in run.scores]
        assert found == [(row["case"], row["region"], row["metric"], row["value"]) for row in rows]
        assert len(run.slices) == len({row.case for row in run.scores})
    page = build_report(study, stored / "again.html")
    old, new = (dict(leaves(json.loads(p.read_text()))) for p in (stored / "report.json", page.with_suffix(".json")))
    kept = {place: value for place, value in old.items() if not set(place) & JUDGED}
    assert all(place in new and alike(value, new[place]) for place, value in kept.items() if "other_rules" not in place)


def test_runs_of_other_rules_are_named(stored: Path) -> None:
    """A run that the design asks for is counted and named; one that it does not ask for any more is named too."""
    plan = json.loads((stored / "study.json").read_text())["plan"]
    first = str(plan[0]["digest"])
    spec = stored / "runs" / first / "spec.json"
    content = json.loads(spec.read_text())
    spec.write_text(json.dumps(content | {"seed": content["seed"] + 1}))  # as if this version called it otherwise
    shutil.copytree(stored / "runs" / first, stored / "runs" / "0123456789abcdef")
    study = load_study(stored)
    assert first in study.other_rules.counted
    assert study.other_rules.left_out == ("0123456789abcdef",)
    text = " ".join(build_report(study, stored / "again.html").read_text().split())
    assert "of the 2 runs here were made by other rules than this version" in text
    assert "(version 0.2.0): the same specification would give other numbers today" in text
    assert "1 finished run in runs/ that other rules made, or an earlier design, is counted nowhere: 0123" in text
