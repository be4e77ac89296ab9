"""From a cohort's fingerprint to a proposal: what each planned key should be, with the reason for it in a sentence."""

from collections.abc import Collection
from dataclasses import dataclass, field
from math import prod
from typing import Any

from mrfusion.families import Call, parse
from mrfusion.planning.doubts import FEW_SLICES, few_slices, never_labelled, too_large
from mrfusion.planning.fingerprint import Fingerprint
from mrfusion.planning.preparation import plan_preparation
from mrfusion.planning.presets import Preset
from mrfusion.planning.target import Target, on_grid, target_of
from mrfusion.planning.topology import Axes, Fit, Room, Topology, coarsen, fit_batch, fit_memory

NETWORK, DIMENSIONS, SIZE, BATCH = "network", "sampling.dimensions", "sampling.size", "budget.batch_size"
SPACING, INTERPOLATION, INTENSITIES = (
    f"data.preparation.{key}" for key in ("spacing_mm", "interpolation", "intensities")
)


@dataclass(frozen=True)
class Planned:
    """One key of a specification, what it should be, and why."""

    key: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Proposal:
    """What is proposed, and what does not fit well."""

    planned: tuple[Planned, ...]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wishes:
    """What is to be planned: ``keys``; and what stands fast: the values of keys that are not among them.

    ``size`` and ``spacing_mm`` are in the order (S, H, W) or (H, W); None where nothing is given.
    """

    keys: frozenset[str]
    preset: Preset
    memory_gb: float
    gpu: bool
    dimensions: int = 2
    size: Axes | None = None
    spacing_mm: tuple[float | None, float | None, float | None] | None = None
    depth: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)


def propose(fingerprint: Fingerprint, wishes: Wishes) -> Proposal:
    """The planned keys in the order of a specification."""
    fixed = wishes.spacing_mm or (None, None, None)
    full = target_of(fingerprint) if SPACING in wishes.keys else on_grid(fingerprint, fixed)
    dimensions, why = _dimensions(full, wishes)
    spacing = (full.spacing_mm if dimensions == 3 else (None, *full.spacing_mm[1:])) if SPACING in wishes.keys else None
    given = spacing or wishes.spacing_mm
    target = on_grid(fingerprint, given or (None, None, None))
    preparation = plan_preparation(fingerprint, target, given)
    planned = [Planned(DIMENSIONS, dimensions, why), *(Planned(*found) for found in preparation)]
    first = 3 - dimensions
    # of slices too the voxels of the 3-D grid are counted, as nnU-Net does
    voxels = prod(full.median_shape) * wishes.depth * fingerprint.cases
    fit = _fit(target, first, Room(wishes.memory_gb, voxels, fingerprint.out_channels), wishes)
    topology = fit.topology
    planned += [
        Planned(NETWORK, network_text(wishes.preset, topology), _levels_reason(wishes.preset, topology)),
        Planned(SIZE, list(topology.patch), _size_reason(fit, target.median_shape[first:], wishes)),
        Planned(BATCH, fit.batch, _batch_reason(fit, voxels, wishes)),
    ]
    size, multiple = ((1,) * first + axes for axes in (topology.patch, topology.multiple))
    found = [*never_labelled(fingerprint.shares), *few_slices(dimensions, target.median_shape)]
    found += too_large(size, multiple, target.median_shape)
    return Proposal(tuple(one for one in planned if one.key in wishes.keys), tuple(found))


def network_text(preset: Preset, topology: Topology) -> str:
    """A network of these levels as a specification writes it; a list that says the same of all levels is one number."""
    lists = {"strides": topology.strides, "kernels": topology.kernels, **preset.options(topology)}
    lists["strides"] = tuple(_axes(step) for step in topology.strides)
    lists["kernels"] = _alike(tuple(_axes(kernel) for kernel in topology.kernels))
    lists |= {name: _alike(lists[name]) for name in ("blocks", "up") if name in lists}
    return str(parse(str(Call(preset.network, (), tuple(sorted(lists.items()))))))


def _axes(each: Axes) -> int | Axes:
    return each[0] if len(set(each)) == 1 else each


def _alike(each: tuple[Any, ...]) -> Any:
    return each[0] if len(set(each)) == 1 else each


def _dimensions(full: Target, wishes: Wishes) -> tuple[int, str]:
    """2 or 3, and why. nnU-Net trains both and compares them; this rule is ours."""
    slices = round(full.median_shape[0])
    apart = f"the median case has {slices} slices, {full.spacing_mm[0]:.3g} mm apart"
    if DIMENSIONS not in wishes.keys:
        return wishes.dimensions, "given"
    if slices < FEW_SLICES:
        return 2, f"{apart}: too few for a 3-D network"
    if not wishes.gpu:
        return 2, f"{apart}, but there is no GPU here, and on a CPU a 3-D network learns nothing within an hour"
    return 3, f"{apart}, and there is a GPU"


def _fit(target: Target, first: int, room: Room, wishes: Wishes) -> Fit:
    median = (target.median_shape[0] * wishes.depth, *target.median_shape[1:])
    spacing = target.spacing_mm[first:]
    if SIZE not in wishes.keys and wishes.size is not None:
        topology = coarsen(spacing, wishes.size)
        return Fit(topology, fit_batch(wishes.preset, topology, room), False)
    return fit_memory(wishes.preset, spacing, median[first:], room)


def _levels_reason(preset: Preset, topology: Topology) -> str:
    coarsest = " x ".join(map(str, topology.grids()[-1]))
    count, network = len(topology.strides), preset.network
    uneven = any(len(set(step)) > 1 for step in topology.strides)
    also = "; axes of coarser spacing are halved later" if uneven else ""
    return (
        f"{network} with {count} levels: every axis is halved while its map has 8 points or more, to {coarsest}{also}"
    )


def _size_reason(fit: Fit, median: Collection[float], wishes: Wishes) -> str:
    case = " x ".join(str(round(n)) for n in median)
    if fit.reduced:
        small = "" if wishes.gpu else "; there is no GPU here, and larger steps would take long"
        return f"the largest part of the median case ({case}) of which two fit {wishes.memory_gb:g} GB{small}"
    return f"the median case ({case}), rounded up to a multiple of what the levels halve"


def _batch_reason(fit: Fit, voxels: float, wishes: Wishes) -> str:
    share = fit.batch * prod(fit.topology.patch) / voxels
    if fit.batch == 2:
        return "two samples, the least that a step has"
    if share > 0.8 * wishes.preset.coverage:
        return f"so many that no step sees more than {wishes.preset.coverage:.0%} of the voxels of all cases"
    return f"as many as fit {wishes.memory_gb:g} GB"
