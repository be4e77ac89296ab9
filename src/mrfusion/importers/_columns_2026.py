"""The columns of the challenge's two tables of 2026, and which of our metrics each is; written and read by this."""

from collections.abc import Mapping, Sequence

SUMMARY = ("mean", "std", "median")
_METRIC = {"dsc": "dice", "nsd": "nsd", "hd95": "hd95"}
_COUNT = {"tp": "tp", "fp": "fp", "fn": "fn", "prec": "precision", "rec": "recall", "f1": "f1"}
WHOLE = {
    "global_dsc": "dice",
    "global_nsd": "nsd(tolerance_mm=0.5,variant=voxel)",
    "global_hd95": "hd95(variant=pooled)",
}


def _counts(size: str, order: Sequence[str] = tuple(_COUNT)) -> dict[str, str]:
    ending = "" if size == "all" else f"(size={size})"
    return {f"{size}_instance_{short}": f"instance_{_COUNT[short]}{ending}" for short in order}


def _lesions(order: Sequence[str], over: str) -> dict[str, str]:
    ends = ((f"({over})" if over else "", "mean"), (f"({over},statistic=std)" if over else "(statistic=std)", "std"))
    return {f"lesionwise_{name}_{what}": f"instance_{_METRIC[name]}{end}" for name in order for end, what in ends}


SEG = {**_counts("all"), **WHOLE, **_lesions(("dsc", "nsd", "hd95"), "")}
METS = {
    **_counts("all"),
    **_counts("large"),
    **_lesions(("dsc", "hd95", "nsd"), "over=large"),
    **_counts("small", ("tp", "fn", "fp", "prec", "rec", "f1")),
    **WHOLE,
}
TABLES: Mapping[str, Mapping[str, str]] = {"seg": SEG, "mets": METS}  # table -> column -> metric
