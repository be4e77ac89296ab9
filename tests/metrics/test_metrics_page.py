"""docs/metrics.md says what the code does: its tables are made from ABOUT and RULES, its figures from this example."""

import re
from pathlib import Path

import numpy as np
import pytest

from mrfusion import families
from mrfusion.metrics._pair import MaskPair
from mrfusion.result import Value
from mrfusion.rules import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
HD95 = {
    "`hd95(variant=surfel)`": ("hd95", "plain"),
    "`hd95(variant=voxel)`": ("hd95(variant=voxel)", "plain"),
    "`hd95(variant=pooled)`": ("hd95(variant=pooled)", "plain"),
    "`lesion_hd95`, rules brats2023-GLI": ("lesion_hd95", "brats2023-GLI"),
    "`lesion_hd95`, rules paper": ("lesion_hd95", "paper"),
    "`lesion_hd95_literal`, rules paper": ("lesion_hd95_literal", "paper"),
}


def rows(page: str) -> dict[str, list[str]]:
    """First cell -> the other cells, of every table row of the page."""
    found = {}
    for line in page.splitlines():
        if line.startswith("| "):
            first, *others = (cell.strip() for cell in line.strip("|").split(" | "))
            found[first.strip("| ")] = [cell.strip("| ") for cell in others]
    return found


def cell(answer: object) -> str:
    if isinstance(answer, Value):
        return f"{answer.value:g}, penalised"
    return f"{answer:g}" if isinstance(answer, float) else str(answer)


@pytest.mark.parametrize("name", families.names("metrics"))
def test_the_table_of_empty_masks_is_what_about_says(name):
    about = families.module_of("metrics", name).ABOUT
    low, high = about.range
    expected = [
        about.unit,
        f"{low:g} to {'∞' if high == float('inf') else f'{high:g}'}",
        about.better,
        cell(about.both_empty),
        cell(about.prediction_empty),
        cell(about.target_empty),
        about.note,
    ]
    assert rows(PAGE)[f"`{name}`"] == expected


@pytest.mark.parametrize("name", RULES)
def test_the_table_of_rules_is_what_rules_say(name):
    rule = RULES[name]
    penalty = "image diagonal" if rule.penalty_mm is None else f"{rule.penalty_mm:g} mm"
    assert rows(PAGE)[f"`{name}`"] == [str(rule.dilation), f"{rule.smallest_mm3:g} mm3", penalty]


def example() -> tuple[np.ndarray, np.ndarray]:
    """A lesion found two voxels off, one missed, and a small false one: 60 x 60 x 60 voxels of 1 mm."""
    target, pred = np.zeros((60, 60, 60), bool), np.zeros((60, 60, 60), bool)
    target[10:30, 10:30, 10:30] = target[10:16, 44:50, 10:16] = True
    pred[12:32, 10:30, 10:30] = pred[50:53, 50:53, 50:53] = True
    return pred, target


def test_the_definitions_of_hd95_side_by_side():
    pred, target = example()
    for text, (metric, rules) in HD95.items():
        value = families.load("metrics", metric)(MaskPair(pred, target, (1.0, 1.0, 1.0), rule=RULES[rules])).value
        assert rows(PAGE)[text][0] == f"{value:.1f} mm"


def test_every_metric_and_rule_of_the_page_exists():
    known = {*families.names("metrics"), *RULES}
    named = set(re.findall(r"^\| `([a-z_0-9A-Z-]+)` \|", PAGE, re.MULTILINE))
    assert named == known
