"""What this process may use of its machine: cores, GPUs and memory, on Linux, macOS and Windows.

What a scheduler, a container or the user has granted counts, not what the machine has. Nothing here needs torch.
"""

import ctypes
import math
import os
import re
import shutil
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import resource

PROCESS = Path("/proc/self")  # these three exist on Linux alone
CONTROL_GROUPS = Path("/sys/fs/cgroup")
DEVICES = Path("/dev")
DRIVER = Path("/proc/driver/nvidia/version")
_ASK_SECONDS = 30.0


def cores() -> int:
    """How many cores this process may use, at least 1: the least of all that limits it.

    These are the cores that it is bound to (all of the machine where the system cannot say), what Slurm granted
    (``SLURM_CPUS_PER_TASK``, else ``SLURM_CPUS_ON_NODE``), and the CPU quota of its control group, rounded up.
    """
    return max(1, min([_bound(), *_from_slurm(), *_quotas()]))


def gpus() -> tuple[str, ...]:
    """The NVIDIA GPUs that this process may use, in the words of ``CUDA_VISIBLE_DEVICES``: numbers or identifiers.

    Where that variable is set, as a cluster does on a node that several users share, these are the GPUs that it
    names and no other. As CUDA does, reading stops at the first word that names no GPU, so that "" and "-1" mean none.
    Otherwise they are the GPUs for which Linux has a device file, or those that ``nvidia-smi`` lists (Windows, WSL).
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return tuple(takewhile(_names_a_gpu, (name.strip() for name in given.split(","))))
    count = len(list(DEVICES.glob("nvidia[0-9]*"))) or _listed_by_nvidia_smi()
    return tuple(str(number) for number in range(count))


def gpu_driver() -> str:
    """The version of the NVIDIA driver, as Linux or ``nvidia-smi`` says it; empty where neither does."""
    said = DRIVER.read_text(encoding="utf-8") if DRIVER.exists() else _from_nvidia_smi("--version")
    found = re.search(r"(?:Kernel Module(?: for \S+)?\s+|DRIVER version\s*:\s*)(\d+(?:\.\d+)+)", said, re.IGNORECASE)
    return found[1] if found else ""


def free_mib() -> float:
    """Memory in MiB that this process may still take without swapping: what Linux calls available, within the limits
    of its control groups, of its address space and of its data (``ulimit -v``, ``ulimit -d``); infinite where the
    system does not say."""
    listed = Path("/proc/meminfo")
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []:
        if line.startswith("MemAvailable:"):
            return min([int(line.split()[1]) / 2**10, *_left_in_groups(), *_left_of_limits()])
    return math.inf


def _left_of_limits() -> list[float]:
    """What the limits of this process's address space and of its data leave, in MiB; nothing where it has none."""
    pages = (PROCESS / "statm").read_text(encoding="utf-8").split()
    taken = {resource.RLIMIT_AS: int(pages[0]), resource.RLIMIT_DATA: int(pages[5])}
    limits = {kind: resource.getrlimit(kind)[0] for kind in taken}
    return [
        max(0, limit - taken[kind] * resource.getpagesize()) / 2**20
        for kind, limit in limits.items()
        if limit != resource.RLIM_INFINITY
    ]


def _left_in_groups() -> list[float]:
    """What the limits of this process's control groups leave, in MiB; nothing where there is none or it is hidden."""
    listed, found = PROCESS / "cgroup", []
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []:
        group = CONTROL_GROUPS / line.split(":", 2)[2].lstrip("/")
        for folder in (group, *group.parents):
            try:
                limit, used = ((folder / name).read_text(encoding="utf-8") for name in ("memory.max", "memory.current"))
            except OSError:
                continue
            if limit.strip().isdecimal():
                found.append(max(0, int(limit) - int(used)) / 2**20)
    return found


def peak_mib() -> float:
    """Peak memory of this process in MiB since :func:`reset_peak`, pages of mapped files included.

    NaN where Windows does not answer: a finished training must not end for want of this number.
    """
    status = PROCESS / "status"
    for line in status.read_text(encoding="utf-8").splitlines() if status.exists() else []:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**10
    if sys.platform == "win32":
        return _peak_on_windows() / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, other systems KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def reset_peak() -> None:
    """Begin a new measurement of peak memory; only Linux can: elsewhere the whole life of the process counts."""
    forget = PROCESS / "clear_refs"
    if os.access(forget, os.W_OK):
        forget.write_text("5", encoding="utf-8")


def _bound() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _from_slurm() -> list[int]:
    given = os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("SLURM_CPUS_ON_NODE") or ""
    return [int(given)] if given.isdecimal() else []


def _quotas() -> list[int]:
    """The CPU quotas of this process's control group and of those around it, in cores, for both versions of Linux's."""
    listed = PROCESS / "cgroup"
    found = []
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CONTROL_GROUPS / "cpu" if controllers else CONTROL_GROUPS
        group = root / path.lstrip("/")
        found += [_quota(folder) for folder in (group, *group.parents) if folder.is_relative_to(root)]
    return [quota for quota in found if quota is not None]


def _quota(group: Path) -> int | None:
    """The quota of one control group; None where it has none or is not shown to this process."""
    names = ["cpu.max"] if (group / "cpu.max").exists() else ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
    try:
        words = [word for name in names for word in (group / name).read_text(encoding="utf-8").split()]
        share, period = (int(word) for word in words)  # "max" and -1 mean that there is no quota
    except (OSError, ValueError):
        return None
    return math.ceil(share / period) if share > 0 else None


def _names_a_gpu(name: str) -> bool:
    return name.isdecimal() or name.startswith(("GPU-", "MIG-"))


def _listed_by_nvidia_smi() -> int:
    return sum(line.startswith("GPU ") for line in _from_nvidia_smi("--list-gpus").splitlines())


def _from_nvidia_smi(question: str) -> str:
    """What the program answers; nothing where it is not there or fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        said = subprocess.run([program, question], capture_output=True, text=True, timeout=_ASK_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout if said.returncode == 0 else ""


class _Counters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of the Windows API (psapi.h)."""

    _fields_ = (
        ("cb", ctypes.c_uint32),
        ("PageFaultCount", ctypes.c_uint32),
        *((f"size{number}", ctypes.c_size_t) for number in range(8)),  # the first is PeakWorkingSetSize
    )


def _peak_on_windows() -> float:
    foreign: Any = ctypes  # whose Windows part a type checker on another system does not know
    system = foreign.WinDLL("kernel32")
    system.GetCurrentProcess.restype = ctypes.c_void_p
    system.K32GetProcessMemoryInfo.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)
    counters = _Counters(cb=ctypes.sizeof(_Counters))
    known = system.K32GetProcessMemoryInfo(system.GetCurrentProcess(), ctypes.byref(counters), counters.cb)
    return float(counters.size0) if known else math.nan
