"""The command line: commands of studies and runs, and the program; each imports its room inside, so --help is quick."""

import atexit
import io
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from mrfusion.command.cli import Layout, Trust, Workers, app
from mrfusion.errors import InputError, MrFusionError, notes_to, of_the_system

Out = Annotated[Path, typer.Option(help="Folder for everything that is written.")]
Cache = Annotated[Path | None, typer.Option(help="Folder for prepared cases. Default: OUT/cache.")]


@app.command()
def study(
    spec: Annotated[Path, typer.Argument(help="YAML file of the study.")],
    out: Out,
    cache: Cache = None,
    data: Annotated[Path | None, typer.Option(help="Take the cases from here instead of the file's path.")] = None,
    splits: Annotated[Path | None, typer.Option(help="splits.json, or nnU-Net's splits_final.json.")] = None,
    executor: Annotated[str, typer.Option(help="Where runs are carried out: local, or as 'ray(gpus=0.5)'.")] = "local",
    address: Annotated[str | None, typer.Option(help="Of a cluster: auto, HOST:PORT or ray://HOST:PORT.")] = None,
    workers: Workers = None,
    until: Annotated[
        Literal["all", "decided"] | None,
        typer.Option(help="decided: stop an arm when it is decided; all: run every seed. Default: what SPEC says."),
    ] = None,
    most_seeds: Annotated[
        int | None, typer.Option(min=2, help="With --until decided: seeds of an arm at the most. Default: 5.")
    ] = None,
    join: Annotated[
        bool, typer.Option("--join", help="Share the runs with other processes that are at work in OUT.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run and for how long; write nothing.")
    ] = False,
) -> None:
    """Run arms x folds x seeds, the missing runs only, and write the report."""
    from mrfusion.command.study import executor_named, foretell, show_study
    from mrfusion.study.design import read_study

    runner = executor_named(executor, workers=workers, address=address)
    read = read_study(spec, data=data, splits=splits, until=until, most_seeds=most_seeds)
    if dry_run:
        foretell(read, runner, out=out, cache=cache)
    else:
        show_study(read, runner, out=out, cache=cache, join=join)


@app.command()
def run(
    spec: Annotated[Path, typer.Argument(help="YAML file of the run.")],
    out: Out,
    cache: Cache = None,
    data: Annotated[Path | None, typer.Option(help="Take the cases from here instead of the file's path.")] = None,
    splits: Annotated[Path | None, typer.Option(help="splits.json, or nnU-Net's splits_final.json.")] = None,
) -> None:
    """Train, predict and score one run: one arm, one fold, one seed."""
    from mrfusion.command.study import executor_named, show_study
    from mrfusion.study.design import read_single

    only = read_single(spec, data=data, splits=splits)
    show_study(only, executor_named("local", workers=1), out=out, cache=cache)


@app.command()
def predict(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run, OUT/runs/<digest>; or of a study (--arm).")],
    cases: Annotated[list[Path], typer.Argument(help="Folders of cases; labels are not needed.")],
    out: Out,
    arm: Annotated[str | None, typer.Option(help="The arm of a study whose folds and seeds predict together.")] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Average over all mirrors: 4 or 8 times the work.")] = False,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Write each region's map as well.")] = False,
    layout: Layout = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    trust: Trust = None,
) -> None:
    """Predict cases that were never in a cohort, in their own grid and label convention."""
    from mrfusion.command.predict import predict_cases, runs_in
    from mrfusion.finished_run.predict import Asked
    from mrfusion.part import read_part
    from mrfusion.spec import Machine

    machine = read_part(Machine, {"device": device}, "--device")
    asked = Asked(mirror=mirror, probabilities=probabilities)
    runs = runs_in(folder, arm, trust or ())
    predict_cases(runs, cases, out=out, asked=asked, layout=layout, machine=machine)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run, OUT/runs/<digest>; or of a study (--arm).")],
    out: Annotated[Path, typer.Argument(help="A new folder for the files.")],
    to: Annotated[str, typer.Option(help="onnx, torchscript or monai-bundle.")],
    arm: Annotated[str | None, typer.Option(help="The arm of a study whose folds and seeds answer together.")] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average over all mirrors, as predict --mirror does.")
    ] = False,
    values: Annotated[
        str | None, typer.Option(help="What label maps shall hold: brats2021, or '1=1,2=2,4=3'. Default: as inside.")
    ] = None,
    trust: Trust = None,
) -> None:
    """Write a trained network, and what comes before and after it, as files that need no mrfusion."""
    from mrfusion.command.export import export_folder

    export_folder(folder, out, to, arm=arm, mirror=mirror, values=values, trust=trust or [])


@app.command()
def adapt(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, OUT/runs/<digest>, whose plan has energies.")],
    data: Annotated[Path, typer.Argument(help="Folder or table of the new cases, with their labels.")],
    out: Out,
    layout: Layout = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: as many as the run was trained for.")] = None,
    add: Annotated[
        list[str] | None, typer.Option(help="A modality that the run never had: it gets an encoder. Several: repeat.")
    ] = None,
    folds: Annotated[int, typer.Option(min=1, help="Folds of the new patients; 1 is one hold-out.")] = 1,
    from_nothing: Annotated[
        bool, typer.Option("--from-nothing", help="Train from new weights too, for as many steps and for as long.")
    ] = False,
    trust: Trust = None,
) -> None:
    """Fine-tune a run's energies and last layer on other patients, modalities or regions; the rest stays as it is."""
    from mrfusion.command.adapt import adapt_run
    from mrfusion.command.study import executor_named
    from mrfusion.finished_run.adapt import Asked
    from mrfusion.finished_run.load import read_run

    asked = Asked(epochs=epochs, folds=folds, add=tuple(add or ()), from_nothing=from_nothing)
    adapt_run(read_run(run, trust or ()), data, executor_named("local", workers=1), asked, out=out, layout=layout)


@app.command()
def subsets(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, OUT/runs/<digest>.")],
    data: Annotated[Path | None, typer.Option(help="Where the run's cases are, if they have moved.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the scores. Default: subsets in the run's.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for prepared cases. Default: the study's.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    trust: Trust = None,
) -> None:
    """Score a run's test cases with every subset of its modalities, and say what each modality is worth."""
    from mrfusion.command.display import one_bar
    from mrfusion.command.subsets import show_subsets
    from mrfusion.finished_run.load import read_run
    from mrfusion.finished_run.subsets import data_of, is_done, write_subsets
    from mrfusion.part import read_part
    from mrfusion.run_folder.run import RunFolder
    from mrfusion.run_folder.study import StudyFolder
    from mrfusion.run_folder.subsets import SubsetFolder
    from mrfusion.spec import Machine

    machine = read_part(Machine, {"device": device}, "--device")
    place = SubsetFolder(out) if out else RunFolder(run).subsets
    if not is_done(place):
        finished = read_run(run, trust or ())
        with one_bar("subsets") as progress:
            place_of_cases = cache or StudyFolder(run.resolve().parents[1]).cache
            found = data_of(finished, data=data, cache=place_of_cases, progress=progress)
            write_subsets(finished, found, place, machine=machine, progress=progress)
    show_subsets(place)


@app.command()
def report(
    study: Annotated[Path, typer.Argument(help="Folder of a study.")],
    out: Annotated[Path | None, typer.Option(help="Default: report.html in the study's folder.")] = None,
    kind: Annotated[str, typer.Option("--format", help="html, or markdown or latex for the tables.")] = "html",
) -> None:
    """Rebuild the report of a study from its run folders; torch is not needed."""
    from mrfusion.command.study import show_report
    from mrfusion.report.export import write_tables
    from mrfusion.report.page import build_report
    from mrfusion.study.load import load_study

    found = load_study(study)
    show_report(found, build_report(found, out) if kind == "html" else write_tables(found, kind, out))


@app.command()
def combine(
    studies: Annotated[list[Path], typer.Argument(help="Folders of studies that compare the same two arms.")],
    arm: Annotated[str, typer.Option(help="The arm. Default: the only one that all of them compare.")] = "",
    metric: Annotated[str, typer.Option(help="Default: the first that ranks.")] = "",
    region: Annotated[str, typer.Option(help="Default: the mean over regions.")] = "",
    out: Annotated[Path, typer.Option(help="The page; .svg and .json stand beside it.")] = Path("combined.html"),
) -> None:
    """Several studies of the same two arms together: how likely one helps on each, and on the next data set."""
    from mrfusion.command.combine import show_combined
    from mrfusion.report.combined import Question, combine_studies, write_combined

    together = combine_studies(studies, Question(arm, metric, region))
    show_combined(together, write_combined(together, out))


def main() -> None:
    """The program: an error that mrfusion reports is one message and exit code 2, never a traceback."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not know every letter of a name
    signal.signal(signal.SIGTERM, _stop)
    try:
        _stand_somewhere()
        with notes_to(lambda text: typer.secho(f"note: {_plain(text)}", err=True)):
            app()
    except (MrFusionError, OSError) as error:
        said = of_the_system(error) if isinstance(error, OSError) else str(error)
        typer.secho(f"mrfusion: {_plain(said)}", err=True, fg=typer.colors.RED)
        sys.exit(2)
    finally:
        atexit.register(_be_deaf)


def _open_streams() -> None:
    """Let standard streams that were closed, as by ``>&-``, lead nowhere.

    Otherwise the next file or pipe takes the number of a closed stream, and a worker process that is started then
    closes it, or ends with a bad file descriptor.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))


def _stand_somewhere() -> None:
    """InputError where the folder that the program was started in is gone: PyTorch ends the process at its import."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise InputError(
            "the folder that this was started in is no longer there; go to one that is, as with: cd ~"
        ) from None


def _be_deaf() -> None:
    """What is left when the program ends takes no time, and would answer Ctrl-C by a traceback."""
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.SIG_IGN)


def _stop(*_: object) -> None:
    """Being asked to end is Ctrl-C: workers are ended too, and what is finished is kept."""
    raise KeyboardInterrupt


def _plain(text: str) -> str:
    """The text with control characters written out: what stands in a file must not command the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text)
