"""What holds the shapes, the kinds of numbers and the types of signatures to what is passed, while the tests run."""

import sys
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

held = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float, as for mypy


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Hold a function to its types; not while torch writes it down, when sizes of grids are no numbers yet."""
    checked = held(function)

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        torch = sys.modules.get("torch")  # the tests run where it is not installed, too
        exporting = torch is not None and (torch.jit.is_tracing() or torch.compiler.is_exporting())
        return (function if exporting else checked)(*args, **kwargs)

    return called


def modules_with_shapes() -> list[str]:
    """The modules of mrfusion whose signatures name shapes; none of them is imported for that."""
    found = find_spec("mrfusion")
    assert found is not None
    assert found.origin is not None
    root = Path(found.origin).parent
    files = [path for path in sorted(root.rglob("*.py")) if "jaxtyping" in path.read_text(encoding="utf-8")]
    return [".".join(("mrfusion", *path.relative_to(root).with_suffix("").parts)) for path in files]


def check_shapes() -> None:
    """Check every call of these modules' functions from now on; to be called before they are imported."""
    install_import_hook(modules_with_shapes(), f"{__name__}.check")
