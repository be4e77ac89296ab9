"""Fuzzing: whatever becomes of the bytes of a file, its reader gives what it promises or one of our errors.

The short runs are the same every time; those marked slow go on for minutes with new inputs each time.
"""

import contextlib
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bad_texts import SPLITS, STUDY, TABLE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mrfusion import families
from mrfusion.case import Case, Cohort
from mrfusion.data.nifti.header import read_header
from mrfusion.data.nifti.labels import read_labels, read_stored
from mrfusion.data.nifti.voxels import read_channels, read_image
from mrfusion.data.split_file import count_folds, read_splits
from mrfusion.errors import MrFusionError
from mrfusion.files import read_json, read_rows
from mrfusion.part import read_part
from mrfusion.scoring.images import read_grey
from mrfusion.spec import RunSpec
from mrfusion.study.design import read_study
from mrfusion.study.yaml_file import read_yaml

COHORT = Cohort(("t1",), tuple(Case(name, name, {}) for name in "abc"))
NIFTI = nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(5, 4, 3), np.eye(4)).to_bytes()
FOUR = nib.Nifti2Image(np.zeros((5, 4, 3, 2), np.float32), np.eye(4)).to_bytes()
LABELS = nib.Nifti1Image(np.eye(5, dtype=np.float32)[..., None], np.eye(4)).to_bytes()
DATASET = {
    "channel_names": {"0": "T1"},
    "labels": {"background": 0, "x": [1, 2]},
    "training": [{"image": "a.nii", "label": "b.nii", "fold": 0}],
    "dataset": {"a": {"images": ["a.nii"], "label": "b.nii"}},
}


def picture() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.eye(9, dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@dataclass(frozen=True)
class Reader:
    """A sound file's name and content, and what reads it."""

    name: str
    content: bytes
    read: Callable[[Path], object]


def layout(name: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        for file in ("a.nii", "b.nii"):
            (path.parent / file).touch()
        function = families.load("layouts", name)
        families.module_of("layouts", name).fits(path.parent)
        return function(path.parent, may_lack=("images", "labels"))

    return read


READERS = {
    "image": Reader("f.nii", NIFTI, read_image),
    "image in gzip": Reader("f.nii.gz", gzip.compress(NIFTI, mtime=0), read_image),
    "channels": Reader("f.nii", FOUR, lambda path: read_channels(path, [1])),
    "header": Reader("f.nii", FOUR, lambda path: read_header(path, many=True)),
    "labels": Reader("f.nii.gz", gzip.compress(LABELS, mtime=0), read_labels),
    "stored labels": Reader("f.nii", LABELS, read_stored),
    "stored labels in gzip": Reader("f.nii.gz", gzip.compress(LABELS, mtime=0), read_stored),
    "png": Reader("f.png", picture(), read_stored),
    "grey png": Reader("f.png", picture(), read_grey),
    "yaml": Reader("s.yaml", STUDY.encode(), read_yaml),
    "study": Reader("s.yaml", STUDY.encode(), read_study),
    "json": Reader("s.json", json.dumps(DATASET).encode(), read_json),
    "run": Reader(
        "s.json",
        json.dumps({"data": {"sources": [{"path": "x", "layout": "brats"}]}, "seed": 1}).encode(),
        lambda path: read_part(RunSpec, read_json(path), "spec.json"),
    ),
    "splits": Reader(
        "s.json", json.dumps(SPLITS).encode(), lambda path: read_splits(path, COHORT, dict.fromkeys("abc", ""))
    ),
    "folds": Reader("s.json", json.dumps(SPLITS).encode(), count_folds),
    "csv": Reader("t.csv", TABLE.encode(), lambda path: read_rows(path, ("case",))),
    "table": Reader("participants.csv", TABLE.encode(), layout("table")),
    "nnunet_raw": Reader("dataset.json", json.dumps(DATASET).encode(), layout("nnunet_raw")),
    "msd": Reader("dataset.json", json.dumps(DATASET).encode(), layout("msd")),
    "datalist": Reader("datalist.json", json.dumps(DATASET).encode(), layout("datalist")),
}
WORDS = '[ ] { } : , " null true -1 1e999 NaN \0 .. / &a *a é\u202e \n \t'
TEXT_PIECES = [*(word.encode() for word in WORDS.split(" ")), b"!!python/none ''", b"\xff", b"9" * 5000]


@st.composite
def damaged(draw, content: bytes) -> bytes:
    """The content with a few pieces overwritten, cut out, doubled or put in."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 12))
        piece = draw(st.one_of(st.binary(max_size=8), st.sampled_from(TEXT_PIECES)))
        kind = draw(st.sampled_from(("overwrite", "insert", "delete", "cut", "double", "flip")))
        if kind == "overwrite":
            content = content[:at] + piece + content[at + len(piece) :]
        elif kind == "insert":
            content = content[:at] + piece + content[at:]
        elif kind == "delete":
            content = content[:at] + content[at + length :]
        elif kind == "cut":
            content = content[:at]
        elif kind == "double":
            content = content[:at] + content[at : at + length * 4] * 3 + content[at:]
        elif at < len(content):
            content = content[:at] + bytes([content[at] ^ 1 << draw(st.integers(0, 7))]) + content[at + 1 :]
    return content


def survives(reader: Reader, folder: Path, content: bytes) -> None:
    path = folder / reader.name
    path.write_bytes(content)
    with contextlib.suppress(MrFusionError):
        reader.read(path)


def fuzz(reader: Reader, folder: Path, examples: int, *, same: bool) -> None:
    @given(damaged(reader.content))
    @settings(
        max_examples=examples, deadline=None, derandomize=same, database=None, suppress_health_check=list(HealthCheck)
    )
    def run(content: bytes) -> None:
        survives(reader, folder, content)

    run()


@pytest.mark.filterwarnings("ignore::mrfusion.errors.Note")
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused(name, tmp_path):
    READERS[name].read(_sound(READERS[name], tmp_path))
    fuzz(READERS[name], tmp_path, 60, same=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mrfusion.errors.Note")
@pytest.mark.parametrize("name", READERS)
def test_many_damaged_files_are_read_or_refused(name, tmp_path):
    fuzz(READERS[name], tmp_path, 3000, same=False)


def _sound(reader: Reader, folder: Path) -> Path:
    """The undamaged file, which its reader must take: otherwise nothing behind the first check would be tried."""
    if reader.name == "participants.csv":
        for file in ("t1", "t2", "seg"):
            (folder / "a").mkdir(exist_ok=True)
            (folder / f"a/{file}.nii.gz").touch()
    path = folder / reader.name
    path.write_bytes(reader.content)
    return path
