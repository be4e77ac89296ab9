"""One process at a time where two would spoil each other's work, on this machine or on others that share the folder.

Who holds something says so in a file: machine, process, and a time that is renewed while it works (a lease of the
package filelock). Making a file that must not exist yet is atomic on network file systems too, so nothing here relies
on the locks of the system, which some of them do not have. What a dead process held is free at once on its own machine,
and on others when the file has not been renewed for :data:`LEASE_SECONDS` by their own clocks.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import SoftFileLease, Timeout

from mrfusion.errors import OutputError, TakenError

LEASE_SECONDS = 120.0
RENEWED_SECONDS = 20.0
PATIENCE_SECONDS = 0.2  # enough to see that whoever holds it is dead
_LOOK_SECONDS = 10.0
_POLL_SECONDS = 0.05


@contextmanager
def alone(path: Path, what: str, *, patience_seconds: float | None = PATIENCE_SECONDS) -> Iterator["Claim"]:
    """Hold the file ``path`` while the block runs.

    Raises TakenError where another process holds it for longer than ``patience_seconds`` (None: for ever), and
    OutputError where it cannot be made.
    """
    lease = _lease(path)
    try:
        _acquire(lease, path, -1 if patience_seconds is None else patience_seconds)
    except Timeout:
        raise TakenError(f"another process is at work on {what}{_who(lease)}") from None
    try:
        yield Claim(path, what, lease.token or "")
    finally:
        lease.release()


@dataclass
class Claim:
    """What a process holds; can be pickled, for the processes that help it."""

    path: Path
    what: str
    token: str
    missed: int = 0
    looked: float = 0.0

    def check(self) -> None:
        """TakenError where another process has taken over, as it may when this one was stopped for a long time."""
        if time.monotonic() - self.looked < _LOOK_SECONDS:
            return
        self.looked, owner = time.monotonic(), _lease(self.path).owner
        # a single miss is no loss: another process may be looking at the file just now
        self.missed = 0 if owner is not None and owner.token == self.token else self.missed + 1
        if self.missed > 1:
            raise TakenError(f"another process has taken over {self.what}, as this one was silent for too long")

    def checked(self, progress: Callable[[int, int, str], None]) -> "Checked":
        """A Progress that ends the work when the claim is lost."""
        return Checked(self, progress)


@dataclass
class Checked:
    """A Progress that ends the work when a claim is lost."""

    claim: Claim
    progress: Callable[[int, int, str], None]

    def __call__(self, done: int, total: int, what: str) -> None:
        self.claim.check()
        self.progress(done, total, what)


class Observer:
    """Looks at a file again and again: only who has seen for long enough that it is not renewed may call it free."""

    def __init__(self, path: Path) -> None:
        self.path, self.lease = path, _lease(path)

    def is_free(self) -> bool:
        """Whether nobody holds the file now; OutputError where that cannot be asked."""
        try:
            _acquire(self.lease, self.path, 0)
        except Timeout:
            return False
        self.lease.release()
        return True


def _lease(path: Path) -> SoftFileLease:
    return SoftFileLease(
        path, lease_duration=LEASE_SECONDS, heartbeat_interval=RENEWED_SECONDS, thread_local=False
    )  # the heartbeat is a thread of its own


def _acquire(lease: SoftFileLease, path: Path, patience_seconds: float) -> None:
    """Timeout where another process holds it for longer (below 0: never), OutputError where it cannot be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lease.acquire(patience_seconds, poll_interval=_POLL_SECONDS)
    except Timeout:  # an OSError, too
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; choose another --out") from None


def _who(lease: SoftFileLease) -> str:
    owner = lease.owner
    return "" if owner is None else f" (process {owner.pid} on {owner.hostname})"
