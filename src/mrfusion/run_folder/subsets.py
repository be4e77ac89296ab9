"""The folder of a run's scores on every subset of its modalities: one score a row, and a summary of them as JSON."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrfusion.errors import InputError
from mrfusion.files import building_anew, read_json, read_rows, write_json, write_rows
from mrfusion.result import ScoreRow
from mrfusion.run_folder.folder import Folder

COLUMNS = ("subset", "case", "patient", "region", "metric", "value")


@dataclass(frozen=True)
class SubsetFolder(Folder):
    """Where the scores of subsets lie; ``subsets`` in the folder of a run, or wherever a user wants them."""

    @property
    def is_done(self) -> bool:
        """Whether the scores are there."""
        return self._summary.is_file()

    @property
    def table(self) -> Path:
        """The scores; version 0.1.0 gave this table the name of a run's scores, which has other columns."""
        old = self.path / "scores.csv"
        return old if old.is_file() else self.path / "subset_scores.csv"

    @property
    def _summary(self) -> Path:
        return self.path / "summary.json"

    @contextmanager
    def building(self) -> Iterator["SubsetFolder"]:
        """The folder under a temporary name while it is filled; see :func:`mrfusion.files.building_anew`."""
        with building_anew(self.path) as work:
            yield SubsetFolder(work)

    def write(self, rows: Iterable[ScoreRow], summary: Mapping[str, Any]) -> None:
        """Write both files; a row's ``arm`` is its subset as text."""
        write_rows(self.table, COLUMNS, ((r.arm, r.case, r.patient, r.region, r.metric, r.value) for r in rows))
        write_json(self._summary, summary)

    def read_scores(self, *, fold: int = 0, seed: int = 0) -> list[ScoreRow]:
        """The scores; InputError that names the file where it is none."""
        return [
            ScoreRow(r["subset"], fold, seed, r["case"], r["patient"], r["region"], r["metric"],
                     float(r["value"] or "nan"))
            for r in read_rows(self.table, COLUMNS)
        ]  # fmt: skip

    def read_summary(self) -> dict[str, Any]:
        """The summary, with the ``modalities`` that there are subsets of; InputError where it is of another form."""
        about = read_json(self._summary)
        if not isinstance(about, dict) or not isinstance(about.get("modalities"), list):
            raise InputError(f"expected the modalities of a run in {self._summary}, found another form")
        return about
