"""docs/compare.md is run: its tables are written, its commands carried out, its Python executed."""

import csv
import json
import re
import shlex
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from mrfusion.cli import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+) ?([\w.]*)\n(.*?)```", PAGE, re.DOTALL)
SUMMARY = ROOT / "tests" / "importers" / "nnunet_summary.json"


def write_others(folder: Path) -> None:
    """The files that the page names and does not show: nnU-Net's summary, wide tables, predictions, images."""
    (folder / "fold_0" / "validation").mkdir(parents=True)
    for place in ("fold_0/validation/summary.json", "ours_summary.json"):
        (folder / place).write_text(SUMMARY.read_text())
    for name, shift in (("wide.csv", 0.0), ("wide2.csv", 0.01)):
        rows = [f"c{k},{0.8 + shift + k / 100:.3f},{2 + k}" for k in range(7)]
        (folder / name).write_text("\n".join(["id,d_wt,h_wt", *rows]) + "\n")
    for case in range(6):
        label = np.zeros((12, 12, 10), np.uint8)
        label[2:9, 2:9, 2:8] = 1
        label[4:7, 4:7, 3:6] = 2
        fold = case // 2
        nnunet = f"nnUNetTrainer__nnUNetPlans__3d_fullres/fold_{fold}/validation"
        for place, moved in (("labels", 0), (nnunet, 1), (f"ours_fold{fold}", 2)):
            (folder / place).mkdir(parents=True, exist_ok=True)
            array = np.roll(label, moved, case % 3)
            numbers = np.array([0, 2, 1], np.uint8) if place == nnunet else np.arange(3, dtype=np.uint8)
            nib.save(nib.Nifti1Image(numbers[array], np.eye(4)), folder / place / f"case{case}.nii.gz")
        labels = {"background": 0, "WT": [1, 2], "TC": 1}  # nnU-Net's own numbers, as its dataset.json tells them
        (folder / nnunet.partition("/")[0] / "dataset.json").write_text(json.dumps({"labels": labels}))
        (folder / "images").mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(50.0 * label, np.eye(4)), folder / "images" / f"case{case}_0000.nii.gz")


def test_the_page_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_others(tmp_path)
    kinds = [kind for kind, _, _ in BLOCKS]
    assert (kinds.count("csv"), kinds.count("bash"), kinds.count("python")) == (1, 4, 1)
    for kind, name, text in BLOCKS:
        if kind == "csv":
            (tmp_path / name).write_text(text)
        elif kind == "bash":
            arguments = shlex.split(text)
            assert arguments[:2] == ["mrfusion", "compare"]
            done = CliRunner().invoke(app, arguments[1:])
            assert done.exit_code == 0, (arguments, done.output, done.exception)
            out = tmp_path / arguments[arguments.index("--out") + 1]
            assert {p.name for p in out.iterdir()} >= {
                "report.html",
                "report.json",
                "report.md",
                "report.tex",
                "scores.csv",
            }
            assert json.loads((out / "report.json").read_text())["comparisons"]
        elif kind == "yaml":
            assert "predictions" in yaml.safe_load(text)["arms"]["nnU-Net"]
        else:
            exec(compile(text, "docs/compare.md", "exec"), {})
    assert "ours WT dice 0.02" in capsys.readouterr().out
    page = (tmp_path / "from-table" / "report.html").read_text()
    assert "training terms and seeds not known" in page
    assert "equal budget" not in page
    assert "Training per run" not in page
    with (tmp_path / "from-folders" / "scores.csv").open() as stream:
        dice = {row["region"]: float(row["value"]) for row in csv.DictReader(stream)
                if (row["arm"], row["case"], row["metric"]) == ("nnU-Net", "case0", "dice")}  # fmt: skip
    assert dice == {"WT": 6 / 7, "TC": 2 / 3}  # a box of 7 voxels moved by one, and one of 3
    drawn = (tmp_path / "from-folders" / "report.html").read_text()
    assert drawn.count('<div class="panels"') == 6


@pytest.mark.parametrize(
    "word", ["nnunet_summary", "mist", "panoptica", "brats2023", "brats2026", "monai_metrics", "tidy", "wide"]
)
def test_the_page_names_every_importer(word):
    assert f"| `{word}` |" in PAGE


def test_what_holds_of_every_row_is_said_once(tmp_path):
    rows = [f"{arm},c{k},{region},dice,{0.8 + (arm == 'b') * 0.02 + k / 99:.3f}"
            for arm in "ab" for k in range(9) for region in ("WT", "TC")]  # fmt: skip
    (tmp_path / "t.csv").write_text("\n".join(["arm,case,region,metric,value", *rows]) + "\n")
    done = CliRunner().invoke(
        app, ["compare", str(tmp_path / "t.csv"), "--reference", "a", "--out", str(tmp_path / "o")]
    )
    assert done.exit_code == 0, done.output
    (reason, *_) = json.loads((tmp_path / "o" / "report.json").read_text())["comparisons"][0]["reasons"]
    table = re.search(r'<section id="verdicts".*?</section>', (tmp_path / "o" / "report.html").read_text(), re.DOTALL)
    assert table is not None
    assert table.group(0).count(f"Every row: {reason}") == table.group(0).count(reason) == 1
    assert ">base<" not in (tmp_path / "o" / "report.html").read_text()
