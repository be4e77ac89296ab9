"""nnU-Net's summary.json: the Dice and IoU of every label or region of every validation case."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mrfusion.errors import InputError
from mrfusion.files import read_json
from mrfusion.importers._base import Imported, Source, scored

METRICS = {"Dice": "dice", "IoU": "iou"}


def fits(source: Source) -> bool:
    """Whether the JSON holds nnU-Net's list of cases."""
    return isinstance(source.content, dict) and isinstance(source.content.get("metric_per_case"), list)


def nnunet_summary(source: Source) -> list[Imported]:
    """Dice and IoU of every case; both are undefined where prediction and label lack the region, as nnU-Net has it.

    Regions have the names of ``dataset.json``, where one lies in a folder above; else their labels name them.
    """
    if not fits(source):
        raise source.refuse("nnU-Net's summary.json, a JSON object with 'metric_per_case'")
    names = _names(source.path)
    try:
        return [row for entry in source.content["metric_per_case"] for row in _rows(entry, names)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        found = f"no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{source.path}: expected a summary.json as nnU-Net 2 writes it, found {found}") from None


def _rows(entry: dict[str, Any], names: dict[frozenset[int], str]) -> Iterator[Imported]:
    case = Path(str(entry["prediction_file"]).replace("\\", "/")).name.removesuffix(".gz").rpartition(".")[0]
    for key, numbers in entry["metrics"].items():
        labels = frozenset(int(part) for part in key.strip("()").split(",") if part.strip())
        region = names.get(labels) or "+".join(map(str, sorted(labels)))
        for theirs, ours in METRICS.items():
            value = _number(numbers[theirs], f"{theirs} of {case}")
            yield Imported(case, region, ours, value, scored(value), in_target=numbers.get("n_ref") != 0)


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} for {what}, where a number stands")
    return float(value)


def _names(path: Path) -> dict[frozenset[int], str]:
    """Labels to the name of their region, by the nearest dataset.json above."""
    for folder in path.resolve().parents[:4]:
        if (folder / "dataset.json").is_file():
            labels = read_json(folder / "dataset.json").get("labels", {})
            return {frozenset(v if isinstance(v, list) else [v]): str(name) for name, v in labels.items()}
    return {}
