"""Files and folders that are written whole or not at all: text, JSON, tables, and the folders that hold them."""

import csv
import json
import os
import re
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import dropwhile
from pathlib import Path
from typing import Any

from mrfusion.errors import InputError, OutputError, reason

JUNK = (  # beside the data: what file servers and systems leave there
    "__MACOSX", "lost+found", "#recycle", "#snapshot", "~snapshot", "$RECYCLE.BIN", "System Volume Information",
)  # fmt: skip
MISSING = (  # a cell of a table that says nothing
    "na", "n/a", "nan", "null", "none", "<na>", "#n/a", "#na", "n.a.", "missing", "-", "--", "?", ".",
)  # fmt: skip
TEMPORARY = ".mrfusion-"  # what names begin with until a file or a folder is whole


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _umask()  # asked once: asking means setting it, which two writing threads would do to each other


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that becomes ``path`` when the block ends well and vanishes when it does not.

    Raises OutputError, naming the place, where the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix="".join(path.suffixes[-2:]), dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; choose another --out or free the disk") from None
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}; nothing was kept of it") from None
    finally:
        temporary.unlink(missing_ok=True)


def is_junk(name: str) -> bool:
    """What nobody means by a file or folder of theirs: hidden ones, thumbnails, waste baskets, snapshots."""
    return name.startswith((".", "@")) or name in JUNK


def visible(folder: Path) -> list[Path]:
    """What lies in a folder and is no junk, sorted; InputError where the system does not let it be read."""
    try:
        return sorted(path for path in folder.iterdir() if not is_junk(path.name))
    except OSError as error:
        raise InputError(f"{folder}: the system cannot list this folder: {error.strerror}") from None


def sweep(paths: Iterable[Path], *, older_than_seconds: float = 0.0) -> None:
    """Remove of these what a process left that was killed while it wrote, by its temporary name.

    Where other processes may be writing beside it, ``older_than_seconds`` spares what they are at.
    """
    for path in [path for path in paths if path.name.startswith(TEMPORARY)]:
        with suppress(OSError):  # another process may have removed it
            if time.time() - path.stat().st_mtime < older_than_seconds:
                continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A folder inside ``parent`` that is gone afterwards; OutputError where it cannot be made."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=parent))
    except OSError as error:
        raise OutputError(f"cannot write to {parent}: {error.strerror}; choose another folder") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all; NaN becomes null."""
    write_text(path, json.dumps(_finite(value), indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; InputError that names the file if it is absent or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"expected a JSON file at {path}, found: {reason(error)}") from None


def write_rows(path: Path, header: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Write a CSV table whole or not at all; floats keep every digit."""
    with writing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(header)
        table.writerows([repr(float(v)) if isinstance(v, float) else v for v in row] for row in rows)


def read_rows(path: Path, header: tuple[str, ...], *, delimiter: str = ",") -> list[dict[str, str]]:
    """Read a CSV table that has at least the columns of ``header``, its text in Unicode's composed form; InputError
    that names the file otherwise.

    Empty lines count for nothing, nor does a line ``sep=;`` before the header, as spreadsheets write it.
    """
    try:
        with path.open(newline="", encoding=encoding_of(path)) as stream:
            lines = table_lines(unicodedata.normalize("NFC", line) for line in stream)
            table = csv.DictReader(lines, restval="", delimiter=delimiter, skipinitialspace=True)
            table.fieldnames = [name.strip() for name in table.fieldnames or ()]
            columns, rows = list(table.fieldnames), list(table)
    except UnicodeDecodeError:
        raise InputError(f"expected a CSV table in UTF-8 at {path}, found other bytes; save it as UTF-8") from None
    except (OSError, csv.Error) as error:
        raise InputError(f"expected a CSV table at {path}, found: {reason(error)}") from None
    missing = [name for name in header if name not in columns]
    if missing:
        raise InputError(f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(columns) or 'none'}")
    if twice := next((name for name in columns if name and columns.count(name) > 1), None):
        raise InputError(f"{path}: the column {twice!r} stands twice; rename or drop one")
    for number, row in enumerate(rows, 2):
        more: Any = row.pop(None, ())
        if any(cell.strip() for cell in more):
            raise InputError(
                f"{path}, line {number}: expected {len(columns)} cells as in the header, found "
                f"{len(columns) + len(more)}; text that holds what stands between the columns is put into quotes"
            )
    return [row for row in rows if any((cell or "").strip() for cell in row.values())]


def known(cell: str | None) -> str:
    """What stands in a cell of a table; nothing for the words that tables write where a value is missing."""
    text = (cell or "").strip()
    return "" if text.lower() in MISSING else text


def encoding_of(path: Path) -> str:
    """The encoding of a text that a spreadsheet wrote: UTF-8, UTF-16 or UTF-32, with or without its first mark.

    InputError for the file of a spreadsheet itself.
    """
    with path.open("rb") as stream:
        start = stream.read(512)
    if start.startswith(b"PK\x03\x04"):
        raise InputError(f"{path} is a spreadsheet's own file, or packed; save the table as CSV in UTF-8")
    if start.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = start[::2].count(0), start[1::2].count(0)
    if 2 * max(even, odd) <= len(start) // 2:
        return "utf-8-sig"
    return "utf-16-be" if even > odd else "utf-16-le"


def delimiter_of(path: Path) -> str:
    """What stands between the columns of a table's header; :func:`delimiter_in` tells."""
    try:
        with path.open(encoding=encoding_of(path), errors="replace") as stream:
            return delimiter_in(stream.read(100_000))
    except OSError as error:
        raise InputError(f"expected a CSV table at {path}, found: {reason(error)}") from None


def delimiter_in(text: str) -> str:
    """What a line ``sep=;`` names, or else what is most often in the header outside of quotes: a comma, a semicolon, a
    tab or a bar; a comma where there is none."""
    first = next((line.strip(" ") for line in text.splitlines() if line.strip()), "")
    if first.lower().startswith("sep=") and len(first) == 5:
        return first[4]
    bare = re.sub(r'"[^"]*"', "", first)
    return max((",", ";", "\t", "|"), key=bare.count)


def table_lines(lines: Iterable[str]) -> Iterator[str]:
    """A table's lines from its header on: without empty ones, or one such as ``sep=;``, before it."""
    return dropwhile(_is_before_header, lines)


def _is_before_header(line: str) -> bool:
    return not line.strip() or (line.lower().startswith("sep=") and len(line.strip()) <= 5)


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """A folder under a temporary name that becomes ``folder`` when the block ends well: done or absent, never half.

    The temporary folder has a fixed name, so that an interrupted run finds what it had, but for files half written.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        sweep(partial.rglob("*"))
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}; choose another --out") from None
    yield partial
    _become(folder, partial)


@contextmanager
def building_anew(folder: Path) -> Iterator[Path]:
    """As :func:`building`, but nothing is left of an interrupted one; so several processes may be at it at once, and
    the first to end is the one that counts."""
    with temporary_folder(folder.parent) as private:
        work = private / folder.name
        work.mkdir()
        yield work
        _become(folder, work)


def _become(folder: Path, work: Path) -> None:
    with suppress(OSError):  # an empty folder makes room; Windows replaces none
        folder.rmdir()
    try:
        os.replace(work, folder)
    except OSError as error:
        if not folder.is_dir():
            raise OutputError(f"cannot finish {folder}: {error.strerror}; choose another --out") from None
        shutil.rmtree(work, ignore_errors=True)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
