"""Pictures of cases that were predicted elsewhere, in the form in which a run of ours leaves them for a report."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrfusion.data.grid import Grid
from mrfusion.data.nifti.labels import read_labels
from mrfusion.data.prepare import Box, box_of, slice_axis
from mrfusion.data.volume import read_images
from mrfusion.errors import Note, SpecError
from mrfusion.outside.images import Images, images_in
from mrfusion.progress import Progress
from mrfusion.run_folder.pictures import Panel
from mrfusion.run_folder.run import RunFolder
from mrfusion.scoring.meaning import told_by
from mrfusion.scoring.pairing import Files, cases_in
from mrfusion.scoring.question import Question


@dataclass(frozen=True)
class Gallery:
    """The files that pictures are made of: images, labels, and of each arm a folder's predictions after the other.

    With each folder stands the question in its values, which need not be those of the labels.
    """

    images: Images
    labels: Mapping[str, Files]
    predictions: Mapping[str, Sequence[tuple[Mapping[str, Files], Question]]]
    asked: Question

    @property
    def modalities(self) -> tuple[str, ...]:
        """Every modality that a case has, in the order of the cases."""
        return tuple(dict.fromkeys(name for case in self.images.values() for name in case.images))

    def predicted(self, arm: str, case: str) -> tuple[Files, Question] | None:
        """What the arm's first folder with the case says of it: the run that is called its lowest seed."""
        return next(((files[case], asked) for files, asked in self.predictions[arm] if case in files), None)


@dataclass(frozen=True)
class Choice:
    """Which pictures are kept and where: the run of each arm and case, the cases that are drawn, those kept whole."""

    homes: Mapping[tuple[str, str], RunFolder]
    drawn: Sequence[str]
    whole: Collection[str]


@dataclass(frozen=True, eq=False)
class Shown:
    """One case in memory, on the grid of its label in RAS+: images (X, Y, Z), masks (R, X, Y, Z) of target and arms."""

    case: str
    images: Mapping[str, NDArray[np.float32]]
    target: NDArray[np.bool_]
    arms: Mapping[str, NDArray[np.bool_]]
    grid: Grid

    def panel(self, arm: str, regions: Sequence[str]) -> Panel:
        """What is drawn of an arm: everything in the box of the images and masks, slices first."""
        axis = slice_axis(self.grid)
        order = (axis, *(other for other in range(3) if other != axis))
        box = self._box
        stacks: tuple[NDArray[Any], ...] = (np.stack([*self.images.values()]), self.target, self.arms[arm])
        images, target, predicted = (
            stack[(slice(None), *box)].transpose(0, *(place + 1 for place in order)) for stack in stacks
        )
        s, h, w = (self.grid.spacing_mm[place] for place in order)
        return Panel(
            self.case, tuple(self.images), images.swapaxes(0, 1), tuple(regions), target, predicted, (s, h, w), axis
        )

    @cached_property
    def _box(self) -> Box:
        there = np.any(self.target, axis=0)
        for masks in self.arms.values():
            there |= masks.any(axis=0)
        for image in self.images.values():
            there |= image != 0
        return box_of(there)


def gallery(
    images: Path | Images, labels: Path | Mapping[str, Files], arms: Mapping[str, Sequence[Path]], asked: Question
) -> Gallery:
    """The files of all cases; ``images`` are a folder, see :func:`mrfusion.outside.images.images_in`, or known.

    Raises SpecError for labels or predictions that are no volumes, which are not drawn.
    """
    names = [region.name for region in asked.regions]
    truth = cases_in(labels, names) if isinstance(labels, Path) else labels
    predictions = {
        arm: [(cases_in(folder, names), _asked_in(folder, asked)) for folder in folders]
        for arm, folders in arms.items()
    }
    found = [files for folders in predictions.values() for cases, _ in folders for files in cases.values()]
    flat = [path for files in (*truth.values(), *found) for path in files.values() if path.suffix.lower() == ".png"]
    if flat:
        raise SpecError(f"--images: pictures are drawn of NIfTI files, found {flat[0]}; leave --images out")
    known = images_in(images, truth) if isinstance(images, Path) else images
    return Gallery(known, truth, predictions, asked)


def _asked_in(folder: Path, asked: Question) -> Question:
    told = told_by(folder, asked)
    return asked if told is None else told.asked(asked)


def keep_pictures(files: Gallery, choice: Choice, *, workers: int, progress: Progress) -> None:
    """Leave a slice of every drawn case in the folder of each arm's run, and the volumes of those kept whole.

    Notes name cases without an image, and images that lie on another grid than the label, which are left out. Raises
    CaseError for a file that cannot be read, OutputError where a picture cannot be written.
    """
    compared = {case for _, case in choice.homes}
    _tell(sorted(compared - set(files.images)), "found no image of some cases, which are not drawn", len(compared))
    wanted = [case for case in choice.drawn if case in files.images]
    others: list[str] = []
    with ThreadPoolExecutor(workers) as pool:
        jobs = {pool.submit(_keep_case, case, number, files, choice): case for number, case in enumerate(wanted)}
        try:
            for done, job in enumerate(as_completed(jobs)):
                others += [jobs[job]] * job.result()
                progress(done + 1, len(jobs), jobs[job])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    _tell(sorted(others), "images on another grid than the label are not drawn", len(wanted))


def _tell(some: Sequence[str], what: str, every: int) -> None:
    if some:
        named = ", ".join(some[:3]) + (", ..." if len(some) > 3 else "")
        warnings.warn(f"--images: {what}: {named} ({len(some)} of {every} cases)", Note, stacklevel=3)


def _keep_case(case: str, number: int, files: Gallery, choice: Choice) -> bool:
    """Write the pictures of one case; whether one of its images lies on another grid."""
    target, grid = _masks(files.labels[case], files.asked)
    images = read_images(files.images[case], tuple(files.images[case].images))
    fitting = {name: image.fitted(grid).array for name, image in images.items() if grid.covers(image.grid)}
    predicted = {arm: files.predicted(arm, case) for arm in files.predictions}
    arms = {arm: _masks(*found, onto=grid)[0] for arm, found in predicted.items() if found is not None}
    if fitting:
        shown = Shown(case, fitting, target, arms, grid)
        for arm in arms:
            panel = shown.panel(arm, [region.name for region in files.asked.regions])
            choice.homes[arm, case].write_slice(number, panel)
            if case in choice.whole:
                choice.homes[arm, case].write_volume(number, panel)
    return len(fitting) < len(images)


def _masks(files: Files, asked: Question, onto: Grid | None = None) -> tuple[NDArray[np.bool_], Grid]:
    """The masks (R, X, Y, Z) of a label map, or of files that hold one region each, and where they lie; in the order of
    the axes of ``onto``, if that has the same voxels."""
    if "" in files:
        image = read_labels(files[""])
        image = image if onto is None else image.fitted(onto)
        return np.stack([np.isin(image.array, [*asked.stored(one).labels]) for one in asked.regions]), image.grid
    first, *others = (read_labels(files[region.name]) for region in asked.regions)
    first = first if onto is None else first.fitted(onto)
    images = [first, *(image.fitted(first.grid) for image in others)]
    return np.stack([image.array != 0 for image in images]), first.grid
