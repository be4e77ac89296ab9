"""Dice, IoU, sensitivity, specificity and precision that somebody else published for 15 whole-tumour masks."""

import csv

import pytest

from mrfusion.case import Region
from mrfusion.data.nifti.labels import read_stored
from mrfusion.scoring.masks import score_case

METRICS = ("sensitivity", "specificity", "precision", "iou", "dice")
FOLDERS = {"multi-threshold Otsu": "multi_threshold_otsu", "Otsu_with_opening_closing": "otsu_with_opening_closing"}


def test_published_values_to_six_digits(oracle_root):
    root = oracle_root / "segmentation"
    with (root / "published.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 15
    labels = {}
    for row in rows:
        case = row["sample_name"].split("/")[-1].replace("_Tumor.nii.gz", "")
        folder = FOLDERS.get(row["method"], row["method"])
        if case not in labels:
            labels[case] = read_stored(root / "labels" / f"{case}_Seg.nii.gz").array
        scores = score_case(
            case,
            read_stored(root / "predictions" / folder / f"{case}_Output.nii.gz").array,
            target=labels[case],
            regions=[Region("WT", frozenset({1}))],
            spacing_mm=(1.0, 1.0, 1.0),
            metrics=METRICS,
        )
        expected = {name: float(row[name]) for name in METRICS}
        assert {s.metric: s.value for s in scores} == pytest.approx(expected, abs=1e-6), (case, folder)
