"""Verdicts on anybody's results: tables of scores, or folders of predictions, in one report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mrfusion.command.display import console, one_bar, say
from mrfusion.command.labels import Labels
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.errors import SpecError
from mrfusion.hardware import cores
from mrfusion.outside.folders import named_arms, score_arms
from mrfusion.outside.images import Images
from mrfusion.outside.judge import judgement
from mrfusion.outside.pictures import Gallery, gallery
from mrfusion.outside.places import Table, by_arm, patients_named, placed
from mrfusion.outside.tables import read_table
from mrfusion.report.outside import keep_what_is_drawn, outside_study, write_outside_report
from mrfusion.report.terminal import terminal_answer
from mrfusion.result import ScoreRow
from mrfusion.scoring.question import Question


@dataclass(frozen=True)
class Given:
    """What the user gave: tables, or arms of folders with their labels and images; and what names a case's patient."""

    tables: Sequence[str] = ()
    arms: Sequence[str] = ()
    labels: Labels | None = None
    images: Path | Images | None = None
    importer: str | None = None
    patients: str | None = None
    workers: int | None = None


def compare_results(given: Given, asked: Question, reference: str, *, margins: Sequence[str], out: Path) -> None:
    """Score what is not scored yet, judge, write the report and say where it is."""
    declared = Hypotheses(margins=_margins(margins))
    if bool(given.tables) == bool(given.arms):
        told = "both" if given.tables else "neither"
        raise SpecError(
            f"expected tables of scores, or --arm NAME=FOLDER with --labels, found {told}; name one of them"
        )
    if given.tables and given.labels is not None:
        raise SpecError("--labels: tables of scores need none; name --arm NAME=FOLDER, or leave --labels out")
    if given.arms and given.labels is None:
        raise SpecError(
            "--labels: expected the folder of labels that the arms' predictions are scored against, found none; name it"
        )
    files = _gallery(given, asked)
    found = judgement(_rows(given, asked), reference, declared)
    with TemporaryDirectory(prefix="mrfusion-") as place:
        study = outside_study(found.scores, reference, out, hypotheses=declared, files=files, pictures=Path(place))
        if files is not None:
            with one_bar("drawing") as progress:
                keep_what_is_drawn(study, files, workers=given.workers or cores(), progress=progress)
        written = write_outside_report(study)
    console.print(terminal_answer(study))
    for path in written:
        say(str(path))


def _gallery(given: Given, asked: Question) -> Gallery | None:
    """The files that pictures are made of; None where no images were named."""
    if given.images is None:
        return None
    if given.labels is None:
        raise SpecError(
            "--images: expected --labels and --arm NAME=FOLDER beside it, found tables, which hold no masks to "
            "draw; name the folders of predictions, or leave --images out"
        )
    return gallery(given.images, given.labels, named_arms(given.arms), asked)


def _rows(given: Given, asked: Question) -> list[ScoreRow]:
    patient_of = patients_named(given.patients)
    if given.tables:
        return placed(by_arm([_table(text, given.importer) for text in given.tables]), patient_of)
    assert given.labels is not None
    with one_bar("scoring") as progress:
        arms = score_arms(
            named_arms(given.arms), given.labels, asked, workers=given.workers or cores(), progress=progress
        )
    return placed(arms, patient_of)


def _table(text: str, importer: str | None) -> tuple[str, Table]:
    """``FILE`` or ``ARM=FILE``; a file of that whole name counts first."""
    name, equals, file = text.partition("=")
    if Path(text).exists() or not equals:
        return "", read_table(Path(text), importer)
    return name.strip(), read_table(Path(file.strip()), importer)


def _margins(texts: Sequence[str]) -> dict[str, float]:
    found = {}
    for text in texts:
        metric, _, number = text.rpartition("=")
        try:
            found[metric.strip()] = float(number)
        except ValueError:
            found[""] = -1.0
        if not metric.strip() or not 0 < found.get(metric.strip(), -1.0) < math.inf:
            raise SpecError(f"--margin: expected METRIC=NUMBER above 0, as in 'dice=0.02', found {text!r}")
    return found
