"""Taking finished runs away in a form that other programs read."""

from pathlib import Path

from mrfusion.command.display import say
from mrfusion.command.predict import runs_in
from mrfusion.finished_run.export import export_runs
from mrfusion.scoring.question import values_named


def export_folder(
    folder: Path, out: Path, form: str, *, arm: str | None, mirror: bool, values: str | None, trust: list[str]
) -> None:
    """Write the run, or the runs of an arm, and say what is there and how a case is predicted with it."""
    runs = runs_in(folder, arm, trust)
    export_runs(runs, out, form, mirror=mirror, values=values_named(values))
    say(f"{len(runs)} network{'s' if len(runs) > 1 else ''}, checked against what was trained: {out}")
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        say(f"  {path.relative_to(out)}")
    say("fill in the model card, README.md, where it says TO FILL IN")
