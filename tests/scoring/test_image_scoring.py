"""Folders of PNG files: every metric of every file; faults named; the published tables."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mrfusion import families
from mrfusion.errors import CaseError
from mrfusion.scoring.images import read_grey, score_images

COLUMNS = {"ms_ssim": "MS_SSIM", "qabf": "Qabf"}
SLOW = {"ms_ssim": 4, "vif": 4}  # every fourth image: all were checked once, the largest deviation is the same
METHODS = ["ASFE-Fusion", "DWT-grayscale", "PYRAMID-grayscale"]


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    random = np.random.default_rng(0)
    for name in ("fused", "CT", "MRI"):
        (tmp_path / name).mkdir()
        for case in ("1", "2"):
            Image.fromarray(random.integers(0, 256, (45, 50), np.uint8)).save(tmp_path / name / f"{case}.png")
    return {name: tmp_path / name for name in ("fused", "CT", "MRI")}


def score(folders: dict[str, Path], **options: Any) -> list:
    return score_images(folders["fused"], {n: folders[n] for n in ("CT", "MRI")}, **options)


def test_every_metric_of_every_file(folders: dict[str, Path]) -> None:
    seen = []
    scores = score(folders, progress=lambda *state: seen.append(state))
    assert {(s.case, s.metric) for s in scores} == {(c, m) for c in "12" for m in families.names("image_metrics")}
    assert {s.metric for s in scores if s.status == "undefined"} == {"ms_ssim"}  # 45 x 50 is too small for it
    assert seen == [(0, 2, "1"), (1, 2, "2"), (2, 2, "")]


def test_16_bits_and_grey_stored_as_colour_are_read(folders: dict[str, Path]) -> None:
    grey = np.asarray(Image.open(folders["CT"] / "1.png"))
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(folders["CT"] / "1.png")
    assert (read_grey(folders["CT"] / "1.png")[0] == grey).all()
    Image.fromarray(grey.astype(np.uint16) * 257).save(folders["CT"] / "2.png")
    image, data_range = read_grey(folders["CT"] / "2.png")
    assert data_range == (0, 65535)
    assert (image == 257.0 * grey).all()
    with pytest.raises(CaseError, match="different ranges"):
        score(folders)


def test_faults_name_the_file(folders: dict[str, Path]) -> None:
    coloured = np.zeros((45, 50, 3), np.uint8)
    coloured[0, 0, 0] = 1
    Image.fromarray(coloured).save(folders["MRI"] / "1.png")
    with pytest.raises(CaseError, match=r"grey image of 8 or 16 bits at .*MRI.1\.png, found mode RGB"):
        score(folders)
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folders["MRI"] / "1.png")
    with pytest.raises(CaseError, match=r"fused.1\.png: expected .* one shape, found MRI \(9, 9\)"):
        score(folders)
    (folders["MRI"] / "1.png").write_text("no picture")
    with pytest.raises(CaseError, match=r"expected a PNG file at .*MRI.1\.png"):
        score(folders)
    (folders["MRI"] / "1.png").unlink()
    with pytest.raises(CaseError, match=r"expected a PNG file at .*MRI.1\.png"):
        score(folders)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="found none"):
        score_images(tmp_path, {"a": tmp_path, "b": tmp_path})


@pytest.mark.parametrize("method", METHODS)
def test_equals_the_published_tables(oracle_root: Path, method: str) -> None:
    root = oracle_root / "image_fusion"
    with (root / "published" / f"{method}_metrics.csv").open(newline="") as stream:
        table = {Path(row["ImageName"]).stem: row for row in csv.DictReader(stream)}
    fast = [name for name in families.names("image_metrics") if name not in SLOW]
    sources = {name: root / name for name in ("CT", "MRI")}
    scores = score_images(root / "fused" / method, sources, metrics=fast, convention="published")
    assert len(scores) == 24 * len(fast)
    for s in scores:
        assert s.value == pytest.approx(float(table[s.case][COLUMNS.get(s.metric, s.metric.upper())]), abs=1e-9), s


@pytest.mark.parametrize("method", METHODS)
def test_equals_the_published_ms_ssim_and_vif(oracle_root: Path, method: str, tmp_path: Path) -> None:
    root = oracle_root / "image_fusion"
    with (root / "published" / f"{method}_metrics.csv").open(newline="") as stream:
        table = {Path(row["ImageName"]).stem: row for row in csv.DictReader(stream)}
    for path in sorted((root / "fused" / method).glob("*.png"))[::4]:
        (tmp_path / path.name).symlink_to(path)
    sources = {name: root / name for name in ("CT", "MRI")}
    scores = score_images(tmp_path, sources, metrics=sorted(SLOW), convention="published")
    assert len(scores) == 6 * len(SLOW)
    for s in scores:
        assert s.value == pytest.approx(float(table[s.case][s.metric.upper()]), abs=1e-9), s
