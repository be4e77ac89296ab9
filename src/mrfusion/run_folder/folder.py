"""A folder that stands for a path: what the folders of a run, a study and subsets have in common."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folder:
    """Where something lies; as a text and to whoever opens files in it, it is its path."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)
