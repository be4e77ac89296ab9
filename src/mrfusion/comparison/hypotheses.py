"""The comparisons that a study declares before it looks: what Holm corrects for, and what is negligible."""

from typing import Annotated

from pydantic import Field

from mrfusion.part import Part


class Hypotheses(Part):
    """Which comparisons answer the study's question; an empty list means all, no metric means Dice.

    ``margins`` maps a metric to the difference below which arms count as equal, in the unit of its scores
    (``{dice: 0.01, hd95: 2}``); without an entry one point of a share, or 2 mm. ``margin_reasons`` maps the same
    metrics to why this much is negligible (``{dice: two readers differ by as much}``); the report prints it.
    """

    metrics: tuple[str, ...] = Field(
        (), description="metrics that answer the question; default: the first metric of the runs"
    )
    regions: tuple[str, ...] = Field((), description="regions that answer the question; default: all, and their mean")
    arms: tuple[str, ...] = Field((), description="arms that answer the question; default: all but the reference")
    margins: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {}, description="differences that do not matter, by metric, as in {dice: 0.01, hd95: 2}"
    )
    margin_reasons: dict[str, str] = Field({}, description="reason for each margin, by metric")

    def of(self, key: tuple[str, str, str], first: str) -> str:
        """The family that (arm, region, metric) is corrected in; ``first`` is the metric where none is declared.

        Families are named by their metrics; comparisons outside of the declared one belong to ``other <metric>``.
        """
        arm, region, metric = key
        metrics = self.metrics or (first,)
        inside = (
            metric in metrics and (not self.regions or region in self.regions) and (not self.arms or arm in self.arms)
        )
        return " and ".join(metrics) if inside else f"other {metric}"
