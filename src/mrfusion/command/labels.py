"""The labels and images of what was predicted: a folder of files, or a data set as a study reads it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mrfusion.command.cohort import cohort_at
from mrfusion.errors import SpecError
from mrfusion.outside.images import Images
from mrfusion.scoring.pairing import Files
from mrfusion.scoring.question import Question

YAML = (".yaml", ".yml")
Labels = Path | Mapping[str, Files]


def labels_at(place: Path, layout: str | None, asked: Question, *, named: bool) -> tuple[Labels, Question]:
    """Where each case's label lies, and the question with what the data set says of regions and values.

    Without a ``layout``, and where ``place`` is no YAML file of a study, that is the folder and the question as they
    are. ``named`` says that the user chose the regions (or rules with regions); they are kept, in the data set's own
    label values. SpecError where cases have no label maps, or where two of them call the same thing by other values.
    """
    if layout is None and place.suffix not in YAML:
        return place, asked
    cohort = cohort_at(place, layout).cohort
    lacking = next((case.id for case in cohort.cases if case.label_map is None), None)
    if lacking is not None:
        raise SpecError(f"expected a label map of every case at {place}, found none of {lacking}")
    conventions = {tuple(sorted(case.label_values.items())) for case in cohort.cases}
    if len(conventions) > 1:
        raise SpecError(f"the cases at {place} have several label conventions; evaluate one data set at a time")
    files = {case.id: {"": case.label_map} for case in cohort.cases if case.label_map is not None}
    regions = asked.regions if named else cohort.regions
    return files, replace(asked, regions=regions, values=dict(next(iter(conventions))))


def images_at(place: Path, layout: str | None) -> Path | Images:
    """The images of each case of a data set; of anything but a YAML file, without a ``layout``, the folder itself."""
    if layout is None and place.suffix not in YAML:
        return place
    return {case.id: case for case in cohort_at(place, layout).cohort.cases}
