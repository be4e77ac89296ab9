"""The cohort that a command is given: a folder or table in some layout, or the YAML file of a run or study."""

from dataclasses import dataclass
from pathlib import Path

from mrfusion.case import Cohort
from mrfusion.command.display import say
from mrfusion.data.read import read_cohort, recognised
from mrfusion.layouts._base import MAY_LACK, lenience
from mrfusion.spec import Source
from mrfusion.study.design import read_study


@dataclass(frozen=True)
class Given:
    """A cohort, the modality that the YAML file resamples the others to, and whether it lets cases lack images."""

    cohort: Cohort
    resample_to: str | None = None
    incomplete: bool = False


def cohort_at(data: Path, layout: str | None, *, resample_to: str | None = None, tolerant: bool = False) -> Given:
    """What lies at ``data``; without ``layout`` the one that fits is taken, and said.

    ``resample_to`` stands in for what a YAML file says. A ``tolerant`` reader gets the cases that lack files
    too, whatever the specification allows.
    """
    more = {"may_lack": MAY_LACK} if tolerant else {}
    if data.suffix in (".yaml", ".yml"):
        given = read_study(data).base.data
        sources = [s.model_copy(update={"options": {**s.options, **more}}) for s in given.sources]
        allowed = any(lenience(s.options.get("may_lack", ()))[0] for s in given.sources)
        return Given(read_cohort(sources), resample_to or given.preparation.resample_to, allowed)
    if layout is None:
        layout = recognised(data)
        say(f"layout: {layout}")
    return Given(read_cohort([Source(path=data, layout=layout, options=more)]), resample_to)
