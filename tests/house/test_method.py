"""What the code says of the method can be looked up in docs/method.md: sections and marks."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
METHOD = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
FILES = [
    path
    for folder in ("src", "tests", "bench", "docs", "recipes")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".md", ".yaml")
]
REFERENCE = re.compile(r"\bmethod,? (?:section )?(\d(?:\.\d)*)|[Ss]ection (\d(?:\.\d)*) of the method")


def references() -> list[tuple[str, str]]:
    """File and section of every reference."""
    texts = ((path, path.read_text(encoding="utf-8")) for path in FILES)
    return [(path.name, one or two) for path, text in texts for one, two in REFERENCE.findall(text)]


def test_every_reference_is_a_heading() -> None:
    headings = set(re.findall(r"^#+ (\d(?:\.\d)*)", METHOD, re.M))
    found = references()
    assert len(found) > 10
    assert [(file, section) for file, section in found if section not in headings] == []


@pytest.mark.parametrize("mark", ["[ours]", "[paper]"])
def test_the_marks_of_the_code_have_a_legend(mark: str) -> None:
    used = [path for path in (ROOT / "src").rglob("*.py") if mark in path.read_text(encoding="utf-8")]
    assert used
    assert re.search(rf"^\* \*\*{re.escape(mark)}\*\*: .+", METHOD, re.M)
