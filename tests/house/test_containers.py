"""The recipes of containers, read as the tools read them: files that are there, known words, one of each thing."""

import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE, DEFINITION = ROOT / "Dockerfile", ROOT / "mrfusion.def"
SECTIONS = {"files", "post", "environment", "runscript", "test", "labels", "help"}


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile and what follows each, continued lines in one."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text())
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def sections() -> dict[str, list[str]]:
    """The sections of the definition, by name; its head is the one without a name."""
    found: dict[str, list[str]] = {"": []}
    name = ""
    for line in DEFINITION.read_text().splitlines():
        if line.startswith("%"):
            name = line[1:].strip()
            assert name not in found, f"%{name} stands twice"
            found[name] = []
        elif line.strip() and not line.startswith("#"):
            found[name].append(line.strip())
    return found


def copied() -> list[str]:
    """What the Dockerfile takes from the clone."""
    return [name for word, rest in instructions() if word == "COPY" for name in rest.split()[:-1]]


def test_the_dockerfile_is_made_of_known_instructions() -> None:
    words = [word for word, _ in instructions()]
    assert words[0] == "FROM"
    assert set(words) <= {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "ENTRYPOINT", "CMD"}
    assert words.count("ENTRYPOINT") == words.count("CMD") == 1
    assert dict(instructions())["ENTRYPOINT"] == '["mrfusion"]'


def test_the_definition_has_a_head_and_known_sections() -> None:
    found = sections()
    head = dict(line.split(": ", 1) for line in found.pop(""))
    assert head == {"Bootstrap": "docker", "From": dict(instructions())["FROM"]}, "both begin with the same image"
    assert set(found) == SECTIONS
    assert all(found.values())


def test_what_is_copied_is_there_and_not_ignored() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in copied():
        assert (ROOT / name).exists(), name
        assert any(fnmatch(name, pattern) for pattern in kept), f"{name} is hidden by .dockerignore"
    pairs = [line.split() for line in sections()["files"]]
    assert [source for source, _ in pairs] == copied()
    assert all(target == f"/opt/mrfusion/{source}" for source, target in pairs)


def test_what_the_build_needs_is_copied() -> None:
    """pyproject.toml names files that the build reads."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"}
    assert needed <= set(copied())
    assert set(project["tool"]["setuptools"]["packages"]["find"]["where"]) <= set(copied())
    lowest = project["project"]["requires-python"].removeprefix(">=")
    assert f"python:{lowest}-" in dict(instructions())["FROM"]


def test_the_shell_of_both_is_a_shells(tmp_path: Path) -> None:
    scripts = [rest for word, rest in instructions() if word == "RUN"]
    scripts += ["\n".join(sections()[name]) for name in ("post", "environment", "runscript", "test")]
    for number, script in enumerate(scripts):
        path = tmp_path / f"{number}.sh"
        path.write_text(script + "\n")
        assert subprocess.run(["sh", "-n", str(path)]).returncode == 0, script


@pytest.mark.slow
def test_docker_builds_it(tmp_path: Path) -> None:
    """Where docker is there and running; slow the first time, and it needs a network."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True).returncode:
        pytest.skip("docker is not running here")
    subprocess.run([docker, "build", "-q", "-t", "mrfusion-test", str(ROOT)], check=True)
    said = subprocess.run([docker, "run", "--rm", "mrfusion-test", "--version"], check=True, capture_output=True)
    assert said.stdout
