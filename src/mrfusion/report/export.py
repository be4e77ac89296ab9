"""The verdicts for other programs and for papers: JSON, a Markdown table, a LaTeX table."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from mrfusion.comparison.compare import Comparison
from mrfusion.errors import SpecError, nearest
from mrfusion.files import write_text
from mrfusion.report.caution import of_other_rules, reasons, unfounded
from mrfusion.report.energy import words as energy_words
from mrfusion.report.methods import paragraphs
from mrfusion.report.metric import metric_named
from mrfusion.report.sentence import leading, of_metric, p_value, sentence
from mrfusion.report.subsets import load_subsets
from mrfusion.report.wording import region
from mrfusion.study.load import LoadedStudy

COLUMNS = (
    "arm", "reference", "region", "metric", "effect", "ci_low", "ci_high", "scope", "p_holm",
    "p_equivalent_holm", "verdict", "for_these_trainings", "reasons", "notes", "advice", "margin", "margin_reason",
    "patients", "seeds", "folds", "runs", "missing", "interim",
)  # fmt: skip
HEADS = ("Arm", "Region", "Difference", "95 % interval", "p (Holm)", "Verdict", "Patients", "Seeds", "Folds")
_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "±": r"$\pm$"}
_TEX |= {letter: f"\\{letter}" for letter in "&%$#_{}"} | {"<": r"\textless{}", ">": r"\textgreater{}", "–": "--"}


def as_json(study: LoadedStudy) -> dict[str, Any]:
    """The question, the verdict in words, the terms, every comparison in the unit of the stored scores, what the
    subsets of modalities scored where that was asked for, and what the energies say where there are any."""
    return {
        "study": study.name,
        "question": study.question,
        "reference": study.reference,
        "verdict": [str(sentence(study, row)) for row in leading(study)],
        "unit": "as in scores.csv: shares from 0 to 1, distances in mm; effect is arm minus reference",
        "violations": dict(study.fairness.violations),
        "not_converged": {name: str(arm) for name, arm in study.health.items() if not arm.converged},
        "regions_in_no_case": list(study.nowhere),
        "other_rules": list(of_other_rules(study)),
        "plan_sha256": study.frozen,
        "beyond_the_plan": study.added.plain if study.added else {},
        "splits_sha256": study.splits_digest,
        "runs": {"done": len(study.done), "planned": len(study.runs)},
        "modalities": [arm.as_json() for arm in load_subsets(study)],
        "energy": energy_words.as_json(study),
        "comparisons": _comparisons(study),
        "scorings": {name: _comparisons(found) for name, found in study.scorings.items()},
    }


def _comparisons(study: LoadedStudy) -> list[dict[str, Any]]:
    return [
        {name: getattr(row, name) for name in COLUMNS} | {"exploratory": list(reasons(study, row))}
        for row in study.comparisons
    ]


def as_markdown(study: LoadedStudy) -> str:
    """The verdicts as sentences, a table per metric, the methods."""
    cautions = (*unfounded(study), *of_other_rules(study))
    said = [*(str(sentence(study, row)) for row in leading(study)), *(f"{text}." for text in cautions)]
    lines = [f"# {_plain(study.question)}", "", *(f"- {_plain(text)}" for text in said)]
    for name, rows in _tables(study):
        lines += ["", f"## {_plain(metric_named(name).heading)}, difference to {_plain(study.reference)}", ""]
        lines += [_piped(HEADS), _piped(["---"] * 2 + ["---:"] * 3 + ["---"] + ["---:"] * 3)]
        lines += [_piped(_plain(cell) for cell in _cells(row)) for row in rows]
    return "\n".join([*lines, "", *(_plain(text) + "\n" for text in paragraphs(study))])


def as_latex(study: LoadedStudy) -> str:
    """A booktabs table per metric and the methods paragraph, for ``\\input``."""
    tables = [_booktabs(study, name, rows) for name, rows in _tables(study)]
    return "\n\n".join([*tables, *(_tex(text) for text in paragraphs(study))]) + "\n"


def _booktabs(study: LoadedStudy, metric: str, rows: Sequence[Comparison]) -> str:
    caption = _tex(f"Differences to {study.reference} in {metric_named(metric).heading}.")
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}", r"\begin{tabular}{llrrrlrrr}", r"\toprule"]
    lines += [_row(HEADS), r"\midrule", *(_row(_cells(row)) for row in rows), r"\bottomrule"]
    return "\n".join([*lines, r"\end{tabular}", r"\end{table}"])


FORMATS: dict[str, tuple[str, Callable[[LoadedStudy], str]]] = {
    "markdown": (".md", as_markdown),
    "latex": (".tex", as_latex),
}


def write_tables(study: LoadedStudy, kind: str, out: Path | None = None) -> Path:
    """Write the tables as ``kind`` to ``out`` (default: ``report.md`` or ``report.tex`` in the study's folder)."""
    if kind not in FORMATS:
        raise SpecError(f"no format is called {kind!r}; {nearest(kind, ('html', *FORMATS))}")
    suffix, write = FORMATS[kind]
    place = out or study.folder.report(suffix)
    write_text(place, write(study))
    return place


def _tables(study: LoadedStudy) -> list[tuple[str, Sequence[Comparison]]]:
    tables = [(name, of_metric(study, name)) for name in study.compared_metrics]
    return [(name, rows) for name, rows in tables if rows]


def _cells(row: Comparison) -> list[str]:
    metric = metric_named(row.metric)
    numbers = [metric.difference(row.effect), metric.range(row.ci_low, row.ci_high), p_value(row.p_holm)]
    basis = [str(row.patients), str(row.seeds), str(row.folds)]
    return [row.arm, region(row.region), *numbers, row.verdict, *basis]


def _row(cells: Iterable[str]) -> str:
    return " & ".join(_tex(cell) for cell in cells) + r" \\"


def _piped(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text that Markdown shows letter by letter."""
    marks = {letter: f"\\{letter}" for letter in "\\`*_[]#|"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;", "\n": " "}
    return "".join(marks.get(letter, letter) for letter in text)


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)
