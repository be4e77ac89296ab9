"""Whether everything that a specification names exists, found before anything is read or imported."""

from collections.abc import Collection

from mrfusion import families
from mrfusion.errors import SpecError, nearest
from mrfusion.plan import FusionPlan
from mrfusion.rules import rule_named
from mrfusion.spec import RunSpec, Sampling


def check_choices(spec: RunSpec, planned: Collection[str] = ()) -> None:
    """SpecError unless every choice that the spec names exists; ``planned`` are keys whose values are still to come."""
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
    _check_sampling(spec.sampling, planned)
    for plan in (spec.plan, *spec.members):
        _check_absence(plan, spec.absence != "none")


def _check_sampling(sampling: Sampling, planned: Collection[str]) -> None:
    if sampling.slices is not None and sampling.slices[0] >= sampling.slices[1]:
        raise SpecError(
            f"sampling.slices is {list(sampling.slices)}; expected where the slices begin and, above it, where they end"
        )
    known = not {"sampling.dimensions", "sampling.size"} & set(planned)
    if known and sampling.size is not None and len(sampling.size) != sampling.dimensions:
        raise SpecError(
            f"sampling.size has {len(sampling.size)} numbers, {list(sampling.size)}, and sampling.dimensions is "
            f"{sampling.dimensions}; write one number for each dimension"
        )


def _check_absence(plan: FusionPlan, drawn: bool) -> None:
    if drawn and families.parse(plan.input).name == "only":
        raise SpecError(f"plan {str(plan)!r} reads one modality, which cannot be absent; write absence: none for it")
    if plan.fill == "learned" and not drawn:
        raise SpecError(f"plan {str(plan)!r} learns its fill from absent modalities; write absence: uniform beside it")
