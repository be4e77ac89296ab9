"""How far a long job is, told to whoever asked; across processes through a small file that anyone may watch."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mrfusion.errors import InputError
from mrfusion.files import read_json, write_json

Progress = Callable[[int, int, str], None]
"""Called with what is done, what there is to do, and what it is."""


def silent(done: int, total: int, what: str) -> None:
    """A Progress that nobody watches."""


@dataclass
class ProgressFile:
    """A Progress that writes ``{done, total, what, seconds}`` to a file, at most twice a second; can be pickled."""

    path: Path
    started: float = field(default_factory=time.time)
    written: float = 0.0

    def __call__(self, done: int, total: int, what: str) -> None:
        now = time.time()
        if now - self.written >= 0.5:
            self.written = now
            write_json(self.path, {"done": done, "total": total, "what": what, "seconds": now - self.started})

    def __enter__(self) -> "ProgressFile":
        return self

    def __exit__(self, *_: object) -> None:
        """The job is over, well or not; there is nothing to watch any more, and why it ended must not be lost."""
        with suppress(OSError):
            if self.written:  # a job that found its work taken must not hide who does it
                self.path.unlink()


def read_progress(folder: Path) -> dict[str, dict[str, Any]]:
    """Job's name -> what its ProgressFile in ``folder`` last said."""
    told = {}
    for path in sorted(folder.glob("*.json")):
        try:
            told[path.stem] = read_json(path)
        except InputError:
            continue  # the job ended between the listing and the reading
    return told


def forget_progress(folder: Path, jobs: Iterable[str]) -> None:
    """Remove what these jobs left behind where they were ended from outside."""
    for job in jobs:
        (folder / f"{job}.json").unlink(missing_ok=True)
