"""One bad input through the command line: what it said, how it ended, and whether anything was written elsewhere."""

import contextlib
import hashlib
import io
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mrfusion import cli

LONGEST = 4000  # characters of a message that is still one message


@dataclass(frozen=True)
class Bad:
    """An input that cannot be used, or only with a note (``code`` 0).

    ``make`` writes it into an empty folder and returns the words of the command; the folder ``out`` beside it is the
    only place that the command may write to. ``says`` must all stand in what the command said.
    """

    name: str
    make: Callable[[Path], Sequence[object]]
    says: tuple[str, ...]
    code: int = 2


@dataclass(frozen=True)
class Said:
    """What the command said and how it ended; ``wrote`` are the paths that it touched and should not have, ``result``
    tells whether it left the same tables."""

    code: int
    text: str
    wrote: tuple[str, ...]
    result: str = ""


def attempt(bad: Bad, folder: Path) -> Said:
    """Make the input inside ``folder`` and give it to the program, in this process."""
    work = folder / "work"
    work.mkdir(parents=True)
    words = [str(word) for word in bad.make(work)]
    before, here = _state(folder), Path.cwd()
    os.chdir(work)
    try:
        code, text = run(words)
    finally:
        os.chdir(here)
    after = _state(folder)
    wrote = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    elsewhere = tuple(sorted(path for path in wrote if not path.startswith("work/out")))
    return Said(code, text, elsewhere, _result(work / "out"))


def _result(out: Path) -> str:
    """A digest of the tables and of what was inspected below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in out.rglob("*") if path.suffix == ".csv" or path.name == "inspection.json"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run(words: Sequence[str]) -> tuple[int, str]:
    """The program in this process: its exit code and all that it said; -1 and the error where one came through."""
    spoken = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)  # strict, as a terminal is
    argv, sys.argv = sys.argv, ["mrfusion", *words]
    code = 0
    try:
        with contextlib.redirect_stdout(spoken), contextlib.redirect_stderr(spoken), warnings.catch_warnings():
            warnings.simplefilter("error")
            cli.main()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException as error:
        code = -1
        spoken.write(f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace").decode())
    finally:
        sys.argv = argv
    return code, spoken.buffer.getvalue().decode("utf-8")


def unclear(bad: Bad, said: Said) -> list[str]:
    """Why what was said is no clear answer; empty where it is one."""
    flat = " ".join(said.text.split())
    faults = [f"expected {part!r} in what it said" for part in bad.says if part not in flat]
    if said.code != bad.code:
        faults.append(f"expected exit code {bad.code}, found {said.code}")
    if re.search(r"Traceback|\[Errno|\b(KeyError|TypeError|ValueError|AttributeError)\b", said.text):
        faults.append("Python's own words came through")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", said.text):
        faults.append("control characters came through")
    if len(flat) > LONGEST:
        faults.append(f"{len(flat)} characters are no message")
    if said.wrote:
        faults.append(f"wrote outside: {', '.join(said.wrote)}")
    return faults


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for where, below, files in os.walk(folder):
        for name in [*below, *files]:
            path = Path(where) / name
            stat = path.lstat()
            is_folder = path.is_dir() and not path.is_symlink()
            found[path.relative_to(folder).as_posix()] = (0, 0) if is_folder else (stat.st_size, stat.st_mtime_ns)
    return found
