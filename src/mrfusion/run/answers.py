"""What a trained network answers for cases, and what becomes of it: the pieces that a task names as its ``answers``."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mrfusion import families
from mrfusion.case import Case, Cohort
from mrfusion.data.label_map import region_masks
from mrfusion.data.load import OpenedCase
from mrfusion.data.prepared import Prepared
from mrfusion.data.sample import LoadedCase
from mrfusion.errors import Note, SpecError
from mrfusion.result import CONTRADICTORY, CaseScore
from mrfusion.rules import rule_named
from mrfusion.run.prediction import (
    Answering,
    Prediction,
    as_written,
    predict_classes,
    predict_masks,
    write_maps,
    write_prediction,
)
from mrfusion.run_folder.probabilities import FILE, Answer, write_probabilities
from mrfusion.run_folder.run import RunFolder
from mrfusion.scoring.classes import answers_of, class_table, score_classes
from mrfusion.scoring.masks import score_case
from mrfusion.scoring.rehearsal import rehearse
from mrfusion.spec import RunSpec

METRICS = ("dice", "volume_mm3", "target_volume_mm3")
ALL = "*"  # the region of a class
A = TypeVar("A")


class Answers(Generic[A]):
    """One kind of answer, ``A`` for a case; of a run's specification, its cohort's outline and its network.

    ``has_volumes`` says whether :meth:`shown` has something to show in three dimensions. ``maps``: a map of each
    region's probability is written beside the answers for cases without labels; SpecError where a task has no regions.
    """

    has_volumes: ClassVar[bool] = False

    def __init__(self, spec: RunSpec, cohort: Cohort, model: Answering, *, maps: bool = False) -> None:
        if maps and not self.has_volumes:
            raise SpecError(f"task {spec.task} has no maps of regions; its table holds the probabilities already")
        self.spec, self.cohort, self.model, self.maps = spec, cohort, model, maps
        self.modalities = spec.plan.modalities(cohort.modalities)

    @classmethod
    def rehearse(cls, spec: RunSpec) -> None:
        """Whether the run's metrics can be computed here, asked before anything is trained; nothing where they need no
        preparation."""
        del spec

    def predict(self, one: OpenedCase) -> A:
        """The answer for a case."""
        raise NotImplementedError

    def shown(self, one: OpenedCase, answer: A) -> NDArray[np.bool_]:
        """Masks (R, S, H, W) on the prepared grid, to be drawn over the images; empty where nothing is drawn."""
        del answer
        return np.zeros((len(self.cohort.regions), *one.loaded.labels.shape), bool)

    def class_masks(self, loaded: LoadedCase) -> NDArray[np.float32]:
        """(S, C, H, W): 1 where a voxel belongs to one of the task's ``energy_classes``."""
        raise NotImplementedError

    def judge(self, answered: Iterable[tuple[OpenedCase, A]], folder: RunFolder) -> list[CaseScore]:
        """The scores of a run's cases; what the run keeps of the answers themselves is written to ``folder``."""
        raise NotImplementedError

    def write(self, answered: Iterable[tuple[OpenedCase, A]], folder: Path) -> list[Path]:
        """The answers for cases without labels, in files in ``folder``."""
        raise NotImplementedError

    def judge_subset(self, one: OpenedCase | None, *, case: Case, prepared: Prepared) -> list[CaseScore]:
        """The scores of one case of which some modalities are seen, or none where it is None."""
        raise NotImplementedError


class RegionAnswers(Answers[Prediction]):
    """Masks of regions, scored one by one, and written as label maps in each case's own grid and convention."""

    has_volumes = True

    @classmethod
    def rehearse(cls, spec: RunSpec) -> None:
        rehearse(spec.metrics or METRICS, rule_named(spec.rules))

    def predict(self, one: OpenedCase) -> Prediction:
        found = predict_masks(one.case, one.prepared, one.loaded, self.modalities, self.model, probabilities=self.maps)
        return as_written(found, self.cohort)

    def shown(self, one: OpenedCase, answer: Prediction) -> NDArray[np.bool_]:
        del one
        return answer.prepared_masks

    def class_masks(self, loaded: LoadedCase) -> NDArray[np.float32]:
        """Background and the regions, which may overlap."""
        regions = region_masks(np.asarray(loaded.labels), self.cohort.regions, self.cohort.label_values)
        masks = np.concatenate((~regions.any(0, keepdims=True), regions))
        return np.moveaxis(masks, 0, 1).astype(np.float32)

    def judge(self, answered: Iterable[tuple[OpenedCase, Prediction]], folder: RunFolder) -> list[CaseScore]:
        """Dice and the run's other metrics of every region of every case, and how many voxels contradicted others."""
        scores, metrics = list[CaseScore](), self.spec.metrics or METRICS
        for one, answer in answered:
            scores += masks_scored(self.spec, self.cohort, answer.masks, prepared=one.prepared, metrics=metrics)
            scores += self._contradictory(answer)
            write_prediction(folder.predictions, answer, one.prepared, self.cohort)
        return scores

    def write(self, answered: Iterable[tuple[OpenedCase, Prediction]], folder: Path) -> list[Path]:
        written = []
        for one, answer in answered:
            written += write_prediction(folder, answer, one.prepared, self.cohort)
            written += write_maps(folder, answer, one.prepared, self.cohort) if self.maps else []
            _tell_contradictory(self._contradictory(answer))
        return written

    def _contradictory(self, answer: Prediction) -> list[CaseScore]:
        """A row a region: its voxels that are written otherwise than they were predicted."""
        pairs = zip(self.cohort.regions, answer.contradictory, strict=True)
        return [CaseScore(answer.case.id, region.name, CONTRADICTORY, float(count)) for region, count in pairs]

    def judge_subset(self, one: OpenedCase | None, *, case: Case, prepared: Prepared) -> list[CaseScore]:
        """By Dice and what else of the run's metrics is better when higher; of empty masks where nothing is seen."""
        del case
        masks = np.zeros((len(self.cohort.regions), *prepared.placement.source.shape), bool)
        if one is not None:
            masks = self.predict(one).masks
        rising = [m for m in self.spec.metrics if families.module_of("metrics", m).ABOUT.better == "higher"]
        metrics = tuple(dict.fromkeys(("dice", *rising)))
        return masks_scored(self.spec, self.cohort, masks, prepared=prepared, metrics=metrics)


class ClassAnswers(Answers[NDArray[np.float64]]):
    """The probabilities of the classes; metrics are of all cases together, and one table holds the answers."""

    @classmethod
    def rehearse(cls, spec: RunSpec) -> None:
        two, answers = ("one", "other"), np.array([[0.7, 0.3], [0.4, 0.6]])
        score_classes(class_table(two, answers, targets=two, classes=two), spec.metrics or None)

    def predict(self, one: OpenedCase) -> NDArray[np.float64]:
        return predict_classes(one.loaded, self.model)

    def class_masks(self, loaded: LoadedCase) -> NDArray[np.float32]:
        """The whole case belongs to its class, if it has one."""
        slices, *plane = loaded.labels.shape
        masks = np.zeros((slices, len(self.cohort.classes), *plane), np.float32)
        masks[:, loaded.class_index] = loaded.class_index >= 0
        return masks

    def judge(self, answered: Iterable[tuple[OpenedCase, NDArray[np.float64]]], folder: RunFolder) -> list[CaseScore]:
        """Each case's probabilities, and what the class metrics say of all of them."""
        found = [(one.case, answer) for one, answer in answered]
        table = class_table(
            [case.id for case, _ in found],
            np.stack([answer for _, answer in found]),
            targets=[str(case.label) for case, _ in found],
            classes=self.cohort.classes,
        )
        folder.write_probabilities(self.cohort.classes, answers_of(table))
        return score_classes(table, self.spec.metrics or None)

    def write(self, answered: Iterable[tuple[OpenedCase, NDArray[np.float64]]], folder: Path) -> list[Path]:
        rows = [Answer(one.case.id, "", tuple(answer.tolist())) for one, answer in answered]
        write_probabilities(folder / FILE, self.cohort.classes, rows)
        return [folder / FILE]

    def judge_subset(self, one: OpenedCase | None, *, case: Case, prepared: Prepared) -> list[CaseScore]:
        """How probable the right class is and whether it is the answer; each class alike where nothing is seen."""
        del prepared
        right, classes = self.cohort.classes.index(str(case.label)), len(self.cohort.classes)
        found = dict.fromkeys(("correct", "probability"), 1 / classes)
        if one is not None:
            each = self.predict(one)
            found = {"correct": float(each.argmax() == right), "probability": float(each[right])}
        return [CaseScore(case.id, ALL, name, value) for name, value in found.items()]


def make_answers(spec: RunSpec, cohort: Cohort, model: Answering, *, maps: bool = False) -> Answers[Any]:
    """The answers that a run's task names."""
    made: Answers[Any] = families.piece(__name__, spec.chosen_task.answers)(spec, cohort, model, maps=maps)
    return made


def rehearse_answers(spec: RunSpec) -> None:
    """Whether what a run will be scored by can be computed here; SpecError, or a note where a slower way is taken."""
    families.piece(__name__, spec.chosen_task.answers).rehearse(spec)  # type: ignore[attr-defined]


def answered(answers: Answers[A], cases: Iterable[OpenedCase]) -> Iterator[tuple[OpenedCase, A]]:
    """Each case with its answer, one after the other."""
    for one in cases:
        yield one, answers.predict(one)


def masks_scored(
    spec: RunSpec, cohort: Cohort, masks: NDArray[np.bool_], *, prepared: Prepared, metrics: Sequence[str]
) -> list[CaseScore]:
    """Masks (R, X, Y, Z) on the grid of the files against the truth; where a run reads only some slices, only these."""
    truth = region_masks(_truth(prepared), cohort.regions, cohort.label_values)
    source, axis = prepared.placement.source, prepared.placement.slice_axis
    low, high = spec.sampling.scored_slices or (0.0, 1.0)
    part = [slice(None)] * 4
    part[axis + 1] = slice(round(low * source.shape[axis]), max(1, round(high * source.shape[axis])))
    return score_case(
        prepared.case_id,
        masks[tuple(part)],
        target=truth[tuple(part)],
        regions=cohort.regions,
        spacing_mm=source.spacing_mm,
        metrics=metrics,
        rule=rule_named(spec.rules),
    )


def _tell_contradictory(rows: Sequence[CaseScore]) -> None:
    """A note where a case's regions contradicted each other."""
    found = [f"{row.value:g} of {row.region}" for row in rows if row.value]
    if found:
        warnings.warn(
            f"case {rows[0].case}: regions contradict each other in some voxels, which one label map cannot hold; "
            f"written otherwise than predicted: {', '.join(found)}",
            Note,
            stacklevel=2,
        )


def _truth(prepared: Prepared) -> NDArray[np.uint8]:
    truth = prepared.truth()
    return np.zeros(prepared.placement.source.shape, np.uint8) if truth is None else truth
