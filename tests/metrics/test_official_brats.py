"""Every column of the official BraTS 2023 script: its own answers, and random pairs against a slow literal copy."""

import csv
from pathlib import Path

import literal
import numpy as np
import pytest

from mrfusion.data.nifti.labels import read_stored
from mrfusion.metrics import _pair
from mrfusion.rules import RULES, WT_TC_ET
from mrfusion.scoring.masks import score_case
from mrfusion.surface import box, distances, elements, kernels, lesions, libraries
from mrfusion.surface.areas import surfel_areas

COLUMNS = {
    "Num_TP": "lesion_tp",
    "Num_FP": "lesion_fp",
    "Num_FN": "lesion_fn",
    "Sensitivity": "sensitivity",
    "Specificity": "specificity",
    "Legacy_Dice": "dice",
    "Legacy_HD95": "hd95",
    "GT_Complete_Volume": "target_volume_mm3",
    "LesionWise_Score_Dice": "lesion_dice",
    "LesionWise_Score_HD95": "lesion_hd95",
}
METRICS = tuple(COLUMNS.values())


@pytest.fixture(params=[kernels, libraries], ids=["kernels", "libraries"])
def engine(request, monkeypatch):
    """Both implementations of the operations on masks, one after the other."""
    for module in (box, distances, elements, lesions, _pair):
        monkeypatch.setattr(module, "engine", request.param)
    return request.param


def values(prediction, target, rule, spacing_mm=(1.0, 1.0, 1.0)):
    scores = score_case(
        "case", prediction, target=target, regions=WT_TC_ET, spacing_mm=spacing_mm, metrics=METRICS, rule=rule
    )
    return {(score.region, score.metric): score.value for score in scores}


def official(root: Path) -> dict[tuple[str, str], dict[tuple[str, str], float]]:
    """(pair, rules) -> (region, metric) -> what the official script said."""
    found: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    with (root / "brats2023" / "official.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            answers = found.setdefault((row["pair"], row["rules"]), {})
            answers |= {(row["region"], metric): float(row[column]) for column, metric in COLUMNS.items()}
    return found


def test_every_official_number_to_the_last_bit(oracle_root):
    answers = official(oracle_root)
    assert len(answers) == 22
    for (pair, rules), expected in answers.items():
        files = (oracle_root / "brats2023" / "pairs" / f"{pair}_{role}.nii.gz" for role in ("pred", "gt"))
        pred, target = (read_stored(path) for path in files)
        found = values(pred.array, target.array, RULES[rules], pred.spacing_mm)
        assert {key: (found[key], value) for key, value in expected.items() if found[key] != value} == {}, pair


@pytest.mark.parametrize("pair", ["r07_small_single", "e04_single_voxel", "e10_boxes_ties"])
def test_the_library_path_gives_the_official_numbers_too(oracle_root, engine, pair):
    expected = official(oracle_root)[pair, "brats2023-GLI"]
    files = (oracle_root / "brats2023" / "pairs" / f"{pair}_{role}.nii.gz" for role in ("pred", "gt"))
    pred, target = (read_stored(path).array for path in files)
    assert values(pred, target, RULES["brats2023-GLI"]) == expected


def blobs(rng, shape, count, size):
    """A label map 0-3 of a few boxes, some of them specks, some at the border, some overlapping."""
    label_map = np.zeros(shape, np.uint8)
    for _ in range(count):
        low = rng.integers(-1, np.array(shape) - 1)
        high = low + rng.integers(1, size, 3)
        label_map[tuple(slice(max(a, 0), b) for a, b in zip(low, high, strict=True))] = rng.integers(1, 4)
    return label_map


def moved(rng, label_map):
    """A prediction: the target shifted a little, with parts lost and specks added."""
    found = np.roll(label_map, rng.integers(-2, 3), axis=rng.integers(3))
    found[rng.random(found.shape) < 0.05] = 0
    return np.where(rng.random(found.shape) < 0.002, 3, found).astype(np.uint8)


@pytest.mark.parametrize("name", ["brats2023-GLI", "brats2023-MEN", "brats2023-MET"])
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.7, 1.3, 3.0)])
def test_random_pairs_agree_with_the_literal_definition(engine, name, spacing_mm):
    rule = RULES[name]
    rng = np.random.default_rng(len(name) + int(spacing_mm[2]))
    for _ in range(3):
        target = blobs(rng, (26, 22, 19), rng.integers(1, 9), 8)
        pred = moved(rng, target) if rng.random() < 0.7 else blobs(rng, target.shape, rng.integers(1, 6), 6)
        found = values(pred, target, rule, spacing_mm)
        for region in WT_TC_ET:
            expected = literal.scores(
                pred.astype(float),
                target.astype(float),
                spacing_mm,
                labels=sorted(region.labels),
                dilation=rule.dilation,
                smallest_mm3=rule.smallest_mm3,
                areas=surfel_areas,
            )
            assert {m: found[region.name, m] for m in METRICS} == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_noise_of_many_components_agrees_with_the_literal_definition(engine):
    rng = np.random.default_rng(5)
    pred, target = (np.where(rng.random((14, 13, 12)) < 0.04, 3, 0).astype(np.uint8) for _ in range(2))
    found = values(pred, target, RULES["brats2023-MET"])
    expected = literal.scores(
        pred.astype(float),
        target.astype(float),
        (1, 1, 1),
        labels=[3],
        dilation=1,
        smallest_mm3=2.0,
        areas=surfel_areas,
    )
    assert {m: found["ET", m] for m in METRICS} == pytest.approx(expected, rel=1e-12)


def test_arrays_in_either_memory_order_and_any_type_give_the_same():
    rng = np.random.default_rng(8)
    target = blobs(rng, (20, 21, 22), 5, 9)
    pred = moved(rng, target)
    expected = values(pred, target, RULES["brats2023-GLI"])
    assert values(np.asfortranarray(pred), np.asfortranarray(target), RULES["brats2023-GLI"]) == expected
    assert values(pred.astype(np.float64), target.astype(np.int16), RULES["brats2023-GLI"]) == expected
