"""What a run answers: a metric's value with how it came about, and scores as tidy rows."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["scored", "penalised", "undefined"]
TARGET_VOLUME = "target_volume_mm3"  # the metric that tells which regions a target lacks
CONTRADICTORY = "contradictory_voxels"  # counts the voxels of a region that one label map could not hold


@dataclass(frozen=True)
class CaseScore:
    """One number: a metric of one region of one case.

    ``status`` says how it came about: ``scored``, ``penalised`` (a fixed value because one mask is empty) or
    ``undefined`` (no value exists; ``value`` is NaN and stays out of every mean, counted beside it). ``reason`` says
    why, where the status is not ``scored``.
    """

    case: str
    region: str
    metric: str
    value: float
    status: Status = "scored"
    reason: str = ""


@dataclass(frozen=True)
class Value:
    """What a metric answers: a number and how it came about, in the words of :class:`CaseScore`."""

    value: float
    status: Status = "scored"
    reason: str = ""

    def __float__(self) -> float:
        return self.value

    @classmethod
    def undefined(cls, reason: str) -> "Value":
        """No value exists, and why."""
        return cls(float("nan"), "undefined", reason)

    def of(self, case: str, region: str, metric: str) -> CaseScore:
        """This value as a row of a run's scores."""
        return CaseScore(case, region, metric, self.value, self.status, self.reason)


@dataclass(frozen=True)
class ScoreRow:
    """One score with its place in the study; ``in_target`` is False where the target lacks the region."""

    arm: str
    fold: int
    seed: int
    case: str
    patient: str
    region: str
    metric: str
    value: float
    status: Status = "scored"
    in_target: bool = True
