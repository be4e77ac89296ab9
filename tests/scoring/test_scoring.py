"""Cases in, tidy rows and honest summaries out."""

import csv
import json
import math
from typing import Any

import numpy as np
import pytest

from mrfusion.case import Region
from mrfusion.errors import CaseError, SpecError
from mrfusion.result import CaseScore
from mrfusion.rules import WT_TC_ET, rule_named
from mrfusion.run_folder.scores import table_at, write_scores
from mrfusion.scoring.masks import score_case, summarise

ONE = (Region("mask", frozenset({1})),)


def label_maps():
    target = np.zeros((10, 11, 12), np.uint8)
    target[2:8, 2:8, 2:8], target[3:7, 3:7, 3:7], target[4:6, 4:6, 4:6] = 2, 1, 3
    return np.roll(target, 1, axis=0), target


def test_label_maps_and_masks_per_region_are_the_same_question():
    pred, target = label_maps()
    stacks = [np.stack([np.isin(m, list(r.labels)) for r in WT_TC_ET]) for m in (pred, target)]
    metrics = ("dice", "hd95", "specificity", "lesion_hd95")
    answers = [
        score_case("a", p, target=t, regions=WT_TC_ET, spacing_mm=(1, 1, 2), metrics=metrics)
        for p in (pred, stacks[0])
        for t in (target, stacks[1])
    ]
    assert answers[0] == answers[1] == answers[2] == answers[3]
    assert [s.metric for s in answers[0]] == list(metrics) * 3
    assert [s.region for s in answers[0]][::4] == ["WT", "TC", "ET"]


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.int64])
def test_label_maps_of_any_type_and_order_score_alike(kind):
    pred, target = label_maps()
    asked: dict[str, Any] = {"regions": WT_TC_ET, "spacing_mm": (1, 1, 2), "metrics": ("dice", "hd95", "lesion_hd95")}
    expected = score_case("a", pred, target=target, **asked)
    assert score_case("a", pred.astype(kind), target=np.asfortranarray(target), **asked) == expected
    assert score_case("a", np.asfortranarray(pred.astype(kind)), target=target.astype(kind), **asked) == expected


def test_regions_with_the_same_masks_have_the_same_scores():
    pred, target = label_maps()
    pred[pred == 2], target[target == 2] = 0, 0
    only_et = {"pred": np.where(pred == 3, 3, 0), "target": np.where(target == 3, 3, 0)}
    asked = {"target": target, "spacing_mm": (1, 1, 2), "metrics": ("dice", "hd95", "lesion_hd95")}
    together = score_case("a", pred, regions=WT_TC_ET, **asked)
    alone = [score for region in WT_TC_ET[:2] for score in score_case("a", pred, regions=[region], **asked)]
    alone += score_case("a", only_et["pred"], regions=WT_TC_ET[2:], **asked | {"target": only_et["target"]})
    assert together == alone
    assert [s.value for s in together[:3]] == [s.value for s in together[3:6]] != [s.value for s in together[6:]]


def test_specificity_and_diagonal_refer_to_the_whole_image_whatever_the_crop():
    pred, target = np.zeros((30, 30, 30), np.uint8), np.zeros((30, 30, 30), np.uint8)
    pred[4, 4, 4], target[5, 4, 4] = 1, 1
    found = score_case(
        "a", pred, target=target, regions=ONE, spacing_mm=(1, 1, 1), metrics=("specificity", "lesion_hd95")
    )
    assert found[0].value == (27000 - 2) / (27000 - 1)
    assert found[1].value == pytest.approx(math.sqrt(3 * 30**2))


def test_metric_names_stand_as_they_were_asked():
    pred, target = label_maps()
    found = score_case(
        "a", pred, target=target, regions=WT_TC_ET, spacing_mm=(1, 1, 1), metrics=("nsd( tolerance_mm = 2 )",)
    )
    assert found[0].metric == "nsd(tolerance_mm=2)"


def test_what_does_not_fit_names_the_case():
    pred, target = label_maps()
    with pytest.raises(
        CaseError, match=r"case a: prediction and target differ in shape, \(9, 11, 12\) and \(10, 11, 12\)"
    ):
        score_case("a", pred[1:], target=target, regions=ONE, spacing_mm=(1, 1, 1))
    with pytest.raises(CaseError, match="case a: the prediction: expected a label map"):
        score_case("a", pred[None], target=target, regions=WT_TC_ET, spacing_mm=(1, 1, 1))
    with pytest.raises(SpecError, match="dice"):
        score_case("a", pred, target=target, regions=WT_TC_ET, spacing_mm=(1, 1, 1), metrics=("dise",))
    with pytest.raises(SpecError, match="brats2023-MEN"):
        rule_named("brats2023-MNE")


def test_a_mean_stands_with_its_counts_and_absent_regions_apart():
    scores = [
        CaseScore("a", "ET", "hd95", 2.0),
        CaseScore("b", "ET", "hd95", 374.0, "penalised", "the prediction is empty"),
        CaseScore("c", "ET", "hd95", 0.0),
        CaseScore("d", "ET", "hd95", float("nan"), "undefined", "why"),
        *[CaseScore(c, "ET", "target_volume_mm3", v) for c, v in zip("abcd", (5.0, 5.0, 0.0, 5.0), strict=True)],
    ]
    figures = summarise(scores)["ET"]["hd95"]
    assert (figures["scored"], figures["penalised"], figures["undefined"]) == (2, 1, 1)
    assert figures["mean"] == pytest.approx(376 / 3)
    assert figures["median"] == 2.0
    assert figures["std"] == pytest.approx(np.std([2, 374, 0], ddof=1))
    assert (figures["present"]["mean"], figures["absent"]["mean"]) == (188.0, 0.0)
    assert figures["absent"]["scored"] == 1


def test_nothing_to_average_is_null_and_not_nan(tmp_path):
    scores = [CaseScore("a", "R", "precision", float("nan"), "undefined", "why")]
    write_scores(tmp_path / "s.csv", scores, summarise(scores))
    text = (tmp_path / "s.json").read_text()
    assert json.loads(text)["summary"]["R"]["precision"] == {
        "mean": None, "std": None, "median": None, "scored": 0, "penalised": 0, "undefined": 1,
    }  # fmt: skip
    assert json.loads(text)["not_scored"][0]["reason"] == "why"


def test_the_table_has_four_columns_and_every_digit(tmp_path):
    write_scores(table_at(tmp_path), [CaseScore("a", "R", "dice", 1 / 3)], {})
    with (tmp_path / "scores.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [["case", "region", "metric", "value"], ["a", "R", "dice", repr(1 / 3)]]
    assert (tmp_path / "scores.json").exists()
