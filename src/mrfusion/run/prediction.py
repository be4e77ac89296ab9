"""Predictions: a trained network's answer for one case, on the case's own grid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from mrfusion.case import Case, Cohort
from mrfusion.data.label_map import (
    can_be_painted,
    file_values,
    paint_regions,
    region_masks,
    write_label_map,
    write_map,
)
from mrfusion.data.prepared import Prepared
from mrfusion.data.sample import LoadedCase
from mrfusion.training.predict import WholeCases


@dataclass(frozen=True)
class Prediction:
    """Masks of regions on the prepared grid (R, S, H, W) and on the grid of the files, RAS+ (R, X, Y, Z); where they
    were asked for, the regions' probabilities on the latter.

    ``contradictory`` (R,) counts the voxels of each region that :func:`as_written` had to change.
    """

    case: Case
    prepared_masks: NDArray[np.bool_]
    masks: NDArray[np.bool_]
    probabilities: NDArray[np.float32] | None = None
    contradictory: tuple[int, ...] = ()


class Answering(Protocol):
    """A trained network, or several that answer together: logits of a whole case, and what they mean."""

    @property
    def predictor(self) -> WholeCases:
        """Logits of whole cases."""

    @property
    def decision(self) -> nn.Module:
        """What logits mean."""


def predict_masks(
    case: Case,
    prepared: Prepared,
    loaded: LoadedCase,
    modalities: Sequence[str],
    model: Answering,
    *,
    probabilities: bool = False,
) -> Prediction:
    """Predict one case, of the run's ``modalities`` from those that are present; slices outside the run's range stay
    empty, of probability 0."""
    logits, present = model.predictor.logits(loaded)[None], loaded.those_present(modalities)
    whole = _in_range(model.decision(logits)[0].numpy(), loaded)
    masks = prepared.restore(whole, present).astype(bool)
    if not probabilities:
        return Prediction(case, whole, masks)
    share = _in_range(model.decision.probabilities(logits)[0].numpy(), loaded)  # type: ignore[operator]
    return Prediction(case, whole, masks, prepared.restore(share, present).clip(0, 1))


def as_written(prediction: Prediction, cohort: Cohort) -> Prediction:
    """The prediction as its file will hold it, so that what is scored and shown is what is written.

    A label map cannot hold regions that contradict each other (ET outside of WT): such voxels are painted as
    :func:`mrfusion.data.label_map.paint_regions` says, and counted. Regions that cannot be painted into one label map
    stay as they are, for each is written to a file of its own.
    """
    if not can_be_painted(cohort.regions):
        return replace(prediction, contradictory=(0,) * len(cohort.regions))
    masks, shown = (_painted(masks, cohort) for masks in (prediction.masks, prediction.prepared_masks))
    changed = tuple(int(n) for n in (masks != prediction.masks).sum(axis=(1, 2, 3)))
    return replace(prediction, masks=masks, prepared_masks=shown, contradictory=changed)


def _painted(masks: NDArray[np.bool_], cohort: Cohort) -> NDArray[np.bool_]:
    painted = paint_regions(masks, cohort.regions, cohort.label_values)
    return region_masks(painted, cohort.regions, cohort.label_values)


def _in_range(found: NDArray[Any], loaded: LoadedCase) -> NDArray[Any]:
    """What was found in a case's range of slices, as (R, S, H, W) of all its slices."""
    first, last = loaded.slices
    whole = np.zeros((len(found), *loaded.labels.shape), found.dtype)
    whole[:, first:last] = found
    return whole


def predict_classes(loaded: LoadedCase, model: Answering) -> NDArray[np.float64]:
    """The probabilities of the classes for one case."""
    return np.asarray(model.decision(model.predictor.class_logits(loaded)[None])[0].numpy(), np.float64)


def write_prediction(folder: Path, prediction: Prediction, prepared: Prepared, cohort: Cohort) -> list[Path]:
    """``<folder>/<case>.nii.gz`` in the case's own grid, affine and label convention; each file whole or not at all.

    Regions that cannot be painted into one label map are ``<folder>/<case>_<region>.nii.gz`` each, 1 inside.
    """
    name = safe_name(prediction.case.id)
    if can_be_painted(cohort.regions):
        painted = paint_regions(prediction.masks, cohort.regions, cohort.label_values)
        path = folder / f"{name}.nii.gz"
        write_label_map(path, painted, prepared.reference, file_values(prediction.case, cohort.label_values))
        return [path]
    paths = [folder / f"{name}_{safe_name(region.name)}.nii.gz" for region in cohort.regions]
    for path, mask in zip(paths, prediction.masks, strict=True):
        write_map(path, mask.astype(np.uint8), prepared.reference)
    return paths


def write_maps(folder: Path, prediction: Prediction, prepared: Prepared, cohort: Cohort) -> list[Path]:
    """``<folder>/probabilities/<case>_<region>.nii.gz``, from 0 to 1, in the case's own grid."""
    if prediction.probabilities is None:
        raise ValueError("the prediction was made without probabilities")
    written = []
    for region, share in zip(cohort.regions, prediction.probabilities, strict=True):
        path = folder / "probabilities" / f"{safe_name(prediction.case.id)}_{safe_name(region.name)}.nii.gz"
        write_map(path, share, prepared.reference)
        written.append(path)
    return written


def safe_name(case_id: str) -> str:
    """A case's id as a file name: separators and control characters become underscores."""
    name = "".join(letter if letter.isprintable() and letter not in "/\\:" else "_" for letter in case_id)
    return name.lstrip(".") or "_"
