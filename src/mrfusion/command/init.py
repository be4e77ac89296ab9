"""From a folder of images to the YAML file of a first study, with a picture of what was understood."""

from pathlib import Path

from mrfusion.command.display import one_bar, say
from mrfusion.data.read import recognised
from mrfusion.errors import OutputError, SpecError
from mrfusion.files import write_text
from mrfusion.inspection.look import inspect_cohort
from mrfusion.inspection.montage import write_montage
from mrfusion.inspection.opening import Opening, study_text, understood
from mrfusion.study.design import read_study


def write_first_study(folder: Path, out: Path, *, layout: str | None) -> None:
    """Write ``out`` and, beside it, a picture of some cases; what could not be known is said, and marked in the file.

    Nothing that is there is written over. OutputError where one of them exists, InputError where the folder cannot be
    understood.
    """
    picture = out.with_suffix(".png")
    for path in (out, picture):
        if path.exists() or path.is_symlink():
            raise OutputError(f"{path} is there already; give another --out, or move it away")
    opening = understood(folder, layout or _recognised(folder))
    text = study_text(opening)
    with one_bar("looking") as progress:
        found = inspect_cohort(opening.cohort, resample_to=opening.resample_to, incomplete=True, progress=progress)
    write_text(out, text)
    read_study(out)  # what was written is read as any file of a user's is
    write_montage(picture, found)
    _tell(opening)
    for case in found.faulty:
        say(f"{case.case}: {'; '.join(case.faults)}", style="red")
    say(f"study: {out}\npicture: {picture}")
    say(f"next: mrfusion inspect {out}, then mrfusion study {out} --out OUT --dry-run")


def _recognised(folder: Path) -> str | None:
    """The layout that the names tell, None where they tell none: then cases lie in folders of their own."""
    try:
        return recognised(folder)
    except SpecError:
        return None


def _tell(opening: Opening) -> None:
    cohort = opening.cohort
    patients = len({case.patient for case in cohort.cases})
    say(f"layout: {opening.source.layout}; {len(cohort.cases)} cases of {patients} patients")
    say(f"modalities: {', '.join(cohort.modalities)}")
    if opening.linked:
        say(f"links: followed, out of the folder too, as to {opening.linked.resolve()}; nothing is written there")
    for line in opening.unknown:
        say(f"to fill in: {line}")
