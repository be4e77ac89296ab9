"""Warm starts: the weights of finished runs become the first weights of a network, to the bit."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mrfusion import families
from mrfusion.errors import InputError, reason
from mrfusion.model.ensemble import Ensemble
from mrfusion.plan import FusionPlan, parse_plan
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import Origin
from mrfusion.training.loop import Training
from mrfusion.training.race import Race, race_against

_HEAD = re.compile(r"heads\.\d+\.heads?\.")  # the last layers of a network's decoders or classifiers
_GATE = "behind."  # what a gated fusion puts in front of the names of the fusion behind its gate


def warmed(training: Training, plan: FusionPlan, origin: Origin) -> Training:
    """A training that begins with the weights of finished runs, whose folders lie beside its own.

    With a new head nothing is worth keeping before the first epoch.
    """
    inherit(
        training.network, plan, [training.folder.beside(digest) for digest in origin.parents], new_head=origin.new_head
    )
    race = Race() if origin.rival is None else race_against(training.folder.beside(origin.rival), origin.grace)
    return replace(training, warm=not origin.new_head, race=race)


def inherit(network: nn.Module, plan: FusionPlan, parents: Sequence[RunFolder], *, new_head: bool = False) -> None:
    """Give ``network`` the weights of a finished run, or of one for each member of an ensemble.

    All parameters and buffers that both have are taken over. Only the fusion of a level where the two plans differ
    keeps its own start, and the last layer where it is a ``new_head``; a fusion behind a gate is the same fusion.
    Where the network has more modalities than the run, the run's are its first ones: the encoders of the others keep
    their own start, and so do the rows that a fusion has for them. InputError where anything else differs, and where a
    fusion cannot be given another modality.
    """
    if isinstance(network, Ensemble):
        for member, parent in zip(network.members, parents, strict=True):
            _inherit_one(member, _plan_of(parent), parent)
    else:
        _inherit_one(network, plan, parents[0], new_head=new_head)


def _inherit_one(network: nn.Module, plan: FusionPlan, parent: RunFolder, *, new_head: bool = False) -> None:
    theirs, other = _weights(parent), _plan_of(parent)
    known = {_ungated(name): value for name, value in theirs.items()}
    own, streams = network.state_dict(), _streams(theirs)
    names = [name for name in own if not (new_head and _HEAD.match(name)) and not _is_of_new_stream(name, own, streams)]
    same = {name: known.get(_ungated(name)) for name in names if not _is_new(name, plan, other)}
    lacking = [name for name, value in same.items() if value is None]
    if lacking:
        raise InputError(
            f"plan {str(plan)!r} cannot start from the run {parent.digest} of plan {str(other)!r}, which has no "
            f"{lacking[0]}; only the fusions of the levels may differ"
        )
    if streams and _streams(own) > streams:
        same = {
            name: _with_new_rows(network, plan, name=name, mine=own[name], theirs=value, known=streams)
            for name, value in _found(same).items()
        }
    try:
        network.load_state_dict({**own, **_found(same)})
    except RuntimeError as error:
        raise InputError(f"plan {str(plan)!r} cannot start from the run {parent.digest}: {error}") from None


def _streams(weights: Mapping[str, Tensor]) -> int:
    """How many encoders there are weights of."""
    return len({name.split(".")[1] for name in weights if name.startswith("encoders.")})


def _is_of_new_stream(name: str, own: Mapping[str, Tensor], known: int) -> bool:
    """Whether a parameter is of an encoder that the run did not have, or of the decoder that goes with it."""
    part, _, rest = name.partition(".")
    late = part == "heads" and any(other.startswith("heads.1.") for other in own)
    return bool(known) and (part == "encoders" or late) and int(rest.split(".")[0]) >= known


def _with_new_rows(
    network: nn.Module, plan: FusionPlan, *, name: str, mine: Tensor, theirs: Tensor, known: int
) -> Tensor:
    """The run's parameter in a network of more modalities: a fusion's rows for the new ones keep their own start."""
    if mine.shape == theirs.shape:
        return theirs
    grown = mine.clone()
    owner, _, parameter = name.rpartition(".")
    fusion = network.get_submodule(owner)
    if parameter in getattr(fusion, "by_modality", ()):
        grown[:known] = theirs
    elif parameter in getattr(fusion, "by_pair", ()):
        grown[torch.triu_indices(fusion.modalities, fusion.modalities, 1)[1] < known] = theirs  # type: ignore[arg-type]
    else:
        raise InputError(
            f"plan {str(plan)!r} was trained for {known} modalities and cannot be given another: {name} would have to "
            f"be {'x'.join(map(str, grown.shape))} instead of {'x'.join(map(str, theirs.shape))}; adapt a run whose "
            "plan has energy, attention, bottleneck, mean, max or moments at every level"
        )
    return grown


def _found(values: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    return {name: value for name, value in values.items() if value is not None}


def _is_new(name: str, plan: FusionPlan, other: FusionPlan) -> bool:
    """Whether a parameter is of a fusion that the other plan does not have at this level."""
    if not name.startswith("fusions."):
        return False
    level = int(name.split(".")[1])
    return _fusion_at(plan, level) != _fusion_at(other, level)


def _fusion_at(plan: FusionPlan, level: int) -> str:
    call = families.parse(plan.fusion_at(level))
    if call.name != "gated":
        return str(call)
    return str(families.parse(str(dict(call.kwargs).get("fusion", "mmtm"))))


def _ungated(name: str) -> str:
    return name.replace(_GATE, "", 1) if name.startswith("fusions.") else name


def _weights(parent: RunFolder) -> dict[str, Tensor]:
    try:
        return load_file(parent.weights)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"expected the weights of a finished run at {parent.path} to start from, found: {reason(error)}"
        ) from None


def _plan_of(parent: RunFolder) -> FusionPlan:
    return parse_plan(str(parent.read_spec_values()["plan"]))
