"""The report of results that were made elsewhere: the sections that need no training of ours, and the tables."""

from collections.abc import Sequence
from pathlib import Path

from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.errors import InputError
from mrfusion.files import write_json, write_text
from mrfusion.outside.pictures import Choice, Gallery, keep_pictures
from mrfusion.progress import Progress
from mrfusion.report.export import FORMATS, as_json
from mrfusion.report.page import page
from mrfusion.report.section import arms, cases, headline, methods, points, ranking, verdicts, viewer
from mrfusion.result import ScoreRow
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.study import StudyFolder
from mrfusion.study.load import Arm, LoadedStudy, StudyCase, usual_question
from mrfusion.study.load_run import LoadedRun

SECTIONS = (headline, verdicts, ranking, arms, points, cases, viewer, methods)


def write_outside_report(study: LoadedStudy) -> list[Path]:
    """Write report.html, report.json, report.md, report.tex and scores.csv to the study's folder; returns their places.

    Pictures of the cases are taken from its runs, where they were kept. Raises OutputError where a file cannot be
    written; each is written whole or not at all.
    """
    html, data = study.folder.report(".html"), study.folder.report(".json")
    write_text(html, page(study, SECTIONS))
    write_json(data, as_json(study))
    tables = [(study.folder.report(suffix), write) for suffix, write in FORMATS.values()]
    for place, write in tables:
        write_text(place, write(study))
    study.folder.write_scores(study.scores)
    return [html, data, *(place for place, _ in tables), study.folder.scores]


def outside_study(
    rows: Sequence[ScoreRow],
    reference: str,
    out: Path,
    *,
    hypotheses: Hypotheses,
    files: Gallery | None = None,
    pictures: Path,
) -> LoadedStudy:
    """The scores in the form that the sections read: each fold and seed of an arm is a run without any terms.

    ``pictures`` is the folder in which a run's pictures are looked for; ``files`` are what they are made of. InputError
    where ``out`` is the folder of a study, whose report would be lost.
    """
    folder = StudyFolder(out)
    if folder.design.exists():
        raise InputError(f"--out: {out} is the folder of a study, whose report would be overwritten; name another one")
    names = list(dict.fromkeys(row.arm for row in rows))
    names.sort(key=lambda name: name != reference)
    runs: dict[tuple[str, int, int], list[ScoreRow]] = {}
    for row in rows:
        runs.setdefault((row.arm, row.fold, row.seed), []).append(row)
    patients = {row.case: row.patient for row in rows}
    return LoadedStudy(
        folder=folder,
        name=out.resolve().name,
        question=usual_question(names),
        arms=tuple(Arm(name, {}) for name in names),
        reference=reference,
        cases=tuple(StudyCase(case, patient, "") for case, patient in patients.items()),
        modalities=files.modalities if files else (),
        cohort_regions=tuple(dict.fromkeys(row.region for row in rows)),
        splits_digest="",
        fingerprint="",
        runs=tuple(_run(StudyFolder(pictures), names, key, found) for key, found in runs.items()),
        searches=(),
        hypotheses=hypotheses,
    )


def keep_what_is_drawn(study: LoadedStudy, files: Gallery, *, workers: int, progress: Progress) -> None:
    """Keep the pictures that the report of such a study shows, see :func:`mrfusion.outside.pictures.keep_pictures`."""
    runs = sorted(study.done, key=lambda run: run.seed)
    homes: dict[tuple[str, str], RunFolder] = {}
    for run in runs:
        for row in run.scores:
            homes.setdefault((run.arm, row.case), run.folder)
    whole = [case.id for case in study.cases if case.id in files.images][: viewer.MOST_CASES]
    drawn = dict.fromkeys([*cases.drawn(study), *whole])
    keep_pictures(files, Choice(homes, tuple(drawn), whole), workers=workers, progress=progress)


def _run(folder: StudyFolder, names: Sequence[str], key: tuple[str, int, int], rows: Sequence[ScoreRow]) -> LoadedRun:
    arm, fold, seed = key
    home = folder.run(f"arm{names.index(arm)}-fold{fold}-seed{seed}")
    return LoadedRun(arm, fold, seed, home.digest, home, state="done", scores=tuple(rows))
