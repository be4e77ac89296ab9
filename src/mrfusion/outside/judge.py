"""Verdicts from a table of scores, wherever it comes from; nothing is written, and torch is not needed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from mrfusion.comparison.compare import Comparison
from mrfusion.comparison.compare import compare as judged
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.errors import InputError, nearest
from mrfusion.outside.checks import check_margins, check_rows, tell_unranked
from mrfusion.outside.places import by_arm, placed, tell_unshared
from mrfusion.outside.tables import read_table, rows_of
from mrfusion.part import read_part
from mrfusion.result import ScoreRow


@dataclass(frozen=True)
class Judgement(Sequence[Comparison]):
    """The comparisons, one for each arm, region and metric, and the scores that they rest on.

    It is a sequence of its comparisons. ``frame`` is the same as a table: of the library that the scores came in, or
    of pandas.
    """

    reference: str
    comparisons: tuple[Comparison, ...]
    scores: tuple[ScoreRow, ...]
    library: str = "pandas"

    def __getitem__(self, index: Any) -> Any:
        return self.comparisons[index]

    def __len__(self) -> int:
        return len(self.comparisons)

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.comparisons)

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The fields of the comparisons by name, as lists; ``reasons`` and ``notes`` as sentences in one text."""
        names = [field.name for field in fields(Comparison)]
        return {name: [_cell(getattr(row, name)) for row in self.comparisons] for name in names}

    @property
    def frame(self) -> Any:
        """A frame with one row a comparison; InputError where neither pandas nor polars is installed."""
        try:
            return import_module(self.library).DataFrame(self.columns)  # loaded here, for most callers need none
        except ImportError:
            raise InputError(f"a frame needs {self.library}: pip install {self.library}, or read .columns") from None


def compare(
    table: Any,
    reference: str,
    hypotheses: Hypotheses | None = None,
    *,
    margins: Mapping[str, float] | None = None,
) -> Judgement:
    """Every arm of a table against the reference: effect, interval, verdict, and why one stays undecided.

    ``table`` is a frame of pandas or polars, a list of rows (mappings or ScoreRow), a file, or ``{arm: table}`` for
    tables that do not name their arm. A row has the columns arm, case and value; patient (default: the case), fold and
    seed (0), region (all one) and metric (dice) where there are any. ``margins`` maps a metric to the difference that
    counts as none. Raises InputError for a table that holds no scores of the reference or of another arm,
    or a score twice, or one that its metric cannot have, and SpecError for a margin that is not above 0.
    """
    named = table if isinstance(table, Mapping) else {"": table}
    tables = [
        (name, read_table(Path(one)) if isinstance(one, str | Path) else rows_of(one)) for name, one in named.items()
    ]
    rows = placed(by_arm(tables))
    library = type(next(iter(named.values()), None)).__module__.partition(".")[0]
    told = hypotheses or Hypotheses()
    declared = read_part(Hypotheses, {**dict(told), "margins": {**told.margins, **(margins or {})}}, "compare")
    return judgement(rows, reference, declared, library=library if library == "polars" else "pandas")


def judgement(
    rows: Sequence[ScoreRow], reference: str, hypotheses: Hypotheses | None = None, *, library: str = "pandas"
) -> Judgement:
    """The verdicts on scores that have their place; InputError where there is nothing to compare."""
    check_rows(rows)
    arms = list(dict.fromkeys(row.arm for row in rows))
    if reference not in arms:
        known = nearest(str(reference), arms)
        raise InputError(f"the scores have no arm called {reference!r} as the reference; {known}")
    if len(arms) < 2:
        raise InputError(
            f"expected scores of {reference} and of at least one other arm, found those of {reference} alone"
        )
    check_margins(rows, hypotheses.margins if hypotheses else {})
    tell_unshared(rows)
    found = tuple(judged(rows, reference, hypotheses))
    tell_unranked(rows, found, reference)
    return Judgement(reference, found, tuple(rows), library)


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return "; ".join(" ".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in value)
    return value
