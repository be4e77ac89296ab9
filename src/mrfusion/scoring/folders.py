"""Score folders of predictions against folders of labels, many cases side by side."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.data.nifti.labels import Stored, read_stored
from mrfusion.errors import CaseError, Note
from mrfusion.hardware import cores
from mrfusion.result import CaseScore
from mrfusion.scoring.masks import score_checked
from mrfusion.scoring.meaning import Dataset, told_by
from mrfusion.scoring.pairing import Files, Pair, pairs
from mrfusion.scoring.question import Question, question
from mrfusion.scoring.rehearsal import rehearse
from mrfusion.scoring.values import check_values
from mrfusion.surface.engine import engine

Progress = Callable[[int, int, str], None]
EXPLAIN = (
    "name the regions that hold them, say what they mean (--values brats2021, or as in '1=1,2=2,4=3,9=0'), or give a "
    "study's file in place of the folder of labels"
)


def evaluate(
    predictions: Path | str,
    labels: Path | str,
    *,
    rules: str = "plain",
    regions: str | None = None,
    metrics: str | None = None,
    values: str | None = None,
    selection: bool = False,
) -> list[CaseScore]:
    """Score a folder of predictions against a folder of labels, on all cores; one number a case, region and metric.

    ``rules``, ``regions``, ``metrics`` and ``values`` are texts as in :func:`mrfusion.scoring.question.question`.
    ``selection`` scores the predictions there are; else every label must have one. Raises SpecError for what cannot
    be asked, and CaseError, naming the case, as :func:`score_folders` does.
    """
    asked = question(rules, regions=regions, metrics=metrics, values=values)
    return score_folders(Path(predictions), Path(labels), asked, workers=cores(), selection=selection)


def score_folders(
    predictions: Path,
    labels: Path | Mapping[str, Files],
    asked: Question,
    *,
    workers: int = 1,
    selection: bool = False,
    progress: Progress | None = None,
) -> list[CaseScore]:
    """Every metric of every region of every case, sorted by case; ``labels`` are a folder, or each case's files.

    Predictions beside a dataset.json of nnU-Net that names the regions are read in its values, see
    :func:`mrfusion.scoring.meaning.told_by`.
    ``workers`` threads read and score cases side by side; both leave Python's lock. Raises CaseError, naming the
    case, where files are missing or ambiguous, differ in shape or affine, or hold a value nobody explained.
    """
    cases = pairs(predictions, labels, [region.name for region in asked.regions], selection=selection)
    unseen = {region.name for region in asked.regions}
    told = told_by(predictions, asked)
    if progress and not engine.ready():
        progress(0, len(cases), "compiling the kernels, this once")
    rehearse(asked.metrics, asked.rule)
    with ThreadPoolExecutor(workers) as pool:
        jobs = {pool.submit(score_pair, pair, asked, unseen, told=told): pair for pair in cases}
        try:
            for done, job in enumerate(as_completed(jobs)):
                job.result()
                if progress:
                    progress(done + 1, len(cases), jobs[job].case)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for name in sorted(unseen):
        warnings.warn(
            f"{name} is in none of the {len(cases)} labels: where both masks are empty the Dice is 1, so its rows say "
            "nothing of the predictions, and a mean that they enter is lifted; look at --values (another convention?), "
            "or leave the region out",
            Note,
            stacklevel=2,
        )
    return [score for job in jobs for score in job.result()]


def score_pair(
    pair: Pair, asked: Question, unseen: set[str] | None = None, *, told: Dataset | None = None
) -> list[CaseScore]:
    """Read one case and score it; a label map and masks per region may stand against each other.

    Files whose axes run in other orders or directions are compared where they lie in the world. The regions that the
    label holds are taken out of ``unseen``, the names of those that no label has held so far. ``told`` says
    what the prediction's values are, where they are not the label's.
    """
    predicted = _predicted(pair, asked, told)
    wanted = _read(pair.label, asked, f"case {pair.case}, label")
    first, *others = _on_one_grid(pair.case, [*predicted, *wanted])
    predicted, wanted = [first, *others[: len(predicted) - 1]], others[len(predicted) - 1 :]
    for note in dict.fromkeys(note for stored in (*predicted, *wanted) for note in stored.notes):
        warnings.warn(f"case {pair.case}: {note}", Note, stacklevel=2)
    target = _array(pair.label, wanted)
    if unseen:
        unseen.difference_update(_held(target, asked, unseen, is_map="" in pair.label))
    return score_checked(
        pair.case,
        _array(pair.prediction, predicted),
        target=target,
        regions=[asked.stored(region) for region in asked.regions],
        spacing_mm=first.spacing_mm,
        metrics=asked.metrics,
        rule=asked.rule,
    )


def _held(target: NDArray[Any], asked: Question, names: Collection[str], *, is_map: bool) -> set[str]:
    """Those of the regions with these names that a target holds."""
    return {
        region.name
        for place, region in enumerate(asked.regions)
        if region.name in list(names)
        and (any((target == value).any() for value in asked.stored(region).labels) if is_map else target[place].any())
    }


def _predicted(pair: Pair, asked: Question, told: Dataset | None) -> list[Stored]:
    """The prediction in the values of the labels."""
    what = f"case {pair.case}, prediction"
    if told is None or "" not in pair.prediction:
        return _read(pair.prediction, asked, what)
    theirs = told.asked(asked)
    (stored,) = _read(pair.prediction, theirs, what, f"its values are read as {told.place} names them")
    label = {meant: value for value, meant in asked.values.items() if meant}
    ours = np.zeros(max(theirs.values) + 1, np.int32)
    for value, meant in theirs.values.items():
        ours[value] = label.get(meant, 0)
    return [replace(stored, array=ours[stored.array])]


def _read(files: Files, asked: Question, what: str, cure: str = EXPLAIN) -> list[Stored]:
    """The label map, or the masks in the order of the regions, with no value that the question does not explain."""
    if "" in files:
        names, known = [""], set(asked.values)
    else:
        names, known = [region.name for region in asked.regions], {1}
    maps = [read_stored(files[name]) for name in names]
    for stored in maps:
        check_values(stored.array, known, f"{what} {stored.path}", cure)
    return maps


def _array(files: Files, maps: Sequence[Stored]) -> NDArray[Any]:
    return maps[0].array if "" in files else np.stack([stored.array for stored in maps])


def _on_one_grid(case: str, maps: Sequence[Stored]) -> list[Stored]:
    """The maps in the axes of the first; CaseError where they do not lie in the same place of the world."""
    first, *rest = maps
    turned = [other.turned(first.grid) if first.grid and other.grid else other for other in rest]
    for other, as_stored in zip(turned, rest, strict=True):
        if other.array.shape != first.array.shape:
            raise CaseError(
                f"case {case}: {first.path} is {first.array.shape} but {other.path} is {as_stored.array.shape}; "
                "resample one to the other, or drop the case"
            )
        if first.grid and other.grid and not first.grid.same(other.grid):
            said = "".join(f" ({note})" for note in dict.fromkeys((*first.notes, *other.notes)))
            raise CaseError(
                f"case {case}: {first.path} and {other.path} have one shape but lie up to "
                f"{first.grid.offset_mm(other.grid):.1f} mm apart in the world{said}. Resample the prediction onto the "
                "label's grid, or predict from images that lie there, or drop the case; writing one file's affine over "
                "the voxels of the other would hide the difference and not mend it"
            )
    return [first, *turned]
