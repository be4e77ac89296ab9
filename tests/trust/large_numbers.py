"""Every number of a specification, and every number that a choice takes, with values that no machine can serve.

python tests/trust/large_numbers.py [--all]     with 2 GiB of data at most; last line JSON: tried, unclear

Made by rule: the keys come from the models, the options of choices from their signatures. Each is tried with
``--dry-run``: it must be refused by one clear message, or be served. Without ``--all`` each key has one value.
What libraries map is not counted: torch for CUDA maps more than 2 GiB by itself.
"""

import argparse
import inspect
import json
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # for in_process, as pytest has it

from bad_keys import KEYS, with_value
from bad_texts import study
from sandbox import Bad, attempt, unclear

from mrfusion import families

LIMIT = 2 * 2**30
VALUES = (10**12, 10**6, 10**9, 2**63, 1e300, float("inf"), 1e-300)
COUNTS = (10**6, 10**9, 1e9, -3, 0)
MEASURES = (1e300, 1e-300)
PLACES = {  # a family -> where a study's file names its choices, and as what
    "backbones": (("network",), lambda call: call),
    "fusions": (("plan",), lambda call: f"separate[{call}]"),
    "losses": (("losses",), lambda call: ["dice_ce", call]),
    "metrics": (("metrics",), lambda call: ["dice", call]),
    "searches": (("arms", "searched"), lambda call: {"plan": "separate[mean]", "search": call}),
    "augmentations": (("augmentation",), lambda call: call),
    "balancers": (("balancer",), lambda call: call),
    "schedules": (("schedule",), lambda call: call),
}


def of_keys(values: tuple[Any, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key that takes a number, with each of the values; where it takes several, in lists of one to three."""
    for place, annotation in KEYS.items():
        said = str(annotation)
        if "int" in said or "float" in said:
            for value in values:
                yield from ((place, [value] * n) for n in (1, 2, 3)) if "tuple" in said else [(place, value)]


def of_choices() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every option of a choice that counts or measures something."""
    for family, (place, written) in PLACES.items():
        for name in families.names(family):
            for option in inspect.signature(families.load(family, name)).parameters.values():
                said = str(option.annotation) if option.kind is option.KEYWORD_ONLY else ""
                values = COUNTS if "int" in said else MEASURES if "float" in said else ()
                yield from ((place, written(f"{name}({option.name}={value})")) for value in values)


def tried(place: tuple[str, ...], value: Any) -> list[str]:
    """Why a study with this value is not answered clearly; empty where it is refused in one message, or served."""
    bad = Bad("large", study(with_value(place, value), "--dry-run"), ())
    with tempfile.TemporaryDirectory() as folder:
        said = attempt(bad, Path(folder))
    faults = [fault for fault in unclear(bad, said) if "exit code" not in fault]
    return faults + ([f"exit code {said.code}: {said.text[-500:]}"] if said.code not in (0, 2) else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--all", action="store_true", help="every value of every key, and the options of choices")
    whole = parser.parse_args().all
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    found = {
        f"{'.'.join(place)}: {value}": tried(place, value)
        for place, value in (*of_keys(VALUES if whole else VALUES[:1]), *(of_choices() if whole else ()))
    }
    for name, faults in found.items():
        for fault in faults:
            print(f"{name}: {fault}")
    print(json.dumps({"tried": len(found), "unclear": sum(map(bool, found.values()))}))


if __name__ == "__main__":
    main()
