"""What the documents say holds: links, recipes, commands, the citation, and every example that adds a choice."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import mrfusion
from mrfusion import families
from mrfusion.cli import app
from mrfusion.study.design import read_study

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
TRY_THE_EXAMPLES = """
import sys
from pathlib import Path

import torch

from mrfusion.families import load, names
from mrfusion.metrics._pair import MaskPair
from mrfusion.plan import parse_plan
from mrfusion.searches._base import Space, Trial

streams, present = torch.randn(2, 3, 4, 5, 6), torch.tensor([[True, True, True], [True, False, True]])
mean = load("fusions", "mean")(3, 4, 2)(streams, present).skip
streams[1, 1] = torch.nan
added = load("fusions", "weighted")(3, 4, 2)(streams, present)
torch.testing.assert_close(added.skip, mean)
assert "weighted" in names("fusions") and parse_plan("separate[weighted]").levels == ("weighted",)

pred, target = torch.zeros(4, 4, 4).bool().numpy(), torch.zeros(4, 4, 4).bool().numpy()
pred[:2, 0, 0], target[0, 0, 0] = True, True
assert load("metrics", "volume_error_mm3")(MaskPair(pred, target, (1.0, 1.0, 2.0))).value == 2.0

cohort = load("layouts", "flat")(Path(sys.argv[1]), modalities=["t1", "flair"])
assert [case.id for case in cohort.cases] == ["a", "b"] and cohort.modalities == ("t1", "flair")

search, space = load("searches", "single")("mean"), Space(costs=(10, 10, 10))
trials = [Trial(candidate, 1.0 - sum(candidate.places)) for candidate in search.propose(space, [])]
assert len(trials) == 4 and search.conclude(space, trials).chosen.places == (2,)

from mrfusion.case import Case, Cohort, Region
from mrfusion.spec import RunSpec
from mrfusion.training.decision import make_decision
from mrfusion.training.objective import make_objective, out_channels

source = {"path": "x", "layout": "brats(year=2023)"}
spec = RunSpec.model_validate({"data": {"sources": [source]}, "task": "tissues"})
tissues = Cohort(("t1",), (), (Region("grey", frozenset({1})), Region("white", frozenset({2}))))
assert "tissues" in names("tasks") and spec.loss_texts == ("cross_entropy",) and out_channels(spec, tissues) == 3
assert type(make_objective(spec, tissues).target).__name__ == "LabelTarget"
assert make_decision(spec, tissues)(torch.tensor([[[0.0], [2.0], [1.0]]])).tolist() == [[[True], [False]]]

from mrfusion.training.assemble import make_network

own = spec.changed({"network": "mypackage.small:Small(width=4)", "plan": "concat", "task": "segmentation"})
network = make_network(own, Cohort(("t1", "t2"), (), tissues.regions))
output = network(torch.randn(1, 2, 7, 8), torch.ones(1, 2, dtype=torch.bool))
assert output.logits.shape == (1, 2, 7, 8) and [c.shape for c in output.coarse] == [(1, 2, 4, 4)]

assert load("fusions", "mrfusion.fusions.weighted:Weighted") is load("fusions", "weighted")
"""


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of one language in a document."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_a_study_that_says_how_it_is_run(recipe: Path) -> None:
    study = read_study(recipe)
    opening = recipe.read_text(encoding="utf-8").splitlines()
    assert study.question
    assert len([line for line in opening if not line.startswith("  ")]) <= 25, "one screen, and a line an arm"
    assert len(opening) <= 25 + len(study.arms)
    assert [line.split(":")[0] for line in opening[:3]] == ["# Command", "# Run time", "# Expected"]


def test_the_readme_s_study_can_be_read(tmp_path: Path) -> None:
    brats, own = blocks("README.md", "yaml")
    assert len(brats.splitlines()) <= 13
    path = tmp_path / "study.yaml"
    path.write_text(brats, encoding="utf-8")
    assert [arm.name for arm in read_study(path).arms] == ["only t1c", "only t2f", "all", "late"]
    path.write_text(f"question: Does it help?\n{own}arms:\n  all: {{}}\n", encoding="utf-8")
    assert read_study(path).arms


def test_the_readme_s_own_folder_is_read_as_it_says(tmp_path: Path) -> None:
    source = yaml.safe_load(blocks("README.md", "yaml")[1])["data"]["sources"][0]
    for name in ("P01/P01_T1", "P01/P01_FLAIR", "P01/P01_mask", "P02/P02_T1", "P02/P02_mask"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.nii.gz").touch()
    cohort = families.load("layouts", source["layout"])(tmp_path, **source["options"])
    assert [(case.id, sorted(case.images)) for case in cohort.cases] == [("P01", ["flair", "t1"]), ("P02", ["t1"])]


def test_the_readme_s_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for text in blocks("README.md", "python"):
        exec(compile(text, "README.md", "exec"), {})
    assert "lesion dice 0.9" in capsys.readouterr().out


def test_only_commands_that_exist_are_named() -> None:
    functions = [getattr(command.callback, "__name__", "") for command in app.registered_commands]
    known = {name.removesuffix("_choices").replace("_", "-") for name in functions}
    texts = [path.read_text(encoding="utf-8") for path in DOCUMENTS]
    openings = ["\n".join(re.findall(r"^#.*", path.read_text(encoding="utf-8"), re.M)) for path in RECIPES]
    shown = "\n".join([*openings, *blocks("README.md", "sh"), *re.findall(r"`[^`\n]+`", "\n".join(texts))])
    assert set(re.findall(r"mrfusion ([a-z][a-z-]*)", shown)) <= known
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert set(re.findall(r"make ([a-z-]+)", shown)) <= set(targets)


def test_the_readme_names_choices_that_exist_and_all_of_a_short_family() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(layout|network|losses|metrics|plan|schedule)`([^|]*)\|(.*)\|$", text, re.M)
    family = {
        "layout": "layouts",
        "network": "backbones",
        "losses": "losses",
        "schedule": "schedules",
        "metrics: masks": "metrics",
        "metrics: classes": "class_metrics",
        "plan: fusion at a level": "fusions",
        "plan: added channel": "image_fusions",
    }
    said = {f"{key}{rest.strip()}": re.findall(r"`([a-z_0-9]+)`", cell) for key, rest, cell in rows}
    some = {"network", "metrics: masks"}  # rows that point to more
    for key, name in family.items():
        unknown, untold = set(said[key]) - set(families.names(name)), set(families.names(name)) - set(said[key])
        assert not unknown, key
        assert key in some or not untold, key


def test_the_page_of_keys_is_what_the_models_say() -> None:
    page = runpy.run_path(str(ROOT / ".ci" / "specification.py"))["page"]()
    assert page == (ROOT / "docs" / "specification.md").read_text(encoding="utf-8"), "run python .ci/specification.py"
    assert page.count("| `") > 70


def test_the_pages_of_public_names_and_of_files_are_what_the_sources_say() -> None:
    made = runpy.run_path(str(ROOT / ".ci" / "reference.py"))
    assert made["api"]() == (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), "run python .ci/reference.py"
    assert made["files"]() == (ROOT / "docs" / "files.md").read_text(encoding="utf-8"), "run python .ci/reference.py"
    assert made["api"]().count("\n## ") == len(vars(mrfusion)["__all__"]) - 1
    assert made["files"]().count("| `") > 20


def test_the_command_list_mentions_every_family() -> None:
    answer = CliRunner().invoke(app, ["list"])
    assert answer.exit_code == 0
    assert set(families.families()) <= set(answer.output.split())


def test_ci_runs_what_the_readme_shows() -> None:
    command = ["awk", "-f", str(ROOT / ".ci/commands.awk"), str(ROOT / "README.md")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
    assert [line for line in printed if line] == ["make demo", "make test", "make lint"]


def test_the_citation_names_the_three_papers() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert len(citation["references"]) == 3
    assert all({"type", "title", "authors"} <= set(paper) for paper in citation["references"])
    assert citation["version"] == mrfusion.__version__


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = text.split("\ndependencies = [")[1].split("\n]")[0].strip().splitlines()
    assert len(listed) == len(project()["dependencies"])
    assert [line for line in listed if "#" not in line] == []


def test_pins_are_versions_without_a_build() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    names = {re.split(r"==", pin)[0].lower().replace("_", "-") for pin in pins}
    wanted = {re.split(r"[^A-Za-z0-9_.-]", name)[0].lower().replace("_", "-") for name in project()["dependencies"]}
    assert all(re.fullmatch(r"[\w.-]+==[\d.]+(b\d+|\.post\d+)?", pin) for pin in pins)
    assert "torch==2.13.0" in pins
    assert wanted <= names


def test_the_licence_is_there_in_full() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert project()["license"] == "Apache-2.0"


def test_each_example_of_contributing_adds_a_choice(tmp_path: Path) -> None:
    """In a copy of the package, so that the real one stays as it is."""
    package = shutil.copytree(
        ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    examples = re.findall(r"^`src/(\S+)`:\n\n```python\n(.*?)^```", text, re.M | re.S)
    for place, content in examples:
        assert not (package / place).exists()
        (package / place).parent.mkdir(exist_ok=True)
        (package / place).write_text(content, encoding="utf-8")
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a_t1", "a_flair", "a_mask", "b_t1", "b_flair", "b_mask"):
        (data / f"{name}.nii.gz").touch()
    command = [sys.executable, "-W", "error", "-c", TRY_THE_EXAMPLES, str(data)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(package)}, cwd=tmp_path)
    assert len(examples) == 6


def project() -> dict[str, Any]:
    """The project's own part of pyproject.toml."""
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])
