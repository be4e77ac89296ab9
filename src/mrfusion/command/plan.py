"""From a data set to the YAML file of a study whose network, samples and preparation are planned, with the reasons."""

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from mrfusion.command.display import StudyView, complaints, say
from mrfusion.command.study import executor_named
from mrfusion.data.read import recognised
from mrfusion.errors import OutputError, SpecError
from mrfusion.files import write_text
from mrfusion.inspection.opening import study_text, understood
from mrfusion.part import merge
from mrfusion.planning.values import changes_of
from mrfusion.run_folder.study import StudyFolder
from mrfusion.study.conduct import Decided, decide
from mrfusion.study.design import Study, read_study
from mrfusion.study.planned import Planning, divided, ungiven
from mrfusion.study.yaml_file import read_yaml

_GIGABYTES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:GB?)?\s*", re.IGNORECASE)


def write_plan(data: Path, out: Path, planning: Planning, *, layout: str | None, cache: Path | None) -> None:
    """Write ``out``: the study of ``data`` with every planned key written out, and the reason for each above it.

    ``data`` is the YAML file of a study, of which what is ``auto`` is planned, or where nothing is, what is not given;
    or a folder of cases, for which a first study is written. What ``planning`` sets goes before what the file says.
    Nothing that is there is written over.
    """
    if out.exists():
        raise OutputError(f"{out} is there already; give another --out, or move it away")
    with TemporaryDirectory() as work:
        file = data if data.suffix in (".yaml", ".yml") else _first_study(data, Path(work) / "study.yaml", layout)
        content = read_yaml(file)
        study = _asked(read_study(file), content, planning)
        with StudyView({"propose": "planning"}) as view:
            places = {"out": Path(work), "cache": cache or StudyFolder(Path(work)).cache}
            decided = decide(study, executor_named("local", workers=1), **places, watch=view.watch)
    write_text(out, _text(content, decided))
    read_study(out)  # what was written is read as any file of a user's is
    for sentence in decided.sentences:
        say(sentence)
    for doubt in decided.doubts:
        complaints.print(f"note: {doubt}", markup=False, highlight=False)
    say(f"study: {out}")


def gigabytes(text: str | None) -> float | None:
    """``10GB``, ``10 G`` or ``10`` as a number; SpecError for anything else."""
    if text is None:
        return None
    match = _GIGABYTES.fullmatch(text)
    if match is None:
        raise SpecError(f"--memory: expected gigabytes as in 10GB, found {text!r}")
    return float(match[1])


def _first_study(folder: Path, file: Path, layout: str | None) -> Path:
    write_text(file, study_text(understood(folder, layout or recognised(folder))))
    return file


def _asked(study: Study, content: Mapping[str, Any], given: Planning) -> Study:
    """The study with what is to be planned: what its file leaves to planning, or where that is nothing, leaves out."""
    planning = study.planning.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})
    left = study.auto or any(arm.auto for arm in study.arms)
    keys = study.auto if left else ungiven(content)
    keys = keys if planning.minutes is None or "budget.epochs" in keys else (*keys, "budget.epochs")
    return study.model_copy(update={"planning": planning, "auto": keys})


def _text(content: Mapping[str, Any], decided: Decided) -> str:
    """The file: reasons as comments, then the study as it was given with the planned values in it."""
    rest, _ = divided({key: value for key, value in content.items() if key not in ("arms", "planning")})
    whole = merge(rest, changes_of([one for arm, one in decided.planned if not arm]))
    whole |= {"arms": {arm.name: arm.changes for arm in decided.study.arms}} if "arms" in content else {}
    options: dict[str, Any] = {"width": 118, "break_long_words": False, "break_on_hyphens": False}
    lines = [textwrap.wrap(one, **options, initial_indent="# ", subsequent_indent="#   ") for one in decided.sentences]
    reasons = "\n".join(line for each in lines for line in each)
    study = yaml.safe_dump(whole, sort_keys=False, width=110, default_flow_style=None)
    return f"# Planned from the data, and why:\n{reasons}\n{study}"
