"""Looking at a data set: what is there, what is wrong with it, a montage."""

import json
from pathlib import Path
from statistics import median

from rich import box
from rich.markup import escape
from rich.table import Table

from mrfusion.case import Cohort
from mrfusion.command.cohort import cohort_at
from mrfusion.command.display import console, one_bar, say
from mrfusion.data.doubts import in_no_case
from mrfusion.files import write_json
from mrfusion.hardware import gpus
from mrfusion.inspection.look import Inspection, inspect_cohort
from mrfusion.inspection.montage import write_montage
from mrfusion.planning.fingerprint import fingerprint_of
from mrfusion.planning.presets import memory_of, preset_named
from mrfusion.planning.proposal import Wishes, propose
from mrfusion.study.planned import KEYS, Planning


def inspect_data(data: Path, *, layout: str | None, resample_to: str | None, out: Path | None) -> bool:
    """Show what is in a data set and what is wrong with it; False if anything is.

    ``data`` is a folder or table that ``layout`` reads (default: the one that fits it), or the YAML file of a run or
    study that says how.
    """
    given = cohort_at(data, layout, resample_to=resample_to, tolerant=True)
    with one_bar("inspecting") as progress:
        found = inspect_cohort(
            given.cohort, resample_to=given.resample_to, incomplete=given.incomplete, progress=progress
        )
    _show(found)
    if found.facts:
        _show_plan(found, given.cohort)
    labelled = [case for case in found.cases if case.label_voxels]
    for region in found.regions if labelled else ():
        if not any(case.label_voxels.get(region) for case in labelled):
            say(f"note: {in_no_case(region, len(labelled))}")
    for case in found.cases:
        for note in case.notes:
            say(f"{case.case}: note: {note}")
        for fault in case.faults:
            say(f"{case.case}: {fault}", style="red")
    if out is not None:
        write_montage(out / "montage.png", found)
        write_json(out / "inspection.json", found.as_json())
        say(f"montage: {out / 'montage.png'}")
    return not found.faulty


def _show_plan(found: Inspection, cohort: Cohort) -> None:
    """What ``auto`` would plan for all of these cases, in short."""
    preset, gpu = preset_named(Planning().like), bool(gpus())
    wishes = Wishes(frozenset(KEYS), preset, memory_of(preset, gpu=gpu), gpu=gpu)
    proposal = propose(fingerprint_of(found.facts, cohort), wishes)
    say("auto would plan (mrfusion plan says why):")
    for one in proposal.planned:
        say(f"  {one.key}: {one.value if isinstance(one.value, str) else json.dumps(one.value)}")
    for doubt in proposal.doubts:
        say(f"  {doubt}")


def _show(found: Inspection) -> None:
    """Counts and grids, then a histogram of the labels: how many cases have a region, and how large it is."""
    console.print(f"{len(found.cases)} cases of {found.patients} patients; modalities {', '.join(found.modalities)}")
    for grid, number in found.grids().items():
        say(f"  {number} cases: {grid}")
    for name, number in found.classes.items():
        say(f"  {number} cases of class {name}")
    table = Table("region", "cases", "volume in ml: median", "least", "most", "", box=box.SIMPLE_HEAD)
    for region in found.regions:
        sizes = [case.label_ml.get(region, 0.0) for case in found.cases if case.label_voxels]
        there = [size for size in sizes if size > 0]
        if sizes and not there:
            table.add_row(escape(region), f"0 of {len(sizes)}", "-", "-", "-", "")
        if there:
            bar = "█" * max(1, round(10 * len(there) / len(sizes)))  # fits 80 columns
            figures = (f"{value:.2f}" for value in (median(there), min(there), max(there)))
            table.add_row(escape(region), f"{len(there)} of {len(sizes)}", *figures, bar)
    if table.row_count or not found.classes:
        console.print(table if table.row_count else "no labelled voxel")
    if not found.regions and not found.classes:
        console.print("note: no case has a label map or a class, so only `mrfusion predict` can use these data")
    console.print(f"{len(found.faulty)} cases with faults")
