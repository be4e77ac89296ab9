"""The commands that look at data, scores and choices; each imports its room inside it, so that --help stays quick."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mrfusion import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Whether, where and how to fuse the modalities of an MRI data set, answered with evidence.",
)
Layout = Annotated[str | None, typer.Option(help="How the data lie on disk, e.g. 'brats(year=2021)'.")]
ResampleTo = Annotated[str | None, typer.Option(help="A modality whose grid the others of a case are brought to.")]
Trust = Annotated[list[str] | None, typer.Option(help="A package whose code the run may name; repeatable.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes side by side. Default: one a GPU, or a core.")]


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mrfusion {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """What stands before a command."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of cases.")],
    out: Annotated[Path, typer.Option(help="The YAML file to write.")] = Path("study.yaml"),
    layout: Layout = None,
) -> None:
    """Look at a folder and write the YAML file of a first study, with what only you can say marked in it."""
    from mrfusion.command.init import write_first_study

    write_first_study(folder, out, layout=layout)


@app.command()
def plan(
    data: Annotated[Path, typer.Argument(help="Folder or table of cases, or the YAML file of a study.")],
    out: Annotated[Path, typer.Option(help="The YAML file to write.")] = Path("study.yaml"),
    layout: Layout = None,
    memory: Annotated[str | None, typer.Option(help="GPU memory of a training, as in 10GB.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Minutes of a training; plans its epochs too.")] = None,
    like: Annotated[
        str | None, typer.Option(help="residual (ours, the default), or nnunet, resenc-m or resenc-l.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for prepared cases. Default: none kept.")] = None,
) -> None:
    """Plan network, samples and preparation from the data, and write the study with the reason for each choice."""
    from mrfusion.command.plan import gigabytes, write_plan
    from mrfusion.part import read_part
    from mrfusion.study.planned import Planning

    wishes = {"like": like, "memory_gb": gigabytes(memory), "minutes": minutes}
    given = {name: wish for name, wish in wishes.items() if wish is not None}
    write_plan(data, out, read_part(Planning, given, "plan"), layout=layout, cache=cache)


@app.command()
def inspect(
    data: Annotated[Path, typer.Argument(help="Folder or table of cases, or the YAML file of a run or study.")],
    layout: Layout = None,
    resample_to: ResampleTo = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for montage.png and inspection.json, or energies.csv.")
    ] = None,
    energy: Annotated[
        Path | None, typer.Option(help="A finished run whose energies judge whether each case's modalities fit.")
    ] = None,
    trust: Trust = None,
) -> None:
    """Say what is in a data set and what is wrong with it; exit code 2 if anything is."""
    from mrfusion.command.inspect import inspect_data

    if energy is not None:
        from mrfusion.command.quality import check_quality
        from mrfusion.finished_run.load import read_run

        if not check_quality(read_run(energy, trust or ()), data, layout=layout, out=out):
            raise typer.Exit(2)
        return
    if not inspect_data(data, layout=layout, resample_to=resample_to, out=out):
        raise typer.Exit(2)


@app.command()
def convert(
    data: Annotated[Path, typer.Argument(help="Folder or table of cases, or the YAML file of a run or study.")],
    out: Annotated[Path, typer.Option(help="A new folder.")],
    to: Annotated[str, typer.Option(help="nnunet (raw data, copied) or datalist (MONAI's, files in place).")],
    layout: Layout = None,
    resample_to: ResampleTo = None,
    splits: Annotated[Path | None, typer.Option(help="splits.json of a study, to be written along.")] = None,
) -> None:
    """Write a data set as nnU-Net or MONAI reads it, with the same splits."""
    from mrfusion.command.convert import convert_data

    convert_data(data, to, out=out, layout=layout, resample_to=resample_to, splits=splits)


@app.command()
def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder of predictions: label maps, or a mask per region.")],
    labels: Annotated[Path, typer.Argument(help="Folder of labels, a data set (with --layout), or a study's YAML.")],
    out: Annotated[Path, typer.Option(help="CSV file for the scores; the summary lies beside it as JSON.")],
    layout: Layout = None,
    rules: Annotated[str, typer.Option(help="plain, paper, brats2023-GLI, brats2026-GLI, ...")] = "plain",
    regions: Annotated[str | None, typer.Option(help="As in 'WT=1+2+3,TC=1+3,ET=3'. Default: the rules'.")] = None,
    metrics: Annotated[str | None, typer.Option(help="As in 'dice,nsd(tolerance_mm=2)'. Default: all.")] = None,
    values: Annotated[str | None, typer.Option(help="What stands in the files: brats2021, or '1=1,2=2,4=3'.")] = None,
    variant: Annotated[str, typer.Option(help="Definition of hd95: surfel, voxel or pooled.")] = "surfel",
    selection: Annotated[
        bool, typer.Option("--selection", help="Score the predictions there are, not all labels.")
    ] = False,
    form: Annotated[
        str, typer.Option("--format", help="tidy, or brats2026 for the challenge's tables as well.")
    ] = "tidy",
    workers: Workers = None,
) -> None:
    """Score predictions against labels; no training is needed."""
    from mrfusion.command.evaluate import evaluate_folder
    from mrfusion.command.labels import labels_at
    from mrfusion.scoring.question import question

    asked = question(rules, regions=regions, metrics=metrics, values=values, variant=variant)
    truth, asked = labels_at(labels, layout, asked, named=bool(regions or asked.rule.regions))
    evaluate_folder(predictions, truth, asked, out=out, workers=workers, selection=selection, form=form)


@app.command()
def compare(
    reference: Annotated[str, typer.Option(help="The arm that all others are compared with.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html, .json, .md, .tex and scores.csv.")],
    tables: Annotated[list[str] | None, typer.Argument(help="Tables of scores: FILE, or ARM=FILE.")] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="NAME=FOLDER of predictions; folds or seeds: FOLDER,FOLDER.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Labels of the predictions, as for evaluate.")] = None,
    images: Annotated[Path | None, typer.Option(help="Images of the cases, for overlays and the viewer.")] = None,
    layout: Layout = None,
    rules: Annotated[str, typer.Option(help="plain, paper, brats2023-GLI, brats2026-GLI, ...")] = "plain",
    regions: Annotated[str | None, typer.Option(help="As in 'WT=1+2+3,TC=1+3,ET=3'. Default: the rules'.")] = None,
    metrics: Annotated[str | None, typer.Option(help="Of predictions; default: the rules', or dice and hd95.")] = None,
    values: Annotated[str | None, typer.Option(help="What stands in the files: brats2021, or '1=1,2=2,4=3'.")] = None,
    patients: Annotated[str | None, typer.Option(help="Table of case and patient, or a pattern with a group.")] = None,
    margin: Annotated[list[str] | None, typer.Option(help="What counts as no difference, as in 'dice=0.01'.")] = None,
    importer: Annotated[str | None, typer.Option(help="What wrote the tables; default: told by their content.")] = None,
    workers: Workers = None,
) -> None:
    """Judge results that were made elsewhere, tables of scores or folders of predictions; torch is not needed."""
    from mrfusion.command.compare import Given, compare_results
    from mrfusion.command.labels import images_at, labels_at
    from mrfusion.scoring.question import few_metrics, question

    asked = question(rules, regions=regions, metrics=metrics or few_metrics(rules), values=values)
    truth: Any = labels
    if labels is not None:
        truth, asked = labels_at(labels, layout, asked, named=bool(regions or asked.rule.regions))
    shown = images_at(images, layout if images == labels else None) if images is not None else None
    given = Given(tables or (), arm or (), truth, shown, importer, patients, workers)
    compare_results(given, asked, reference, margins=margin or (), out=out)


@app.command()
def evaluate_images(
    fused: Annotated[Path, typer.Argument(help="Folder of fused images.")],
    source: Annotated[list[str], typer.Option(help="NAME=FOLDER of source images, once for each source.")],
    out: Annotated[Path, typer.Option(help="CSV file for the scores; the summary lies beside it as JSON.")],
    convention: Annotated[str, typer.Option(help="exact, or published as in the papers' tables.")] = "exact",
    metrics: Annotated[str | None, typer.Option(help="Comma-separated; default: all of image_metrics.")] = None,
) -> None:
    """Score fused images against their sources."""
    from mrfusion.command.evaluate import score_fused_images

    score_fused_images(fused, source, out=out, convention=convention, metrics=metrics)


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write the cases to.")],
    cases: Annotated[int, typer.Option(min=1)] = 60,
    spacing: Annotated[float, typer.Option(help="Grid spacing in mm.")] = 2.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    control: Annotated[
        str, typer.Option(help="complementary, redundant, noise or xor; boxes alone: 'xor(box_mm=64)'.")
    ] = "complementary",
    workers: Workers = None,
) -> None:
    """Write a cohort of synthetic brain tumour MRI, BraTS 2023 names, whose right answer is known."""
    from mrfusion.command.display import one_bar, say
    from mrfusion.hardware import cores
    from mrfusion.phantom.cohort import write_cohort

    options: dict[str, Any] = {"cases": cases, "spacing_mm": spacing, "seed": seed, "control": control}
    with one_bar("phantom") as progress:
        write_cohort(out, **options, workers=workers or cores(), progress=progress)
    say(f"{cases} cases of the {control} phantom: {out}")


@app.command("list")
def list_choices(
    family: Annotated[str | None, typer.Argument(help="A family, or a choice. Default: all families.")] = None,
    choice: Annotated[str | None, typer.Argument(help="A choice of the family, to be explained.")] = None,
) -> None:
    """List every choice that a specification can name; with a choice, explain it and its options."""
    from mrfusion import families
    from mrfusion.command.explain import as_text, explain, families_of
    from mrfusion.errors import SpecError, nearest

    known = families.families()
    if family is not None and choice is not None:
        typer.echo(as_text(explain(family, choice)))
    elif family is not None and family not in known:
        homes = families_of(family)
        if not homes:
            every = [*known, *(name for home in known for name in families.names(home))]
            raise SpecError(f"no family and no choice is called {family!r}; {nearest(family, every)}")
        typer.echo("\n\n".join(as_text(explain(home, family)) for home in homes))
    else:
        for name, choices in families.list_choices(family).items():
            typer.secho(name, bold=True)
            for each, summary in choices.items():
                typer.echo(f"  {each:20s} {summary}")
        typer.echo("\n'mrfusion list FAMILY CHOICE' explains a choice and its options.")
