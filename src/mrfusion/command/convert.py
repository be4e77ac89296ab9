"""Writing a data set the way another program reads it, with the same splits."""

import re
import shlex
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
    if resample_to and to == "datalist":
        raise SpecError("--resample-to: a datalist names files as they are; leave it out, or write --to nnunet")
    given = cohort_at(data, layout, resample_to=resample_to)
    cohort = given.cohort
    parts = _splits(splits, cohort)
    with one_bar("converting") as progress:
        if to == "nnunet":
            onto = Target(given.resample_to, resampler()) if given.resample_to else None
            write_nnunet(cohort, out, splits=parts, onto=onto, progress=progress)
            said = nnunet_commands(out, folds=len(parts))
        else:
            root = write_datalist(cohort, out, splits=parts, progress=progress)
            said = [
                f"datalist: {out / FILE}; its names are relative to {root} (base_dir in MONAI)",
                "the files were named and not opened; mrfusion inspect says what is wrong with them",
            ]
            if given.resample_to:
                said.append(f"they keep their grids: the others are not brought to that of {given.resample_to}")
    for line in [*said, f"{len(cohort.cases)} cases, {len(parts)} folds"]:
        say(line)


def nnunet_commands(out: Path, *, folds: int) -> list[str]:
    """What to type so that nnU-Net trains on the folder, with the same splits, and how its results come back.

    A folder that is not called Dataset<number>_<name>, as nnU-Net wants, is moved to such a name by the first line.
    """
    named = re.fullmatch(r"Dataset(\d{3})_\w+", out.name)
    number = named.group(1) if named else "001"
    name = out.name if named else f"Dataset{number}_{re.sub(r'[^A-Za-z0-9]', '', out.name) or 'data'}"
    raw = out.absolute().parent
    move = [] if named else [f"mv {shlex.quote(str(out.absolute()))} {shlex.quote(str(raw / name))}"]
    split = [f'cp "$nnUNet_raw/{name}/splits_final.json" "$nnUNet_preprocessed/{name}/"'] if folds else []
    train = [f"nnUNetv2_train {number} 3d_fullres {fold}" for fold in range(folds or 5)]
    results = f"nnUNet_results/{name}/nnUNetTrainer__nnUNetPlans__3d_fullres"
    return [
        f"nnU-Net's raw data: {out}; in nnU-Net's environment, with 2d for 3d_fullres where slices are few and thick:",
        *move,
        f"export nnUNet_raw={shlex.quote(str(raw))} nnUNet_preprocessed=$PWD/nnUNet_preprocessed "
        "nnUNet_results=$PWD/nnUNet_results",
        f"nnUNetv2_plan_and_preprocess -d {number} -c 3d_fullres --verify_dataset_integrity",
        *split,
        *train,
        "as one more arm, below the others, in the study's file:",
        f"  nnU-Net: {{predictions: {results}}}",
        "or beside any folder of predictions, with the study's file as --labels:",
        "mrfusion compare --labels STUDY.yaml --reference nnU-Net --out compared "
        f"--arm nnU-Net={results} --arm ours=FOLDER",
    ]


def _splits(path: Path | None, cohort: Cohort) -> list[Split]:
    if path is None:
        return []
    # validation is carved out of nnU-Net's splits at random, and put back here
    return read_splits(path, cohort, {case.id: "" for case in cohort.cases})[0]
