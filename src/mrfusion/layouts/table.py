"""A CSV table: one row a case, a column per modality, and ``label_map`` or ``label``; ``case`` and ``patient`` too.

File names are relative to the table's folder and never leave it. Rows without a ``case`` are called by the number of
their row; without a ``patient`` each case is its own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mrfusion.case import Case, Cohort
from mrfusion.errors import CaseError, InputError
from mrfusion.files import delimiter_of, known, read_rows
from mrfusion.layouts._base import (
    DOORS,
    ENDINGS,
    below,
    class_named,
    classes_of,
    lenience,
    meaning_of,
    named,
    regions_from,
)

Row = dict[str, str]
BESIDE = True
OWN = ("case", "patient", "label", "label_map")  # columns that are found whatever their capitals


def table(
    root: Path,
    *,
    file: str = "participants.csv",
    modalities: Mapping[str, str] | Sequence[str] | None = None,
    regions: Mapping[str, Sequence[int]] | None = None,
    background_labels: Sequence[int] = (),
    may_lack: Sequence[str] = (),
) -> Cohort:
    """The cases of the table ``root/file``, or of ``root`` if that is a table itself.

    ``modalities`` is ``{name: column}`` or a list of columns; left out, every column whose cells are all names of
    NIfTI files. With ``regions`` (``{name: [values in the file]}``) the column ``label_map`` is what is learnt,
    without them the class in ``label``.

    Options:
        file: name of the table below the folder
        modalities: columns that hold the images, or {modality: column}; default: what the table says
        regions: regions by name, each a list of label values
        background_labels: label values that count as background
        may_lack: images: cases may lack modalities; labels: cases may lack label maps
    Example: table(file="cases.csv")
    """
    path = root if root.is_file() else root / file
    rows = [_with_own_words(row) for row in read_rows(path, (), delimiter=delimiter_of(path))]
    if not rows:
        raise InputError(f"{path}: expected one row a case below the header, found none")
    columns = named(modalities) if modalities else {name: name for name in _image_columns(rows)}
    chosen = regions_from(regions) if regions else ()
    meaning = meaning_of(chosen, background_labels)
    _check_columns(path, rows, [*columns.values(), *_target(regions, may_lack)])
    cases = []
    for number, row in enumerate(rows, start=2):
        images = _files(path, number, row, columns)
        label_map = _files(path, number, row, {"label map": "label_map"}).get("label map") if regions else None
        case_id = (row.get("case") or "").strip() or f"row{number}"
        patient = known(row.get("patient")) or case_id
        label = class_named(known(row.get("label")))
        case = Case(case_id, patient, images, label_map, label, meaning)
        cases.append(_complete(case, columns, f"{path}, line {number}", bool(regions), may_lack))
    classes = () if regions else classes_of((case.label for case in cases), path)
    return Cohort(tuple(columns), tuple(cases), chosen, classes)


def fits(root: Path) -> str | None:
    """A table of classes, or one with label maps of which 1 is the region."""
    path = root if root.suffix in (".csv", ".tsv") else root / "participants.csv"
    if not path.is_file():
        return None
    try:
        columns = list(_with_own_words(read_rows(path, (), delimiter=delimiter_of(path))[0]))
    except (InputError, IndexError):
        return None
    return "table(regions={'lesion':[1]})" if "label_map" in columns else "table" if "label" in columns else None


def _with_own_words(row: Row) -> Row:
    """The row with the columns that this layout reads called as it calls them, whatever their capitals."""
    small = Counter(name.lower() for name in row)
    return {name.lower() if name.lower() in OWN and small[name.lower()] == 1 else name: row[name] for name in row}


def _image_columns(rows: list[Row]) -> list[str]:
    def holds_files(name: str) -> bool:
        cells = [known(row.get(name)) for row in rows]
        return any(cells) and all(cell.lower().endswith(ENDINGS) for cell in cells if cell)

    return [name for name in rows[0] if name and name != "label_map" and holds_files(name)]


def _target(regions: Mapping[str, Sequence[int]] | None, may_lack: Sequence[str]) -> list[str]:
    if lenience(may_lack)[1]:
        return []
    return ["label_map"] if regions else ["label"]


def _check_columns(path: Path, rows: list[Row], wanted: list[str]) -> None:
    first = rows[0]
    missing = [name for name in wanted if name not in first]
    if missing or not wanted or wanted in (["label"], ["label_map"]):
        lacking = ", ".join(missing) or "of the modalities"
        raise InputError(
            f"{path}: expected the columns {lacking}, found {', '.join(map(str, first))}{_nearly_images(rows)}; name "
            "the image columns with modalities:, give regions: to learn from label_map, or add a column label"
        )


def _nearly_images(rows: list[Row]) -> str:
    """The first cell that keeps a column which does name NIfTI files from being one of images, in parentheses."""
    for name in rows[0]:
        cells = [known(row.get(name)) for row in rows]
        other = [cell for cell in cells if cell and not cell.lower().endswith(ENDINGS)]
        if other and len(other) < len([cell for cell in cells if cell]):
            return f" (in the column {name} {other[0]!r} is no name of a NIfTI file)"
    return ""


def _files(path: Path, number: int, row: Row, columns: Mapping[str, str]) -> dict[str, Path]:
    found = {}
    for name, column in columns.items():
        cell = known(row.get(column))
        if cell:
            found[name] = below(cell, path.parent, f"{path}, line {number}: {column}")
    return found


def _complete(case: Case, columns: Mapping[str, str], where: str, labelled: bool, may_lack: Sequence[str]) -> Case:
    images, labels = lenience(may_lack)
    empty = [] if images and case.images else [columns[name] for name in columns if name not in case.images]
    if not labels and labelled and case.label_map is None:
        empty.append("label_map")
    if not labels and not labelled and case.label is None:
        empty.append("label")
    if empty:
        door = "labels" if set(empty) <= {"label", "label_map"} else "images"
        raise CaseError(
            f"{where}, case {case.id}: nothing stands in {', '.join(empty)}; fill it in, drop the row, "
            f"or allow it with {DOORS[door]}"
        )
    return case
