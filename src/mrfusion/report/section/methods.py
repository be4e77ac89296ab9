"""How the verdict was reached, as a paragraph that a paper can take over."""

from mrfusion.report.methods import paragraphs
from mrfusion.report.part import Section, render
from mrfusion.study.load import LoadedStudy


def section(study: LoadedStudy) -> Section | None:
    """The paragraph; None where no run has finished."""
    found = paragraphs(study)
    return Section("methods", "Methods", render("section/methods.html", paragraphs=found)) if found else None
