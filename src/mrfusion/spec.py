"""Specifications: everything that decides a run, read from YAML, checked at the door, named by its digest."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from mrfusion import families
from mrfusion.errors import nearest
from mrfusion.part import Finite, Part, Positive, Share, merge, read_part
from mrfusion.plan import FusionPlan, Plan


class Source(Part):
    """A folder on disk and how it lies there: a layout's text, with its options beside it."""

    path: Path = Field(description="the folder that holds the cases, or the table that lists them")
    layout: str = Field(description="how the files lie in it, as in brats(year=2023)")
    options: dict[str, Any] = Field({}, description="further options of the layout")
    prefix: str = Field("", description="put before the names of cases and patients, where sources share names")
    follow_links: bool = Field(False, description="read also what links inside the folder lead to outside of it")


NUMBERS = 6  # to be raised whenever the same specification gives other numbers: old runs are then made again
UNSAID: Mapping[str, Any] = {"members": [], "origin": None, "absence": "none", "mirror": False, "predictions": None}
Millimetres = Annotated[float, Field(ge=1e-4, le=1e4, allow_inf_nan=False)] | None


class Scale(Part):
    """How the numbers of a modality are brought to one scale in all cases."""

    low: Finite = Field(description="smaller numbers are set to this")
    high: Finite = Field(description="larger numbers are set to this")
    mean: Finite = Field(description="this is subtracted from every number")
    sd: Positive = Field(description="every number is then divided by this")


class Preparation(Part):
    """What is done to a case once, before any training."""

    resample_to: str | None = Field(None, description="resample the other modalities of a case to the grid of this one")
    spacing_mm: tuple[Millimetres, Millimetres, Millimetres] | None = Field(
        None, description="grid spacing in mm: twice within a slice, then between slices; null keeps that of the file"
    )
    crop: bool = Field(True, description="crop each case to the box that holds all its non-zero voxels")
    interpolation: Literal["linear", "cubic"] = Field(
        "linear",
        description="how images are resampled; with cubic, the nearest slice is taken where slices lie far apart",
    )
    zscore: Literal["nonzero", "box"] = Field(
        "nonzero", description="voxels that z-scores are of: those that are not 0, or all of the box around them"
    )
    intensities: dict[str, Scale] = Field(
        {}, description="modalities with a fixed scale, such as CT; all others are normalised to z-scores"
    )


class SplitRule(Part):
    """How patients are divided: k folds, or one hold-out where ``folds`` is 1; or a file that says so."""

    folds: int = Field(5, ge=1, le=10_000, description="number of folds; 1 means a single hold-out")
    val_share: float = Field(0.2, gt=0, lt=1, description="share of the remaining patients that validate")
    test_share: float = Field(0.2, gt=0, lt=1, description="share of the patients that test, where folds is 1")
    seed: int = Field(0, ge=0, lt=2**32, description="random seed of the division into folds")
    file: Path | None = Field(None, description="file with folds: our splits.json, nnU-Net's, or a datalist's")


class Data(Part):
    """Where the cases are and what becomes of them before a batch is made.

    ``fingerprint`` is of the cohort's ids, files and sizes, and of the split; a study fills it in, and a run refuses
    data that no longer match it. Paths are not part of a run's digest, so a folder may move.
    """

    not_in_a_file: ClassVar[frozenset[str]] = frozenset({"fingerprint"})
    sources: tuple[Source, ...] = Field(min_length=1)
    modalities: tuple[str, ...] = Field((), description="modalities to use; default: those of the layout")
    preparation: Preparation = Preparation()
    split: SplitRule = SplitRule()
    fingerprint: str = Field("", description="identifies the data of a run; a study fills it in")


class Sampling(Part):
    """What one training sample is."""

    dimensions: Literal[2, 3] = Field(2, description="2 trains on slices, 3 on volumes")
    size: tuple[int, ...] | None = Field(
        None, description="grid points of a training sample; default: whole slices, or 96 x 96 x 96"
    )
    slices: tuple[Share, Share] | None = Field(
        None, description="use only slices from here to there, as shares of the depth, as in [0.4, 0.6]"
    )
    score: Literal["slab", "whole"] = Field("slab", description="predict and score these slices alone, or whole cases")
    per_case: int = Field(10, ge=1, le=100_000, description="training samples of each case in an epoch")
    foreground: float = Field(0.7, ge=0, le=1, description="share of the samples that must contain a labelled voxel")
    centred: bool = Field(False, description="put that voxel in the middle of the sample, as nnU-Net does")

    @property
    def scored_slices(self) -> tuple[float, float] | None:
        """The slices that are predicted and scored, as shares of the depth; None: all."""
        return self.slices if self.score == "slab" else None

    @field_validator("size")
    @classmethod
    def _positive(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and (len(value) not in (2, 3) or min(value[-2:]) < 8 or min(value) < 2):
            raise ValueError("expected 2 or 3 numbers of at least 8; of slices, the first of 3 numbers, at least 2")
        if value is not None and math.prod(value) > 2**27:  # 512 MiB for each modality
            raise ValueError(f"expected at most 2^27 grid points, which no image has more of, found {math.prod(value)}")
        return value


class Budget(Part):
    """How long and with what a network is trained; the same in all arms of a fair study."""

    epochs: int = Field(
        50, ge=1, le=1_000_000, description="number of epochs; in each, every training case gives per_case samples"
    )
    batch_size: int = Field(
        4, ge=1, le=100_000, description="samples in one training step, over all processes together"
    )
    optimiser: Literal["adamw", "adam", "sgd"] = Field("adamw", description="sgd uses Nesterov momentum of 0.99")
    learning_rate: Positive = Field(1e-3, description="learning rate of the first epoch")
    weight_decay: Finite = Field(1e-4, ge=0, description="weight decay; not applied to norms and biases")
    decay: Literal["constant", "cosine", "poly"] = Field(
        "cosine", description="how the learning rate falls until the last epoch"
    )
    patience: int | None = Field(
        None, ge=1, le=1_000_000, description="stop after this many epochs without a better score"
    )
    clip_norm: Positive | None = Field(12.0, description="maximum gradient norm; null switches clipping off")
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        "auto",
        description="number format; auto is bf16-mixed on a GPU that has it, 16-mixed on another GPU, else 32-true",
    )


class Machine(Part):
    """Where a run happens; decides speed, not numbers beyond rounding, and is not in the digest."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="auto takes a GPU if there is one")
    devices: int = Field(1, ge=1, le=1024, description="number of devices that share each batch of one run")
    threads: int | None = Field(None, ge=1, le=4096, description="of the CPU; default: the cores it is given")
    compile: bool = Field(False, description="compile the network with torch.compile")


class Origin(Part):
    """Finished runs of the same study whose weights a run begins with."""

    parents: tuple[str, ...] = Field(
        min_length=1, description="digests of the finished runs: one, or one for each member of an ensemble"
    )
    keep: bool = Field(False, description="use the weights unchanged, without any training")
    new_head: bool = Field(False, description="start the last layer from new weights, for other regions or classes")
    rival: str | None = Field(
        None, description="digest of another run; this run is stopped early if it improves much less than that one"
    )
    grace: int = Field(
        2, ge=1, le=1_000_000, description="number of epochs before a run may be stopped early in this way"
    )


class Predictions(Part):
    """Predictions that another program made: one folder, one for each fold, or that of a trainer of nnU-Net's."""

    folders: tuple[str, ...] = Field(min_length=1, description="one, or one for each fold")
    fingerprint: str = Field("", description="identifies the data of a run; a study fills it in")


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
    task: str = Field("segmentation", description="segmentation, classification, or a task of your own")
    plan: Plan = Field(FusionPlan(), description="where and how the modalities meet, as in separate[mean,mmtm]>mean")
    members: tuple[Plan, ...] = Field((), description="plans of an ensemble, whose probabilities are averaged")
    origin: Origin | None = None
    network: str = Field("residual", description="encoder and decoder of the network; auto plans them from the data")
    head: Literal["regions", "labels"] = Field("regions", description="predict overlapping regions or exclusive labels")
    sampling: Sampling = Sampling()
    absence: str | dict[str, float] = Field(
        "none", description="train for absent modalities: none, uniform, or a rate for each modality"
    )
    augmentation: str = Field("light", description="random changes of training samples, such as light or strong")
    schedule: str = Field("end_to_end", description="the phases of the training, and what is trained in each")
    losses: tuple[str, ...] = Field(
        default=(), description="losses that are minimised; default: dice_ce, or cross_entropy for classes"
    )
    balancer: str = Field("static", description="how several losses are weighted against each other")
    budget: Budget = Budget()
    metrics: tuple[str, ...] = Field(
        (), description="metrics, the first of which decides; default: Dice and volumes, or all metrics of classes"
    )
    mirror: bool = Field(False, description="average predictions over mirror images; the augmentation must mirror too")
    rules: str = Field("plain", description="rules for empty masks, missed and false lesions, as in brats2023-GLI")
    fold: int = Field(0, ge=0, lt=10_000, description="fold of a single run; a study has folds")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of a single run; a study has seeds")
    score_on: Literal["val", "test"] = Field(
        "test", description="cases that are scored; searches score validation cases"
    )
    machine: Machine = Machine()
    tracking: tuple[str, ...] = Field(
        (), description="show losses and pictures during the training, as in tensorboard; default: none"
    )

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
        content = _without(content, UNSAID) | {"data": _without(content["data"], {"modalities": []})}
        content["data"]["preparation"] = without_unsaid(self.data.preparation)
        content["sampling"] = _without(content["sampling"], {"centred": False, "score": "slab"})
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
