"""Every choice explains itself: what it does, every option with its default, and an example that is understood."""

import inspect
import re
import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from mrfusion import families
from mrfusion.cli import app
from mrfusion.command.explain import NEEDED, as_markdown, explain
from mrfusion.errors import SpecError
from mrfusion.fusions._options import Options
from mrfusion.spec import RunSpec
from mrfusion.study.design import Study

EXTRA = ("ray", "mlflow", "tensorboard", "onnx")  # modules named after a package that may not be installed
CHOICES = [
    (family, name)
    for family in families.families()
    for name in families.names(family)
    if name not in EXTRA or find_spec(name)
]
ROOT = Path(__file__).parents[2]


def options_of(family: str, name: str) -> dict[str, inspect.Parameter]:
    """What a user may give: by keyword, or with a default, or any number of; what machinery hands over is neither."""
    target = families.load(family, name)
    return {
        p.name: p
        for p in inspect.signature(target).parameters.values()
        if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD, p.VAR_POSITIONAL) or p.default is not p.empty
    }


@pytest.mark.parametrize(("family", "name"), CHOICES)
def test_every_option_is_explained_with_its_default(family: str, name: str) -> None:
    found = {option.name: option for option in explain(family, name).options}
    wanted = options_of(family, name)
    if "options" in wanted:  # the choice reads them by name from a table of its own
        assert len(found) > 1
        return
    assert list(found) == list(wanted)
    for option, parameter in wanted.items():
        assert len(found[option].meaning) > 10
        needed = parameter.default is parameter.empty and parameter.kind is parameter.KEYWORD_ONLY
        assert (found[option].default == NEEDED) == needed, "what has no default must be given"


def test_the_options_of_an_energy_are_those_it_reads() -> None:
    found = explain("fusions", "energy").options
    said = {option.name: option.default for option in found}
    assert said == {name: str(value).lower() for name, value in vars(Options()).items()}


@pytest.mark.parametrize(("family", "name"), CHOICES)
def test_every_example_names_a_choice_that_can_be_loaded(family: str, name: str) -> None:
    example = explain(family, name).example
    (text,) = re.findall(rf"\b{name}\b(?:\((?:[^()]|\([^()]*\))*\))?", example)[:1]
    families.load(family, text)
    if not example.startswith("mrfusion "):
        (key,) = yaml.safe_load(example)
        assert key in {*RunSpec.model_fields, *Study.model_fields}


def test_a_choice_is_explained_by_its_family_and_by_its_name_alone() -> None:
    by_family = CliRunner().invoke(app, ["list", "layouts", "folder"])
    by_name = CliRunner().invoke(app, ["list", "folder"])
    assert by_family.output == by_name.output
    assert "modalities: a mapping or a list; must be given" in by_family.output
    assert "layout: 'folder(" in by_family.output


def test_a_name_that_is_nowhere_is_answered_with_the_nearest() -> None:
    with pytest.raises(SpecError, match="did you mean 'folder'"):
        CliRunner().invoke(app, ["list", "foldr"], catch_exceptions=False)
    with pytest.raises(SpecError, match="layouts"):
        explain("layout", "folder")


def test_the_pages_of_choices_are_current() -> None:
    pages = runpy.run_path(str(ROOT / ".ci" / "choices.py"))["pages"]()
    home = ROOT / "docs" / "choices"
    assert {path.name: path.read_text(encoding="utf-8") for path in home.glob("*.md")} == pages, (
        "run python .ci/choices.py"
    )


def test_prose_becomes_paragraphs_and_what_is_drawn_stays() -> None:
    about = "x_m <- x * y over\nthe ``*xyz`` [ours].\n\n=== ===\na   b_c\n=== ===\n\nNext."
    assert as_markdown(about) == (
        "x_m \\<- x \\* y over the `*xyz` \\[ours\\].\n\n```text\n=== ===\na   b_c\n=== ===\n```\n\nNext."
    )
