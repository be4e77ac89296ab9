"""Several studies of the same two arms as one page: a forest plot, and what to expect of the next data set."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.combine import Belief, Combined, StudyEffect, combine
from mrfusion.comparison.compare import Comparison, main_region
from mrfusion.errors import InputError
from mrfusion.files import write_json, write_text
from mrfusion.report.metric import metric_named
from mrfusion.report.part import Section, render
from mrfusion.report.scale import scale_of
from mrfusion.study.load import LoadedStudy, load_study

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Question:
    """Which comparison of every study is combined; what is left empty is what the studies have in common."""

    arm: str = ""
    metric: str = ""
    region: str = ""


@dataclass(frozen=True)
class Together:
    """The comparisons that were combined, by study, and what they say together; ``regions`` are those that each study
    has such a comparison of."""

    rows: tuple[tuple[str, Comparison], ...]
    answer: Combined
    regions: tuple[tuple[str, ...], ...]

    @property
    def first(self) -> Comparison:
        """Any of the comparisons: they agree in arms, metric, region, margin and sign."""
        return self.rows[0][1]

    @property
    def cautions(self) -> tuple[str, ...]:
        """What a reader must know: studies that speak of their trainings alone, interim looks, unlike means."""
        one = [name for name, row in self.rows if row.scope == "these trainings"]
        early = [name for name, row in self.rows if row.interim]
        found = [f"{', '.join(one)}: one training set, whose own part is not in the interval"] if one else []
        found += [f"{', '.join(early)}: runs are missing, an interim look"] if early else []
        if self.first.region == MEAN and len(set(self.regions)) > 1:
            each = zip(self.rows, self.regions, strict=True)
            told = "; ".join(f"{name}: {', '.join(regions) or 'none'}" for (name, _), regions in each)
            found.append(f"the means are over regions that differ ({told}): a region that no case has enters none")
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values, in the unit of the stored scores."""
        keys = ("arm", "reference", "metric", "region", "margin")
        return {key: getattr(self.first, key) for key in keys} | {
            "studies": [asdict(effect) | asdict(belief) for effect, belief in self.answer.studies],
            "mean": asdict(self.answer.mean),
            "next": asdict(self.answer.following),
            "between": dict(zip(("median", "low", "high"), self.answer.between, strict=True)),
            "cautions": self.cautions,
            "sentence": sentence(self),
        }


def combine_studies(folders: Sequence[Path], question: Question | None = None) -> Together:
    """Read the studies and combine their comparison of two arms; InputError says what they do not have in common."""
    studies = [load_study(folder) for folder in folders]
    names = _names(studies)
    asked = question or Question()
    arm = asked.arm or _shared([{row.arm for row in study.comparisons} for study in studies], "arm", "--arm")
    rows = [
        _row(study, name, Question(arm, asked.metric, asked.region)) for study, name in zip(studies, names, strict=True)
    ]
    for part in ("reference", "metric", "region", "margin"):
        different = {str(getattr(row, part)): name for row, name in zip(rows, names, strict=True)}
        if len(different) > 1:
            told = ", ".join(f"{value} ({name})" for value, name in different.items())
            raise InputError(f"expected studies with one {part}, found {told}; combine studies of the same two arms")
    effects = [StudyEffect.of(name, row.effect, row.ci_low, row.ci_high, patients=row.patients)
               for name, row in zip(names, rows, strict=True)]  # fmt: skip
    regions = tuple(_regions(study, row) for study, row in zip(studies, rows, strict=True))
    return Together(tuple(zip(names, rows, strict=True)), combine(effects, rows[0].margin, rows[0].sign), regions)


def _regions(study: LoadedStudy, like: Comparison) -> tuple[str, ...]:
    """The regions of which a study has the same comparison, without their mean."""
    kin = (one for one in study.comparisons if (one.arm, one.metric) == (like.arm, like.metric))
    return tuple(one.region for one in kin if one.region != MEAN)


def write_combined(together: Together, out: Path) -> Path:
    """Write the page to ``out``, and beside it the forest plot as .svg and the numbers as .json."""
    write_text(out, _page(together))
    write_text(out.with_suffix(".svg"), str(render("section/forest.svg", **_drawing(together))))
    write_json(out.with_suffix(".json"), together.as_json())
    return out


def sentence(together: Together) -> str:
    """``On the next data set separate helps against concat with a chance of 86 %, ...``."""
    row, hope = together.first, together.answer.following
    metric = metric_named(row.metric)
    return (
        f"On the next data set {row.arm} helps against {row.reference} with a chance of {chance(hope.helps)}, is "
        f"equivalent within {metric.text(row.margin)} {metric.unit} with {chance(hope.equivalent)}, and hurts with "
        f"{chance(hope.hurts)}."
    )


def chance(share: float) -> str:
    """``86 %``; what is left over where the others make up the whole may be a little below 0."""
    return f"{100 * max(share, 0.0):.0f} %"


def _names(studies: Sequence[LoadedStudy]) -> list[str]:
    """The studies' names, or those of their folders, or the folders: the first that are all different."""
    for names in ([study.name for study in studies], [study.folder.path.name for study in studies]):
        if len(set(names)) == len(names):
            return names
    return [str(study.folder) for study in studies]


def _row(study: LoadedStudy, name: str, asked: Question) -> Comparison:
    metric = asked.metric or (study.metrics[0] if study.metrics else "")
    rows = [row for row in study.comparisons if row.metric == metric]
    region = asked.region or main_region(rows)
    for row in rows:
        if (row.arm, row.region) == (asked.arm, region):
            return row
    there = (
        ", ".join(dict.fromkeys(f"{row.arm} in {row.region} by {row.metric}" for row in study.comparisons)) or "none"
    )
    raise InputError(f"{name}: expected a comparison of {asked.arm} in {region} by {metric}, found {there}")


def _shared(found: Sequence[set[str]], what: str, option: str) -> str:
    common = sorted(set.intersection(*found)) if found else []
    if len(common) == 1:
        return common[0]
    told = ", ".join(common) if common else "none"
    raise InputError(
        f"expected one {what} that all studies compare with their reference, found {told}; name it: {option}"
    )


def _page(together: Together) -> str:
    html = render(
        "section/combined.html", together=together, sentence=sentence(together), chance=chance, **_drawing(together)
    )
    return str(render(
        "page.html",
        title=f"{together.first.arm} against {together.first.reference}: {len(together.rows)} studies together",
        sections=[Section("answer", "Answer", html)],
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        scripts=[],
        allowed="'none'",
        data={},
        figures=Markup("{}"),
    ))  # fmt: skip


def _drawing(together: Together) -> dict[str, Any]:
    """What both drawings of the forest plot show: a line for every study, for their mean and for the next data set."""
    row, answer = together.first, together.answer
    lines: list[tuple[str, Belief, StudyEffect | None]] = [(e.study, belief, e) for e, belief in answer.studies]
    lines += [("mean of data sets", answer.mean, None), ("next data set", answer.following, None)]
    seen = [v for _, belief, _ in lines for v in (belief.low, belief.high)]
    line = scale_of([0.0, -row.margin, row.margin, *seen])
    ticks = [tick for tick in line.ticks if 2 <= line.place(tick) <= 98]
    metric = metric_named(row.metric)
    return {"lines": lines, "place": line.place, "ticks": ticks, "metric": metric, "row": row}
