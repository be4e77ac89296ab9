"""What a process was granted counts: simulated systems, schedulers and containers, without the names they lack."""

import ctypes
import importlib
import json
import math
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from mrfusion import __version__, families, hardware
from mrfusion.training import environment


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system of its own: eight bound cores, no GPU, no scheduler, no control group, no nvidia-smi."""
    for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, folder in (("PROCESS", "proc"), ("CONTROL_GROUPS", "groups"), ("DEVICES", "dev")):
        (tmp_path / folder).mkdir()
        monkeypatch.setattr(hardware, name, tmp_path / folder)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_cores_are_those_that_the_process_is_bound_to(machine: Path) -> None:
    assert hardware.cores() == 8


@pytest.mark.parametrize(("counted", "expected"), [(6, 6), (None, 1)])
def test_macos_and_windows_count_the_machine(
    machine: Path, monkeypatch: pytest.MonkeyPatch, counted: int | None, expected: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert hardware.cores() == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"SLURM_CPUS_PER_TASK": "3", "SLURM_CPUS_ON_NODE": "6"}, 3),
        ({"SLURM_CPUS_ON_NODE": "6"}, 6),
        ({"SLURM_CPUS_PER_TASK": "64"}, 8),
        ({"SLURM_CPUS_PER_TASK": ""}, 8),
    ],
)
def test_cores_that_slurm_granted(
    machine: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: int
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert hardware.cores() == expected


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "200000 100000"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000"}, 1),
        ("0::/\n", {"cpu.max": "max 100000"}, 8),
        ("0::/jobs/mine\n", {"jobs/cpu.max": "300000 100000", "jobs/mine/cpu.max": "max 100000"}, 3),
        (
            "4:memory:/x\n1:cpu,cpuacct:/x\n",
            {"cpu/x/cpu.cfs_quota_us": "400000", "cpu/x/cpu.cfs_period_us": "100000"},
            4,
        ),
        ("1:cpu:/x\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ("1:cpu:/hidden\n", {"cpu/cpu.cfs_quota_us": "500000", "cpu/cpu.cfs_period_us": "100000"}, 5),
        ("0::/gone\n", {}, 8),
    ],
)
def test_cores_that_a_container_allows(machine: Path, groups: str, files: dict[str, str], expected: int) -> None:
    """The formats of Linux's documentation, cgroup-v2.rst and cgroup-v1 (sched-bwc.rst)."""
    write(machine / "proc" / "cgroup", groups)
    for name, text in files.items():
        write(machine / "groups" / name, text + "\n")
    assert hardware.cores() == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2,5", ("2", "5")),
        (" 3 ", ("3",)),
        ("", ()),
        ("-1", ()),
        ("1,-1,0", ("1",)),
        ("NoDevFiles", ()),
        ("GPU-8932f937,MIG-3eb87630", ("GPU-8932f937", "MIG-3eb87630")),
    ],
)
def test_gpus_are_those_that_were_given(
    machine: Path, monkeypatch: pytest.MonkeyPatch, given: str, expected: tuple[str, ...]
) -> None:
    for number in range(8):
        (machine / "dev" / f"nvidia{number}").touch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert hardware.gpus() == expected


def test_gpus_are_counted_where_nothing_is_said(machine: Path) -> None:
    assert hardware.gpus() == ()
    for name in ("nvidia0", "nvidia3", "nvidiactl", "nvidia-uvm"):
        (machine / "dev" / name).touch()
    assert hardware.gpus() == ("0", "1")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "echo 'GPU 0: NVIDIA H100 (UUID: GPU-1)'; echo '  MIG 1g'; echo 'GPU 1: NVIDIA H100 (UUID: GPU-2)'",
            ("0", "1"),
        ),
        ("echo 'no driver'; exit 9", ()),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the simulated program is a shell script")
def test_without_device_files_nvidia_smi_is_asked(machine: Path, script: str, expected: tuple[str, ...]) -> None:
    program = machine / "bin" / "nvidia-smi"
    write(program, f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    assert hardware.gpus() == expected


def test_nvidia_smi_that_hangs_is_no_gpu(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*words: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("nvidia-smi", 30)

    monkeypatch.setattr(hardware.shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", hang)
    assert hardware.gpus() == ()


@pytest.mark.parametrize(("workers", "count"), [(None, 2), (1, 1), (3, 3)])
def test_a_run_takes_no_gpu_that_another_user_was_given(
    machine: Path, monkeypatch: pytest.MonkeyPatch, workers: int | None, count: int
) -> None:
    """On a node of eight, a study that was given GPUs 5 and 2 trains on these and on no other."""
    for number in range(8):
        (machine / "dev" / f"nvidia{number}").touch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,2")
    executor = families.load("executors", "local")(workers)
    module = families.module_of("executors", "local")
    monkeypatch.setattr(module.signal, "signal", lambda *_: None)
    monkeypatch.setattr(module.threading, "Thread", lambda **_: SimpleNamespace(start=lambda: None))
    assert executor.workers == count
    taken = []
    for number in range(executor.workers):
        module._start_worker(number, 1, executor.gpus)
        taken.append(os.environ["CUDA_VISIBLE_DEVICES"])
    assert taken == ["5", "2", "5"][:count]


def test_a_study_that_was_given_no_gpu_takes_none(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "dev" / "nvidia0").touch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    executor = families.load("executors", "local")()
    assert (executor.workers, executor.gpus) == (8, ())


def test_peak_memory_grows_with_what_is_held() -> None:
    """On the system that runs the tests, in a process whose peak no other test has raised."""
    program = (
        "import numpy as np; from mrfusion import __version__, hardware; before = hardware.peak_mib(); "
        "held = np.ones(2**28, np.uint8); print(hardware.peak_mib() - before)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(said.stdout) > 100


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
@pytest.mark.parametrize("kind", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_what_a_limit_of_this_process_leaves_is_all_the_memory_there_is(kind: str) -> None:
    program = (
        "import resource; from mrfusion import hardware; "
        f"resource.setrlimit(resource.{kind}, (2**29, 2**29)); print(hardware.free_mib())"
    )
    left = float(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout)
    assert 0 < left < 512


@pytest.mark.parametrize(("system", "unit"), [("darwin", 1), ("freebsd14", 1024)])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no module resource")
def test_peak_memory_without_proc(machine: Path, monkeypatch: pytest.MonkeyPatch, system: str, unit: int) -> None:
    """macOS's getrusage counts bytes, that of other systems KiB."""
    monkeypatch.setattr(sys, "platform", system)
    usage = SimpleNamespace(ru_maxrss=300 * 2**20 // unit)
    monkeypatch.setattr(hardware.resource, "getrusage", lambda _: usage)
    hardware.reset_peak()
    assert hardware.peak_mib() == 300


@pytest.mark.parametrize("answers", [True, False])
def test_peak_memory_on_windows(machine: Path, monkeypatch: pytest.MonkeyPatch, answers: bool) -> None:
    """Without ``resource``; the system's library is a stand-in that fills PROCESS_MEMORY_COUNTERS as psapi.h has it."""

    class Kernel:
        class GetCurrentProcess:
            restype = None

            def __new__(cls) -> int:  # type: ignore[misc]
                return -1

        class K32GetProcessMemoryInfo:
            argtypes = ()

            def __new__(cls, process: int, counters: object, size: int) -> int:  # type: ignore[misc]
                assert size == 8 + 8 * ctypes.sizeof(ctypes.c_size_t)
                peak = ctypes.c_size_t.from_buffer(counters._obj, 8)  # type: ignore[attr-defined]
                peak.value = 512 * 2**20
                return int(answers)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda name: Kernel, raising=False)
    monkeypatch.delattr(hardware, "resource", raising=False)
    hardware.reset_peak()
    peak = hardware.peak_mib()
    assert peak == 512 if answers else math.isnan(peak)


ELSEWHERE = """
import importlib, json, os, pkgutil, signal, sys
import mrfusion
rooms = tuple(json.loads(sys.argv[2]))
names = [each.name for each in pkgutil.walk_packages(mrfusion.__path__, "mrfusion.")]
names = [name for name in names if name.startswith(rooms) and not name.endswith((".ray", "__main__"))]
for name in names:  # what others wrote is imported on the system that it was installed for
    importlib.import_module(name)
for system, lacking in json.loads(sys.argv[1]).items():
    for name in [name for name in sys.modules if name.startswith("mrfusion")]:
        del sys.modules[name]
    for name in lacking["os"]:
        vars(os).pop(name, None)
    for name in lacking["modules"]:
        sys.modules[name] = None
    sys.platform = system
    for name in names:
        importlib.import_module(name)
    assert sys.modules["mrfusion.hardware"].cores() >= 1
print(len(names))
"""
LACKING = {
    "darwin": {"os": ["sched_getaffinity"], "modules": []},
    "win32": {"os": ["uname", "killpg", "fork", "sysconf", "geteuid"], "modules": ["resource", "fcntl", "pwd"]},
}


@pytest.mark.parametrize(
    ("rooms", "least"),
    [
        (("mrfusion.executors", "mrfusion.study", "mrfusion.cli", "mrfusion.report"), 30),
        pytest.param(("mrfusion.",), 150, marks=pytest.mark.slow),  # torch and MONAI take their time
    ],
    ids=["what conducts a study", "every room"],
)
def test_rooms_can_be_imported_without_the_names_of_linux(
    rooms: tuple[str, ...], least: int, pytestconfig: pytest.Config
) -> None:
    """In a process of its own that says it is macOS, then Windows, and lacks what these lack.

    Warnings are errors there as well, unless pytest was told otherwise (``make test-lowest`` does: old packages warn).
    """
    warn = [f"-W{each}" for each in pytestconfig.getoption("pythonwarnings") or ["error"]]
    command = [sys.executable, *warn, "-c", ELSEWHERE, json.dumps(LACKING), json.dumps(rooms)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > least


def test_a_finished_training_does_not_end_for_want_of_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy on PYTHONPATH, or a frozen program, has no record of what is installed."""

    def nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    torch = importlib.import_module("torch")
    history = importlib.import_module("mrfusion.run_folder.history").History()
    monkeypatch.setattr(environment.importlib.metadata, "version", nothing)
    facts = environment.environment(torch.nn.Linear(2, 1), history, steps_per_epoch=1, device=torch.device("cpu"))
    assert set(facts["versions"].values()) == {"not known", sys.version.split()[0], __version__}
