"""The folder of a study: the name of every file in it stands here.

study.json       the design, and the run that answers each cell of it
plan.json        what the first `mrfusion study` here declared that it would compare; never changed
cohort.json      modalities, regions, classes, the cases and their patients, a fingerprint of the data, notes
splits.json      train, val and test cases of each fold, with a digest of each case
planning.json    what was planned from the data and why, where anything was
searches.json    how the searches of the study stand, where it has any
scores.csv       every score of every finished run in one long table
runs/<digest>/   a finished run
progress/        who is at work, and how far; nothing that has to be kept
tracking/        what trackers show, where any were asked for
cache/           the prepared cases, where no other place was named
report.html      the report, and its verdicts as ``report.json``
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrfusion.case import Case, Cohort, Split, outlined
from mrfusion.errors import InputError
from mrfusion.files import read_json, write_json
from mrfusion.result import ScoreRow
from mrfusion.run_folder import planning, scores, searches
from mrfusion.run_folder.folder import Folder
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.splits import read_hashes, write_splits


@dataclass(frozen=True)
class StudyFolder(Folder):
    """The folder of one study, which a user calls its ``--out``."""

    @property
    def runs(self) -> Path:
        """Where the runs lie."""
        return self.path / "runs"

    def run(self, digest: str) -> RunFolder:
        """The folder of a run; InputError where the digest is no name."""
        if Path(digest).name != digest:
            raise InputError(f"{self.design}: expected the digests of runs, found {digest!r}; write it anew")
        return RunFolder(self.runs / digest)

    @property
    def cache(self) -> Path:
        """The prepared cases, where no other place was named."""
        return self.path / "cache"

    def report(self, suffix: str) -> Path:
        """The report, by the suffix of its file."""
        return self.path / f"report{suffix}"

    # -- what the study is

    @property
    def design(self) -> Path:
        """The file of the design, for messages."""
        return self.path / "study.json"

    @property
    def cohort(self) -> Path:
        """The file of the cases and what they have in common, for messages."""
        return self.path / "cohort.json"

    def write_design(self, content: Mapping[str, Any]) -> None:
        """Write the design, with ``plan``: the arm, fold, seed and digest of each cell."""
        write_json(self.design, content)

    def read_design(self) -> dict[str, Any]:
        """The design."""
        return read_json(self.design)  # type: ignore[no-any-return]

    @property
    def plan(self) -> Path:
        """The file of the frozen plan, for messages."""
        return self.path / "plan.json"

    def write_plan(self, content: Mapping[str, Any]) -> None:
        """Write the frozen plan; see :mod:`mrfusion.study.frozen`."""
        write_json(self.plan, content)

    def read_plan(self) -> dict[str, Any] | None:
        """The frozen plan; None where none was frozen, as in studies of one arm."""
        return read_json(self.plan) if self.plan.exists() else None

    def write_cohort(self, cohort: Cohort, *, fingerprint: str, notes: Sequence[str]) -> None:
        """Write what the cases are, and what has to be said about them."""
        cases = [{"id": case.id, "patient": case.patient} for case in cohort.cases]
        about = {"cases": cases, "fingerprint": fingerprint, "notes": notes}
        write_json(self.cohort, cohort.outline | about)

    def read_cohort(self) -> dict[str, Any]:
        """What the cases are, as plain values."""
        return read_json(self.cohort)  # type: ignore[no-any-return]

    def read_outline(self) -> Cohort:
        """The modalities, regions and classes, as a cohort without cases."""
        return outlined(self.read_cohort())

    @property
    def splits(self) -> Path:
        """The file of the splits, which another study can be given."""
        return self.path / "splits.json"

    def write_splits(self, cases: Iterable[Case], folds: Sequence[Split], hashes: Mapping[str, str]) -> None:
        """Write the splits; ``hashes`` are the digests of the prepared cases."""
        write_splits(self.splits, cases, folds, hashes)

    def read_hashes(self) -> dict[str, str]:
        """Case id to the digest of its prepared images."""
        return read_hashes(self.splits)

    def read_planned(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was planned when this was asked; None where it never was."""
        return planning.read_answer(self._planning, asked)

    def keep_planned(self, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Keep what was planned, with what was asked."""
        planning.keep_answer(self._planning, asked, answer)

    # -- what came of it

    def write_searches(self, found: Iterable[searches.SearchAccount]) -> None:
        """Write how the searches stand."""
        searches.write_searches(self._searches, found)

    def read_searches(self) -> tuple[searches.SearchAccount, ...]:
        """How the searches stand; none where the study has none."""
        return searches.read_searches(self._searches) if self._searches.exists() else ()

    @property
    def scores(self) -> Path:
        """The table of every score, for messages."""
        return self.path / scores.FILE

    def write_scores(self, rows: Iterable[ScoreRow]) -> None:
        """Write every score of every finished run."""
        scores.write_study_scores(self.scores, rows)

    def read_scores(self) -> list[ScoreRow]:
        """Every score of every finished run."""
        return scores.read_study_scores(self.scores)

    # -- while it goes on

    @property
    def progress(self) -> Path:
        """Where jobs tell how far they are."""
        return self.path / "progress"

    def progress_of(self, job: str) -> Path:
        """Where a job tells how far it is."""
        return self.progress / f"{job}.json"

    def subsets_job(self, digest: str) -> str:
        """What the job is called that scores a run on every subset of its modalities."""
        return f"{digest}-subsets"

    def tracking(self, tracker: str) -> Path:
        """What a tracker keeps of all runs."""
        return self.path / "tracking" / tracker

    def lock_of(self, work: str) -> Path:
        """Held by whoever carries out the run with this digest, ``study``, or what else is done by one at a time."""
        return self.progress / f"{work}.claim"

    # -- names

    @property
    def _planning(self) -> Path:
        return self.path / "planning.json"

    @property
    def _searches(self) -> Path:
        return self.path / "searches.json"
