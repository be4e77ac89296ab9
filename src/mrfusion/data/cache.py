"""The cache of prepared cases: memory-mapped arrays under a key that hashes the files' content and the options.

``cache/<case>/<key>/`` holds images.npy, labels.npy, truth.npy and meta.json; it is there whole or not at all. The
same case prepared with other options lies beside it. Two processes that prepare the same case do the work twice and
keep one. JSON files carry a checksum, and meta.json the size of each array: what was damaged or cut short, or has the
form of another version, counts as absent.
"""

import contextlib
import hashlib
import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mrfusion.case import Case, Cohort
from mrfusion.data.grid import Grid
from mrfusion.data.prepare import VERSION, Arrays, Box, Placement, box_of, prepare
from mrfusion.data.prepared import Prepared, resampler
from mrfusion.data.volume import Target, read_volume
from mrfusion.errors import CaseError, InputError, OutputError, SpecError, nearest
from mrfusion.files import building_anew, read_json, sweep, temporary_folder, write_json
from mrfusion.progress import Progress
from mrfusion.spec import Preparation, without_unsaid

LABELS = "label map"
CHECKSUM = "checksum"
CACHED = "cached"  # the reason of a case that was prepared before
_ABANDONED_S = 86_400.0
_SETTLED_S = 2.0  # a file changed so recently may change again within the same time stamp


def prepare_cohort(
    cohort: Cohort,
    preparation: Preparation,
    cache_dir: Path,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, Prepared]:
    """Every case of the cohort prepared, by id; from the cache where files and options are the same as before.

    ``workers`` are threads (inflating and numpy release the interpreter); each holds one case, some five times its
    size as float32. Raises CaseError for the first case that cannot be used, OutputError if the cache cannot be
    written.
    """
    for name in preparation.intensities:
        if name not in cohort.modalities:
            raise SpecError(
                f"data.preparation.intensities: no modality is called {name!r}; {nearest(name, cohort.modalities)}"
            )
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write the cache {cache_dir}: {error.strerror}; choose another folder") from None
    digests = FileDigests(cache_dir / "digests.json")
    done: dict[str, Prepared] = {}

    def one(case: Case) -> Prepared:
        return _prepared(case, cohort, preparation, cache_dir, digests)

    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="prepare") as pool:
        for ready in pool.map(one, cohort.cases):
            done[ready.case_id] = ready
            if progress:
                doing = "looking at" if ready.reason == CACHED else "preparing"
                count = f"{len(done)} of {len(cohort.cases)}"
                progress(len(done), len(cohort.cases), f"{doing} {count}, {ready.case_id}: {ready.reason}")
    digests.save()
    return done


class FileDigests:
    """Digests of files' contents, remembered by path, size, inode and time of change, so that a second start is fast.

    A file that changed within the last two seconds is not remembered: it may change again unseen.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.new = path, False
        self.known: dict[str, list[Any]] = _unsealed(path) or {}  # it only saves time

    def of(self, path: Path) -> str:
        """BLAKE2 of the file's bytes; CaseError if it cannot be read."""
        try:
            stat = path.stat()
            stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
            entry = self.known.get(str(path.resolve()))
            if entry and entry[:-1] == stamp:
                return str(entry[3])
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        except OSError as error:
            raise CaseError(f"{path}: expected a readable file, found: {error.strerror}") from None
        if time.time() - stat.st_mtime > _SETTLED_S:
            self.known[str(path.resolve())], self.new = [*stamp, digest], True
        return digest

    def save(self) -> None:
        if self.new:
            write_json(self.path, _sealed(self.known))


def _prepared(case: Case, cohort: Cohort, preparation: Preparation, cache_dir: Path, digests: FileDigests) -> Prepared:
    asked = _asked(case, cohort, preparation, digests)
    key = _digest(asked)
    home = cache_dir / _folder_name(case.id)
    folder, reason = home / key, CACHED
    was_there = folder.is_dir()  # asked first: another process may be about to finish it
    meta = _meta_of(folder)
    if meta is None:
        reason, outdated = _why(home, asked)
        if was_there:
            reason, outdated = "prepared again: what was kept was damaged, or written by another version", None
            _remove(folder)
        _build(case, cohort, preparation, folder=folder, asked=asked)
        if outdated:
            _remove(outdated)
        meta = _meta_of(folder)
    if meta is None:
        raise CaseError(f"{folder}: the prepared case was changed while it was being opened; the same command goes on")
    return _opened(case, cohort, preparation, folder=folder, meta=meta, reason=reason)


def _asked(case: Case, cohort: Cohort, preparation: Preparation, digests: FileDigests) -> dict[str, Any]:
    """Everything that decides the arrays, as JSON; the paths only say where the content was found."""
    files = {name: case.images[name] for name in cohort.modalities if name in case.images}
    if case.label_map and cohort.regions:
        files[LABELS] = case.label_map
    return {
        "case": case.id,
        "content": {name: digests.of(path) for name, path in files.items()},
        "options": {
            **without_unsaid(preparation),
            "modalities": list(files),
            **({"channels": sorted(case.channels.items())} if case.channels else {}),
            "label values": [list(cohort.label_values), sorted(case.label_values.items())],
            "version": VERSION,
        },
    }


def _why(home: Path, asked: dict[str, Any]) -> tuple[str, Path | None]:
    """Why the case is prepared now, against the newest earlier preparation; and that one's folder if it is outdated."""
    found = {path: _unsealed(path) for path in sorted(home.glob("*/meta.json"), key=lambda path: path.stat().st_mtime)}
    earlier = [(path, meta["asked"]) for path, meta in found.items() if meta is not None]
    if not earlier:
        return "new", None
    (path, before), now = earlier[-1], json.loads(json.dumps(asked))
    options = [
        f"{name} was {before['options'].get(name)}, is {now['options'].get(name)}"
        for name in sorted({*before["options"], *now["options"]})
        if before["options"].get(name) != now["options"].get(name)
    ]
    content = [name for name, digest in now["content"].items() if before["content"].get(name, digest) != digest]
    files = [f"the content of {', '.join(content)} has changed"] if content else []
    return "prepared again: " + "; ".join(files + options), path.parent if content and not options else None


def _build(case: Case, cohort: Cohort, preparation: Preparation, *, folder: Path, asked: dict[str, Any]) -> None:
    linear = preparation.spacing_mm is not None and preparation.interpolation == "linear"
    resample = resampler() if linear else None
    onto = Target(preparation.resample_to, resampler()) if preparation.resample_to else None
    read = case if cohort.regions else replace(case, label_map=None)
    volume = read_volume(read, cohort.modalities, cohort.label_values, onto=onto)
    options: dict[str, Any] = {"spacing_mm": preparation.spacing_mm, "crop": preparation.crop}
    options["whole_box"] = preparation.zscore == "box"
    arrays = prepare(volume, **options, resample=resample, scaling=preparation.intensities)
    try:
        with building_anew(folder) as work:
            sweep(folder.parent.iterdir(), older_than_seconds=_ABANDONED_S)
            _write(work, arrays, cohort.label_values, asked)
    except OSError as error:
        raise OutputError(
            f"cannot write the prepared case {folder}: {error.strerror or error}; free the disk, or name another cache"
        ) from None


def _remove(folder: Path) -> None:
    """Out of sight at once, then deleted: a process killed in between leaves nothing that looks prepared."""
    with temporary_folder(folder.parent) as hidden, contextlib.suppress(OSError):  # another process may have removed it
        os.replace(folder, hidden / folder.name)


def _write(folder: Path, arrays: Arrays, label_values: tuple[int, ...], asked: dict[str, Any]) -> None:
    np.save(folder / "images.npy", arrays.images)
    meta: dict[str, Any] = {"asked": asked, "notes": arrays.notes, "placement": _placement_as_json(arrays.placement)}
    if arrays.labels is not None and arrays.truth is not None:
        box = box_of(arrays.truth)
        counts = np.bincount(arrays.truth[box].ravel(), minlength=len(label_values) + 1)[1:]
        np.save(folder / "labels.npy", arrays.labels)
        np.save(folder / "truth.npy", arrays.truth[box])
        meta["truth box"] = _pairs(box)
        meta["label voxels"] = [int(n) for n in counts]
    meta["sizes"] = {path.name: path.stat().st_size for path in sorted(folder.glob("*.npy"))}
    write_json(folder / "meta.json", _sealed(meta))


def _opened(
    case: Case, cohort: Cohort, preparation: Preparation, *, folder: Path, meta: dict[str, Any], reason: str
) -> Prepared:
    values, box = cohort.label_values, meta.get("truth box")
    placement = _placement_from_json(meta["placement"])
    return Prepared(
        case_id=case.id,
        folder=folder,
        modalities=tuple(placement.boxes),
        label_values=values,
        placement=placement,
        label_voxels=dict(zip(values, meta.get("label voxels", ()), strict=bool(box))),
        truth_box=_box(box) if box else None,
        digest=_digest(meta["asked"]["content"]),
        reference=case.images[preparation.resample_to or next(iter(placement.boxes))],
        reason=reason,
        notes=tuple(meta["notes"]),
    )


def _meta_of(folder: Path) -> dict[str, Any] | None:
    """What is known of a prepared case; None where it is not there as it was written."""
    meta = _unsealed(folder / "meta.json")
    try:
        whole = meta and all((folder / name).stat().st_size == size for name, size in meta["sizes"].items())
    except (OSError, KeyError):
        return None
    return meta if whole else None


def _placement_as_json(placement: Placement) -> dict[str, Any]:
    return {
        "source": {"shape": placement.source.shape, "affine": placement.source.affine.tolist()},
        "grid": {"shape": placement.grid.shape, "affine": placement.grid.affine.tolist()},
        "boxes": [[name, _pairs(box)] for name, box in placement.boxes.items()],
        "slice axis": placement.slice_axis,
    }


def _placement_from_json(value: dict[str, Any]) -> Placement:
    source, grid = (Grid(tuple(value[k]["shape"]), np.array(value[k]["affine"])) for k in ("source", "grid"))
    return Placement(source, grid, {name: _box(pairs) for name, pairs in value["boxes"]}, value["slice axis"])


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=10).hexdigest()


def _sealed(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, CHECKSUM: _digest(content)}


def _unsealed(path: Path) -> dict[str, Any] | None:
    """What :func:`_sealed` was given; None where the file is absent, damaged, or has no checksum."""
    try:
        content = read_json(path)
        return content if content.pop(CHECKSUM) == _digest(content) else None
    except (InputError, AttributeError, KeyError, TypeError):
        return None


def _pairs(box: Box) -> list[list[int]]:
    return [[side.start, side.stop] for side in box]


def _box(pairs: list[list[int]]) -> Box:
    x, y, z = (slice(low, high) for low, high in pairs)
    return x, y, z


def _folder_name(case_id: str) -> str:
    """A name that any file system takes, and that no two cases share."""
    return (
        f"{re.sub(r'[^A-Za-z0-9.-]', '_', case_id)[:60]}_{hashlib.blake2b(case_id.encode(), digest_size=4).hexdigest()}"
    )
