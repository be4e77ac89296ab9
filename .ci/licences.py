"""Writes docs/licences.md: what each direct dependency says of its licence, from the installed packages."""

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
OPENING = """# Licences of the dependencies

mrfusion itself is Apache-2.0. What its direct dependencies say of their own, as installed; `python .ci/licences.py`
writes this page anew.

| package | needed for | licence |
|---|---|---|
"""


def requirements() -> dict[str, str]:
    """Package -> the extra it belongs to, empty where it is always needed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    found: dict[str, str] = {}
    for extra, texts in groups.items():
        for text in texts:
            found.setdefault(re.split(r"[^A-Za-z0-9_.-]", text)[0], extra)
    return found


def licence(package: str) -> str:
    """The SPDX expression, the classifiers, or the first line of the licence's text."""
    about = metadata(package)
    if about["License-Expression"]:
        return about["License-Expression"]
    said = [line.split(" :: ")[-1] for line in about.get_all("Classifier") or () if line.startswith("License ::")]
    return ", ".join(said) or (about["License"] or "not said").strip().splitlines()[0][:60]


def page() -> str:
    rows = (f"| {name} | {extra or 'always'} | {licence(name)} |" for name, extra in sorted(requirements().items()))
    return OPENING + "\n".join(rows) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "licences.md").write_text(page(), encoding="utf-8")
