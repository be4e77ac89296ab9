"""Damaged files by rule: each reader x each field or place of its file x each kind of damage.

A reader is a command and the file that it reads. Its fields are found in a sound file: those of a NIfTI header, of
JSON, the columns of a table. A damaged file is right if it ends in one clear message and exit code 2, or if the command
says and writes what it does for the sound file, or says a note. ``OPTIONAL`` holds the damages that leave another sound
file.
"""

import csv
import functools
import gzip
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import yaml
from bad_images import ball, save
from sandbox import Bad, Said, attempt, unclear

from fabricated import fabricate

Damage = tuple[str, bytes]


@dataclass(frozen=True)
class Reader:
    """What reads a file: ``make`` writes a sound input into an empty folder and returns the words of the command."""

    name: str
    file: str
    make: Callable[[Path], Sequence[object]]


def evaluation(work: Path) -> Sequence[object]:
    save(work / "l/a.nii.gz", ball())
    save(work / "p/a.nii.gz", ball())
    return ("evaluate", "p", "l", "--regions", "whole=1+2", "--metrics", "dice", "--out", "out/s.csv")


def images(work: Path) -> Sequence[object]:
    save(work / "in/a/t1.nii.gz", ball() + 1)
    save(work / "in/a/mask.nii.gz", ball())
    layout = "folder(modalities=[t1],label=mask,regions={whole:[1,2]})"
    return ("inspect", "in", "--layout", layout, "--out", "out")


def listed(file: str, content: object, layout: str) -> Callable[[Path], Sequence[object]]:
    def make(work: Path) -> Sequence[object]:
        for name in ("a", "b"):
            save(work / f"in/imagesTr/{name}_0000.nii.gz", ball() * (1 + (name == "b")) + 1)
            save(work / f"in/labelsTr/{name}.nii.gz", ball())
        (work / "in" / file).write_text(content if isinstance(content, str) else json.dumps(content))
        return ("inspect", "in", "--layout", layout, "--out", "out")

    return make


def participants(work: Path) -> Sequence[object]:
    for subject in ("1", "2"):
        save(work / f"in/sub-{subject}/anat/sub-{subject}_T1w.nii.gz", ball() + int(subject))
    (work / "in/participants.tsv").write_text("participant_id\tgroup\nsub-1\tx\nsub-2\ty\n")
    return ("inspect", "in", "--layout", "bids(classes=group)", "--out", "out")


def splits(work: Path) -> Sequence[object]:
    listed("dataset.json", RAW, "nnunet_raw")(work)
    ids = {"a": {"patient": "a", "hash": "0"}, "b": {"patient": "b", "hash": "0"}}
    content = {"cases": ids, "folds": [{"train": ["a"], "val": [], "test": ["b"]}]}
    (work / "splits.json").write_text(json.dumps(content))
    return ("convert", "in", "--layout", "nnunet_raw", "--to", "nnunet", "--splits", "splits.json", "--out", "out")


def study_file(work: Path) -> Sequence[object]:
    images(work)
    options = {"modalities": ["t1"], "label": "mask", "regions": {"whole": [1, 2]}}
    source = {"path": "in", "layout": "folder", "options": options}
    (work / "s.yaml").write_text(yaml.safe_dump({"data": {"sources": [source]}, "arms": {"all": {"plan": "concat"}}}))
    return ("inspect", "s.yaml", "--out", "out")


def finished(work: Path) -> Sequence[object]:
    fabricate(work / "study", arms={"concat": 0.0}, folds=1, seeds=1, cases=3, size=16)
    return ("report", "study", "--format", "markdown", "--out", "out/r.md")


def table(work: Path) -> Sequence[object]:
    lines = [f"{arm},c{case},WT,dice,0.{5 + case + n}" for n, arm in enumerate("xy") for case in range(3)]
    (work / "t.csv").write_text("\n".join(["arm,case,region,metric,value", *lines]) + "\n")
    return ("compare", "t.csv", "--reference", "x", "--out", "out")


def summary(work: Path) -> Sequence[object]:
    listed_ = [
        {"metrics": {"1": {"Dice": 0.5 + n / 10, "IoU": 0.4, "n_ref": 9, "n_pred": 8}},
         "prediction_file": f"p/c{n}.nii.gz", "reference_file": f"l/c{n}.nii.gz"}
        for n in range(3)
    ]  # fmt: skip
    for arm in "xy":
        (work / f"{arm}.json").write_text(json.dumps({"metric_per_case": listed_}))
    return ("compare", "x=x.json", "y=y.json", "--reference", "x", "--out", "out")


RAW = {"channel_names": {"0": "T1"}, "labels": {"background": 0, "whole": [1, 2]}}
FILES = [{"image": f"imagesTr/{name}_0000.nii.gz", "label": f"labelsTr/{name}.nii.gz"} for name in "ab"]
TASK = {"modality": {"0": "T1"}, "labels": {"0": "background", "1": "a", "2": "b"}, "training": FILES}
CASES = "case,t1,label\na,imagesTr/a_0000.nii.gz,x\nb,imagesTr/b_0000.nii.gz,y\n"
READERS = (
    Reader("label map", "l/a.nii.gz", evaluation),
    Reader("prediction", "p/a.nii.gz", evaluation),
    Reader("image", "in/a/t1.nii.gz", images),
    Reader("nnU-Net dataset", "in/dataset.json", listed("dataset.json", RAW, "nnunet_raw")),
    Reader("decathlon", "in/dataset.json", listed("dataset.json", TASK, "msd")),
    Reader("datalist", "in/datalist.json",
           listed("datalist.json", {"training": FILES}, "datalist(regions={'whole':[1,2]})")),
    Reader("table of cases", "in/participants.csv", listed("participants.csv", CASES, "table")),
    Reader("participants", "in/participants.tsv", participants),
    Reader("splits", "splits.json", splits),
    Reader("study file", "s.yaml", study_file),
    *(Reader(f"{name} of a study", f"study/{name}", finished) for name in ("study.json", "cohort.json", "splits.json")),
    *(Reader(f"{name} of a run", f"study/runs/*/{name}", finished)
      for name in ("scores.csv", "history.csv", "environment.json", "spec.json")),
    Reader("scores", "t.csv", table),
    Reader("nnU-Net summary", "x.json", summary),
)  # fmt: skip


def of_stream(content: bytes, *, packed: bool) -> Iterator[Damage]:
    """What befalls any file: cut short, overwritten, replaced by something else."""
    yield "empty", b""
    yield "cut in half", content[: len(content) // 2]
    yield "cut by a byte", content[:-1]
    yield "zeros", bytes(len(content))
    yield "half of it zeros", content[: len(content) // 2] + bytes(len(content) - len(content) // 2)
    yield "a page of a login", b"<!DOCTYPE html><html><body>Please log in</body></html>"
    yield "a packed archive", b"PK\x03\x04" + content[:100]
    yield "bytes that are no text", bytes(range(256)) * 4
    if packed:
        inner = gzip.decompress(content)
        yield "not packed", inner
        yield "packed twice", gzip.compress(content, mtime=0)
        yield (
            "a flipped byte",
            content[: len(content) // 2]
            + bytes([content[len(content) // 2] ^ 0x55])
            + content[len(content) // 2 + 1 :],
        )
        yield "a wrong checksum", content[:-8] + b"abcd" + content[-4:]
        yield "a wrong length", content[:-4] + b"abcd"
        yield "more behind it", content + b"more"
        yield "cut inside", gzip.compress(inner[: len(inner) // 2], mtime=0)
        yield "header alone", gzip.compress(inner[:352], mtime=0)


def of_header(content: bytes) -> Iterator[Damage]:
    """Every field of a NIfTI header: zeros, ones, a large number, text."""
    inner = gzip.decompress(content)
    kind = nib.Nifti1Header.template_dtype
    for name in kind.names or ():
        field, start = kind.fields[name][0], kind.fields[name][1]
        for damage, byte in (("zeros", 0x00), ("ones", 0xFF), ("large", 0x7E), ("text", 0x41)):
            changed = inner[:start] + bytes([byte]) * field.itemsize + inner[start + field.itemsize :]
            yield f"{name}, {damage}", gzip.compress(changed, 1, mtime=0)


GONE = object()
OTHERS: dict[str, Any] = {
    "gone": GONE, "null": None, "a number": 7, "below 0": -1, "huge": 10**30, "not a number": float("nan"),
    "text": "nonsense", "empty text": "", "a list": [], "a list of lists": [[[]]], "a mapping": {}, "true": True,
}  # fmt: skip


def of_json(content: bytes) -> Iterator[Damage]:
    """Every key and place of a JSON file: gone, or with each kind of other value."""
    sound = json.loads(content)
    for place in dict.fromkeys(_places(sound)):
        for damage, value in OTHERS.items():
            yield f"{'.'.join(map(str, place))}, {damage}", json.dumps(_with(sound, place, value)).encode()


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places in a JSON value; of a list the first entry stands for all."""
    inner = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    for key, below in inner:
        yield (*above, key)
        if len(above) < 4:
            yield from _places(below, (*above, key))


def _with(value: Any, place: Sequence[Any], other: Any) -> Any:
    key, *rest = place
    entries = dict(enumerate(value)) if isinstance(value, list) else dict(value)
    entries[key] = _with(entries[key], rest, other) if rest else other
    kept = {name: entry for name, entry in entries.items() if entry is not GONE}
    return list(kept.values()) if isinstance(value, list) else kept


CELLS = {"empty": "", "text": "nonsense", "missing": "NA", "a decimal comma": "0,5", "huge": "1e999", "quoted": 'a "b'}


def of_table(content: bytes) -> Iterator[Damage]:
    """Every column of a table: gone, called otherwise, twice, or with each kind of other cell; and lines of other
    lengths."""
    text = content.decode()
    mark = "\t" if "\t" in text.partition("\n")[0] else ","
    header, *lines = csv.reader(text.splitlines(), delimiter=mark)
    for place, name in enumerate(header):
        rest = [[*cells[:place], *cells[place + 1 :]] for cells in (header, *lines)]
        yield f"{name}, gone", _table(rest, mark)
        yield f"{name}, renamed", _table([[*header[:place], "other", *header[place + 1 :]], *lines], mark)
        yield f"{name}, twice", _table([[*header, name], *([*cells, cells[place]] for cells in lines)], mark)
        for damage, cell in CELLS.items():
            first = [*lines[0][:place], cell, *lines[0][place + 1 :]]
            yield f"{name}, {damage}", _table([header, first, *lines[1:]], mark)
    yield "a line cut short", _table([header, lines[0][:1], *lines[1:]], mark)
    yield "a line too long", _table([header, [*lines[0], "more", "more"], *lines[1:]], mark)
    yield "no header", _table(lines, mark)
    yield "a header alone", _table([header], mark)
    yield "a line twice", _table([header, lines[0], *lines], mark)


def _table(rows: Sequence[Sequence[str]], mark: str) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, delimiter=mark, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()


@functools.cache
def sound_of(reader: Reader) -> tuple[bytes, Said]:
    """The content of the sound file, and what the command says of it."""
    with tempfile.TemporaryDirectory() as folder:
        reader.make(Path(folder))
        content = place_of(reader, Path(folder)).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        return content, attempt(Bad(reader.name, reader.make, (), 0), Path(folder))


def place_of(reader: Reader, work: Path) -> Path:
    return next(iter(sorted(work.glob(reader.file))))


def damages_of(reader: Reader) -> Iterator[Damage]:
    content, _ = sound_of(reader)
    yield from of_stream(content, packed=reader.file.endswith(".gz"))
    by_form = {".gz": of_header, ".json": of_json, ".csv": of_table, ".tsv": of_table}
    if form := by_form.get(Path(reader.file).suffix):
        yield from form(content)


def damaged(reader: Reader, damage: Damage) -> Bad:
    """The sound input of a reader with one file of it damaged."""
    name, content = damage

    def make(work: Path) -> Sequence[object]:
        words = reader.make(work)
        place_of(reader, work).write_bytes(content)
        return words

    return Bad(f"{reader.name}: {name}", make, ())


def unclear_or_other(reader: Reader, bad: Bad, said: Said) -> list[str]:
    """As :func:`sandbox.unclear`; a file that is read must be read as the sound one, or with a note."""
    if said.code == 0:
        _, sound = sound_of(reader)
        same = (_without_place(said.text), said.result) == (_without_place(sound.text), sound.result)
        told = any(word in said.text for word in ("note:", "absent", "unreadable", "cannot be"))
        bad = Bad(bad.name, bad.make, (), 0)
        if not (same or told or is_optional(bad.name)):
            return [*unclear(bad, said), "it was read as something else, and nothing was said"]
    return unclear(bad, said)


OPTIONAL = (  # what is another sound file, as part of the damage's name
    "image: scl_slope", "image: scl_inter",  # any factor is one, and images are brought to one scale anyway
    "decathlon: training.0, gone", "datalist: training.0, gone",  # a case less
    "participants: group, ", "table of cases: label, ",  # any text is a class
    "table of cases: case, ", "table of cases: t1, renamed",  # names are the user's
    "nnU-Net dataset: channel_names.0, text", "decathlon: modality.0, text", "decathlon: labels.1, text",
    "decathlon: labels.2, text",
    "scores: region, gone", "scores: region, renamed",  # without one the whole is meant
)  # fmt: skip


def is_optional(name: str) -> bool:
    return name.startswith(OPTIONAL)


def _without_place(text: str) -> str:
    """What was said without the temporary folder that it was said of."""
    return re.sub(r"/\S*?/work\b", "", text)


def every_damage() -> Iterator[tuple[Reader, Bad]]:
    """The product of readers, fields and kinds of damage."""
    for reader in READERS:
        for damage in damages_of(reader):
            yield reader, damaged(reader, damage)
