"""The grid of a running study: a mark for every run, in its arm's row and its fold's column, and scores beside them."""

from pathlib import Path

from rich.console import Console

from mrfusion.command.grid import DONE, MOST_ROWS, RUNNING, WAITING, study_grid
from mrfusion.result import CaseScore
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import RunSpec
from mrfusion.study.design import PlannedRun

SPEC = RunSpec.model_validate({"data": {"sources": [{"path": "x", "layout": "brats(year=2023)"}]}})


def runs(arms: int = 2) -> list[PlannedRun]:
    return [
        PlannedRun(f"arm [{a}]", fold, seed, SPEC.changed({"fold": fold, "seed": seed, "budget": {"epochs": a + 1}}))
        for a in range(arms)
        for fold in (0, 1)
        for seed in (0, 1)
    ]


def lines(planned: list[PlannedRun], out: Path, running: list[str]) -> list[list[str]]:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(study_grid(planned, out)(running))
    return [line.split() for line in capture.get().splitlines()]


def test_marks_stand_where_their_runs_are(tmp_path: Path) -> None:
    planned = runs()
    (tmp_path / "runs" / planned[0].spec.digest).mkdir(parents=True)
    head, first, second, *legend = lines(planned, tmp_path, [planned[5].spec.digest])
    assert head == ["fold", "0", "fold", "1"]
    assert first == ["arm", "[0]", DONE + WAITING, WAITING * 2]
    assert second == ["arm", "[1]", WAITING + RUNNING, WAITING * 2]
    assert legend[0][:2] == [DONE, "done"]


def test_of_many_arms_those_that_are_done_make_room(tmp_path: Path) -> None:
    planned = runs(MOST_ROWS + 3)
    for run in planned[:8]:
        (tmp_path / "runs" / run.spec.digest).mkdir(parents=True)
    shown = [line[1] for line in lines(planned, tmp_path, []) if line[:1] == ["arm"]]
    assert shown == [f"[{a}]" for a in range(2, MOST_ROWS + 2)]


def test_a_finished_run_shows_its_score_beside_its_mark(tmp_path: Path) -> None:
    planned = runs(1)
    for run, value in zip(planned[:2], (0.5, 0.75), strict=True):
        folder = StudyFolder(tmp_path).run(run.spec.digest)
        folder.path.mkdir(parents=True)
        rows = [("volume_mm3", 900.0), ("dice", value), ("dice", float("nan"))]
        folder.write_scores([CaseScore(f"c{n}", "WT", name, v) for n, (name, v) in enumerate(rows)], {})
    _, row, *legend = lines(planned, tmp_path, [])
    assert row == ["arm", "[0]", DONE * 2, "62.5", WAITING * 2]
    assert "Dice, points" in " ".join(word for line in legend for word in line)


def test_a_run_whose_scores_cannot_be_read_is_a_mark(tmp_path: Path) -> None:
    planned = runs(1)
    (tmp_path / "runs" / planned[0].spec.digest).mkdir(parents=True)
    assert lines(planned, tmp_path, [])[1] == ["arm", "[0]", DONE + WAITING, WAITING * 2]
