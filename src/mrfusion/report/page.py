"""The report: a study's folder in, one self-contained HTML file out, which asks no network for anything."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from mrfusion.files import write_json, write_text
from mrfusion.report.export import as_json
from mrfusion.report.figure import Figure, script_json
from mrfusion.report.part import Section, render
from mrfusion.report.section import (
    appendix,
    arms,
    balance,
    cases,
    cohort,
    cost,
    curves,
    energy,
    headline,
    methods,
    modalities,
    paper_tables,
    points,
    ranking,
    roc,
    scorings,
    search,
    verdicts,
    viewer,
)
from mrfusion.study.load import LoadedStudy

# the page, top to bottom
SECTIONS = (
    *(
        headline,
        verdicts,
        scorings,
        ranking,
        arms,
        paper_tables,
        search,
        modalities,
        energy,
        cohort,
        points,
        cases,
        viewer,
    ),
    *(roc, curves, balance, cost, methods, appendix),
)
_HERE = Path(__file__).parent


def build_report(study: LoadedStudy, out: Path | None = None) -> Path:
    """Write the report of a study to ``out`` (default: ``report.html`` in its folder), whole or not at all.

    Its comparisons stand beside it as JSON under the same name. Missing and unreadable runs are named in it. Raises
    InputError where a run left broken tables of energies or subsets, OutputError where the file cannot be written.
    """
    place = out or study.folder.report(".html")
    write_text(place, page(study))
    write_json(place.with_suffix(".json"), as_json(study))
    return place


def page(study: LoadedStudy, parts: Sequence[ModuleType] = SECTIONS) -> str:
    """The whole page as HTML; ``parts`` are the sections that it is made of."""
    found = [module.section(study) for module in parts]
    sections = [section for section in found if section is not None]
    data = {name: Markup(script_json(value)) for section in sections for name, value in section.data}
    scripts = [get_plotlyjs() if _figures(sections) else "", _script("page.js"), _script("viewer.js") if data else ""]
    return render(
        "page.html",
        title=f"{study.name}: {study.question}",
        sections=sections,
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        scripts=[Markup(script) for script in scripts if script],
        allowed=" ".join(_fingerprint(script) for script in scripts if script),
        data=data,
        figures=Markup(script_json({figure.id: dict(figure.drawings) for figure in _figures(sections)})),
    )


def _script(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _figures(sections: list[Section]) -> list[Figure]:
    return [figure for section in sections for figure in section.figures]


def _fingerprint(script: str) -> str:
    """The script's hash as the page's Content-Security-Policy wants it: no other script may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}'"
