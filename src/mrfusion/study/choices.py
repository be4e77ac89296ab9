"""Whether everything that a specification names exists, found before anything is read or imported."""

from mrfusion import families
from mrfusion.errors import SpecError, nearest
from mrfusion.plan import FusionPlan
from mrfusion.rules import rule_named
from mrfusion.spec import RunSpec


def check_choices(spec: RunSpec) -> None:
    """SpecError unless every choice that the spec names exists."""
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
