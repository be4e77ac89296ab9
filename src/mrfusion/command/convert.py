"""Writing a data set the way another program reads it, with the same splits."""

from pathlib import Path

from mrfusion.case import Cohort, Split
from mrfusion.command.cohort import cohort_at
from mrfusion.command.display import one_bar, say
from mrfusion.conversion.datalist import FILE, write_datalist
from mrfusion.conversion.nnunet import write_nnunet
from mrfusion.data.prepared import resampler
from mrfusion.data.split_file import read_splits
from mrfusion.data.volume import Target
from mrfusion.errors import OutputError, SpecError, nearest

TARGETS = ("nnunet", "datalist")


def convert_data(
    data: Path, to: str, *, out: Path, layout: str | None, resample_to: str | None, splits: Path | None
) -> None:
    """Write what lies at ``data`` to the new folder ``out``, and say how to go on."""
    if to not in TARGETS:
        raise SpecError(f"--to: {to!r} is not known; {nearest(to, TARGETS)}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"expected a folder that is new or empty at {out}; name another --out")
    given = cohort_at(data, layout, resample_to=resample_to)
    cohort = given.cohort
    parts = _splits(splits, cohort)
    with one_bar("converting") as progress:
        if to == "nnunet":
            onto = Target(given.resample_to, resampler()) if given.resample_to else None
            write_nnunet(cohort, out, splits=parts, onto=onto, progress=progress)
            said = [f"nnU-Net: {out}; it expects the folder as nnUNet_raw/Dataset<number>_<name>"]
            said += ["and splits_final.json in nnUNet_preprocessed/Dataset<number>_<name>"] if parts else []
        else:
            root = write_datalist(cohort, out, splits=parts, progress=progress)
            said = [f"datalist: {out / FILE}; its names are relative to {root} (base_dir in MONAI)"]
    for line in [*said, f"{len(cohort.cases)} cases, {len(parts)} folds"]:
        say(line)


def _splits(path: Path | None, cohort: Cohort) -> list[Split]:
    if path is None:
        return []
    # validation is carved out of nnU-Net's splits at random, and put back here
    return read_splits(path, cohort, {case.id: "" for case in cohort.cases})[0]
