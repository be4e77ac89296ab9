"""A contestant's side of the race: wait for the word, train a round, say how long it took.

Needs the standard library only. The conductor (``bench/train_loop.py``) speaks through standard input and output, one
line a message; whatever else a contestant prints goes to standard error.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(group: int) -> float:
    """CPU time of every process of a process group, user and system."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # the process has ended since
            continue
        if int(fields[2]) == group:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


class Rounds:
    """The line to the conductor."""

    def __init__(self) -> None:
        self.channel = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def ready(self, **about: Any) -> None:
        """Everything is loaded; ``about`` says what will be trained."""
        self._say(about)

    def begin(self) -> None:
        """Wait for the word to train one round; the process ends here when there are no more."""
        if not sys.stdin.readline():
            self.channel.flush()
            os._exit(0)
        self.started = time.perf_counter()

    def end(self) -> None:
        """The round is over."""
        self._say({"seconds": time.perf_counter() - self.started})

    def _say(self, message: dict[str, Any]) -> None:
        print(json.dumps(message), file=self.channel, flush=True)


def read_settings() -> dict[str, Any]:
    """What the conductor wants trained: the JSON file that is the first argument."""
    return dict(json.loads(Path(sys.argv[1]).read_text()))
