"""A part of the page: its heading, its HTML from a template that escapes every value, and its figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mrfusion.report import wording
from mrfusion.report.figure import Figure

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters.update(
    duration=wording.duration,
    count=wording.count,
    settings=wording.settings,
    several=wording.several,
    region=wording.region,
)
# The one address of another machine in a report: a link that a reader may follow, never something that the page loads.
LEDGER = "https://github.com/mrfusion/mrfusion/blob/main/docs/claims.md"
_PAGES.globals["ledger_address"] = LEDGER

MOST_CASES = 300  # of a larger cohort the page holds one metric's scores case by case, not all metrics'


@dataclass(frozen=True)
class Section:
    """One section; ``id`` is its anchor, ``title`` its heading and its place in the contents.

    ``data`` is what its script reads: (id of the element, value).
    """

    id: str
    title: str
    html: Markup
    figures: tuple[Figure, ...] = ()
    data: tuple[tuple[str, Any], ...] = ()


def render(template: str, **values: Any) -> Markup:
    """The template with the values, every one escaped; templates are files of this folder, a missing value an error."""
    return Markup(_PAGES.get_template(template).render(**values))
