"""Where scores from outside stand: which patient, which fold, which run; what nobody says is told by the cases alone.

Several tables of one arm are its runs. Tables with the same cases are runs of one fold, called seeds 0, 1, ... in the
order given; tables without a common case are folds. Folds count only where every arm has the same ones: an arm whose
cases all stand in one table may have been trained once, and then five folds would claim what one training cannot show.
"""

import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mrfusion.errors import InputError, Note, SpecError
from mrfusion.files import delimiter_of, read_rows
from mrfusion.importers._base import Imported
from mrfusion.result import ScoreRow

Table = Sequence[Imported]
Folds = tuple[frozenset[str], ...]


@dataclass(frozen=True)
class Runs:
    """The tables of one arm, those with the same cases together: each group is a fold, its members are seeds."""

    folds: Folds
    groups: tuple[tuple[Table, ...], ...]


def placed(arms: Mapping[str, Sequence[Table]], patient_of: Callable[[str], str] | None = None) -> list[ScoreRow]:
    """The scores with their place; ``patient_of`` names a case's patient, which else is what the table says, or the
    case itself. InputError where two tables of an arm share some of their cases, but not all."""
    told = any(row.fold is not None or row.seed is not None for tables in arms.values() for t in tables for row in t)
    if told:
        rows = [(name, row, row.fold or 0, row.seed or 0) for name, tables in arms.items() for t in tables for row in t]
    else:
        rows = list(_by_cases({name: _runs(name, tables) for name, tables in arms.items()}))
    return [
        ScoreRow(
            arm=name,
            fold=fold,
            seed=seed,
            case=row.case,
            patient=patient_of(row.case) if patient_of else row.patient or row.case,
            region=row.region,
            metric=row.metric,
            value=row.value,
            status=row.status,
            in_target=row.in_target,
        )
        for name, row, fold, seed in rows
    ]


def by_arm(tables: Sequence[tuple[str, Table]]) -> dict[str, list[Table]]:
    """The tables of each arm: the name that the user gave the table counts, else a row's own arm.

    InputError where neither says it, and for a name given to a table that holds several arms.
    """
    found: dict[str, list[Table]] = {}
    for given, table in tables:
        own = list(dict.fromkeys(row.arm for row in table if row.arm))
        if given and len(own) > 1:
            raise InputError(
                f"a table that was called {given} holds the arms {', '.join(own[:4])} itself; leave '{given}=' out"
            )
        parts: dict[str, list[Imported]] = {}
        for row in table:
            parts.setdefault(given or row.arm or "", []).append(row)
        if "" in parts:
            raise InputError(
                "expected the name of the arm before a table that does not name it, as in 'nnU-Net=summary.json'"
            )
        for name, rows in parts.items():
            found.setdefault(name, []).append(rows)
    return found


def patients_named(text: str | None) -> Callable[[str], str] | None:
    """What names a case's patient: a table with the columns case and patient, or a pattern whose first group does.

    ``BraTS-GLI-(\\d+)`` makes patient 00012 of BraTS-GLI-00012-001. None where nothing is given.
    """
    if text is None:
        return None
    if Path(text).is_file():
        known = {row["case"].strip(): row["patient"].strip() for row in _rows_of(Path(text))}
        return lambda case: _known(case, known, text)
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise SpecError(f"--patients: expected a table or a pattern, found {text!r} ({error})") from None
    return lambda case: _matched(case, pattern)


def _rows_of(path: Path) -> list[dict[str, str]]:
    return read_rows(path, ("case", "patient"), delimiter=delimiter_of(path))


def _known(case: str, known: Mapping[str, str], text: str) -> str:
    if case not in known:
        raise InputError(f"case {case}: {text} names no patient for it; add a row, or drop the case")
    return known[case]


def _matched(case: str, pattern: re.Pattern[str]) -> str:
    match = pattern.search(case)
    if match is None:
        raise InputError(
            f"case {case}: the pattern {pattern.pattern!r} of --patients does not match it; mend the pattern, or "
            "give a table"
        )
    return match.group(1) if pattern.groups else match.group(0)


def _runs(name: str, tables: Sequence[Table]) -> Runs:
    groups: dict[frozenset[str], list[Table]] = {}
    for table in tables:
        cases = frozenset(row.case for row in table)
        for other in groups:
            shared = cases & other
            if shared and cases != other:
                raise InputError(
                    f"{name}: two of its tables share {len(shared)} of {len(cases | other)} cases ({min(shared)}); "
                    "expected runs of one fold with the same cases, or folds without a common one"
                )
        groups.setdefault(cases, []).append(table)
    return Runs(tuple(groups), tuple(tuple(found) for found in groups.values()))


def _by_cases(arms: Mapping[str, Runs]) -> list[tuple[str, Imported, int, int]]:
    partitions = {frozenset(runs.folds) for runs in arms.values()}
    same = len(partitions) == 1
    if not same and any(len(runs.folds) > 1 for runs in arms.values()):
        warnings.warn(
            "the arms' folders or tables do not show the same folds, so all count as one training set and no verdict "
            "about the method is given; give every arm one folder or table a fold",
            Note,
            stacklevel=2,
        )
    first = next(iter(arms.values())).folds if arms else ()
    place = {cases: number for number, cases in enumerate(first)} if same else {}
    return [
        (name, row, place.get(cases, 0), seed)
        for name, runs in arms.items()
        for cases, tables in zip(runs.folds, runs.groups, strict=True)
        for seed, table in enumerate(tables)
        for row in table
    ]


def tell_unshared(rows: Sequence[ScoreRow]) -> None:
    """A note for every arm that lacks cases, or numbers of cases, which others have; they are compared with nothing."""
    cases = {name: {row.case for row in rows if row.arm == name} for name in dict.fromkeys(row.arm for row in rows)}
    everything = set().union(*cases.values()) if cases else set()
    for name, own in cases.items():
        if lacking := sorted(everything - own):
            warnings.warn(
                f"{name} has no score of {len(lacking)} of {len(everything)} cases ({', '.join(lacking[:3])}"
                f"{', ...' if len(lacking) > 3 else ''}); they are compared with nothing",
                Note,
                stacklevel=2,
            )
    numbers = {(row.arm, row.case, row.region, row.metric) for row in rows if math.isfinite(row.value)}
    places = dict.fromkeys((row.case, row.region, row.metric) for row in rows if math.isfinite(row.value))
    for name, own in cases.items():
        without = [place for place in places if place[0] in own and (name, *place) not in numbers]
        if without:
            named = "; ".join(f"{metric} in {region} of {case}" for case, region, metric in without[:3])
            warnings.warn(
                f"{name} has no number where another arm has one: {named}{'; ...' if len(without) > 3 else ''} "
                f"({len(without)} of {len(places)}); they are compared with nothing",
                Note,
                stacklevel=2,
            )
