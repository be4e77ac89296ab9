"""Every choice misspelt, each of its options misspelt, of a wrong type and out of its range, or left out if needed."""

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from bad_images import data_set
from bad_models import finished_run
from bad_texts import STUDY, TABLE, study
from sandbox import Bad

from mrfusion import families
from mrfusion.command.explain import NEEDED, Option, explain

NEEDS = {
    "monai": ("name=BasicUNet",),
    "folder": ("modalities=[t1,t2]", "label=seg", "regions={whole:[1,2]}"),
    "brats": ("year=2023",),
    "wide": ("case=case", "columns='t1=WT dice'"),
    "fusion": ("detail=t2", "contrast=t1"),
}
SEVERAL = {"options", "weights"}  # stand for any number of arguments, whose names are free
NAMES = {"modalities"}  # of image fusions: any number of values without a name
BELOW_ZERO = {("fusion", "seed")}  # may be below 0
AT = {
    "augmentations": "augmentation",
    "backbones": "network",
    "balancers": "balancer",
    "schedules": "schedule",
    "tasks": "task",
}
LISTS = {"losses": "losses", "metrics": "metrics", "trackers": "tracking"}
PLANS = {"fusions": "separate[{}]", "image_fusions": "concat+{}"}
EXTRAS = {"ray", "mlflow", "tensorboard", "onnx"}
CLASSES = "case,t1,t2,label\n" + "".join(f"{n},{n}/t1.nii.gz,{n}/t2.nii.gz,{n in 'ab'}\n" for n in "abcd")


def _installed(family: str) -> list[str]:
    """The choices of a family, without one whose package is an extra that is not installed: it says just that."""
    return [name for name in families.names(family) if name not in EXTRAS or find_spec(name)]


def placed(family: str, choice: str) -> Callable[[Path], Sequence[object]]:
    """A command in which the choice stands where its family stands."""
    if family == "importers":
        return _with_data("compare", "in/participants.csv", "--importer", choice, "--reference", "a", "--out", "out")
    if family == "exports":
        return lambda work: (finished_run(work), ["export", "run", "out", "--to", choice])[1]
    if family == "image_metrics":
        return _with_data("evaluate-images", "in/a", "--source", "t1=in/a", "--out", "out", "--metrics", choice)
    if family == "class_metrics":
        return _of_classes(choice)
    content: dict[str, Any] = yaml.safe_load(STUDY)
    if family == "layouts":
        content["data"]["sources"] = [{"path": "in", "layout": choice}]
        return study(yaml.safe_dump(content), "--dry-run")
    if family == "executors":
        return lambda work: (*study(STUDY, "--dry-run")(work)[:4], "--executor", choice, "--dry-run")
    if family in PLANS:
        content["plan"] = PLANS[family].format(choice)
    elif family == "searches":
        content["arms"] = {"found": {"plan": "separate>mean", "search": choice}}
    else:
        if family in ("losses", "schedules"):
            content |= {"plan": "concat+lrrnet(t1,t2,n=2)", "losses": ["dice_ce", "fusion(detail=t2,contrast=t1)"]}
            content["arms"] = {"both": {}}
        content |= {AT[family]: choice} if family in AT else {LISTS[family]: ["dice_ce", choice][family != "losses" :]}
    return study(yaml.safe_dump(content), "--dry-run")


def _with_data(*words: str) -> Callable[[Path], Sequence[object]]:
    def make(work: Path) -> Sequence[object]:
        data_set(work)
        (work / "in" / "participants.csv").write_text(TABLE)
        return words

    return make


def _of_classes(metric: str) -> Callable[[Path], Sequence[object]]:
    """A study of four sound cases of two classes that is scored by this metric."""
    content = yaml.safe_load(STUDY) | {"task": "classification", "metrics": [metric]}
    content["data"] = {"sources": [{"path": "in", "layout": "table(modalities=[t1,t2])"}], "split": {"folds": 2}}

    def make(work: Path) -> Sequence[object]:
        words = study(yaml.safe_dump(content), "--dry-run")(work)
        data_set(work, "d", 3)
        (work / "in" / "participants.csv").write_text(CLASSES)
        return words

    return make


def of_a_wrong_type(kind: str) -> str:
    """A value that an option of this kind cannot have, as a file writes it."""
    if "text" not in kind and "path" not in kind:
        return "nonsense"
    return "{a:[{}]}" if "number" in kind else "7"


def _of_an_option(family: str, choice: str, option: Option, rest: Sequence[str]) -> Iterator[Bad]:
    def bad(what: str, *given: str) -> Bad:
        text = f"{choice}({','.join([*given, *rest])})"
        return Bad(f"{family}: {choice}, {option.name} {what}", placed(family, text), (option.name,))

    if option.name in NAMES and family == "image_fusions":
        yield Bad(f"{family}: {choice} of no modality", placed(family, f"{choice}(nonsense)"), ("nonsense",))
        return
    if option.name in SEVERAL and (choice, option.name) != ("fusion", "weights"):
        yield Bad(f"{family}: {choice}, an option of no such name", placed(family, f"{choice}(nonsense=1)"), ())
        return
    yield bad("misspelt", f"{option.name}z=1")
    yield bad("of a wrong type", f"{option.name}={of_a_wrong_type(option.kind)}")
    if "number" in option.kind and (choice, option.name) not in BELOW_ZERO:
        yield bad("out of range", f"{option.name}=-7")


def _bad() -> Iterator[Bad]:
    for family in families.families():
        stranger = "upgrad" if family == "losses" else "dice_ce"
        yield Bad(f"{family}: a choice of another family", placed(family, stranger), (stranger,))
        for choice in _installed(family):
            yield Bad(f"{family}: {choice} misspelt", placed(family, f"{choice}zz"), (f"{choice}zz",))
            needs, options = NEEDS.get(choice, ()), explain(family, choice).options
            if not options:
                yield Bad(f"{family}: {choice} with an option", placed(family, f"{choice}(nonsense=1)"), ("nonsense",))
            for option in options:
                rest = [given for given in needs if given.partition("=")[0] != option.name]
                yield from _of_an_option(family, choice, option, rest)
                if option.default == NEEDED:
                    text = f"{choice}({','.join(rest)})" if rest else choice
                    yield Bad(f"{family}: {choice} without {option.name}", placed(family, text), (option.name,))
    yield Bad("layouts: table, class of no column", placed("layouts", "table(modalities=[t1],classes=7)"), ("classes",))


BAD_CHOICES = list(_bad())
