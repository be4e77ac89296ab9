"""What `mrfusion convert` is given: each fault of the data and of the splits x each of the programs that it writes for.

nnU-Net's folder is made of what is read, so every damaged file is found; a datalist names files and opens none of them,
which it says.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bad_images import ball, save
from sandbox import Bad

TARGETS = ("nnunet", "datalist")
LAYOUT = "folder(modalities=[t1,t2],label=mask,regions={{{}}})"
WHOLE, T2, MASK = "whole:[1,2]", "in/c1/t2.nii.gz", "in/c1/mask.nii.gz"
NAMED = "named and not opened"
SPLITS = "expected our splits or nnU-Net's"


def written(to: str, *more: str, regions: str = WHOLE, change: Callable[[Path], object] = lambda _: None) -> Any:
    def make(work: Path) -> Sequence[object]:
        for number in range(3):
            for name, image in (("t1", ball() + number + 1), ("t2", 2 * ball() + number + 1), ("mask", ball())):
                save(work / f"in/c{number}/{name}.nii.gz", image)
        change(work)
        return ("convert", "in", "--layout", LAYOUT.format(regions), "--to", to, "--out", "out", *more)

    return make


def cut(file: str) -> Callable[[Path], object]:
    return lambda work: (work / file).write_bytes((work / file).read_bytes()[:-40])


def replaced(file: str, array: Any) -> Callable[[Path], object]:
    return lambda work: save(work / file, array)


def one(array: Any, value: float) -> Any:
    changed = np.array(array, np.float32)
    changed[0, 0, 0] = value
    return changed


DATA: dict[str, tuple[Callable[[Path], object], str]] = {  # found where the files are read
    "an image that is cut short": (cut(T2), "cut short or damaged"),
    "labels that are cut short": (cut(MASK), "cut short or damaged"),
    "an image that is no gzip": (lambda work: (work / T2).write_bytes(b"abc"), "expected a gzip file"),
    "an image on another grid": (replaced(T2, np.ones((5, 5, 5), np.int16)), "share one grid"),
    "labels on another grid": (replaced(MASK, np.ones((5, 5, 5), np.int16)), "share one grid"),
    "a value that no region explains": (replaced(MASK, one(ball(), 9)), "found 9 (1 voxels)"),
    "labels that are halves": (replaced(MASK, 0.5 * ball()), "expected whole numbers"),
    "an image with a NaN": (replaced(T2, one(ball(), np.nan)), "1 of 1680 voxels are NaN"),
    "an image of four dimensions": (replaced(T2, np.ones((9, 9, 9, 3), np.int16)), "two or three dimensions"),
}
FOLDS: dict[str, tuple[object, str]] = {  # found whatever is written
    "an unknown case": ([{"train": ["x", "c1"], "val": ["c0"]}], "found 'x'"),
    "no fold": ([], SPLITS),
    "no folds": ({"cases": {}, "folds": []}, SPLITS),
    "a case twice": ([{"train": ["c0", "c0"], "val": ["c2"]}], "keep one"),
    "a case on both sides": ([{"train": ["c0", "c2"], "val": ["c2"]}], "keep one"),
    "numbers": ([{"train": [1], "val": [2]}], "expected lists of case ids"),
    "too few to train on": ([{"train": ["c0"], "val": ["c2"]}], "at least 2 patients"),
}


def with_splits(to: str, content: object) -> Any:
    return written(to, "--splits", "s.json", change=lambda work: (work / "s.json").write_text(json.dumps(content)))


BAD_CONVERSIONS = [
    *(Bad(f"to nnunet: {name}", written("nnunet", change=change), (says,)) for name, (change, says) in DATA.items()),
    *(Bad(f"to datalist: {name}", written("datalist", change=data[0]), (NAMED,), 0) for name, data in DATA.items()),
    *(
        Bad(f"to {to}: splits with {name}", with_splits(to, content), (says,))
        for to in TARGETS
        for name, (content, says) in FOLDS.items()
    ),
    *(
        Bad(f"to {to}: {name}", written(to, change=change), (says,))
        for to in TARGETS
        for name, change, says in (
            ("a modality that is absent", lambda work: (work / T2).unlink(), "case c1"),
            ("labels that are absent", lambda work: (work / MASK).unlink(), "case c1"),
            ("a file in the place of out", lambda work: (work / "out").touch(), "new or empty"),
        )
    ),
    Bad("to nnunet: resampled to a modality that is not there", written("nnunet", "--resample-to", "pet"), ("pet",)),
    Bad("to datalist: resampled", written("datalist", "--resample-to", "t1"), ("names files as they are",)),
    Bad(
        "to nnunet: a region that is in no case",
        written("nnunet", regions="whole:[1,2],ghost:[7]"),
        ("region ghost ([7]) is in none of the 3 cases: where both masks are empty the Dice is 1",),
        0,
    ),
    Bad("to nnunet: regions that cross", written("nnunet", regions="a:[1,2],b:[2,3]"), ("would be lost",)),
    Bad("to another program", written("itk"), ("is not known",)),
]  # fmt: skip
