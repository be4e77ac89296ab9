"""A study folder made up of believable numbers and drawn slices, so that the report can be tested before any run."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from mrfusion.files import write_json, write_rows
from mrfusion.result import CaseScore
from mrfusion.run_folder.run import RunFolder
from mrfusion.scoring.masks import summarise

REGIONS = ("WT", "TC", "ET")
MODALITIES = ("t1n", "t1c", "t2w", "t2f")
SKILL = {"concat": 0.0, "separate": 0.022, "only-t1c": -0.075}
LACKS_ET = "case-05"


def fabricate(
    folder: Path, *, arms: dict[str, float] = SKILL, folds: int = 2, seeds: int = 2, cases: int = 8, size: int = 96
) -> Path:
    """Write the folder and return it; the same arguments give the same numbers."""
    ids = [f"case-{i:02d}" for i in range(cases)]
    plan = [
        {"arm": a, "fold": f, "seed": s, "digest": digest(a, f, s)}
        for a in arms
        for f in range(folds)
        for s in range(seeds)
    ]
    write_json(folder / "study.json", {
        "name": "Phantom",
        "question": "Does an encoder per modality beat concatenation at the input?",
        "arms": [{"name": a, "changes": {"plan": a} if i else {}} for i, a in enumerate(arms)],
        "reference": next(iter(arms)),
        "base": {"plan": next(iter(arms))},
        "folds": folds,
        "seeds": list(range(seeds)),
        "plan": plan,
    })  # fmt: skip
    write_json(folder / "cohort.json", {
        "modalities": MODALITIES,
        "regions": [[name, [1]] for name in REGIONS],
        "classes": [],
        "fingerprint": "5f3a90c2d1e84b67",
        "cases": [{"id": c, "patient": f"patient of {c}"} for c in ids],
    })  # fmt: skip
    parts = [
        {"train": [c for c in ids if c not in ids[f::folds]], "val": [], "test": ids[f::folds]} for f in range(folds)
    ]
    about = {c: {"patient": f"patient of {c}", "hash": f"{hash_of(c):016x}"} for c in ids}
    write_json(folder / "splits.json", {"cases": about, "folds": parts})
    for run in plan:
        write_run(folder / "runs" / run["digest"], ids[run["fold"] :: folds], run, skill=arms[run["arm"]], size=size)
    return folder


def digest(arm: str, fold: int, seed: int) -> str:
    """Sixteen digits for a run."""
    return hashlib.sha256(f"{arm}|{fold}|{seed}".encode()).hexdigest()[:16]


def write_run(home: Path, cases: list[str], run: dict[str, Any], *, skill: float, size: int) -> None:
    """One finished run's folder."""
    rng = np.random.default_rng(int(run["digest"], 16))
    scores = [score for case in cases for score in case_scores(case, skill, rng)]
    RunFolder(home).write_scores(scores, summarise(scores))
    write_rows(home / "history.csv", ("epoch", "quantity", "value"), history(skill, rng))
    parameters = 482_113 if run["arm"] != "separate" else 1_204_391
    write_json(home / "environment.json", {
        "versions": {"mrfusion": "0.1.0", "torch": "2.13.0", "numpy": "2.2.0"}, "threads": 2,
        "machine": {"host": "workstation", "system": "Linux", "device": "cpu"},
        "command": "mrfusion study phantom.yaml", "parameters": parameters, "epochs": 30, "steps": 1200,
        "peak_mib": 812.0, "train_seconds": 61.0 * parameters / 482_113 + float(rng.normal(0, 2)),
    })  # fmt: skip
    write_json(home / "spec.json", {"plan": run["arm"], "fold": run["fold"], "seed": run["seed"]})
    (home / "slices").mkdir(exist_ok=True)
    for n, case in enumerate(cases):
        write_slice(home / "slices" / f"{n}.npz", case, 0.85 + skill, size=size, rng=rng)
    (home / "volumes").mkdir(exist_ok=True)
    write_ball(home / "volumes" / "0.npz", cases[0], size=size // 2, rng=rng)


def case_scores(case: str, skill: float, rng: Generator) -> list[CaseScore]:
    """Dice, HD95 and the target's volume of every region; one case lacks ET."""
    ease = np.random.default_rng(abs(hash_of(case))).normal(0, 0.05)
    found = []
    for place, region in enumerate(REGIONS):
        dice = float(np.clip(0.88 - 0.06 * place + ease + skill + rng.normal(0, 0.015), 0, 1))
        if case == LACKS_ET and region == "ET":
            right = bool(rng.random() < 0.5)
            found += [
                CaseScore(case, region, "dice", float(right)),
                CaseScore(case, region, "iou", float("nan"), "undefined"),
                CaseScore(case, region, "target_volume_mm3", 0.0),
            ]
            continue
        found += [
            CaseScore(case, region, "dice", dice),
            CaseScore(case, region, "iou", dice / (2 - dice)),
            CaseScore(case, region, "target_volume_mm3", 41000.0 / (1 + place)),
        ]
    return found


def history(skill: float, rng: Generator) -> list[tuple[int, str, float]]:
    """Thirty epochs that look like learning."""
    rows = []
    for epoch in range(30):
        progress = 1 - np.exp(-epoch / 7)
        rows += [
            (epoch, "train/dice_ce", float(1.4 - 1.1 * progress + rng.normal(0, 0.02))),
            (epoch, "val/score", float(0.82 * (1 - np.exp(-epoch / 5)) - 0.002 * (epoch == 29))),
            (epoch, "val/dice", float((0.82 + skill) * progress + rng.normal(0, 0.012))),
            (epoch, "lr", float(1e-3 * (1 + np.cos(np.pi * epoch / 30)) / 2)),
            (epoch, "seconds", 2.0),
        ]
    return rows


def write_slice(path: Path, case: str, quality: float, *, size: int, rng: Generator) -> None:
    """A head with ventricles and a nested lesion, in four contrasts; the prediction is a slightly wrong lesion."""
    mine = np.random.default_rng(abs(hash_of(case)))
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    head = (x / 0.40) ** 2 + (y / 0.47) ** 2
    folds = 0.12 * np.sin(26 * x + 5 * np.sin(14 * y)) * np.cos(24 * y + 4 * np.sin(16 * x))
    fluid = (((np.abs(x) - 0.05) / 0.035) ** 2 + ((y + 0.02) / 0.13) ** 2) < 1
    centre = mine.uniform(-0.18, 0.18, 2)
    wobble = mine.uniform(0, 6, 3)
    target = _lesion(x - centre[0], y - centre[1], wobble, grow=1.0)
    shift = rng.normal(0, 0.05 * (1 - quality), 2)
    prediction = _lesion(x - centre[0] + shift[0], y - centre[1] + shift[1], wobble + rng.normal(0, 0.3, 3), grow=0.97)
    if case == LACKS_ET:
        target[2] = 0
    brain, skull = head < 0.86, (head >= 0.92) & (head < 1)
    levels = np.array([[0.62, 0.20, 0.42, 0.38, 0.40], [0.60, 0.20, 0.40, 0.34, 0.98], [0.45, 0.95, 0.8, 0.72, 0.66],
                       [0.42, 0.08, 0.92, 0.70, 0.76]])  # fmt: skip
    images = []
    for tissue, water, edema, core, rim in levels:
        image = np.where(brain, tissue + folds, np.where(skull, 0.55, 0.0))
        for mask, level in (
            (fluid & brain, water),
            (target[0] & brain, edema),
            (target[1] & brain, core),
            (target[2] & brain, rim),
        ):
            image = np.where(mask != 0, level + 0.3 * folds, image)
        images.append(np.clip(image + mine.normal(0, 0.025, image.shape), 0, 1))
    np.savez_compressed(
        path,
        case=np.array(case),
        modalities=np.array(MODALITIES),
        images=(np.stack(images) * 255).astype(np.uint8),
        regions=np.array(REGIONS),
        target=(target & brain).astype(np.uint8),
        prediction=(prediction & brain).astype(np.uint8),
        pixel_mm=np.array([180.0 / size, 180.0 / size]),
        index=np.array(31),
    )


def write_ball(path: Path, case: str, *, size: int, rng: Generator) -> None:
    """A head as a bright ball in a grid of unequal sides, with nested lesions; the prediction is moved by a voxel."""
    x, y, z = np.mgrid[0:size, 0 : size + 4, 0 : size // 2] / size - 0.5
    z = 2 * z + 0.5
    head = x**2 + (y / 1.1) ** 2 + z**2 < 0.22
    centre = np.random.default_rng(abs(hash_of(case))).uniform(-0.15, 0.15, 3)
    radius = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2)
    target = sum((radius < r).astype(np.uint8) << n for n, r in enumerate((0.2, 0.13, 0.08)))
    images = [np.where(head, 90 + 30 * n + 60 * (radius < 0.2) + rng.normal(0, 6, x.shape), 0) for n in range(4)]
    np.savez_compressed(
        path,
        case=np.array(case),
        modalities=np.array(MODALITIES),
        images=np.clip(np.stack(images), 0, 255).astype(np.uint8),
        regions=np.array(REGIONS),
        target=target.astype(np.uint8),
        prediction=np.roll(target, 1, axis=0).astype(np.uint8),
        spacing_mm=np.array([2.0, 2.0, 4.0]),
    )


def _lesion(x: Any, y: Any, wobble: Any, *, grow: float) -> Any:
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    edge = (
        1
        + 0.16 * np.sin(3 * angle + wobble[0])
        + 0.10 * np.sin(5 * angle + wobble[1])
        + 0.05 * np.sin(9 * angle + wobble[2])
    )
    masks = [radius < grow * size * edge for size in (0.17, 0.105, 0.07)]
    return np.stack(masks).astype(np.uint8)


def hash_of(text: str) -> int:
    """A number for a text, the same in every process."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
