"""The Ray executor: what it refuses, what a job is given, and that a killed worker costs time alone."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mrfusion import cli, families
from mrfusion.errors import MrFusionError, SpecError
from mrfusion.executors._base import Job, Outcome
from two_nodes import Cluster, two_nodes

CALLS = '''"""Jobs for a cluster; light, so that a worker starts quickly."""

import os
import signal
import sys
from pathlib import Path

from mrfusion.errors import CaseError


def about():
    seen = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")}
    return seen | {"pid": os.getpid(), "folder": os.getcwd(), "command": sys.argv}


def complain():
    raise CaseError("case x has no t1c")


def die(times, marks):
    """Be killed so many times, then answer."""
    with Path(marks).open("a") as stream:
        stream.write("x")
    if len(Path(marks).read_text()) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"
'''


def test_without_ray_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "mrfusion.executors.ray", raising=False)
    with pytest.raises(SpecError, match=r"pip install 'mrfusion\[ray\]'"):
        families.load("executors", "ray")


def test_an_address_is_for_a_cluster(tmp_path: Path) -> None:
    recipe = tmp_path / "study.yaml"
    recipe.write_text("data: {sources: [{path: x, layout: brats}]}\n")
    asked = ["study", str(recipe), "--out", str(tmp_path / "out"), "--address", "auto"]
    assert "takes no argument 'address'" in str(CliRunner().invoke(cli.app, asked).exception)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("ray(gpus=1.5)", "share from 0 to 1"),
        ("ray(gpus=-1)", "share from 0 to 1"),
        ("ray(cpus=0)", "a whole number of at least 1 for cpus"),
    ],
)
def test_what_no_node_can_give_is_refused(text: str, part: str) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    with pytest.raises(SpecError, match=part):
        families.load("executors", text)()


def test_where_no_cluster_is_one_message_says_so() -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    executor = families.load("executors", "ray")(address="127.0.0.1:1")
    with pytest.raises(SpecError, match="expected a Ray cluster at --address"):
        next(executor.run([Job("a", "math:sqrt", (4,))], lambda: None))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes, whose workers can import the jobs of this file."""
    ray = pytest.importorskip("ray", reason="ray is not installed")
    folder = tmp_path_factory.mktemp("cluster_calls")
    (folder / "cluster_calls.py").write_text(CALLS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        with two_nodes() as nodes:
            yield nodes
            ray.shutdown()


def ran(cluster: Cluster, *calls: tuple[Any, ...], **options: Any) -> dict[str, Outcome]:
    """Name -> what became of the call ``name`` with its arguments; names are numbered where they come again."""
    jobs = [Job(f"{name}{number}", f"cluster_calls:{name}", tuple(rest)) for number, (name, *rest) in enumerate(calls)]
    executor = families.load("executors", "ray")(address=cluster.address, **options)
    return {outcome.job.name: outcome for outcome in executor.run(jobs, lambda: None)}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_jobs_on_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    marks = [str(tmp_path / name) for name in "ab"]
    found = ran(cluster, ("about",), ("about",), ("complain",), ("die", 2, marks[0]), ("nowhere",))
    assert found["about0"].failure is None
    first, second = found["about0"].result, found["about1"].result
    assert first["pid"] != second["pid"]
    assert {key: first[key] for key in first if key != "pid"} == {
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "folder": str(Path.cwd()),
        "command": sys.argv,
    }
    assert found["complain2"].expected
    assert found["complain2"].failure == "case x has no t1c"
    assert found["die3"].result == "alive"
    assert len(Path(marks[0]).read_text()) == 3
    assert not found["nowhere4"].expected
    assert "nowhere" in str(found["nowhere4"].failure)
    lost = ran(cluster, ("die", 5, marks[1]), ("about",), retries=1, workers=1)
    assert lost["die0"].expected
    assert "its worker was lost" in str(lost["die0"].failure)
    assert lost["about1"].failure is None
    with pytest.raises(MrFusionError, match="no node of the cluster"):
        ran(cluster, ("about",), gpus=0.5)
