"""What the values in a folder of predictions mean, where nnU-Net's dataset.json beside them names them.

nnU-Net numbers its labels anew, so its predictions seldom stand in the values of the labels that they are scored
against; the names of the regions are what both have in common.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mrfusion.case import Region
from mrfusion.errors import SpecError
from mrfusion.files import read_json
from mrfusion.scoring.question import Question

VALIDATION, EVERY = "validation", "fold_all"  # a fold's folder of predictions, two below dataset.json; of all cases
NO_REGION = ("background", "ignore")


@dataclass(frozen=True)
class Dataset:
    """The labels of a dataset.json by name, without the background; ``place`` is the file."""

    place: Path
    labels: Mapping[str, frozenset[int]]

    def values(self, regions: Sequence[Region]) -> dict[int, int]:
        """Each value of theirs -> a value of the regions that lies in the same of them; 0 where it is in none.

        Raises SpecError where a value lies in other regions than any value of ours.
        """
        return {value: self._ours(value, regions) for value in sorted(frozenset().union(*self.labels.values()))}

    def asked(self, asked: Question) -> Question:
        """The question in the values of the predictions."""
        return replace(asked, values=self.values(asked.regions))

    def _ours(self, value: int, regions: Sequence[Region]) -> int:
        for label in (0, *sorted({label for region in regions for label in region.labels})):
            if all((label in region.labels) == (value in self.labels[region.name]) for region in regions):
                return label
        raise SpecError(
            f"the label {value} of {self.place} lies in other regions than any label that is scored "
            f"({', '.join(f'{region.name}={sorted(region.labels)}' for region in regions)})"
        )


def dataset_of(predictions: Path) -> Dataset | None:
    """nnU-Net's dataset.json in a folder of predictions, or two above ``fold_0/validation``; None without one.

    Raises SpecError for one whose labels cannot be read.
    """
    place = (predictions.parents[1] if predictions.name == VALIDATION else predictions) / "dataset.json"
    if not place.is_file():
        return None
    content = read_json(place)
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(labels, dict):
        raise SpecError(f"{place}: expected nnU-Net's dataset.json with 'labels', found none")
    found = {}
    for name, value in labels.items():
        numbers = value if isinstance(value, list) else [value]
        if not all(isinstance(number, int) for number in numbers):
            raise SpecError(f"{place}: expected whole numbers for the label {name}, found {value!r}")
        if str(name) not in NO_REGION:
            found[str(name)] = frozenset(numbers)
    return Dataset(place, found)


def told_by(predictions: Path, asked: Question) -> Dataset | None:
    """The dataset.json whose values a folder's predictions have: one that names every region that is asked for.

    None where there is none; the predictions have the values of the labels then.
    """
    found = dataset_of(predictions.absolute())
    return found if found and {region.name for region in asked.regions} <= set(found.labels) else None


def check_unseen(predictions: Path) -> None:
    """SpecError for nnU-Net's ``fold_all/validation``, whose cases it was trained on."""
    if predictions.name == VALIDATION and predictions.absolute().parent.name == EVERY:
        raise SpecError(
            f"predictions: nnU-Net was trained on every case that it predicted in {predictions}; expected the "
            "predictions of fold_0, fold_1 and so on"
        )
