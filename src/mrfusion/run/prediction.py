"""Predictions: a trained network's answer for one case, on the case's own grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrfusion.case import Case, Cohort
from mrfusion.data.label_map import file_values, paint_regions, write_label_map
from mrfusion.data.prepared import Prepared
from mrfusion.data.sample import LoadedCase
from mrfusion.training.assemble import Model


@dataclass(frozen=True)
class Prediction:
    """Masks of regions on the prepared grid (R, S, H, W) and on the grid of the files, RAS+ (R, X, Y, Z)."""

    case: Case
    prepared_masks: NDArray[np.bool_]
    masks: NDArray[np.bool_]


def predict_masks(
    case: Case, prepared: Prepared, loaded: LoadedCase, modalities: Sequence[str], model: Model
) -> Prediction:
    """Predict one case, of the run's ``modalities`` from those that are there; slices outside the run's range stay
    empty."""
    found = model.decision(model.predictor.logits(loaded)[None])[0].numpy()
    first, last = loaded.slices
    whole = np.zeros((len(found), *loaded.labels.shape), bool)
    whole[:, first:last] = found
    return Prediction(case, whole, prepared.restore(whole, loaded.there(modalities)).astype(bool))


def predict_classes(loaded: LoadedCase, model: Model) -> NDArray[np.float64]:
    """The probabilities of the classes for one case."""
    return np.asarray(model.decision(model.predictor.class_logits(loaded)[None])[0].numpy(), np.float64)


def write_prediction(folder: Path, prediction: Prediction, prepared: Prepared, cohort: Cohort) -> Path:
    """``<folder>/<case>.nii.gz`` in the case's own grid, affine and label convention; whole or not at all."""
    painted = paint_regions(prediction.masks, cohort.regions, cohort.label_values)
    path = folder / f"{safe_name(prediction.case.id)}.nii.gz"
    write_label_map(path, painted, prepared.reference, file_values(prediction.case, cohort.label_values))
    return path


def safe_name(case_id: str) -> str:
    """A case's id as a file name: separators and control characters become underscores."""
    name = "".join(letter if letter.isprintable() and letter not in "/\\:" else "_" for letter in case_id)
    return name.lstrip(".") or "_"
