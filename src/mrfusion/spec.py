"""Specifications: everything that decides a run, read from YAML, checked at the door, named by its digest."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from mrfusion import families
from mrfusion.errors import SpecError, nearest
from mrfusion.files import write_text
from mrfusion.part import Part, merge, read_part
from mrfusion.plan import FusionPlan, Plan
from mrfusion.rules import rule_named


class Source(Part):
    """A folder on disk and how it lies there: a layout's text, with its options beside it."""

    path: Path = Field(description="the folder, or the layout's file")
    layout: str = Field(description="how it lies there, as in brats(year=2023)")
    options: dict[str, Any] = Field({}, description="options of the layout that its text does not hold")
    prefix: str = Field("", description="stands before the names of its cases and patients, where sources share names")
    follow_links: bool = Field(False, description="read also what links inside the folder lead to outside of it")


NUMBERS = 5  # to be raised whenever the same specification gives other numbers: old runs are then made again
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Millimetres = Positive | None


class Scale(Part):
    """How the numbers of a modality are brought to one scale in all cases."""

    low: Finite = Field(description="numbers below it become it")
    high: Finite = Field(description="numbers above it become it")
    mean: Finite = Field(description="is subtracted")
    sd: Positive = Field(description="divides what is left")


class Preparation(Part):
    """What is done to a case once, before any training."""

    resample_to: str | None = Field(None, description="a modality whose grid the others of a case are brought to")
    spacing_mm: tuple[Millimetres, Millimetres, Millimetres] | None = Field(
        None, description="resample every case: twice in the plane of its slices, then between them; null: as it is"
    )
    crop: bool = Field(True, description="crop to the box of non-zero voxels of the modalities that are read")
    interpolation: Literal["linear", "cubic"] = Field(
        "linear", description="of resampled images; cubic takes the nearest slice where slices lie far apart"
    )
    zscore: Literal["nonzero", "box"] = Field(
        "nonzero", description="voxels that z-scores are of: those that are not 0, or all of the box around them"
    )
    intensities: dict[str, Scale] = Field(
        {}, description="modalities whose numbers mean something by themselves, as CT's; all others get z-scores"
    )


class SplitRule(Part):
    """How patients are divided: k folds, or one hold-out where ``folds`` is 1; or a file that says so."""

    folds: int = Field(5, ge=1, le=10_000, description="each tests on its own patients; 1: one hold-out")
    val_share: float = Field(0.2, gt=0, lt=1, description="share of the patients outside the test fold")
    test_share: float = Field(0.2, gt=0, lt=1, description="share of all patients; only where folds is 1")
    seed: int = Field(0, ge=0, lt=2**32, description="of the division")
    file: Path | None = Field(None, description="splits.json of ours or nnU-Net's splits_final.json")


class Data(Part):
    """Where the cases are and what becomes of them before a batch is made.

    ``fingerprint`` is of the cohort's ids, files and sizes, and of the split; a study fills it in, and a run refuses
    data that no longer match it. Paths are not part of a run's digest, so a folder may move.
    """

    not_in_a_file: ClassVar[frozenset[str]] = frozenset({"fingerprint"})
    sources: tuple[Source, ...] = Field(min_length=1)
    modalities: tuple[str, ...] = Field((), description="take these, absent ones too; default: those of the layout")
    preparation: Preparation = Preparation()
    split: SplitRule = SplitRule()
    fingerprint: str = Field("", description="of the files that a run was planned for; a study fills it in")


class Sampling(Part):
    """What one training sample is."""

    dimensions: Literal[2, 3] = Field(2, description="of a sample: slices or volumes")
    size: tuple[int, ...] | None = Field(None, description="grid points of a sample; default: whole slices, 96^3")
    slices: tuple[float, float] | None = Field(None, description="only slices in this range of shares of the depth")
    per_case: int = Field(10, ge=1, le=100_000, description="samples of each case in an epoch")
    foreground: float = Field(0.7, ge=0, le=1, description="share of the samples that hold a labelled voxel")
    centred: bool = Field(False, description="in their middle, as nnU-Net's third of the samples (foreground 0.33)")

    @field_validator("size")
    @classmethod
    def _positive(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and (len(value) not in (2, 3) or min(value[-2:]) < 8 or min(value) < 2):
            raise ValueError("expected 2 or 3 numbers of at least 8; of slices, the first of 3 numbers, at least 2")
        return value


class Budget(Part):
    """How long and with what a network is trained; the same in all arms of a fair study."""

    epochs: int = Field(50, ge=1, le=1_000_000, description="passes of per_case samples of each training case")
    batch_size: int = Field(4, ge=1, le=100_000, description="samples of a step, those of all processes together")
    optimiser: Literal["adamw", "adam", "sgd"] = Field("adamw", description="sgd has Nesterov momentum 0.99")
    learning_rate: float = Field(1e-3, gt=0, description="in the first epoch")
    weight_decay: float = Field(1e-4, ge=0, description="norms and biases are not decayed")
    decay: Literal["constant", "cosine", "poly"] = Field(
        "cosine", description="of the learning rate, to the last epoch"
    )
    patience: int | None = Field(None, ge=1, le=1_000_000, description="epochs without a better score that end it")
    clip_norm: float | None = Field(12.0, gt=0, description="longer gradients are shortened to it; null: none are")
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        "auto",
        description="auto: bf16-mixed on a GPU that has it, 16-mixed on another, else 32-true; energies stay in single",
    )


class Machine(Part):
    """Where a run happens; decides speed, not numbers beyond rounding, and is not in the digest."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="auto is a GPU where there is one")
    devices: int = Field(1, ge=1, le=1024, description="processes of one run, each with its share of a batch")
    threads: int | None = Field(None, ge=1, le=4096, description="of the CPU; default: the cores it is given")
    compile: bool = Field(False, description="torch.compile of the network")


class Origin(Part):
    """Finished runs of the same study whose weights a run begins with."""

    parents: tuple[str, ...] = Field(min_length=1, description="their digests: one, or one for each of plan's members")
    keep: bool = Field(False, description="take the weights as they are; nothing is trained")
    new_head: bool = Field(False, description="the head, of other regions or classes, begins anew")
    rival: str | None = Field(None, description="digest of a run to race against: ended early when it gains far less")
    grace: int = Field(2, ge=1, le=1_000_000, description="epochs before a race may end a run")


class Predictions(Part):
    """Predictions that another program made: one folder, one for each fold, or that of a trainer of nnU-Net's."""

    folders: tuple[str, ...] = Field(min_length=1, description="one, or one for each fold")
    fingerprint: str = Field("", description="of the files that a run was planned for; a study fills it in")


class RunSpec(Part):
    """Everything that decides a run.

    ``absence`` trains for missing modalities: ``uniform`` draws every training sample one of the 2^M - 1 non-empty
    sets of modalities, ``{t1c: 0.3}`` leaves out each modality with its own rate (drawn again where none is left).
    Validation samples lack what was drawn for them once; test cases keep all their files.
    """

    not_in_a_file: ClassVar[frozenset[str]] = frozenset({"origin"})  # for searches and adapt
    data: Data
    predictions: Predictions | None = Field(
        None, description="of an arm: a folder of predictions made elsewhere, in place of a training"
    )
    task: str = Field("segmentation", description="what is predicted: segmentation, classification, or a task of yours")
    plan: Plan = Field(FusionPlan(), description="how modalities meet, as in separate[mean,mmtm]>mean")
    members: tuple[Plan, ...] = Field((), description="plans of the networks whose probabilities are averaged")
    origin: Origin | None = None
    network: str = Field("residual", description="the backbone, the same in all arms of a fair study; auto plans it")
    head: Literal["regions", "labels"] = Field("regions", description="overlapping regions or exclusive labels")
    sampling: Sampling = Sampling()
    absence: str | dict[str, float] = Field("none", description="none, uniform, or the rate of each modality")
    augmentation: str = Field("light", description="how training samples are changed at random, as in strong")
    schedule: str = Field("end_to_end", description="phases of a training, and what is trained in each")
    losses: tuple[str, ...] = Field(
        default=(), description="what is made small; default: dice_ce, or cross_entropy for classes"
    )
    balancer: str = Field("static", description="how several losses become one")
    budget: Budget = Budget()
    metrics: tuple[str, ...] = Field(
        (), description="what is scored, first what decides; default: dice and volumes, or all of classes"
    )
    mirror: bool = Field(False, description="average a case's predictions over all its mirrors; training must mirror")
    rules: str = Field("plain", description="what empty masks, missed and false lesions count")
    fold: int = Field(0, ge=0, lt=10_000, description="of a single run; a study has folds")
    seed: int = Field(0, ge=0, lt=2**32, description="of a single run; a study has seeds")
    score_on: Literal["val", "test"] = Field("test", description="the cases that are scored; searches ask for val")
    machine: Machine = Machine()
    tracking: tuple[str, ...] = Field((), description="programs that show a training while it goes; default: none")

    @field_validator("augmentation", mode="before")
    @classmethod
    def _mapping(cls, value: Any) -> Any:
        """A mapping, as version 0.1.0 wrote it, holds the options of ``light``."""
        return str(families.Call("light", (), tuple(value.items()))) if isinstance(value, Mapping) else value

    @field_validator("tracking", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("absence", mode="before")
    @classmethod
    def _rates(cls, value: Any) -> Any:
        """A rate of 0 says nothing, so that one absence has one form."""
        if value in ("none", "uniform"):
            return value
        rates: Mapping[Any, Any] = value if isinstance(value, Mapping) else {"": None}
        if not all(type(rate) in (int, float) and 0 <= rate < 1 for rate in rates.values()):
            raise ValueError("expected none, uniform, or rates from 0 to below 1 as in {t1c: 0.3}")
        return {str(name): float(rate) for name, rate in rates.items() if rate} or "none"

    def absence_of(self, modality: str) -> float:
        """How often a training sample lacks a modality, before one that would lack all is drawn again."""
        if isinstance(self.absence, str):
            return 0.5 if self.absence == "uniform" else 0.0
        return self.absence.get(modality, 0.0)

    @field_validator("task")
    @classmethod
    def _known_task(cls, value: str) -> str:
        if ":" not in value and value not in (known := families.names("tasks")):
            raise ValueError(f"no task is called {value!r}; {nearest(value, known)}")
        return value

    @property
    def chosen_task(self) -> Any:
        """The run's task, a choice of the family ``tasks``; SpecError for an unknown one."""
        return families.load("tasks", self.task)()

    @property
    def loss_texts(self) -> tuple[str, ...]:
        """The losses, or the task's usual one."""
        return tuple(self.losses or self.chosen_task.losses)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """What the losses are called in histories and by balancers: their choices' names."""
        return tuple(families.parse(text).name for text in self.loss_texts)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that name the run's folder: of all that can change its numbers."""
        moves: dict[str, Any] = {"data": {"sources": True}, "predictions": {"folders": True}}
        content = self.model_dump(mode="json", exclude={**moves, "machine": True, "tracking": True})
        content["numbers"] = NUMBERS
        sources = (s.model_dump(mode="json", exclude={"path", "follow_links"}) for s in self.data.sources)
        content["data"]["sources"] = [_without(source, {"prefix": ""}) for source in sources]
        content["data"]["split"].pop("file")
        unsaid: dict[str, Any] = {"members": [], "origin": None, "absence": "none", "mirror": False}
        unsaid |= {"predictions": None}
        content = _without(content, unsaid) | {"data": _without(content["data"], {"modalities": []})}
        content["data"]["preparation"] = without_unsaid(self.data.preparation)
        content["sampling"] = _without(content["sampling"], {"centred": False})
        if "origin" in content:
            content["origin"] = _without(content["origin"], {"new_head": False})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def changed(self, changes: Mapping[str, Any]) -> "RunSpec":
        """This spec with some keys changed, parts merged key by key; SpecError for a key that does not exist."""
        return read_part(RunSpec, merge(self.model_dump(mode="json"), changes), "changes")


def without_unsaid(preparation: Preparation) -> dict[str, Any]:
    """A preparation as JSON, without what later versions added where it says nothing: cases stay prepared."""
    return _without(
        preparation.model_dump(mode="json"), {"interpolation": "linear", "zscore": "nonzero", "intensities": {}}
    )


def _without(content: Mapping[str, Any], unsaid: Mapping[str, Any]) -> dict[str, Any]:
    """The content without what later versions added, where it says nothing: digests stay what they were."""
    return {key: value for key, value in content.items() if key not in unsaid or value != unsaid[key]}


def write_spec(path: Path, spec: RunSpec) -> None:
    """Write a specification, whole or not at all, with its keys in their order: that of regions is that of channels."""
    write_text(path, json.dumps(spec.model_dump(mode="json"), indent=1) + "\n")


def check_choices(spec: RunSpec) -> None:
    """SpecError unless every choice that the spec names exists; nothing heavy is imported."""
    chosen = {"schedules": (spec.schedule,), "losses": spec.losses, "balancers": (spec.balancer,)}
    chosen |= {spec.chosen_task.metrics: spec.metrics, "augmentations": (spec.augmentation,)}
    chosen |= {"backbones": (spec.network,), "layouts": tuple(s.layout for s in spec.data.sources)}
    chosen |= {"trackers": spec.tracking}
    for family, texts in chosen.items():
        for text in texts:
            name = families.parse(text).name
            if ":" not in name and name not in families.names(family):
                raise SpecError(f"no {family} choice is called {name!r}; {nearest(name, families.names(family))}")
    rule_named(spec.rules)
    for plan in (spec.plan, *spec.members):
        _check_absence(plan, spec.absence != "none")


def _check_absence(plan: FusionPlan, drawn: bool) -> None:
    if drawn and families.parse(plan.input).name == "only":
        raise SpecError(f"plan {str(plan)!r} reads one modality, which cannot be absent; write absence: none for it")
    if plan.fill == "learned" and not drawn:
        raise SpecError(f"plan {str(plan)!r} learns its fill from absent modalities; write absence: uniform beside it")
