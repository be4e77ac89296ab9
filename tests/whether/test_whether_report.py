"""What the report shows of losses that meet, of the fused image, and of the paper's tables."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mrfusion.files import read_json, write_json, write_rows
from mrfusion.report import printed
from mrfusion.report.page import page
from mrfusion.report.section import balance, paper_tables
from mrfusion.result import CaseScore
from mrfusion.run_folder.run import RunFolder
from mrfusion.study.load import load_study

ARMS = ("A", "C 5e-7")


def study_of(folder: Path, *, prefix: str = "case", plan: str = "concat+lrrnet(t1c,t2f)") -> Path:
    """Two arms, one run each, two cases; the second arm has two losses that conflict in one of two epochs."""
    ids, plans = [f"{prefix}-{i}" for i in range(2)], {"A": "concat", "C 5e-7": plan}
    cells = [{"arm": arm, "fold": 0, "seed": 0, "digest": f"{place:016x}"} for place, arm in enumerate(ARMS)]
    arms = [{"name": arm, "changes": {"plan": plans[arm]}} for arm in ARMS]
    about = {"name": "whether", "question": "Whether?", "reference": "A", "folds": [0], "seeds": [0]}
    write_json(folder / "study.json", {**about, "base": {}, "arms": arms, "plan": cells})
    cohort = {"modalities": ["t1c", "t2f"], "regions": [[r, [1]] for r in ("WT", "TC", "ET")], "classes": []}
    cases = [{"id": i, "patient": i} for i in ids]
    write_json(folder / "cohort.json", {**cohort, "fingerprint": "f", "cases": cases})
    hashes = {i: {"patient": i, "hash": "h"} for i in ids}
    write_json(folder / "splits.json", {"cases": hashes, "folds": [{"train": [], "val": [], "test": ids}]})
    for cell in cells:
        write_run(folder / "runs" / cell["digest"], ids, plans[cell["arm"]])
    return folder


def write_run(home: Path, ids: list[str], plan: str) -> None:
    names = {"dice": 0.5, "lesion_dice": 0.25, "hd95": 12.0, "lesion_hd95": 100.0, "target_volume_mm3": 9.0}
    RunFolder(home).write_scores(
        [CaseScore(i, r, m, v) for i in ids for r in ("WT", "TC", "ET") for m, v in names.items()], {}
    )
    rows: list[tuple[int, str, float]] = [(1, "val/dice", 0.4), (2, "val/dice", 0.5)]
    if "lrrnet" in plan:
        for epoch, cosine in ((1, -0.5), (2, 0.1)):
            rows += [(epoch, "cosine/dice_ce:fusion", cosine)]
            rows += [(epoch, f"{kind}/{name}", 3.0 * epoch) for name in ("dice_ce", "fusion")
                     for kind in ("train", "weight", "gradient")]  # fmt: skip
            (home / "fused").mkdir(exist_ok=True)
            grey = np.full((1, 8, 8), 40 * epoch, np.uint8)
            np.savez(home / "fused" / f"{epoch:04d}.npz", names=[plan], images=grey, sources=["t1c", "t2f"],
                     source_images=np.repeat(grey, 2, 0))  # fmt: skip
    write_rows(home / "history.csv", ("epoch", "quantity", "value"), rows)
    write_json(home / "environment.json", {"parameters": 5, "epochs": 2, "steps": 4, "train_seconds": 1.0})
    write_json(home / "spec.json", {"plan": plan, "fold": 0, "seed": 0})


def test_the_balance_of_an_arm_with_two_losses(tmp_path: Path) -> None:
    found = balance.section(load_study(study_of(tmp_path)))
    assert found is not None
    assert "−0.20" in found.html
    assert "50 %" in found.html
    assert "3 → 6" in found.html
    assert found.html.count("data:image/webp") == 2 + 2
    assert "epoch 1" in found.html
    (figure,) = found.figures
    assert len(figure.drawings["cosine"]["data"]) == 1
    assert len(figure.drawings["weight"]["data"]) == 2
    assert figure.drawings["cosine"]["data"][0]["y"] == [-0.5, 0.1]


def test_a_broken_picture_takes_nothing_else_with_it(tmp_path: Path) -> None:
    folder = study_of(tmp_path)
    next(folder.glob("runs/*/fused/0002.npz")).write_bytes(b"no picture")
    found = balance.section(load_study(folder))
    assert found is not None
    assert found.html.count("data:image/webp") == 2 + 1


def test_studies_without_a_fused_image_have_neither_section(make_plain: Callable[[Path], Path], tmp_path: Path) -> None:
    study = load_study(make_plain(tmp_path))
    assert balance.section(study) is None
    assert paper_tables.section(study) is None


@pytest.fixture
def make_plain() -> Callable[[Path], Path]:
    return lambda folder: study_of(folder, plan="concat+zeros")


def test_the_paper_s_tables_on_another_data_set_hold_our_numbers_only(tmp_path: Path) -> None:
    found = paper_tables.section(load_study(study_of(tmp_path)))
    assert found is not None
    for words in ("Dice and lesion-wise Dice", "HD95 and lesion-wise HD95", "50.0", "25.0", "12.0", "100.0"):
        assert words in found.html
    assert "paper 77.98" not in found.html
    assert "misprint" not in found.html


def test_on_brats_men_the_paper_s_tables_stand_in_full_and_each_doubt_has_its_reason(tmp_path: Path) -> None:
    found = paper_tables.section(load_study(study_of(tmp_path, prefix="BraTS-MEN-0000")))
    assert found is not None
    printed_cells = 3 * sum(len(row) for row in printed.PRINTED.values())
    assert found.html.count("paper ") - found.html.count("paper prints") == printed_cells
    assert found.html.count("paper 77.98") == 2
    assert found.html.count('">doubt 1</b>') == 3  # the HD95 of the baseline
    assert found.html.count('">doubt 2</b>') == 3  # the order of regions
    assert found.html.count('">doubt 3</b>') == 1
    assert found.html.count('">doubt 4</b>') == 24  # two rows of four triples, swapped in one of the two tables
    for words in (
        "stands in no row",
        "at least 72 % of the lesions",
        "marked in both",
        "use all four and whole volumes",
        "is ours",
    ):
        assert words in found.html
    assert "not public" not in found.html


def test_the_paper_s_tables_are_those_of_the_method() -> None:
    """Counted by hand: two rows of two triples, eight of four, two of two; a few of them, and each doubt's reason."""
    assert sum(len(row) for row in printed.PRINTED.values()) == 2 + 2 + 8 * 4 + 2 * 2
    assert printed.cell("C 5e-5", "lesion_hd95", "WT") == ("156.89", "")
    assert printed.cell("C 1e-6", "hd95", "TC") == ("38.82", "swapped")
    assert printed.cell("C 5e-7", "dice", "ET") == ("21.16", "swapped")
    assert printed.cell("C 1e-6", "lesion_dice", "WT") == ("28.40", "swapped")
    assert printed.cell("C segmentation only", "dice", "ET") == ("50.70", "")
    assert printed.cell("B", "hd95", "TC") == ("", "")
    assert set(printed.SUSPECT.values()) == set(printed.DOUBTS)
    assert all(printed.cell(*key)[0] for key in printed.SUSPECT)


def test_the_whole_page(tmp_path: Path) -> None:
    folder = study_of(tmp_path)
    html = page(load_study(folder))
    assert "Balance of the losses" in html
    assert "The paper&#39;s tables" in html
    assert read_json(folder / "study.json")["name"] == "whether"
