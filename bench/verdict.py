"""Is the verdict right? Simulated studies whose truth is known, small learners, and phantoms whose answer is known.

    python bench/verdict.py                        everything but controls and searches: three minutes of one core
    python bench/verdict.py --smoke                the same on a few cells: fifteen seconds, no figure to quote
    python bench/verdict.py --searches             searches on null tasks and with a planted cue as well (hours)
    python bench/verdict.py --controls out/controls    the three phantom controls as well (a quarter of an hour)

The last line is JSON, see docs/verdict.md:

    false_words_worst    the largest share of studies that say a false word, over every cell and effect; the cells that
                         came out worst are simulated anew with ten times the studies, and the upper end of a one-sided
                         95 % Monte Carlo interval counts. A word is false where the truth that it speaks of says so:
                         helps where nothing is better, equivalent where the difference is the margin or more
    false_words_mean     the mean over cells of studies without any effect
    coverage_worst       the least share of printed intervals that hold what they claim to hold (the method, or these
                         trainings), the worst cells simulated anew
    power_kept           the true words, as a share of those of an oracle that knows every variance and uses normal
                         quantiles; cells with three seeds or more; one fold: words for these trainings
    family_false_words   studies of 16 comparisons without any effect that say any word at all
    missing_*            the same for studies whose runs are not all finished
    stopping_*           studies that look after every seed and stop when decided; runs saved against all five seeds
    real_*               scikit-learn learners with k-fold training sets, truth by brute force

A simulated difference of a patient under a seed, in points: effect + patient (sd 4) + training set + run + noise
(sd 2); training set and run are two independent draws, one an arm, of the named sd. ``heavy``: patients and noise have
the tails of Student's t with three degrees of freedom. ``zero``: six of ten patients differ by exactly nothing.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mrfusion.comparison.advice import Design
from mrfusion.comparison.aggregate import MEAN
from mrfusion.comparison.compare import compare
from mrfusion.comparison.evidence import FEWEST
from mrfusion.comparison.interval import Differences, Moments, excludes_zero, interval, moments, p_different, within
from mrfusion.comparison.spending import Spending
from mrfusion.comparison.stats import holm
from mrfusion.comparison.stopping import HOPE, hope
from mrfusion.files import write_json
from mrfusion.result import ScoreRow
from verdict_learners import all_learned

HERE = Path(__file__).parent
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
RUNS, TRAININGS, FOLDS, SEEDS, PATIENTS = (
    (0.0, 1.0, 2.0, 4.0),
    (0.0, 0.5, 1.0, 2.0),
    (1, 3, 5),
    (1, 2, 3, 5),
    (12, 30, 100),
)
SHAPES = ("gauss", "heavy", "zero")
EFFECTS = (0.0, 1.0, 3.0, 6.0, 12.0)
MARGIN, PATIENT_SD, NOISE_SD, DIFFERING = 1.0, 4.0, 2.0, 0.4
CONTROLS = {  # recipe -> (arm, what its verdict on the mean over regions may be)
    "complementary": ("all four", ("helps",)),
    "redundant": ("all four", ("equivalent", "undecided")),
    "noise": ("averaged with noise", ("hurts", "hurts, negligibly")),
}


@dataclass(frozen=True)
class Cell:
    """One kind of study: what varies and the design. ``last`` is how many folds the last seed was run in (0: all)."""

    run: float
    training: float
    folds: int
    seeds: int
    patients: int
    shape: str = "gauss"
    last: int = 0


@dataclass(frozen=True)
class Studies:
    """Many studies of one cell without an effect: [study, patient, seed], and what their words are about.

    ``differs`` says which patients differ at all; ``truth`` is what the interval claims to cover, without the effect.
    """

    cell: Cell
    values: Floats
    differs: Floats
    truth: Floats

    def differences(self, effect: float) -> Differences:
        """The differences with a mean effect added to those patients that differ."""
        share = DIFFERING if self.cell.shape == "zero" else 1.0
        folds = tuple((np.arange(self.cell.patients) % self.cell.folds).tolist())
        return Differences(self.values + effect / share * self.differs[:, :, None], folds)


def draw(cell: Cell, studies: int, rng: np.random.Generator) -> Studies:
    """Studies of one cell."""
    place = np.arange(cell.patients) % cell.folds
    trainings = rng.normal(0, np.sqrt(2) * cell.training, (studies, cell.folds))
    runs = rng.normal(0, np.sqrt(2) * cell.run, (studies, cell.folds, cell.seeds))
    own, noise = (
        _noise(rng, cell, shape) for shape in ((studies, cell.patients, 1), (studies, cell.patients, cell.seeds))
    )
    values = PATIENT_SD * own + NOISE_SD * noise + (trainings[:, :, None] + runs)[:, place]
    differs = (rng.random((studies, cell.patients)) < DIFFERING if cell.shape == "zero"
               else np.ones((studies, cell.patients))).astype(float)  # fmt: skip
    if cell.last:
        values[:, place >= cell.last, -1] = np.nan
    share = DIFFERING if cell.shape == "zero" else 1.0
    truth = np.zeros(studies)
    if cell.folds == 1:
        truth = share * (trainings[:, 0] + (runs[:, 0, 0] if cell.seeds == 1 else 0.0))
    return Studies(cell, values * differs[:, :, None], differs, truth)


def _noise(rng: np.random.Generator, cell: Cell, shape: tuple[int, ...]) -> Floats:
    return rng.standard_t(3, shape) / np.sqrt(3) if cell.shape == "heavy" else rng.normal(size=shape)


@dataclass(frozen=True)
class Words:
    """What is said of many studies: 1 helps, -1 hurts, 0 neither; equivalent or not; whether an interval is printed."""

    sign: NDArray[np.int_]
    equivalent: Bools
    printed: Bools
    covered: Bools

    def false(self, truth: Floats) -> Bools:
        """Which studies say a false word about ``truth``."""
        wrong = ((self.sign > 0) & (truth <= 0)) | ((self.sign < 0) & (truth >= 0))
        return np.asarray(wrong | (self.equivalent & (np.abs(truth) >= MARGIN)))

    def true(self, truth: Floats) -> Bools:
        """Which studies say a word that is true."""
        return np.asarray(((self.sign != 0) | self.equivalent) & ~self.false(truth))


def judged(found: Moments, cell: Cell, truth: Floats, level: float = 0.05) -> Words:
    """The words that a single comparison gets at a level, by the judge's own intervals and rules."""
    outer, inner = interval(found, level), interval(found, 2 * level)
    printed = (found.differing >= FEWEST) & (found.patients.value > 0)
    speaks = printed & (cell.folds > 1 or cell.seeds > 1)
    sign = np.where(speaks & excludes_zero(outer), np.sign(found.effect), 0).astype(int)
    covered = (outer.low <= truth) & (truth <= outer.high)
    return Words(sign, np.asarray(speaks & within(inner, MARGIN)), printed, covered)


def oracle(found: Moments, cell: Cell, effect: float) -> Words:
    """The words of one who knows all variances: normal quantiles with the true standard error."""
    share = DIFFERING if cell.shape == "zero" else 1.0
    training = 0.0 if cell.folds == 1 else 2 * cell.training**2
    run = 2 * cell.run**2 / cell.seeds
    each = PATIENT_SD**2 + NOISE_SD**2 / cell.seeds + (effect / share) ** 2
    patients = share * each - effect**2 + share * (1 - share) * (training + run)
    error = np.sqrt(patients / cell.patients + share**2 * (training + run) / cell.folds)
    sign = np.where(np.abs(found.effect) > stats.norm.ppf(0.975) * error, np.sign(found.effect), 0).astype(int)
    equivalent = np.abs(found.effect) + stats.norm.ppf(0.95) * error < MARGIN
    nothing = np.ones_like(equivalent)
    return Words(sign, np.asarray(equivalent), nothing, nothing)


@dataclass(frozen=True)
class Seen:
    """One cell and effect: shares of studies."""

    cell: Cell
    effect: float
    studies: int
    false: float
    coverage: float
    intervals: int
    words: float
    oracle: float

    def as_json(self) -> dict[str, object]:
        """As plain values."""
        return self.__dict__ | {"cell": self.cell.__dict__}


def measure(cell: Cell, studies: int, seed: Sequence[int], effects: Iterable[float] = EFFECTS) -> list[Seen]:
    """One cell with every effect, on the same studies."""
    drawn = draw(cell, studies, np.random.default_rng(seed))
    plain = moments(drawn.differences(0.0))
    answer = []
    for effect in effects:
        found = moments(drawn.differences(effect)) if cell.shape == "zero" else replace(
            plain, effect=plain.effect + effect)  # fmt: skip
        truth = drawn.truth + effect
        words, known = judged(found, cell, truth), oracle(found, cell, effect)
        printed = int(words.printed.sum())
        covered = float(words.covered[words.printed].mean()) if printed else np.nan
        answer.append(Seen(cell, effect, studies, float(words.false(truth).mean()), covered, printed,
                           float(words.true(truth).mean()), float(known.true(truth).mean())))  # fmt: skip
    return answer


def grid(smoke: bool) -> list[Cell]:
    """Every cell of the issue's grid; a corner of it for a smoke test."""
    values = (RUNS, TRAININGS, FOLDS, SEEDS, PATIENTS, SHAPES)
    cells = [Cell(*place) for place in product(*values)]
    return cells[:: len(cells) // 40] if smoke else cells


def incomplete(smoke: bool) -> list[Cell]:
    """Studies whose last seed was run in some folds only."""
    shapes = [(5, 2, 1), (5, 2, 3), (5, 3, 2), (3, 2, 1), (3, 3, 2)]
    cells = [Cell(run, training, folds, seeds, patients, shape, last)
             for run, training, patients, shape, (folds, seeds, last)
             in product(RUNS, TRAININGS, PATIENTS, SHAPES, shapes)]  # fmt: skip
    return cells[::40] if smoke else cells


@dataclass(frozen=True)
class Verdict:
    """What a set of cells says: see the module's text."""

    false_worst: float
    false_worst_at: dict[str, object]
    false_mean: float
    coverage_worst: float
    coverage_worst_at: dict[str, object]


def verdict_on(rows: list[Seen], studies: int, again: int = 20) -> Verdict:
    """The worst of the cells, those that came out worst simulated anew with ten times the studies."""

    enough = [row for row in rows if row.intervals >= studies / 10]
    picked = [*sorted(rows, key=lambda r: -r.false)[:again], *sorted(enough, key=lambda r: r.coverage)[:again]]
    places = {(_numbers(row.cell), row.effect): row for row in picked}
    anew = [
        measure(row.cell, 10 * studies, [1, *map(int, numbers)], [effect])[0]
        for (numbers, effect), row in places.items()
    ]
    false = max(anew, key=lambda r: r.false)
    bare = min((row for row in anew if row.intervals >= studies), key=lambda r: r.coverage)
    upper = false.false + 1.645 * np.sqrt(false.false * (1 - false.false) / false.studies)
    lower = bare.coverage - 1.645 * np.sqrt(bare.coverage * (1 - bare.coverage) / bare.intervals)
    null = [row.false for row in rows if row.effect == 0]
    return Verdict(float(upper), false.as_json(), float(np.mean(null)), float(lower), bare.as_json())


def _numbers(cell: Cell) -> tuple[float, ...]:
    return (cell.run, 2 * cell.training, cell.folds, cell.seeds, cell.patients, SHAPES.index(cell.shape), cell.last)


def power_kept(rows: list[Seen]) -> float:
    """True words over the oracle's, cells with three seeds or more."""
    counted = [row for row in rows if row.cell.seeds >= 3]
    return sum(row.words for row in counted) / sum(row.oracle for row in counted)


def stopping(cells: Sequence[Cell], studies: int) -> dict[str, object]:
    """Studies that look after every complete seed from the second on and stop when decided, or hopeless."""
    rule, worst, used, kept, known = Spending(), (0.0, ""), [], 0.0, 0.0
    for number, cell in enumerate(cells):
        drawn = draw(cell, studies, np.random.default_rng([3, number]))
        for effect in EFFECTS:
            sign, same, seeds, full = _stopped(drawn, effect, rule)
            truth = np.full(studies, effect)
            words = Words(sign, same, np.ones(studies, bool), np.ones(studies, bool))
            share = float(words.false(truth).mean())
            worst = max(worst, (share, f"{cell} effect {effect:g}"))
            used.append(float(seeds.mean()) / rule.most_seeds)
            kept, known = kept + float(words.true(truth).mean()), known + float(full.true(truth).mean())
    error = 1.645 * np.sqrt(worst[0] * (1 - worst[0]) / studies)
    return {
        "stopping_false_words": worst[0] + error, "stopping_false_words_at": worst[1],
        "stopping_runs_saved": 1 - float(np.mean(used)), "stopping_words_kept": kept / known,
    }  # fmt: skip


def _stopped(drawn: Studies, effect: float, rule: Spending) -> tuple[NDArray[np.int_], Bools, NDArray[np.int_], Words]:
    """The words of studies that may stop, the seeds that they used, and the words with all seeds and one look."""
    data, cell = drawn.differences(effect), drawn.cell
    going = np.ones(len(data.values), bool)
    sign, same, seeds = np.zeros(len(going), int), np.zeros(len(going), bool), np.full(len(going), rule.most_seeds)
    truth = np.full(len(going), effect)
    for count in rule.looks:
        found = moments(Differences(data.values[:, :, :count], data.folds))
        words = judged(found, cell, truth, rule.level)
        decided = (words.sign != 0) | words.equivalent
        design = Design(cell.patients, cell.folds, count, rule.times)
        stops = going & (decided | (hope(found, design, MARGIN, rule) < HOPE) | (count == rule.most_seeds))
        sign, same = np.where(stops, words.sign, sign), np.where(stops, words.equivalent, same)
        seeds = np.where(stops, count, seeds)
        going &= ~stops
    return sign, same, seeds, judged(moments(data), cell, truth)


def families(studies: int, arms: int = 4, regions: int = 4) -> float:
    """The share of studies without any effect that say that any of 16 comparisons helps or hurts."""
    rng, said = np.random.default_rng(11), 0
    cell = Cell(2.0, 1.0, 5, 3, 30)
    reference = [draw(cell, studies, rng).values for _ in range(regions)]
    p = np.stack([
        p_different(moments(Differences((draw(cell, studies, rng).values - reference[r]) / np.sqrt(2), _folds(cell))))
        for _, r in product(range(arms), range(regions))
    ])  # fmt: skip
    for column in p.T:
        said += min(holm(column.tolist())) < 0.05
    return said / studies


def _folds(cell: Cell) -> tuple[int, ...]:
    return tuple((np.arange(cell.patients) % cell.folds).tolist())


def whole_way(studies: int) -> float:
    """The share of studies whose words and intervals come out alike through ``compare`` on a table of scores."""
    rng, alike = np.random.default_rng(5), []
    for number in range(studies):
        cell = Cell(1.0, 1.0, (1, 3, 5)[number % 3], 1 + number % 3, 30)
        data = draw(cell, 1, rng).differences(EFFECTS[number % 4])
        words = judged(moments(data), cell, np.zeros(1))
        rows = [ScoreRow(arm, fold, seed, f"p{p}", f"p{p}", "WT", "dice", 0.5 + 0.01 * value * (arm == "arm"))
                for p, fold in enumerate(data.folds) for seed, value in enumerate(data.values[0, p])
                for arm in ("reference", "arm")]  # fmt: skip
        (row,) = compare(rows, "reference")
        word = row.verdict if cell.folds > 1 else row.for_these_trainings
        sign = 1 if word.startswith("helps") else -1 if word.startswith("hurts") else 0
        same = word == "equivalent" or word.endswith("negligibly")
        alike.append(sign == words.sign[0] and same == words.equivalent[0])
    return float(np.mean(alike))


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
    keys = ("effect", "ci_low", "ci_high", "p_holm", "verdict", "reasons", "patients", "seeds", "folds")
    return {"control": name, "right": row["verdict"] in right, "expected": right} | {key: row[key] for key in keys}


def searches() -> dict[str, float]:
    """What bench/search.py finds of searches on null tasks and with a planted cue: trainings, hours of one core."""
    found: dict[str, float] = {}
    for part in ("nothing", "planted"):
        command = [sys.executable, str(HERE / "search.py"), "--only", part]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found |= json.loads(done.stdout.splitlines()[-1])
    return found


def table(rows: Iterable[Seen]) -> str:
    """docs/verdict.md's table: designs against the share of false words, coverage and power, worst over what varies."""
    groups: dict[tuple[int, int, int], list[Seen]] = defaultdict(list)
    for row in rows:
        groups[row.cell.folds, row.cell.seeds, row.cell.patients].append(row)
    lines = []
    for (folds, seeds, patients), found in sorted(groups.items()):
        printed = [row.coverage for row in found if row.intervals >= row.studies / 10]
        known = sum(row.oracle for row in found)
        kept = f"{100 * sum(row.words for row in found) / known:.0f}" if seeds > 1 or folds > 1 else "none said"
        null = [100 * row.false for row in found if row.effect == 0]
        worst = 100 * max(row.false for row in found)
        lines.append(f"| {folds} | {seeds} | {patients} | {np.mean(null):.1f} | {worst:.1f} | "
                     f"{100 * min(printed):.1f} | {kept} |")  # fmt: skip
    head = "| folds | seeds | patients | false words, no effect, mean % | worst % | coverage, worst % | power kept, % |"
    return "\n".join([head, "|---:|---:|---:|---:|---:|---:|---:|", *lines])


def simulate(smoke: bool, studies: int) -> tuple[dict[str, object], dict[str, object]]:
    """The figures of the last line, and everything behind them."""
    rows = [seen for k, cell in enumerate(grid(smoke)) for seen in measure(cell, studies, [0, k])]
    print(table(rows), flush=True)
    whole = verdict_on(rows, studies, 4 if smoke else 20)
    gaps = [seen for k, cell in enumerate(incomplete(smoke)) for seen in measure(cell, studies, [7, k])]
    partial = verdict_on(gaps, studies, 4 if smoke else 20)
    cells = [Cell(*place) for place in product((1.0, 2.0, 4.0), (0.0, 1.0), (3, 5), (5,), (30, 100))]
    stopped = stopping(cells[::8] if smoke else cells, studies)
    real = list(all_learned(smoke))
    summary: dict[str, object] = {
        "false_words_worst": whole.false_worst,
        "false_words_mean": whole.false_mean,
        "coverage_worst": whole.coverage_worst,
        "power_kept": power_kept(rows),
        "family_false_words": families(200 if smoke else 2000),
        "missing_false_words_worst": partial.false_worst,
        "missing_coverage_worst": partial.coverage_worst,
        **stopped,
        "real_coverage_worst": min(row.coverage for row in real),
        "real_false_words_worst": max(row.false for row in real),
        "through_compare": whole_way(30 if smoke else 150),
    }
    behind: dict[str, object] = {"cells": [row.as_json() for row in rows], "missing": [row.as_json() for row in gaps],
              "whole": whole.__dict__, "partial": partial.__dict__, "real": [row.__dict__ for row in real]}  # fmt: skip
    for row in real:
        print(row, flush=True)
    return summary, behind


def main() -> None:
    """Simulate, run what else was asked for, write everything, print the verdict on the verdict."""
    options = argparse.ArgumentParser(description="Is the verdict right?")
    options.add_argument("--smoke", action="store_true", help="few cells, few studies: whether it runs")
    options.add_argument("--studies", type=int, default=1000, help="simulated studies of each cell")
    options.add_argument("--controls", type=Path, help="folder of the phantom controls' runs; they are run as well")
    options.add_argument("--searches", action="store_true", help="bench/search.py's searches as well")
    options.add_argument("--out", type=Path, default=Path("out/bench_verdict.json"))
    given = options.parse_args()
    start = time.monotonic()
    summary, behind = simulate(given.smoke, 200 if given.smoke else given.studies)
    controls = [control(name, given.controls) for name in CONTROLS] if given.controls else []
    summary |= searches() if given.searches else {}
    summary |= {"controls": len(controls), "controls_right": sum(bool(row["right"]) for row in controls),
                "seconds": round(time.monotonic() - start)}  # fmt: skip
    write_json(given.out, {"controls": controls} | behind | summary)
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
