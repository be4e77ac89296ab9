"""A Ray cluster: runs go to whichever node has room, and to another one where a worker or a node is lost."""

import logging
import os
import platform
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mrfusion.errors import SpecError
from mrfusion.executors._base import Executor, Job, Outcome
from mrfusion.executors._call import carry_out
from mrfusion.kinds import Count, CountFrom0

try:
    import ray
    from ray.exceptions import RayError
except ModuleNotFoundError:
    raise SpecError("executor ray needs the package ray, which is not installed: pip install 'mrfusion[ray]'") from None

TICK_SECONDS = 1.0  # the progress of many runs lies in many small files of a shared folder
KNOCK_SECONDS = 10.0


@dataclass(frozen=True)
class Place:
    """What a worker takes over from the process that asked: its folder, its command line, and what a run may use."""

    folder: str
    command: tuple[str, ...]
    threads: int
    gpu: bool


class Ray(Executor):
    """Each job is a task of the cluster, in a fresh process; ``--out``, the cache and the data lie on a shared folder.

    ``address`` is ``auto`` (the cluster that this machine is a node of), ``host:port``, or ``ray://host:10001`` from
    outside. A run is given ``cpus`` cores, which are its threads, and ``gpus``: a share below 1 lets several runs
    share a GPU if its memory is enough for them, which Ray does not check; by default 1 where the cluster has GPUs. A
    run whose worker or node is lost is started again, up to ``retries`` times, and goes on from its checkpoint.
    ``workers`` is the most runs at a time; by default as many as the cluster has room for.

    Options:
        workers: runs side by side; default: as many as the cluster has room for
        address: auto, HOST:PORT, or ray://HOST:10001 from outside the cluster
        cpus: cores of one run, which are its threads
        gpus: GPUs of one run; a share below 1 lets several runs use one GPU; default: 1 where the cluster has
            GPUs
        retries: how often a run is started again whose worker or node was lost
    Example: ray(gpus=0.5)
    """

    def __init__(
        self,
        workers: Count | None = None,
        *,
        address: str = "auto",
        cpus: Count = 1,
        gpus: float | None = None,
        retries: CountFrom0 = 3,
    ) -> None:
        if gpus is not None and not (0 <= gpus <= 1 or gpus == int(gpus) > 0):
            raise SpecError(f"executor ray: gpus must be a share from 0 to 1, or a whole number, found {gpus}")
        self.workers, self.address, self.cpus, self.gpus, self.retries = workers, address, cpus, gpus, retries

    def run(self, jobs: Sequence[Job], tick: Callable[[], None]) -> Iterator[Outcome]:
        task, place = self._task()
        rest = iter(jobs)
        running = {task.remote(job, place): job for job in islice(rest, self.workers)}
        try:
            while running:
                done, _ = ray.wait(list(running), timeout=TICK_SECONDS)
                tick()
                for reference in done:
                    job = running.pop(reference)
                    running |= {task.remote(following, place): following for following in islice(rest, 1)}
                    yield _outcome(reference, job)
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def _task(self) -> tuple[Any, Place]:
        """The cluster's task that carries out a job, and what it is told beside it."""
        _connect(self.address)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        most = max((node.get("GPU", 0.0) for node in nodes), default=0.0)
        gpus = min(1.0, most) if self.gpus is None else self.gpus
        if not any(node.get("CPU", 0) >= self.cpus and node.get("GPU", 0) >= gpus for node in nodes):
            raise SpecError(
                f"executor ray: a run asks for {self.cpus} CPUs and {gpus:g} GPUs, and no node of the cluster at "
                f"{self.address} has as many; ask for less as in 'ray(cpus=1,gpus=0)', or add a node"
            )
        place = Place(os.getcwd(), tuple(sys.argv), self.cpus, gpus > 0)
        # max_calls: a process of its own for each job, so that threads and memory are the job's alone
        options = {"num_cpus": self.cpus, "num_gpus": gpus, "max_retries": self.retries, "max_calls": 1}
        return ray.remote(**options)(_carry_out), place


def _connect(address: str) -> None:
    """Join the cluster once a process; what Ctrl-C and SIGTERM do stays as it was, which Ray would change."""
    if ray.is_initialized():
        return
    stopping = signal.getsignal(signal.SIGTERM)
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise SpecError(
            f"expected a Ray cluster at --address {address}, found: {str(error).splitlines()[0]}; 'ray start --head' "
            "starts one, on a machine inside it 'auto' finds it, from outside ray://HOST:10001 does"
        ) from None
    signal.signal(signal.SIGTERM, stopping)


def _knock(address: str) -> None:
    """OSError at once where nobody listens at host:port; Ray would try for two minutes and then end the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()


def _carry_out(job: Job, place: Place) -> Outcome:
    """On the worker: the same folder, command line and threads as a process on the asking machine would have."""
    os.environ["OMP_NUM_THREADS"] = str(place.threads)
    if not place.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    sys.argv = list(place.command)
    try:
        os.chdir(place.folder)
    except OSError as error:
        where = f"node {platform.node()} cannot enter {place.folder} ({error.strerror})"
        return Outcome(job, failure=f"{where}; start from a folder that all nodes of the cluster share", expected=True)
    return carry_out(job)


def _outcome(reference: Any, job: Job) -> Outcome:
    try:
        outcome: Outcome = ray.get(reference)
    except RayError as error:
        return Outcome(job, failure=f"its worker was lost, the last of its retries too: {error}", expected=True)
    return outcome
