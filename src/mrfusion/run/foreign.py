"""Arms that are not ours: the predictions of another program on a fold's test cases, kept and scored as our own are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion import families
from mrfusion.case import Case, Cohort
from mrfusion.comparison.fairness import FOREIGN
from mrfusion.conversion.nnunet import file_names
from mrfusion.data.grid import Grid
from mrfusion.data.label_map import index_labels, region_masks
from mrfusion.data.load import OpenedCase
from mrfusion.data.nifti.labels import read_labels
from mrfusion.data.nifti.voxels import Image
from mrfusion.data.prepared import Prepared, resampler
from mrfusion.data.read import RunData
from mrfusion.errors import CaseError, SpecError, nearest
from mrfusion.progress import Progress
from mrfusion.run import answers
from mrfusion.run.answers import RegionAnswers
from mrfusion.run.evaluate_cases import CaseEvaluation
from mrfusion.run.prediction import Prediction, as_written
from mrfusion.run_folder.history import History
from mrfusion.run_folder.run import RunFolder
from mrfusion.scoring.meaning import check_unseen, dataset_of
from mrfusion.scoring.pairing import Files, cases_in
from mrfusion.spec import RunSpec

VALIDATION = "fold_{fold}/validation"  # where nnU-Net leaves the predictions of a fold, below its trainer's folder


class ReadAnswers(RegionAnswers):
    """Masks that another program wrote, in place of those that a network predicts; ``files`` has those of each case.

    ``values`` maps the values in the files to ours; None where each case's own convention says it.
    """

    def __init__(
        self, spec: RunSpec, cohort: Cohort, files: Mapping[str, Files], values: Mapping[int, int] | None
    ) -> None:
        self.spec, self.cohort, self.maps, self.files, self.values = spec, cohort, False, files, values
        self.modalities = spec.plan.modalities(cohort.modalities)

    def predict(self, one: OpenedCase) -> Prediction:
        """The masks out of the case's file; CaseError where they lie on another grid than its label."""
        masks, _ = self.masks(one.case, one.prepared)
        shown = _on_prepared(masks, one.prepared, one.loaded.those_present(self.modalities))
        return as_written(Prediction(one.case, shown, masks), self.cohort)

    def masks(self, case: Case, prepared: Prepared) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
        """The masks (R, X, Y, Z) out of the case's file or files, and what was put up with while they were read."""
        source, files = prepared.placement.source, self.files[case.id]
        names = [""] if "" in files else [region.name for region in self.cohort.regions]
        images = [_on_grid(case, files[name], source) for name in names]
        notes = tuple(note for image in images for note in image.notes)
        if "" in files:
            return self._of_label_map(case, images[0]), notes
        return np.stack([np.asarray(image.array != 0) for image in images]), notes

    def _of_label_map(self, case: Case, image: Image) -> NDArray[np.bool_]:
        meaning = case if self.values is None else replace(case, label_values=self.values)
        index = index_labels(image, meaning, self.cohort.label_values).array
        return region_masks(index, self.cohort.regions, self.cohort.label_values)


def score_foreign(spec: RunSpec, data: RunData, folder: RunFolder, progress: Progress) -> None:
    """Score and keep the predictions that ``spec.predictions`` names, on the fold's cases; nothing is trained.

    Raises SpecError where another program was trained on a case that is tested here, or names other regions, and
    CaseError for a case without a prediction, or with one on another grid.
    """
    CaseEvaluation(spec, data, folder, progress).judge(_answers(spec, data))
    folder.write_history(History())
    folder.write_environment({FOREIGN: list(spec.predictions.folders if spec.predictions else ())})


def check_foreign(spec: RunSpec, data: RunData) -> list[str]:
    """Read the predictions of a fold as :func:`score_foreign` will, before any other arm is trained, and raise what it
    would; notes on what was put up with."""
    read = _answers(spec, data)
    said = [read.masks(data.cohort.case(name), data.prepared[name])[1] for name in read.files]
    noted = [notes[0] for notes in said if notes]
    return [f"{len(noted)} of {len(said)} predictions were read with a note; the first: {noted[0]}"] if noted else []


def _answers(spec: RunSpec, data: RunData) -> ReadAnswers:
    """The reader of what ``spec.predictions`` names for the cases of its fold."""
    kind: Any = families.piece(answers.__name__, spec.chosen_task.answers)
    if not issubclass(kind, RegionAnswers):
        raise SpecError(f"predictions: they are masks of regions, and task {spec.task} has none")
    assert spec.predictions is not None
    folders = [Path(text) for text in spec.predictions.folders]
    names = getattr(data.splits[spec.fold], spec.score_on)
    files = predicted_files(folders, data.cohort, names, fold=spec.fold, folds=len(data.splits))
    return ReadAnswers(spec, data.cohort, files, _meaning(folders[0], data.cohort))


def predicted_files(
    folders: Sequence[Path], cohort: Cohort, names: Sequence[str], *, fold: int, folds: int
) -> dict[str, Files]:
    """The files of each case of a fold: out of nnU-Net's folder for it, out of the folder of that place, or of one.

    SpecError where nnU-Net tested a case in another fold, and so trained on it in this one; CaseError where a case has
    no prediction at all.
    """
    regions = [region.name for region in cohort.regions]
    known = file_names(cohort)
    places = {number: _place(folders, number) for number in range(folds)}
    check_unseen(places[fold])
    here = cases_in(places[fold], regions)
    found = {}
    for name in names:
        files = here.get(known[name]) or here.get(name)
        if files is None:
            _refuse_trained_on(name, known[name], places, fold, regions)
            raise CaseError(
                f"case {name}: the study tests it in fold {fold}, and {places[fold]} has no prediction of it; "
                f"{nearest(name, here) if len(here) < 20 else 'predict it'}"
            )
        found[name] = files
    return found


def _refuse_trained_on(name: str, file: str, places: Mapping[int, Path], fold: int, regions: Sequence[str]) -> None:
    for other, place in places.items():
        if other != fold and place.is_dir() and place != places[fold]:
            there = cases_in(place, regions)
            if file in there or name in there:
                raise SpecError(
                    f"case {name}: the study tests it in fold {fold}, but its prediction lies in {place}, so it was "
                    f"trained on in fold {fold} there; train with the study's splits (mrfusion convert --to nnunet "
                    "--splits OUT/splits.json), or give the study theirs (--splits splits_final.json)"
                )


def _place(folders: Sequence[Path], fold: int) -> Path:
    if len(folders) > 1:
        if fold >= len(folders):
            raise SpecError(f"predictions: expected a folder for each fold, found {len(folders)}, none for fold {fold}")
        return folders[fold]
    inside = folders[0] / VALIDATION.format(fold=fold)
    return inside if any(folders[0].glob(VALIDATION.format(fold="*"))) else folders[0]


def _meaning(folder: Path, cohort: Cohort) -> dict[int, int] | None:
    """What the values in the files are in ours, by the regions' names in nnU-Net's dataset.json; None without one."""
    told = dataset_of(folder)
    if told is None:
        return None
    names = {region.name for region in cohort.regions}
    if set(told.labels) != names:
        raise SpecError(
            f"predictions: {told.place} has the labels {', '.join(sorted(told.labels)) or 'none'}, and the study the "
            f"regions {', '.join(sorted(names))}; they must have the same names"
        )
    return told.values(cohort.regions)


def _on_grid(case: Case, path: Path, source: Grid) -> Image:
    image = read_labels(path).fitted(source)
    _check_grid(case, path, image.grid, source)
    return image


def _check_grid(case: Case, path: Path, own: Grid, source: Grid) -> None:
    if not own.same(source):
        far = own.offset_mm(source)
        found = f"up to {far:.1f} mm away" if np.isfinite(far) else f"of {own.shape} voxels instead of {source.shape}"
        raise CaseError(f"case {case.id}: expected {path} on the grid of the case, found one {found}; resample it")


def _on_prepared(masks: NDArray[np.bool_], prepared: Prepared, modalities: Sequence[str]) -> NDArray[np.bool_]:
    """Masks (R, X, Y, Z) on the grid of the files -> (R, S, H, W) on the prepared one, for pictures."""
    source, grid = prepared.placement.source, prepared.placement.grid
    if source.shape != grid.shape or not np.array_equal(source.affine, grid.affine):
        masks = resampler()(masks, source.affine, onto=grid, labels=True)
    first, second, third = prepared.placement.order
    return np.asarray(masks[(slice(None), *prepared.box(modalities))].transpose(0, first + 1, second + 1, third + 1))
