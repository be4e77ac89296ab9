"""Is the verdict right? Simulated studies whose truth is known, and phantoms whose right answer is known.

    python bench/verdict.py                       the simulations (ten minutes of one core) and the phantom controls
    python bench/verdict.py --only simulations    docs/verdict.md's tables alone; or --only controls

The controls are three studies on phantoms, in out/controls; finished runs there are taken as they are.

The last line is JSON: ``false_positive_rate`` (share of studies without any effect in which any arm is said to help or
hurt), ``coverage`` (of the 95 % intervals, over all cells), ``controls`` and ``controls_right``.

A simulated study has five arms, three regions, five folds and three seeds. A patient's Dice is bounded and its
difficulty shared by all arms; arms differ by patient, runs (fold and seed) move all their patients, and what is left
has the tails of Student's t with three degrees of freedom. In the cells ``misses`` one score in a hundred collapses.
"""

import argparse
import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from mrfusion.comparison.bootstrap import Differences
from numpy.typing import NDArray

from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.compare import Comparison, judge_all
from mrfusion.comparison.hypotheses import Hypotheses
from mrfusion.files import write_json

HERE = Path(__file__).parent
PATIENTS = (10, 20, 40, 100, 200)
EFFECTS = {"none": 0.0, "small": 0.12, "large": 0.5}  # shifts of the log odds of Dice
ARMS, REGIONS, FOLDS, SEEDS = 4, ("WT", "TC", "ET"), 5, 3
DIFFICULTY = {"WT": (2.3, 0.6), "TC": (1.6, 0.9), "ET": (1.2, 1.0)}  # mean and sd of the log odds
WORDS = ("helps", "helps, negligibly", "equivalent", "undecided", "hurts", "hurts, negligibly")
ARM_SD, RUN_SD, NOISE_SD = 0.25, 0.06, 0.3
CONTROLS = {  # recipe -> (arm, what its verdict on the mean over regions may be)
    "complementary": ("all four", ("helps",)),
    "redundant": ("all four", ("equivalent", "undecided")),
    "noise": ("averaged with noise", ("hurts", "hurts, negligibly")),
}


@dataclass(frozen=True)
class Cell:
    """One kind of simulated study."""

    patients: int
    effect: str
    misses: float = 0.0


def scores(rng: np.random.Generator, cell: Cell, difficulty: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Dice [patient, seed] of one arm."""
    count = len(difficulty)
    folds = np.arange(count) % min(FOLDS, count)
    own = rng.normal(0, ARM_SD, (count, 1))
    run = rng.normal(0, RUN_SD, (FOLDS, SEEDS))[folds]
    noise = NOISE_SD / math.sqrt(3) * rng.standard_t(3, (count, SEEDS))
    dice = 1 / (1 + np.exp(-(difficulty[:, None] + shift + own + run + noise)))
    return np.where(rng.random((count, SEEDS)) < cell.misses, 0.1 * dice, dice)


def study(rng: np.random.Generator, cell: Cell) -> dict[tuple[str, str, str], Differences]:
    """The paired differences of one simulated study: (arm, region, metric) to [patient, seed]."""
    shared = rng.normal(0, 1, cell.patients)
    found: dict[tuple[str, str], NDArray[np.float64]] = {}
    for region in REGIONS:
        mean, deviation = DIFFICULTY[region]
        hard = mean + deviation * (0.8 * shared + 0.6 * rng.normal(0, 1, cell.patients))
        reference = scores(rng, cell, hard, 0.0)
        for arm in range(ARMS):
            found[f"arm {arm}", region] = scores(rng, cell, hard, EFFECTS[cell.effect]) - reference
    for arm in range(ARMS):
        found[f"arm {arm}", MEAN] = np.mean([found[f"arm {arm}", region] for region in REGIONS], axis=0)
    folds = tuple((np.arange(cell.patients) % FOLDS).tolist())
    return {(arm, region, "dice"): Differences(values, folds) for (arm, region), values in found.items()}


@cache
def truth(effect: str, misses: float) -> dict[str, float]:
    """Region to the true mean difference, from a cohort so large that its own error is below 0.02 points."""
    if effect == "none":
        return dict.fromkeys((*REGIONS, MEAN), 0.0)  # arms without an effect are exchangeable with the reference
    rng = np.random.default_rng(7)
    found = [study(rng, Cell(20_000, effect, misses)) for _ in range(10)]
    return {
        region: float(np.mean([pairs[f"arm {arm}", region, "dice"].effect for pairs in found for arm in range(ARMS)]))
        for region in (*REGIONS, MEAN)
    }


def simulate(cell: Cell, studies: int, draws: int) -> dict[str, float | str]:
    """What the verdicts of many studies of one kind are worth."""
    true, covered, words, positive, held = truth(cell.effect, cell.misses), [], Counter[str](), 0, 0
    for number in range(studies):
        rng = np.random.default_rng(
            [number, cell.patients, round(1000 * EFFECTS[cell.effect]), round(1000 * cell.misses)]
        )
        found = judge_all(study(rng, cell), "reference", Hypotheses(), draws=draws)
        covered += [row.ci_low <= true[row.region] <= row.ci_high for row in found.values()]
        words.update(row.verdict for row in found.values() if row.region == MEAN)
        positive += any(decided(row) for row in found.values())
        held += 1
    shares = {word: words[word] / words.total() for word in WORDS}
    return {
        "patients": cell.patients, "effect": cell.effect, "misses": cell.misses,
        "true_points": round(100 * true[MEAN], 2), "coverage": float(np.mean(covered)), "studies": held,
        "any_helps_or_hurts": positive / held,
    } | shares  # fmt: skip


def decided(row: Comparison) -> bool:
    """Whether a difference is said to be there."""
    return row.verdict.startswith(("helps", "hurts"))


def control(name: str, folder: Path) -> dict[str, object]:
    """One phantom control: its cohort and study made where they are missing, and its verdict."""
    program = [sys.executable, "-m", "mrfusion"]
    cases = folder / f"phantom_{name}"
    if not cases.is_dir():
        subprocess.run(
            [*program, "phantom", str(cases), "--cases", "48", "--spacing", "3", "--control", name], check=True
        )
    recipe = HERE.parent / "recipes" / f"control_{name}.yaml"
    subprocess.run([*program, "study", str(recipe), "--data", str(cases), "--out", str(folder / name)], check=True)
    rows = json.loads((folder / name / "report.json").read_text())["comparisons"]
    arm, right = CONTROLS[name]
    row = next(r for r in rows if (r["arm"], r["region"], r["metric"]) == (arm, MEAN, "dice"))
    keys = ("effect", "ci_low", "ci_high", "p_holm", "verdict", "patients", "seeds", "folds")
    return {"control": name, "right": row["verdict"] in right, "expected": right} | {key: row[key] for key in keys}


def mean_of(key: str, rows: list[dict[str, float | str]]) -> float | None:
    """The mean over the cells; None where nothing was simulated."""
    return float(np.mean([row[key] for row in rows])) if rows else None


def main() -> None:
    """Simulate, run the controls if asked, write the tables, print the verdict on the verdict."""
    options = argparse.ArgumentParser(description="Is the verdict right?")
    options.add_argument("--studies", type=int, default=250, help="simulated studies of each kind")
    options.add_argument("--draws", type=int, default=2000, help="bootstrap draws of each interval")
    options.add_argument("--controls", type=Path, default=Path("out/controls"), help="folder of the controls' runs")
    options.add_argument("--only", choices=("simulations", "controls"))
    options.add_argument("--out", type=Path, default=Path("out/bench_verdict.json"))
    given = options.parse_args()
    cells = [Cell(n, effect) for effect in EFFECTS for n in PATIENTS]
    cells += [Cell(n, effect, 0.01) for effect in ("none", "large") for n in PATIENTS]
    table = []
    for cell in [] if given.only == "controls" else cells:
        table.append(simulate(cell, given.studies, given.draws))
        print(
            "  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in table[-1].items()), flush=True
        )
    controls = [control(name, given.controls) for name in ([] if given.only == "simulations" else CONTROLS)]
    summary = {
        "false_positive_rate": mean_of("any_helps_or_hurts", [row for row in table if row["effect"] == "none"]),
        "coverage": mean_of("coverage", table),
        "controls": len(controls),
        "controls_right": sum(bool(row["right"]) for row in controls),
    }
    write_json(given.out, {"simulations": table, "controls": controls} | summary)
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
