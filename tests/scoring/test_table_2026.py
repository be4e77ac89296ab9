"""Every cell of the challenge's two tables of 2026: its own answers, and what the tables refuse."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from mrfusion.data.nifti.labels import read_stored
from mrfusion.errors import SpecError
from mrfusion.importers._columns_2026 import SUMMARY, TABLES
from mrfusion.result import CaseScore
from mrfusion.rules import RULES
from mrfusion.scoring.masks import score_case
from mrfusion.scoring.table_2026 import table, write_tables_2026

NAMES = {"gli": "GLI", "mets": "METS", "ped": "PED"}
OFFICIAL = [("gli", "seg"), ("mets", "seg"), ("mets", "mets"), ("ped", "seg"), ("MenPre", "seg"), ("GoAT", "seg")]
OFFICIAL += [("MenRT", "seg")]


def number(cell: str) -> float:
    return float(cell) if cell else math.nan


def read(path: Path) -> dict[str, dict[str, float]]:
    with path.open(newline="") as stream:
        return {row.pop("subject_id"): {k: number(v) for k, v in row.items()} for row in csv.DictReader(stream)}


def scored(root: Path, cases, rule) -> list[CaseScore]:
    found: list[CaseScore] = []
    for case in cases:
        pred, target = (read_stored(root / "brats2023" / "pairs" / f"{case}_{role}.nii.gz") for role in ("pred", "gt"))
        found += score_case(
            case,
            pred.array,
            target=target.array,
            regions=rule.regions,
            spacing_mm=pred.spacing_mm,
            metrics=rule.metrics,
            rule=rule,
        )
    return found


@pytest.mark.parametrize(("challenge", "kind"), OFFICIAL)
def test_every_official_cell(oracle_root, tmp_path, challenge, kind):
    expected = read(oracle_root / "brats2026" / f"{challenge}_{kind}.csv")
    rule = RULES[f"brats2026-{NAMES.get(challenge, challenge)}"]
    scores = scored(oracle_root, [name for name in expected if name not in SUMMARY], rule)
    written = {path.stem: path for path in write_tables_2026(tmp_path / "scores.csv", scores, rule)}
    found = read(written[f"scores_{kind}"])
    assert list(found) == list(expected)
    assert list(found["mean"]) == list(expected["mean"]), "the columns and their order"
    for case, row in expected.items():
        for column, wanted in row.items():
            value = found[case][column]
            same = value == wanted or (math.isnan(value) and math.isnan(wanted)) or abs(value - wanted) < 1e-9
            assert same, (case, column, wanted, value)


def test_only_mets_parts_lesions_by_size(tmp_path):
    for name, kinds in (("brats2026-METS", {"seg", "mets"}), ("brats2026-GLI", {"seg"})):
        rule = RULES[name]
        box = np.zeros((8, 8, 8), np.uint8)
        box[2:5, 2:5, 2:5] = 3
        scores = score_case(
            "a", box, target=box, regions=rule.regions, spacing_mm=(1, 1, 1), metrics=rule.metrics, rule=rule
        )
        written = write_tables_2026(tmp_path / name / "s.csv", scores, rule)
        assert {path.stem.removeprefix("s_") for path in written} == kinds


def test_a_box_by_hand():
    """A lesion of 4x4x4 found one voxel off, one of 2 voxels missed, a false one: counted and measured by hand."""
    rule = RULES["brats2026-METS"]
    target, pred = np.zeros((2, 30, 20, 20), np.uint8)
    target[2:6, 2:6, 2:6] = 3
    target[12, 2, 2:4] = 3
    pred[3:7, 2:6, 2:6] = 3
    pred[20, 2, 2] = 3
    scores = score_case(
        "a", pred, target=target, regions=rule.regions, spacing_mm=(1, 1, 1), metrics=rule.metrics, rule=rule
    )
    tables = {kind: table(scores, rule, kind) for kind in TABLES}
    seg, mets = (dict(zip(header, rows[0], strict=True)) for header, rows in tables.values())
    assert [seg[f"all_instance_{k}_et"] for k in ("tp", "fp", "fn")] == [1.0, 1.0, 1.0]
    assert seg["lesionwise_dsc_mean_et"] == pytest.approx(2 * 48 / 128)
    assert seg["global_dsc_et"] == pytest.approx(2 * 48 / (66 + 65))
    assert (seg["lesionwise_hd95_mean_et"], seg["lesionwise_nsd_mean_et"]) == (1.0, 1.0)
    assert [mets[f"large_instance_{k}_et"] for k in ("tp", "fp", "fn")] == [1.0, 1.0, 0.0]
    assert [mets[f"small_instance_{k}_et"] for k in ("tp", "fp", "fn")] == [0.0, 1.0, 1.0]
    assert mets["lesionwise_hd95_mean_et"] == pytest.approx((1.0 + 373.0) / 2)
    assert mets["lesionwise_dsc_mean_et"] == pytest.approx(0.75 / 2)
    assert seg["global_dsc_rc"] == ""
    assert seg["all_instance_tp_rc"] == 0.0


def test_what_cannot_be_handed_in_is_refused(tmp_path):
    with pytest.raises(SpecError, match=r"plain are none of the package's"):
        write_tables_2026(tmp_path / "s.csv", [], RULES["plain"])
    with pytest.raises(SpecError, match="instance_tp was not asked for"):
        write_tables_2026(tmp_path / "s.csv", [CaseScore("a", "ET", "dice", 1.0)], RULES["brats2026-GLI"])
    assert not list(tmp_path.iterdir())
