"""A trained network on the cases that it is scored on: predict, score, and keep what a report shows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mrfusion.case import Case, Cohort
from mrfusion.data.label_map import region_masks
from mrfusion.data.load import load_case
from mrfusion.data.prepared import Prepared
from mrfusion.data.read import RunData
from mrfusion.data.sample import LoadedCase
from mrfusion.progress import Progress
from mrfusion.result import CaseScore
from mrfusion.rules import rule_named
from mrfusion.run.energies import EnergyRecord
from mrfusion.run.prediction import predict_classes, predict_masks, write_prediction
from mrfusion.run_folder.pictures import Panel
from mrfusion.run_folder.run import RunFolder
from mrfusion.scoring.classes import answers_of, class_table, score_classes
from mrfusion.scoring.masks import score_case, summarise
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import Model

METRICS = ("dice", "volume_mm3", "target_volume_mm3")
KEPT_VOLUMES = 2  # of each fold: the first test cases, so chosen before any result
Entry = tuple[Case, Prepared, LoadedCase]


class CaseEvaluation:
    """The cases that a run is scored on; results go to ``folder``."""

    def __init__(self, spec: RunSpec, data: RunData, folder: RunFolder, progress: Progress) -> None:
        self.spec, self.cohort, self.folder, self.progress = spec, data.cohort, folder, progress
        self.modalities = spec.plan.modalities(data.cohort.modalities)
        self.prepared = data.prepared
        self.names: tuple[str, ...] = getattr(data.splits[spec.fold], spec.score_on)

    def run(self, model: Model) -> None:
        """Evaluate every case; leaves scores, predictions and panels."""
        entries = [self._entry(name) for name in self.names]
        energies = EnergyRecord(self.folder, model, self.spec, self.cohort)
        task = {"segmentation": self._segmentation, "classification": self._classification}[self.spec.task]
        task(model, entries, energies)
        energies.write()

    def _entry(self, name: str) -> Entry:
        case, prepared = self.cohort.case(name), self.prepared[name]
        return case, prepared, load_case(case, self.cohort, prepared, self.modalities, self.spec.sampling.slices)

    def _segmentation(self, model: Model, entries: Sequence[Entry], energies: EnergyRecord) -> None:
        """Dice and the run's other metrics of every region of every case; predictions as NIfTI; a panel a case."""
        scores = []
        for number, (case, prepared, loaded) in enumerate(entries):
            self.progress(number, len(entries), f"testing {case.id}")
            prediction = predict_masks(case, prepared, loaded, self.modalities, model)
            metrics = self.spec.metrics or METRICS
            scores += masks_scored(self.spec, self.cohort, prediction.masks, prepared=prepared, metrics=metrics)
            write_prediction(self.folder.predictions, prediction, prepared, self.cohort)
            index = self._keep_panel(number, case, prepared, loaded, prediction.prepared_masks)
            energies.add(number, loaded, index)
        self.folder.write_scores(scores, summarise(scores))

    def _classification(self, model: Model, entries: Sequence[Entry], energies: EnergyRecord) -> None:
        """Each case's probabilities, and what the class metrics say of all of them."""
        rows = []
        for number, (case, prepared, loaded) in enumerate(entries):
            self.progress(number, len(entries), f"testing {case.id}")
            rows.append(predict_classes(loaded, model))
            nothing = np.zeros((len(self.cohort.regions), *loaded.labels.shape), bool)
            energies.add(number, loaded, self._keep_panel(number, case, prepared, loaded, nothing))
        table = class_table(
            [case.id for case, _, _ in entries],
            np.stack(rows),
            targets=[str(case.label) for case, _, _ in entries],
            classes=self.cohort.classes,
        )
        self.folder.write_probabilities(self.cohort.classes, answers_of(table))
        scores = score_classes(table, self.spec.metrics or None)
        self.folder.write_scores(scores, summarise(scores))

    def _keep_panel(
        self, number: int, case: Case, prepared: Prepared, loaded: LoadedCase, masks: NDArray[np.bool_]
    ) -> int:
        """The slice that is shown, counted in the whole case."""
        first, last = loaded.slices
        panel = Panel(
            case.id,
            loaded.there(self.modalities),
            loaded.images[first:last],
            tuple(region.name for region in self.cohort.regions),
            region_masks(np.asarray(loaded.labels[first:last]), self.cohort.regions, self.cohort.label_values),
            masks[:, first:last],
            prepared.spacing_mm,
            prepared.placement.slice_axis,
        )
        index = self.folder.write_slice(number, panel)
        if number < KEPT_VOLUMES and self.spec.task == "segmentation":
            self.folder.write_volume(number, panel)
        return first + index


def masks_scored(
    spec: RunSpec, cohort: Cohort, masks: NDArray[np.bool_], *, prepared: Prepared, metrics: Sequence[str]
) -> list[CaseScore]:
    """Masks (R, X, Y, Z) on the grid of the files against the truth; where a run reads only some slices, only these."""
    truth = region_masks(_truth(prepared), cohort.regions, cohort.label_values)
    source, axis = prepared.placement.source, prepared.placement.slice_axis
    low, high = spec.sampling.slices or (0.0, 1.0)
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


def _truth(prepared: Prepared) -> NDArray[np.uint8]:
    truth = prepared.truth()
    return np.zeros(prepared.placement.source.shape, np.uint8) if truth is None else truth
