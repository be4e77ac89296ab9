"""mrfusion: whether, where and how to fuse the modalities of an MRI data set, answered with evidence.

The public face: the names below are all that a program may rely on, and each is loaded when it is first asked for, so
that ``import mrfusion`` itself loads nothing. docs/python.md shows each in use. Everything else may move.
"""

from importlib import import_module

__version__ = "0.2.0"

_HOMES = {
    "MrFusionError": "mrfusion.errors",
    "Region": "mrfusion.case",
    "compare": "mrfusion.outside.judge",
    "evaluate": "mrfusion.scoring.folders",
    "list_choices": "mrfusion.families",
    "load_study": "mrfusion.study.load",
    "predict": "mrfusion.finished_run.predict",
    "read_run": "mrfusion.finished_run.load",
    "read_study": "mrfusion.study.design",
    "rule_named": "mrfusion.rules",
    "run_study": "mrfusion.command.study",
    "score_case": "mrfusion.scoring.masks",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'mrfusion' has no attribute {name!r}; it has {', '.join(__all__)}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
