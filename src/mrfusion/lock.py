"""One process at a time where two would spoil each other's files; the system lets go of what a dead process held."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mrfusion.errors import OutputError

PATIENCE_SECONDS = 15.0  # the workers of a study that was killed a moment ago may still be leaving


@contextmanager
def alone(path: Path, what: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs; the file stays behind, empty.

    Raises OutputError where another process, on this machine or on one that shares the folder, holds it for longer
    than ``patience_seconds``, or where it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=patience_seconds)
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"another process is at work on {what}; wait until it ends, stop it, or choose another --out"
        ) from None
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; choose another --out") from None
    try:
        yield
    finally:
        lock.release()
