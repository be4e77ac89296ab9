"""A contestant in a process group of its own: halted between its rounds, its CPU time counted with all its workers."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any, Self

from rounds import cpu_seconds

HERE = Path(__file__).parent
# threads that wait for each other sleep instead of spinning, else a busy machine turns waiting into CPU time
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}


class Contestant:
    """Runs ``bench/peers/<script>.py`` by ``python``; messages as in ``rounds.py``.

    RuntimeError, with the end of what it printed, where it ends unexpectedly.
    """

    def __init__(self, name: str, script: str, python: Path, settings: dict[str, Any]) -> None:
        self.name = name
        work = Path(settings["work"])
        work.mkdir(parents=True)
        (work / "settings.json").write_text(json.dumps(settings))
        self.log = work / "log.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(python), str(HERE / f"{script}.py"), str(work / "settings.json")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
                env=os.environ | PASSIVE,
            )  # fmt: skip
        # loader processes inherit this: nobody computes on more cores than it was given threads
        cores = sorted(os.sched_getaffinity(0))[: settings["threads"]]
        os.sched_setaffinity(self.process.pid, settings.get("cores", cores))
        self.about: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGKILL)
        self.process.wait()

    def wait(self) -> None:
        """Until it is loaded; then halt it."""
        self.about = self._hear()
        self._signal(signal.SIGSTOP)

    def begin(self) -> None:
        """Let it go on and say the word."""
        self.used = cpu_seconds(self.process.pid)
        self._signal(signal.SIGCONT)
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> tuple[float, float]:
        """Wait for the end of the round and halt it: seconds of wall time and of CPU time."""
        seconds = float(self._hear()["seconds"])
        self._signal(signal.SIGSTOP)
        return seconds, cpu_seconds(self.process.pid) - self.used

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended:\n{self.log.read_text()[-3000:]}")
        return dict(json.loads(line))

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:  # it has ended by itself; ``_hear`` says so
            return
