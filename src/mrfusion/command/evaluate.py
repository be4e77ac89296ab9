"""Scoring what somebody else made: fused images against their sources."""

from collections.abc import Sequence
from pathlib import Path

from mrfusion.display import console, one_bar
from mrfusion.errors import SpecError, nearest
from mrfusion.image_scoring import score_images
from mrfusion.scoring import write_scores


def score_fused_images(fused: Path, named: Sequence[str], *, out: Path, convention: str, metrics: str | None) -> None:
    """Score a folder of fused images; ``named`` are NAME=FOLDER of the sources. SpecError for anything else."""
    pairs = [text.partition("=") for text in named]
    if not all(name and folder for name, _, folder in pairs):
        raise SpecError(f"--source: expected NAME=FOLDER, found {', '.join(named)}")
    if convention not in ("exact", "published"):
        raise SpecError(f"--convention: {convention!r} is not known; {nearest(convention, ('exact', 'published'))}")
    with one_bar("scoring") as progress:
        scores = score_images(
            fused,
            {name: Path(folder) for name, _, folder in pairs},
            metrics=metrics.split(",") if metrics else None,
            convention="published" if convention == "published" else "exact",
            progress=progress,
        )
    write_scores(out, scores)
    console.print(f"scores: {out}", markup=False, soft_wrap=True)
