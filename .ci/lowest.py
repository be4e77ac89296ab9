"""The lowest versions that pyproject.toml allows, as constraints for pip; make test-lowest installs them.

    python .ci/lowest.py [EXTRA ...]

A bound that is said twice counts where it is higher. Packages without a lower bound are not named.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
_BOUND = re.compile(r"([A-Za-z0-9._-]+)(?:\[[\w,-]+\])?\s*>=\s*([0-9.]+)")


def lowest(requirements: Iterable[str]) -> Iterator[str]:
    """``name==version`` of each requirement that says ``>=``."""
    found: dict[str, tuple[tuple[int, ...], str]] = {}
    for requirement in requirements:
        if match := _BOUND.match(requirement):
            name, version = match[1].lower().replace("_", "-"), match[2]
            number = tuple(int(part) for part in version.split("."))
            found[name] = max(found.get(name, ((), "")), (number, version))
    return (f"{name}=={version}" for name, (_, version) in sorted(found.items()))


def main() -> None:
    """Print the constraints of what mrfusion needs, and of the extras that are named."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in sys.argv[1:]:
        wanted += project["optional-dependencies"][extra]
    print("\n".join(lowest(wanted)))


if __name__ == "__main__":
    main()
