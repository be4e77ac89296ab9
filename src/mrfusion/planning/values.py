"""Planned keys as the changes of a specification that they come to."""

from collections.abc import Mapping, Sequence
from typing import Any

from mrfusion.part import merge


def changes_of(planned: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The changes of a specification that planned keys, each with its ``key`` and ``value``, come to."""
    changes: dict[str, Any] = {}
    for one in planned:
        value = one["value"]
        for name in reversed(str(one["key"]).split(".")):
            value = {name: value}
        changes = merge(changes, value)
    return changes
