"""The section on energies from made energies whose truth is known; absent without them, a broken file is named."""

import json
import math
import re
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mrfusion.errors import InputError
from mrfusion.files import read_json, read_rows, write_json, write_rows
from mrfusion.report import subsets
from mrfusion.report.energy import maps as maps_module
from mrfusion.report.energy.load import load_energies
from mrfusion.report.energy.maps import detection
from mrfusion.report.energy.words import Detection, _of_voxels, account_of
from mrfusion.report.export import as_json
from mrfusion.report.heat import heat_uri
from mrfusion.report.page import build_report, page
from mrfusion.report.part import LEDGER
from mrfusion.report.section import balance, curves, energy
from mrfusion.study import load
from mrfusion.study.load import load_study

MODALITIES = ("t1n", "t1c", "t2w", "t2f")
LEVELS = (0, 2)
PI = dict(zip(MODALITIES, (0.1, 0.6, 0.2, 0.1), strict=True))


def with_energies(folder: Path, arm: str, *, telling: bool = True) -> None:
    """Energies that fall with the Dice, or are the same at random, and maps that are high where the answer is wrong."""
    for run in load_study(folder).runs_of(arm):
        random, home = np.random.default_rng(int(run.digest, 16)), run.folder.path
        dice: dict[str, list[float]] = {}
        for row in run.scores:
            if row.metric == "dice" and not math.isnan(row.value):
                dice.setdefault(row.case, []).append(row.value)
        value = {case: 2 - float(np.mean(values)) if telling else random.uniform(1, 2) for case, values in dice.items()}
        rows = [row for case in dice for level in LEVELS for row in case_rows(case, level, value[case])]
        rows += [
            (case, 0, f"class/{name}", mean + (-1) ** place)
            for name, mean in (("background", 1.0), ("WT", 5.0))
            for place, case in enumerate(dice)
        ]  # a variance of 1 within classes, of 5 in all
        write_rows(home / "energy.csv", ("case", "level", "quantity", "value"), rows)
        history = [(int(r["epoch"]), r["quantity"], float(r["value"])) for r in
                   read_rows(home / "history.csv", ("epoch", "quantity", "value"))]  # fmt: skip
        write_rows(home / "history.csv", ("epoch", "quantity", "value"), [*history, *epochs()])
        write_json(home / "environment.json", read_json(home / "environment.json") | {"best_epoch": 4})
        write_json(
            home / "spec.json",
            read_json(home / "spec.json") | {"losses": ["alignment(aligned=1)"]},
        )
        (home / "energies").mkdir()
        for path in home.glob("slices/*.npz"):
            write_maps(path, home / "energies" / path.name, random)


def case_rows(case: str, level: int, value: float) -> list[tuple[str, int, str, float]]:
    rows = {"energy": value, "step0": 2 * value, "step1": value, "evidence": value / 2, "hierarchy": value / 4}
    rows |= {"dependency": value / 4} | {f"pi/{m}": share for m, share in PI.items()}
    rows |= {f"without/{m}": value * (0.5 if m == "t2w" else 1.0) for m in MODALITIES}
    return [(case, level, name, number) for name, number in rows.items()]


def epochs() -> list[tuple[int, str, float]]:
    """Before the first epoch, at the best one (4), and at the last, which must not be shown as the end."""
    found = []
    for epoch, factor in ((0, 1.0), (4, 0.5), (29, 9.0)):
        for level in LEVELS:
            rows = {"step0": 2.0, "step1": 1.0, "evidence": 0.5, "hierarchy": 0.25, "dependency": 0.25,
                    "class/background": 0.8, "class/WT": 1.2}  # fmt: skip
            found += [(epoch, f"energy/level{level}/{name}", factor * value) for name, value in rows.items()]
            for r in (1, 2):
                found.append((epoch, f"alignment/level{level}/factor{r}/direction", factor * r / 8))
                found.append((epoch, f"alignment/level{level}/factor{r}/distribution", factor * r / 4))
            found.append((epoch, f"term/energy/level{level}", 1.0))
    return found


def write_maps(picture: Path, path: Path, random: np.random.Generator) -> None:
    with np.load(picture) as found:
        wrong = (found["target"] != found["prediction"]).any(0)
        grid = found["images"].shape[1:]
    level = np.where(wrong, 2.0, 1.0) + random.uniform(0, 0.5, grid)
    weights = np.stack([np.full(grid, PI[m]) for m in MODALITIES])
    np.savez_compressed(path, levels=np.array(LEVELS), modalities=np.array(MODALITIES),
                        energy=np.stack([level] * 2).astype(np.float16),
                        weights=np.stack([weights] * 2).astype(np.float16))  # fmt: skip


@pytest.fixture
def folder(make_study: Any, tmp_path: Path) -> Path:
    return make_study(tmp_path, arms={"mean": 0.0, "energy": 0.02}, folds=2, seeds=2, cases=12, size=32)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html).replace("&nbsp;", " "))


def test_the_section_says_what_was_planted(folder: Path) -> None:
    with_energies(folder, "energy")
    found = energy.section(load_study(folder))
    assert found is not None
    text = text_of(found.html)
    assert "The higher a case&#39;s energy, the lower its Dice and the larger its error" in text
    assert "12 patients, 4 runs" in text
    assert "Inside the body e is higher where the prediction is wrong (a wrong voxel" in text
    assert "than a right one in 100 % of pairs" in text
    assert "1 2.000 → 1.000 1.000 → 0.500" in text, "the epoch that was kept, not the last"
    assert "background 0.800 → 0.400 WT 1.200 → 0.600" in text
    assert "Level 1 80 % between classes" in text
    assert "Level 3 Class" in text, "no class energies of test cases there"
    assert "t1c 0.600 +0 % 0.600 +0 % t2w 0.200 −50 % 0.200 −50 %" in text
    assert "1 aligned by the loss 0.125 → 0.062 0.250 → 0.125 2 free 0.250 → 0.125" in text
    tiles = re.findall(r'<img src="data:image/webp;base64,[^"]+" alt="([^"]+)"', found.html)
    assert len(tiles) == 2 * 3 * 5
    assert sum("weight of t1c" in alt for alt in tiles) == 4
    (figure,) = found.figures
    assert set(figure.drawings) == {"energy|steps", "energy|epochs"}
    assert [trace["y"] for trace in figure.drawings["energy|steps"]["data"]][:2] == [[2.0, 1.0], [1.0, 0.5]]
    assert 'id="energy"' in page(load_study(folder))


def test_it_links_to_the_ledger_of_claims_and_loads_nothing(folder: Path) -> None:
    with_energies(folder, "energy")
    found = energy.section(load_study(folder))
    assert found is not None
    assert re.findall(r"[^ ]*https?:[^ ]*", found.html) == [f'href="{LEDGER}">docs/claims.md</a>']


def test_no_correlation_is_said_to_be_none(folder: Path) -> None:
    with_energies(folder, "energy", telling=False)
    study = load_study(folder)
    (arm,) = load_energies(study)
    found = account_of(study, arm)
    assert not found.overall.shown
    assert found.sentences[0].startswith("A case's energy is not shown to go with its Dice (Spearman's ρ = ")
    (told,) = as_json(study)["energy"]
    assert told["correlation"]["p"] == found.overall.p >= 0.05
    assert told["words"] == list(found.sentences)
    assert told["test"]["level0/pi/t1c"] == pytest.approx(0.6)
    assert told["between_classes"] == {"level0": pytest.approx(0.8), "level2": None}
    assert len(told["between_classes_by_run"]["level0"]) == told["runs"]
    assert fmean(told["between_classes_by_run"]["level0"]) == pytest.approx(0.8)
    by_fold = defaultdict(list)
    for one in arm.maps.detections:
        by_fold[one.fold].append(one.higher)
    assert told["error_map"]["by_fold"] == [fmean(by_fold[fold]) for fold in sorted(by_fold)]
    json.dumps(told, allow_nan=False)


def test_without_energies_there_is_no_section(folder: Path) -> None:
    study = load_study(folder)
    assert energy.section(study) is None
    assert as_json(study)["energy"] == []


def test_a_history_without_energies_leaves_what_the_test_cases_say(folder: Path) -> None:
    with_energies(folder, "energy")
    for run in load_study(folder).runs_of("energy"):
        write_rows(run.folder.path / "history.csv", ("epoch", "quantity", "value"), [(0, "val/dice", 0.5)])
    found = energy.section(load_study(folder))
    assert found is not None
    assert "What the energy is made of" not in found.html
    assert "Weight π of each modality" in found.html


def test_curves_and_balance_leave_energies_to_their_section(folder: Path) -> None:
    with_energies(folder, "energy")
    study = load_study(folder)
    (figure,) = curves.section(study).figures
    assert not [name for name in figure.drawings if name.split("/")[0] in ("energy", "alignment", "term")]
    assert balance.section(study) is None


def test_a_broken_table_and_a_broken_map_are_named(folder: Path) -> None:
    with_energies(folder, "energy")
    run = load_study(folder).runs_of("energy")[0]
    broken = next((run.folder.path / "energies").iterdir())
    broken.write_bytes(b"nothing")
    found = energy.section(load_study(folder))
    assert found is not None
    assert f"expected a file of energies with levels, modalities, energy, weights at {broken}" in text_of(found.html)
    table = run.folder.path / "energy.csv"
    table.write_text("case,level,quantity,value\nsomebody,0,energy,1\n")
    with pytest.raises(InputError, match=r"expected energies of the study's cases at .*energy\.csv"):
        load_energies(load_study(folder))


def test_detection_is_the_share_of_pairs(folder: Path) -> None:
    with_energies(folder, "energy")
    (arm,) = load_energies(load_study(folder))
    maps = arm.maps.shown.maps["highest"]
    wrong, right = maps.energy[0][maps.body & maps.error], maps.energy[0][maps.body & ~maps.error]
    pairs = (wrong[:, None] > right[None]).mean() + 0.5 * (wrong[:, None] == right[None]).mean()
    rho, higher = detection(maps)
    assert higher == pytest.approx(pairs)
    assert 0 < rho < 1


def test_the_scale_of_a_map_is_monotone_in_brightness() -> None:
    values = np.linspace(0, 1, 9, dtype=np.float32)
    uris = [heat_uri(np.full((4, 4), v, np.float32), np.ones((4, 4), bool), (0.0, 1.0)) for v in values]
    assert len(set(uris)) == 9


def test_seeds_that_disagree_show_nothing() -> None:
    found = Detection(0.1, 0.7, 0.001, 15, (0.85, 0.92, 0.35), (0.7,))
    said = _of_voxels(found)
    assert said.startswith("The map of e is not shown to go with the error map")
    assert "; by seed 85, 92, 35 %" in said
    agreed = replace(found, by_seed=(0.85, 0.92, 0.6))
    assert _of_voxels(agreed).startswith("Inside the body e is higher")
    assert "folds" not in _of_voxels(agreed)


def test_folds_that_disagree_show_nothing() -> None:
    """Other training sets: a p over patients knows nothing of them."""
    found = Detection(0.1, 0.7, 0.001, 30, (0.7,), (0.9, 0.8, 0.4), 0.04, 1.36)
    assert _of_voxels(found).startswith("The map of e is not shown to go with the error map")
    assert "; 95 % interval over 3 folds 4 to 136 %" in _of_voxels(found)
    assert _of_voxels(replace(found, low=0.6, high=0.8)).startswith("Inside the body e is higher")
    assert _of_voxels(replace(found, higher=0.3, low=0.2, high=0.4)).startswith("Inside the body e is lower")


def test_a_study_is_judged_once_and_its_maps_are_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_energies(folder, "energy")
    counts: Counter[str] = Counter()

    def counted(module: ModuleType, name: str) -> None:
        function = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            counts[f"{name} {args[0]}" if name == "read_maps" else name] += 1
            return function(*args, **kwargs)

        monkeypatch.setattr(module, name, call)

    study = load_study(folder)
    counted(load, "compare")
    counted(load, "examine")
    counted(maps_module, "read_maps")
    counted(subsets, "summarise_subsets")
    build_report(study)
    kept = [maps for run in study.runs_of("energy") for maps, _ in run.folder.energy_maps]
    assert len(kept) >= 4
    assert counts == Counter(["compare", "examine", *(f"read_maps {path}" for path in kept)])
