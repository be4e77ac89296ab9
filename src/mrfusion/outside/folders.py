"""Folders of predictions as arms: several folders an arm are its folds or seeds, all are scored against one folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mrfusion.errors import SpecError
from mrfusion.importers._base import Imported
from mrfusion.progress import Progress
from mrfusion.result import TARGET_VOLUME, CaseScore
from mrfusion.scoring.folders import score_folders
from mrfusion.scoring.meaning import check_unseen
from mrfusion.scoring.pairing import Files
from mrfusion.scoring.question import Question

FOLDS, ALL = "fold_[0-9]*/validation", "fold_all/validation"  # of nnU-Net, below the folder of a trainer
WILD = frozenset("*?[")


def named_arms(texts: Sequence[str]) -> dict[str, list[Path]]:
    """``NAME=FOLDER``, ``NAME=FOLDER,FOLDER`` or ``NAME=PATTERN`` by name; SpecError for anything else.

    A folder that holds nnU-Net's ``fold_0/validation`` and so on stands for these.
    """
    found: dict[str, list[Path]] = {}
    for text in texts:
        name, equals, folders = text.partition("=")
        if not (name.strip() and equals and folders.strip()) or name.strip() in found:
            raise SpecError(f"--arm: expected different names as in 'nnU-Net=FOLDER', found {text!r}")
        found[name.strip()] = [path for part in folders.split(",") for path in _folders(part.strip())]
    return found


def score_arms(
    arms: Mapping[str, Sequence[Path]],
    labels: Path | Mapping[str, Files],
    asked: Question,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, list[list[Imported]]]:
    """Arm to the scores of each of its folders; a folder may hold some of the cases only.

    Raises CaseError, naming the case, as :func:`mrfusion.scoring.folders.score_folders` does.
    """
    return {
        name: [
            imported(score_folders(folder, labels, asked, workers=workers, selection=True, progress=progress))
            for folder in folders
        ]
        for name, folders in arms.items()
    }


def imported(scores: Sequence[CaseScore]) -> list[Imported]:
    """Scores of ours, with what the target's volume says of regions that the target lacks."""
    absent = {(s.case, s.region) for s in scores if s.metric == TARGET_VOLUME and s.value == 0}
    return [
        Imported(s.case, s.region, s.metric, s.value, s.status, in_target=(s.case, s.region) not in absent)
        for s in scores
    ]


def _folders(text: str) -> list[Path]:
    place = Path(text).expanduser()  # no shell does that behind NAME=
    if WILD & set(text):
        found = sorted(
            path
            for path in Path(place.anchor or ".").glob(str(place.relative_to(place.anchor or ".")))
            if path.is_dir()
        )
    else:
        found = sorted(place.glob(FOLDS)) or sorted(place.glob(ALL)) or [place]
    if not found or not all(path.is_dir() for path in found):
        raise SpecError(
            f"--arm: expected a folder of predictions at {text}, found {'no match' if not found else 'none'}"
        )
    for path in found:
        check_unseen(path)
    return found
