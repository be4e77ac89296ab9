"""A trained network on the cases that it is scored on: predict, score, and keep what a report shows."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.data.label_map import region_masks
from mrfusion.data.load import OpenedCase, open_case
from mrfusion.data.read import RunData
from mrfusion.data.sample import LoadedCase
from mrfusion.progress import Progress
from mrfusion.run.answers import Answers, make_answers
from mrfusion.run.energies import EnergyRecord
from mrfusion.run_folder.pictures import Panel
from mrfusion.run_folder.run import RunFolder
from mrfusion.scoring.masks import summarise
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import Model

Seen = Callable[[int, LoadedCase, int], None]
KEPT_VOLUMES = 2  # of each fold: the first test cases, so chosen before any result


class CaseEvaluation:
    """The cases that a run is scored on, or those of ``names``; results go to ``folder``."""

    def __init__(
        self,
        spec: RunSpec,
        data: RunData,
        folder: RunFolder,
        progress: Progress,
        *,
        names: tuple[str, ...] | None = None,
    ) -> None:
        self.spec, self.cohort, self.folder, self.progress = spec, data.cohort, folder, progress
        self.modalities = spec.plan.modalities(data.cohort.modalities)
        self.prepared = data.prepared
        self.names: tuple[str, ...] = names or getattr(data.splits[spec.fold], spec.score_on)

    def run(self, model: Model) -> None:
        """Evaluate every case; leaves scores, predictions and panels, and what energies a network has."""
        energies = EnergyRecord(self.folder, model, self.spec, self.cohort)
        self.judge(make_answers(self.spec, self.cohort, model), energies.add)
        energies.write()

    def judge(self, answers: Answers[Any], seen: Seen | None = None) -> None:
        """Score the answers for every case, and keep them; ``seen`` is told each case and the slice that is shown."""
        scores = answers.judge(self._answered(answers, seen), self.folder)
        self.folder.write_scores(scores, summarise(scores))

    def _answered(self, answers: Answers[Any], seen: Seen | None) -> Iterator[tuple[OpenedCase, Any]]:
        """One case after the other with its answer; a panel of each is kept."""
        for number, name in enumerate(self.names):
            self.progress(number, len(self.names), f"testing {name}")
            one = self._open(name)
            answer = answers.predict(one)
            yield one, answer
            index = self._keep_panel(number, one, answers.shown(one, answer), volumes=answers.has_volumes)
            if seen is not None:
                seen(number, one.loaded, index)

    def _open(self, name: str) -> OpenedCase:
        case, prepared = self.cohort.case(name), self.prepared[name]
        return open_case(case, self.cohort, prepared, self.modalities, self.spec.sampling.scored_slices)

    def _keep_panel(self, number: int, one: OpenedCase, masks: NDArray[np.bool_], *, volumes: bool) -> int:
        """The slice that is shown, counted in the whole case."""
        loaded, prepared = one.loaded, one.prepared
        first, last = loaded.slices
        panel = Panel(
            one.case.id,
            loaded.those_present(self.modalities),
            loaded.images[first:last],
            tuple(region.name for region in self.cohort.regions),
            region_masks(np.asarray(loaded.labels[first:last]), self.cohort.regions, self.cohort.label_values),
            masks[:, first:last],
            prepared.spacing_mm,
            prepared.placement.slice_axis,
        )
        index = self.folder.write_slice(number, panel)
        if number < KEPT_VOLUMES and volumes:
            self.folder.write_volume(number, panel)
        return first + index
