"""Executors carry out calls of named functions; what fails is an outcome, not an exception."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mrfusion import families
from mrfusion.executors._base import Executor, Job, Outcome

CALLS = '''"""Jobs for the tests of the executors; light, so that a process starts quickly."""

import os
import signal

import warnings

from mrfusion.errors import CaseError, Note


def add(a, b):
    return a + b


def about():
    return {"pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}


def complain(what):
    raise CaseError(f"case {what} has no t1c")


def note(what):
    warnings.warn(f"{what} was damaged", Note)
    warnings.warn(f"{what} was damaged", Note)
    return what


def open_nowhere():
    open("/nowhere/at/all")


def stumble():
    return [][1]


def die():
    os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a module that holds the jobs."""
    folder = tmp_path_factory.mktemp("calls")
    (folder / "executor_calls.py").write_text(CALLS)
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(folder))
    patch.syspath_prepend(folder)
    yield "executor_calls"
    patch.undo()


def job(name: str, function: str, arguments: tuple[object, ...]) -> Job:
    return Job(name=name, function=function, arguments=arguments, title=f"the job {name}")


def outcomes_of(executor: Executor, jobs: list[Job], tick: Callable[[], None] = lambda: None) -> dict[str, Outcome]:
    return {outcome.job.name: outcome for outcome in executor.run(jobs, tick)}


@pytest.mark.parametrize("name", [n for n in families.names("executors") if n != "ray"])
def test_results_and_failures_are_outcomes(name: str, calls: str) -> None:
    jobs = [
        job("sum", f"{calls}:add", (2, 3)),
        job("known", f"{calls}:complain", ("x",)),
        job("bug", f"{calls}:stumble", ()),
        job("system", f"{calls}:open_nowhere", ()),
        job("words", f"{calls}:add", ("a", "b")),
        job("nowhere", f"{calls}:missing", ()),
    ]
    ticks = []
    found = outcomes_of(families.load("executors", name)(2), jobs, lambda: ticks.append(1))
    assert set(found) == {job.name for job in jobs}
    assert (found["sum"].result, found["words"].result) == (5, "ab")
    assert found["sum"].failure is None
    assert found["known"].expected
    assert found["known"].failure == "case x has no t1c"
    assert found["system"].expected
    assert found["system"].failure == "/nowhere/at/all: the system refused: No such file or directory"
    assert not found["bug"].expected
    assert "IndexError" in str(found["bug"].failure)
    assert "stumble" in str(found["bug"].failure)
    assert "missing" in str(found["nowhere"].failure)
    assert ticks


def test_a_killed_process_is_an_outcome_and_the_others_go_on(calls: str) -> None:
    jobs = [job("dies", f"{calls}:die", ()), *(job(str(n), f"{calls}:add", (n, n)) for n in range(4))]
    for workers in (1, 2):
        found = outcomes_of(families.load("executors", "local")(workers), jobs)
        assert found["dies"].expected
        assert "ended from outside" in str(found["dies"].failure)
        assert [found[str(n)].result for n in range(4)] == [0, 2, 4, 6]


def test_local_shares_the_cores_and_leaves_no_process_behind(calls: str) -> None:
    executor = families.load("executors", "local")(2)
    jobs = [job(str(n), f"{calls}:about", ()) for n in range(4)]
    found = {**outcomes_of(executor, jobs), **outcomes_of(executor, [job("a last one", f"{calls}:about", ())])}
    assert {o.result["threads"] for o in found.values()} == {str(max(1, executor.cores // 2))}
    assert os.getpid() not in {o.result["pid"] for o in found.values()}
    assert not multiprocessing.active_children()


def test_inside_warm_a_process_serves_one_call_after_another(calls: str) -> None:
    executor, ask = families.load("executors", "local")(1), [job("about", f"{calls}:about", ())]
    die = [job("dies", f"{calls}:die", ())]
    with executor.warm(f"{calls}:about", 0):
        first, second = (outcomes_of(executor, ask)["about"].result["pid"] for _ in range(2))
        os.kill(first, signal.SIGKILL)  # while it waits
        wait_until(lambda: not multiprocessing.active_children())
        third = outcomes_of(executor, ask)["about"].result["pid"]
        assert "ended from outside" in str(outcomes_of(executor, die)["dies"].failure)
        fourth = outcomes_of(executor, ask)["about"].result["pid"]
    assert first == second
    assert len({second, third, fourth}) == 3
    assert not multiprocessing.active_children()


@pytest.fixture
def telling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that a module leaves a file in when it is imported, called like the process that did."""
    (tmp_path / "telling_jobs.py").write_text(
        "import os, pathlib\n(pathlib.Path(__file__).parent / f'{os.getpid()}.pid').touch()\npid = os.getpid\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_warm_starts_processes_that_import_what_they_will_be_asked_for(telling: Path) -> None:
    executor, ask = families.load("executors", "local")(2), [job(str(n), "telling_jobs:pid", ()) for n in range(2)]
    with executor.warm("telling_jobs:pid", 3):
        wait_until(lambda: len(list(telling.glob("*.pid"))) == 2)
        ready = {int(file.stem) for file in telling.glob("*.pid")}
        assert {outcome.result for outcome in executor.run(ask, lambda: None)} <= ready
    assert not multiprocessing.active_children()


def test_what_cannot_be_imported_is_told_by_the_job(calls: str) -> None:
    executor = families.load("executors", "local")(1)
    with executor.warm("not_there:add", 1):
        found = outcomes_of(executor, [job("bad", "not_there:add", ()), job("good", f"{calls}:add", (1, 2))])
    assert "not_there" in str(found["bad"].failure)
    assert found["good"].result == 3


def test_a_process_that_was_stopped_at_its_job_serves_no_other(calls: str) -> None:
    executor = families.load("executors", "local")(1)
    with executor.warm(f"{calls}:about", 0):
        running = executor.run([job(str(n), f"{calls}:about", ()) for n in range(3)], lambda: None)
        first = next(running).result["pid"]
        running.close()
        assert outcomes_of(executor, [job("about", f"{calls}:about", ())])["about"].result["pid"] != first


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


SCRIPT = """
from mrfusion import families
from mrfusion.executors._base import Job

print("begins")
jobs = [Job(str(n), "CALLS:add", (n, n)) for n in range(3)]
print(sorted(outcome.result for outcome in families.load("executors", "local")(2).run(jobs, lambda: None)))
"""


def test_a_script_needs_no_guard_around_its_main_part(calls: str, tmp_path: Path) -> None:
    """Processes that are started afresh import the main module as a rule, and would begin the script again."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("CALLS", calls))
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=paths)
    assert (done.stdout, done.stderr) == ("begins\n[0, 2, 4]\n", "")


def test_no_jobs_no_outcomes() -> None:
    assert outcomes_of(families.load("executors", "local")(), []) == {}


def test_closing_the_iterator_ends_what_is_running(calls: str) -> None:
    jobs = [job(str(n), f"{calls}:add", (n, n)) for n in range(50)]
    running = families.load("executors", "local")(1).run(jobs, lambda: None)
    assert next(running).failure is None
    running.close()
    with pytest.raises(StopIteration):
        next(running)


def test_what_a_job_notes_comes_back_with_its_outcome(calls: str) -> None:
    jobs = [job("a", f"{calls}:note", ("last.pt",)), job("b", f"{calls}:add", (1, 2))]
    found = outcomes_of(families.load("executors", "local")(1), jobs)
    assert found["a"].result == "last.pt"
    assert found["a"].notes == ("last.pt was damaged",) * 2
    assert found["b"].notes == ()


def test_no_shared_memory_is_needed(calls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers may forbid to write /dev/shm, where semaphores lie."""

    def refused(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("_multiprocessing.SemLock", refused)
    executor: Executor = families.load("executors", "local")(workers=2)
    jobs = [Job(str(number), f"{calls}:add", (number, 1)) for number in range(3)]
    assert {outcome.job.name: outcome.result for outcome in executor.run(jobs, lambda: None)} == {
        "0": 1, "1": 2, "2": 3
    }  # fmt: skip
