"""The frozen plan: what a study declared that it would compare, before it looked; all that was added later is marked.

The first ``mrfusion study`` in a folder writes it; nothing changes it any more. What a study does beyond it may be as
interesting as anything, but whoever adds arms, seeds or a wider margin after the first results can go on until
something comes out, so a report marks it as exploratory, for ever.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mrfusion.errors import InputError
from mrfusion.study.design import Study

UNSAID = ("machine", "fold", "seed")  # of a specification: where it runs, and what the plan says itself


@dataclass(frozen=True)
class Added:
    """What a study does beyond its frozen plan, in clauses; empty where it keeps to it.

    ``everywhere`` concerns every comparison; ``arms``, ``regions``, ``metrics`` and ``scorings`` those of the one they
    name.
    ``dropped`` is what was planned and is no longer asked for: it makes nothing exploratory, and a reader must know it.
    """

    everywhere: tuple[str, ...] = ()
    arms: Mapping[str, str] | None = None
    regions: Mapping[str, str] | None = None
    metrics: Mapping[str, str] | None = None
    dropped: tuple[str, ...] = ()
    scorings: Mapping[str, str] | None = None

    def of(self, arm: str, region: str, metric: str) -> tuple[str, ...]:
        """Why the comparison of an arm in a region by a metric is exploratory; empty where it was planned."""
        given = ((self.arms, arm), (self.regions, region), (self.metrics, metric))
        return (*self.everywhere, *(found[name] for found, name in given if found and name in found))

    def by(self, scoring: str) -> "Added":
        """What is beyond the plan in the comparisons of a further scoring."""
        more = (self.scorings or {}).get(scoring)
        return replace(self, everywhere=(*self.everywhere, more)) if more else self

    @property
    def plain(self) -> dict[str, Any]:
        """As plain values, which :func:`added_from` reads."""
        return {
            "everywhere": list(self.everywhere),
            "arms": dict(self.arms or {}),
            "regions": dict(self.regions or {}),
            "metrics": dict(self.metrics or {}),
            "dropped": list(self.dropped),
            "scorings": dict(self.scorings or {}),
        }


def added_from(content: Mapping[str, Any]) -> Added:
    """What :attr:`Added.plain` wrote."""
    return Added(
        tuple(content["everywhere"]),
        dict(content["arms"]),
        dict(content["regions"]),
        dict(content["metrics"]),
        tuple(content["dropped"]),
        dict(content.get("scorings", {})),
    )


def freeze(study: Study, *, regions: Sequence[str], metrics: Sequence[str], finished: int) -> dict[str, Any]:
    """The plan of a study as plain values, with a digest of all of them.

    ``regions`` and ``metrics`` are those that runs are scored in; ``finished`` counts the runs that were done before.
    """
    content = {
        "reference": study.reference,
        "arms": {arm.name: _said(study, arm.name) for arm in study.arms},
        "regions": list(regions),
        "metrics": list(metrics),
        "hypotheses": study.hypotheses.model_dump(mode="json"),
        "folds": list(study.folds),
        "seeds": list(study.seeds),
        "most_seeds": study.most_seeds,
        "finished": finished,
        **({"scorings": dict(study.scorings)} if study.scorings else {}),
    }
    return content | {"digest": digest_of(content)}


def check(plan: Mapping[str, Any], place: str) -> None:
    """InputError where a plan is not what was frozen."""
    content = {key: value for key, value in plan.items() if key != "digest"}
    if plan.get("digest") != digest_of(content):
        raise InputError(
            f"{place} was changed after it was frozen, so nobody can say what was planned; restore the file, or begin "
            "the study again in another --out"
        )


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of plain values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def added(plan: Mapping[str, Any], study: Study, *, regions: Sequence[str], metrics: Sequence[str]) -> Added:
    """What a study does beyond its frozen plan."""
    now = freeze(study, regions=regions, metrics=metrics, finished=0)
    return Added(
        everywhere=tuple(_everywhere(plan, now)),
        arms=_arms(plan["arms"], now["arms"]),
        regions={name: f"region {name} was added" for name in regions if name not in plan["regions"]},
        metrics=_metrics(plan, now),
        dropped=tuple(_dropped(plan, now)),
        scorings=_scorings(plan.get("scorings", {}), study.scorings),
    )


def _said(study: Study, name: str) -> dict[str, Any]:
    """What an arm is, without what says only where it runs."""
    arm = next(arm for arm in study.arms if arm.name == name)
    content = study.spec(arm, fold=study.folds[0], seed=study.seeds[0]).model_dump(mode="json")
    content = {key: value for key, value in content.items() if key not in UNSAID}
    content["data"] = {k: v for k, v in content["data"].items() if k not in ("sources", "fingerprint")}
    content["data"]["split"].pop("file")
    return content | {key: value for key, value in arm.changes.items() if key in ("search", "ensemble")}


def _everywhere(plan: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found = []
    if plan["finished"]:
        found.append(f"the plan was frozen when {plan['finished']} runs had finished")
    if now["reference"] != plan["reference"]:
        found.append(f"the reference was {plan['reference']}")
    elif keys := _changed(plan["arms"][plan["reference"]], now["arms"][now["reference"]]):
        found.append(f"the reference was changed in {', '.join(keys)}")
    more = {what: [str(number) for number in now[what] if number not in plan[what]] for what in ("seeds", "folds")}
    found += [f"{what} {', '.join(names)} were added" for what, names in more.items() if names]
    if now["most_seeds"] != plan["most_seeds"]:
        found.append(f"the rule for stopping was {_rule(plan['most_seeds'])} and is {_rule(now['most_seeds'])}")
    other = [key for key in ("metrics", "regions", "arms") if now["hypotheses"][key] != plan["hypotheses"][key]]
    return [*found, *(f"the {key} of the declared hypotheses were changed" for key in other)]


def _arms(plan: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, content in now.items():
        if name not in plan:
            found[name] = f"arm {name} was added"
        elif keys := _changed(plan[name], content):
            found[name] = f"arm {name} was changed in {', '.join(keys)}"
    return found


def _scorings(plan: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: f"scoring {name} was {'changed' if name in plan else 'added'}"
        for name, changes in now.items()
        if plan.get(name) != changes
    }


def _metrics(plan: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    found = {name: f"metric {name} was added" for name in now["metrics"] if name not in plan["metrics"]}
    margins, before = now["hypotheses"]["margins"], plan["hypotheses"]["margins"]
    for name in dict.fromkeys((*margins, *before)):
        if margins.get(name) != before.get(name):
            found[name] = f"the margin of {name} was {_margin(before, name)} and is {_margin(margins, name)}"
    return found


def _dropped(plan: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    kinds = ("arms", "folds", "seeds", "regions", "metrics")
    gone = {what: [str(name) for name in plan[what] if name not in now[what]] for what in kinds}
    return [
        f"{what} {', '.join(names)} of the plan are no longer part of the study"
        for what, names in gone.items()
        if names
    ]


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The keys that a plan says and that are other now; keys that a later version has added are none."""
    found: list[str] = []
    for key in dict.fromkeys((*before, *(name for name in ("search", "ensemble") if name in now))):
        one, other = before.get(key), now.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += _changed(one, other, f"{prefix}{key}.")
        elif one != other:
            found.append(f"{prefix}{key}")
    return found


def _rule(most_seeds: int | None) -> str:
    return "all seeds" if most_seeds is None else f"until decided, at most {most_seeds} seeds"


def _margin(margins: Mapping[str, float], name: str) -> str:
    return f"{margins[name]:g}" if name in margins else "the usual one"
