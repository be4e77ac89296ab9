"""Interactive figures as data: plotly's JSON, colours as names of the page's own variables, buttons that choose.

Nothing here draws. The page's script hands each chosen drawing to plotly and replaces ``var(--name)`` by the colour
that the variable has just now, so the figures follow light, dark and print.
"""

import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "triangle-down", "pentagon", "x")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "8px 2px", "2px 6px")
Drawing = dict[str, Any]


@dataclass(frozen=True)
class Switch:
    """A row of buttons; ``options`` are (key, what the button says), the first is chosen."""

    label: str
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Figure:
    """A figure: what it shows in words, its switches, and a drawing per combination of their keys, joined by ``|``."""

    id: str
    alt: str
    height: int
    switches: tuple[Switch, ...]
    drawings: Mapping[str, Drawing]

    @property
    def visible_switches(self) -> tuple[tuple[int, Switch], ...]:
        """The switches that offer a choice, each with its place in the key."""
        return tuple((place, switch) for place, switch in enumerate(self.switches) if len(switch.options) > 1)


def colour(index: int) -> str:
    """The page's colour of an arm by its place in the study; there are eight, then they repeat with other symbols."""
    return f"var(--arm-{index % 8})"


def soft(index: int) -> str:
    """The same colour, nearly transparent, for bands."""
    return f"var(--arm-{index % 8}-soft)"


def symbol(index: int) -> str:
    """The marker of an arm, so that colour is not the only sign."""
    return SYMBOLS[(index + index // 8) % len(SYMBOLS)]


def dash(index: int) -> str:
    """The line of an arm, so that colour is not the only sign."""
    return DASHES[(index + index // 8) % len(DASHES)]


def plain(text: str) -> str:
    """Text that plotly shows letter by letter; it would read tags in it as formatting."""
    return html.escape(text, quote=False)


def rounded(values: Iterable[float], digits: int = 5) -> list[float | None]:
    """Numbers with so many significant digits, NaN as null: a page for 50 cases must stay small."""
    return [None if math.isnan(v) or math.isinf(v) else float(f"{v:.{digits}g}") for v in values]


def band(x: Sequence[float], low: Iterable[float], high: Iterable[float], place: int) -> Drawing:
    """From the lowest to the highest values over ``x``, as one closed shape in the colour of an arm's place."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": rounded([*x, *reversed(x)]),
        "y": rounded([*high, *reversed(list(low))]),
        "fill": "toself",
        "fillcolor": soft(place),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": str(place),
    }


def line(x: Iterable[float], y: Iterable[float], arm: str, place: int, **changes: Any) -> Drawing:
    """The line of an arm over ``x``, in the colour and dashes of its place; ``changes``: what stands at a point."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain(arm),
        "x": rounded(x),
        "y": rounded(y),
        "line": {"width": 2.5, "color": colour(place), "dash": dash(place)},
        "legendgroup": str(place),
        **changes,
    }


def layout(**changes: Any) -> Drawing:
    """The common look: no box, thin lines, the page's own type and colours."""
    common: Drawing = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "var(--sans)", "size": 13, "color": "var(--ink)"},
        "margin": {"l": 8, "r": 16, "t": 12, "b": 48},
        "hoverlabel": {
            "bgcolor": "var(--raised)",
            "bordercolor": "var(--line-strong)",
            "font": {"family": "var(--sans)", "size": 13, "color": "var(--ink)"},
            "align": "left",
        },
        "dragmode": False,
        "showlegend": False,
    }
    return {**common, **changes}


def axis(title: str, **changes: Any) -> Drawing:
    """A quiet axis with a title."""
    quiet: Drawing = {
        "title": {"text": plain(title), "font": {"size": 12, "color": "var(--muted)"}, "standoff": 10},
        "gridcolor": "var(--line)",
        "linecolor": "var(--line)",
        "zeroline": False,
        "automargin": True,
        "tickfont": {"size": 12, "color": "var(--muted)"},
    }
    return {**quiet, **changes}


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element: nothing in it can close the element or open a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
