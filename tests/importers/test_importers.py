"""What each importer promises: its own files are read as the tool means them, everything else is one message.

``nnunet_summary.json`` and ``panoptica.tsv`` were written by nnU-Net 2.8.1 and panoptica 2.1.7 from the boxes below.
"""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from monai.handlers.utils import write_metrics_reports

from mrfusion import families
from mrfusion.case import Region
from mrfusion.errors import InputError, SpecError
from mrfusion.importers._base import Source
from mrfusion.importers._columns_2026 import SUMMARY
from mrfusion.outside.tables import read_table
from mrfusion.rules import RULES
from mrfusion.scoring.masks import score_case
from mrfusion.scoring.table_2026 import write_tables_2026

HERE = Path(__file__).parent
FILES = {
    "mist": "id,WT_dice,ET_dice,WT_haus95,ET_haus95\na,0.9,0.8,1.5,2\nb,0.7,,3,4\nMean,0.8,0.8,2.25,3\nStd,0.1,0,1,1\n"
    "25th Percentile,1,1,1,1\nMedian,1,1,1,1\n75th Percentile,1,1,1,1\n",
    "brats2023": "Labels,Num_TP,Num_FP,Num_FN,Sensitivity,Specificity,Legacy_Dice,Legacy_HD95,GT_Complete_Volume,"
    "LesionWise_Score_Dice,LesionWise_Score_HD95\nWT,1,0,0,0.9,1,0.8,2,100,0.7,2\nET,0,1,0,0,1,0,374,0,0,374\n",
    "brats2026": "subject_id,all_instance_tp_et,all_instance_fp_et,all_instance_fn_et,global_dsc_et,"
    "lesionwise_hd95_mean_et\ns1.nii.gz,1.0,0.0,0.0,0.9,2.5\ns2.nii.gz,0.0,1.0,0.0,0.0,inf\nmean,0,0,0,0,inf\n",
    "monai_metrics": "filename,class0,class1,mean\n/data/a.nii.gz,0.9000,0.8000,0.8500\nb,nan,0.7000,0.7000\n",
    "tidy": "arm,case,region,value\nours,a,WT,0.9\nours,b,WT,\n",
}
NAMES = {"monai_metrics": "val_mean_dice_raw.csv", "brats2023": "case7.csv"}
REAL = {"nnunet_summary": HERE / "nnunet_summary.json", "panoptica": HERE / "panoptica.tsv"}


def own(name: str, folder: Path) -> Path:
    """A file of the importer's own."""
    if name in REAL:
        return REAL[name]
    path = folder / NAMES.get(name, f"{name}.csv")
    path.write_text(FILES.get(name, FILES["mist"]))
    return path


def boxes(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and label of case_00<number>, which nnU-Net scored for nnunet_summary.json."""
    label = np.zeros((20, 18, 16), np.uint8)
    label[3:11, 3:11, 3:11] = 1
    label[5:9, 5:9, 5:9] = 2
    if number == 2:
        label[label == 2] = 1
    found = np.roll(label, number, axis=number % 3)
    if number == 1:
        found[12:14, 12:14, 12:14] = 2
    return found, label


@pytest.mark.parametrize("name", [name for name in families.names("importers") if name != "wide"])
def test_its_own_is_recognised_by_it_alone(name, tmp_path):
    path = own(name, tmp_path)
    source = Source(path)
    assert [other for other in families.names("importers") if families.module_of("importers", other).fits(source)] == [
        name
    ]
    assert read_table(path)


@pytest.mark.parametrize("name", families.names("importers"))
def test_what_is_not_its_own_is_one_message(name, tmp_path):
    choice = "wide(case=who,columns='x=WT dice')" if name == "wide" else name
    for other in ("something,else\n1,2\n", '{"a": 1}', "", "x\n"):
        path = tmp_path / "other.csv"
        path.write_text(other)
        with pytest.raises(InputError) as caught:
            families.load("importers", choice, {})(Source(path))
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_that_nobody_knows_names_the_importers(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("patient,score\n1,2\n")
    with pytest.raises(InputError, match=r"importers knows .*nnunet_summary.*found the columns patient, score"):
        read_table(path)
    with pytest.raises(InputError, match="expected a table or a JSON file"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "short.csv").write_text("case,value\na\n")
    with pytest.raises(InputError, match="line 2: expected 2 cells"):
        read_table(tmp_path / "short.csv")


def test_nnunet_and_we_score_the_same_predictions_alike():
    regions = [Region("1+2", frozenset({1, 2})), Region("2", frozenset({2}))]
    theirs = {(row.case, row.region, row.metric): row for row in read_table(REAL["nnunet_summary"])}
    assert len(theirs) == 4 * 2 * 2
    for number in range(4):
        found, label = boxes(number)
        case = f"case_{number:03d}"
        for score in score_case(
            case, found, target=label, regions=regions, spacing_mm=(1, 1, 1), metrics=("dice", "iou")
        ):
            row = theirs[case, score.region, score.metric]
            if number == 2 and score.region == "2":
                assert (row.status, row.in_target) == ("undefined", False), "nnU-Net says nan where nothing is there"
            else:
                assert row.value == pytest.approx(score.value, abs=1e-12)


def test_nnunet_regions_have_the_names_of_dataset_json(tmp_path):
    place = tmp_path / "fold_0" / "validation"
    place.mkdir(parents=True)
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "whole tumour": [1, 2], "core": [2]}}')
    (place / "summary.json").write_text(REAL["nnunet_summary"].read_text())
    assert {row.region for row in read_table(place / "summary.json")} == {"whole tumour", "core"}


def test_panoptica_groups():
    rows = {(row.case, row.region, row.metric): row.value for row in read_table(REAL["panoptica"])}
    assert rows["case0", "a", "dice"] == 1.0
    assert rows["case1", "a", "instance_dice"] == pytest.approx(0.75), "a box of 4 voxels that moved by one"
    assert rows["case1", "b", "instance_f1"] == 1.0


def test_mist_summary_rows_are_no_cases(tmp_path):
    rows = read_table(own("mist", tmp_path))
    assert {row.case for row in rows} == {"a", "b"}
    assert {(r.region, r.metric, r.value) for r in rows if r.case == "a"} == {
        ("WT", "dice", 0.9), ("ET", "dice", 0.8), ("WT", "hd95", 1.5), ("ET", "hd95", 2.0)
    }  # fmt: skip
    assert [r.status for r in rows if r.case == "b" and r.region == "ET" and r.metric == "dice"] == ["undefined"]


def test_brats_tables(tmp_path):
    rows = read_table(own("brats2023", tmp_path))
    assert {(r.case, r.region) for r in rows} == {("case7", "WT"), ("case7", "ET")}
    assert {r.in_target for r in rows if r.region == "ET"} == {False}
    rows = read_table(own("brats2026", tmp_path))
    assert {r.case for r in rows} == {"s1", "s2"}
    assert {(r.case, r.status) for r in rows if r.metric == "instance_hd95"} == {("s1", "scored"), ("s2", "undefined")}
    twice = tmp_path / "two.csv"
    twice.write_text(FILES["brats2023"] + FILES["brats2023"].partition("\n")[2])
    with pytest.raises(InputError, match="a column that names the case"):
        read_table(twice)


@pytest.mark.parametrize("challenge", ["gli", "mets", "ped", "GoAT"])
def test_the_package_of_2026_and_our_export_are_read_back(oracle_root, challenge):
    path = oracle_root / "brats2026" / f"{challenge}_seg.csv"
    rows = {(r.case, r.region, r.metric): r.value for r in read_table(path)}
    with path.open(newline="") as stream:
        for line in csv.DictReader(stream):
            if line["subject_id"] not in SUMMARY:
                cell = line["global_dsc_et"]
                found = rows[line["subject_id"], "ET", "dice"]
                assert found == float(cell) if cell else math.isnan(found)


def test_what_we_export_we_read(tmp_path):
    rule = RULES["brats2026-METS"]
    box = np.zeros((9, 9, 9), np.uint8)
    box[2:6, 2:6, 2:6] = 3
    scores = score_case(
        "a", np.roll(box, 1, 0), target=box, regions=rule.regions, spacing_mm=(1, 1, 1), metrics=rule.metrics, rule=rule
    )
    ours = {(s.region, s.metric): s.value for s in scores}
    for path in write_tables_2026(tmp_path / "s.csv", scores, rule):
        for row in read_table(path):
            if row.status == "scored":
                assert row.value == ours[row.region, row.metric]


def test_wide_is_told_its_columns(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("who;d;h\na;0.5;2\n")
    rows = read_table(path, "wide(case=who,columns='d=WT dice,h=whole tumour hd95')")
    assert [(r.case, r.region, r.metric, r.value) for r in rows] == [
        ("a", "WT", "dice", 0.5), ("a", "whole tumour", "hd95", 2.0)
    ]  # fmt: skip
    with pytest.raises(SpecError, match="no column 'e'"):
        read_table(path, "wide(case=who,columns='e=WT dice')")
    with pytest.raises(SpecError, match="COLUMN=REGION METRIC"):
        read_table(path, "wide(case=who,columns='d')")


def test_a_surface_dice_of_lesions_is_no_surface_dice_of_a_region(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("id,WT_surf_dice,WT_lesion_wise_surf_dice,WT_lesion_wise_dice\na,0.9,0.4,0.5\n")
    assert [(r.region, r.metric, r.value) for r in read_table(path)] == [("WT", "nsd", 0.9), ("WT", "lesion_dice", 0.5)]


def test_what_monai_itself_writes_is_read(tmp_path):
    rng = np.random.default_rng(0)
    dice, names = rng.random((5, 2), dtype=np.float32), [f"/data/p{number}/t1.nii.gz" for number in range(5)]
    dice[1, 0] = np.nan  # MONAI's mark of a class that is not there
    write_metrics_reports(
        save_dir=tmp_path, images=names, metrics={"val_mean_dice": float(np.nanmean(dice))},
        metric_details={"val_mean_dice": dice}, summary_ops="*", class_labels=["scar", "oedema"],
    )  # fmt: skip
    rows = read_table(tmp_path / "val_mean_dice_raw.csv")
    assert [(row.case, row.region) for row in rows] == [(f"p{n}", r) for n in range(5) for r in ("scar", "oedema")]
    np.testing.assert_allclose([row.value for row in rows], dice.ravel(), rtol=1e-6)
    assert [row.status for row in rows].count("undefined") == 1
    with pytest.raises(InputError):
        read_table(tmp_path / "val_mean_dice_summary.csv")


def test_a_monai_file_whose_name_tells_no_metric_is_asked_about(tmp_path):
    path = tmp_path / "x_raw.csv"
    path.write_text(FILES["monai_metrics"])
    with pytest.raises(InputError, match="say which"):
        read_table(path)
    assert {row.metric for row in read_table(path, "monai_metrics(metric=hd95)")} == {"hd95"}


def test_a_decimal_comma_is_named_with_its_cure(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("case;arm;value\na;x;0,5\n")
    with pytest.raises(InputError, match="found the value '0,5'; numbers are written with a decimal point"):
        read_table(path)
