"""The door to planning: a specification with keys to plan in, each key with its value and a reason out."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mrfusion.case import Cohort
from mrfusion.data.prepared import resampler
from mrfusion.data.read import cohort_of, read_data, split_cohort
from mrfusion.data.volume import Target
from mrfusion.hardware import gpus
from mrfusion.planning.fingerprint import CaseFacts, Fingerprint, fingerprint_of, read_facts
from mrfusion.planning.presets import memory_of, preset_named
from mrfusion.planning.proposal import BATCH, Wishes, propose
from mrfusion.planning.values import changes_of
from mrfusion.progress import Progress, ProgressFile, silent
from mrfusion.run.timing import measured
from mrfusion.run_folder.study import StudyFolder
from mrfusion.spec import RunSpec

EPOCHS = "budget.epochs"
# where minutes are few, a network of many small steps is further than one of few large ones (docs/strength.md);
# nnU-Net's own batch is meant for its 250 000 steps
ENOUGH_STEPS, LEAST_SAMPLES = 2000, 4
SHARE_TIMED = 0.02  # of a training's minutes, for each piece that tells how many epochs fit them


def propose_values(spec_json: str, keys: Sequence[str], asked_json: str, out: str, cache: str) -> dict[str, Any]:
    """``planned``, a list of key, value and reason; and ``doubts``, sentences about what does not fit well.

    What is asked for has like, memory_gb, minutes and the folds. Cases that no fold trains or validates on are not
    looked at. The answer is kept in ``out``: a study that goes on gets the same one, on whatever machine.
    """
    spec, study, wanted = RunSpec.model_validate_json(spec_json), StudyFolder(Path(out)), json.loads(asked_json)
    cohort = cohort_of(spec.data, spec.task)
    asked = {"spec": spec.digest, "data": cohort.fingerprint, "keys": list(keys), **wanted}
    answer = study.read_planned(asked)
    if answer is None:
        with ProgressFile(study.progress_of("propose")) as progress:
            answer = _answer(cohort, spec, keys, wanted, progress=progress)
            if EPOCHS in keys:
                fitted = _fit_minutes(spec, answer["planned"], wanted, study=study, cache=Path(cache))
                answer["planned"] = [one for one in answer["planned"] if one["key"] not in fitted] + [*fitted.values()]
        study.keep_planned(asked, answer)
    return answer


def _answer(
    cohort: Cohort, spec: RunSpec, keys: Sequence[str], wanted: Mapping[str, Any], *, progress: Progress
) -> dict[str, Any]:
    onto = spec.data.preparation.resample_to
    target = Target(onto, resampler()) if onto else None
    facts = read_facts(cohort, onto=target, workers=2, progress=progress)
    found = propose(_seen(cohort, facts, spec, wanted["folds"]), wishes_of(spec, keys, wanted))
    plain = {"planned": [asdict(one) for one in found.planned], "doubts": list(found.doubts)}
    return dict(json.loads(json.dumps(plain)))


def _fit_minutes(
    spec: RunSpec, planned: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any], *, study: StudyFolder, cache: Path
) -> dict[str, dict[str, Any]]:
    """The epochs of the planned run that fit the minutes, and a smaller batch where its steps would be too few."""
    now = spec.changed(changes_of(planned))
    data = read_data(now.data, task=now.task, cache=cache, progress=silent)
    fitted, seconds = {}, 60 * wanted["minutes"]
    found = measured(now, data, study.path, patience=SHARE_TIMED * seconds)
    samples = now.sampling.per_case * len(data.splits[now.fold].train)
    steps = found.budget(seconds) * math.ceil(samples / now.budget.batch_size)
    fewer = smaller_batch(now.budget.batch_size, steps)
    if fewer < now.budget.batch_size and any(one["key"] == BATCH for one in planned):
        reason = (
            f"with {now.budget.batch_size} samples, which fit, a training of {wanted['minutes']:g} minutes would have "
            f"only about {steps} steps here"
        )
        fitted[BATCH] = {"key": BATCH, "value": fewer, "reason": reason}
        now = now.changed({"budget": {"batch_size": fewer}})
        found = measured(now, data, study.path, patience=SHARE_TIMED * seconds)
    epochs = found.budget(seconds)
    each = found.training(epochs) / epochs
    reason = f"an epoch takes {each:.1f} s here, so that they fill {wanted['minutes']:g} minutes"
    if each > seconds:
        reason = (
            f"an epoch takes {each:.1f} s here, longer than the {wanted['minutes']:g} minutes that are given; give "
            "more minutes, or write a smaller sampling.size or sampling.per_case"
        )
    return fitted | {EPOCHS: {"key": EPOCHS, "value": epochs, "reason": reason}}


def smaller_batch(batch: int, steps: int) -> int:
    """The batch that brings ``steps`` to :data:`ENOUGH_STEPS` at the same samples a second; the batch where they do.

    Never below :data:`LEAST_SAMPLES`, or the batch itself where that is smaller. The rule is ours: nnU-Net plans a
    batch from memory and voxels alone.
    """
    return min(batch, max(LEAST_SAMPLES, batch * steps // ENOUGH_STEPS))


def wishes_of(spec: RunSpec, keys: Sequence[str], planning: Mapping[str, Any]) -> Wishes:
    """What is to be planned for a run, and what its specification holds fast."""
    preset, spacing = preset_named(planning["like"]), spec.data.preparation.spacing_mm
    low, high = spec.sampling.slices or (0.0, 1.0)
    gpu = spec.machine.device == "cuda" or (spec.machine.device == "auto" and bool(gpus()))
    return Wishes(
        frozenset(keys),
        preset,
        planning["memory_gb"] or memory_of(preset, gpu=gpu),
        gpu=gpu,
        dimensions=spec.sampling.dimensions,
        size=spec.sampling.size,
        spacing_mm=None if spacing is None else (spacing[2], spacing[0], spacing[1]),
        depth=high - low,
    )


def _seen(cohort: Cohort, facts: dict[str, CaseFacts], spec: RunSpec, folds: Sequence[int]) -> Fingerprint:
    """The fingerprint of the cases that some fold trains or validates on."""
    voxels = {name: one.label_voxels for name, one in facts.items()}
    splits, _ = split_cohort(cohort, voxels, spec.data.split)
    names = {name for fold in folds for name in (*splits[fold].train, *splits[fold].val)}
    return fingerprint_of([one for name, one in facts.items() if name in names], cohort)
