"""What searches find and what they cost, against every placement trained: a task with a planted truth, and the phantom.

    python bench/search.py [--seeds 10] [--truths 3] [--phantom FOLDER] [--only planted|phantom|eight]

Planted: two modalities, four levels, classes that late fusion cannot tell apart. Modality b shows a pattern whose
values differ between the classes at one level of resolution only; the class is a's sign unless b shows it. Each level
of the network sees the values at its own resolution and passes on nothing but the averaged image, so a module at that
level, and nowhere else, can carry the cue over. Which level it is changes with the seed.

Phantom: tumours in the complementary phantom, late fusion of four small networks, modules at four levels; FOLDER is
where it and its runs are kept (default: a temporary one). A placement's true loss is the mean of two trainings from
scratch with different seeds, since one training is not the truth; ``again_regret`` is what the exhaustive search itself
regrets when its other training is asked: below that nothing can be told apart.

Eight: a ladder of eight levels, to show how the cost grows. Regrets are shares of the range between the worst and the
best placement. Last line: JSON.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau
from torch import Tensor, nn

from mrfusion import families
from mrfusion.backbones._base import Backbone
from mrfusion.case import Case, Cohort
from mrfusion.data.read import read_data
from mrfusion.data.sample import LoadedCase
from mrfusion.job import describe_space
from mrfusion.phantom.cohort import write_cohort
from mrfusion.result import read_rows, write_json
from mrfusion.run import parts_of
from mrfusion.search import Quest, standing, wanted
from mrfusion.searches._base import Candidate, Space, Trial
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import Parts, make_fabric, make_training
from mrfusion.training.inherit import warmed
from mrfusion.training.loop import fit, save_weights

PLAIN = {"flip": False, "share": 0, "brightness": 0, "contrast": 0, "gamma": 0, "noise": 0}
EPOCHS, SHORT = 12, 3
PHANTOM_EPOCHS, PHANTOM_SHORT = 32, 8
FORWARD = f"forward(epochs={SHORT},min_delta=0.01)"
RACED = f"forward(epochs={SHORT},min_delta=0.01,race=true)"
SUPERNET = f"supernet(epochs={SHORT})"


class Ladder(Backbone):
    """Each level sees the values of the averaged image at its own resolution; only the image goes on."""

    def __init__(self, dimensions: int, *, levels: int = 4) -> None:
        super().__init__(dimensions)
        self.channels = (8,) * levels

    def encoder_level(self, level: int, in_channels: int) -> nn.Module:  # noqa: ARG002
        return Rung(level > 0)

    def decoder_level(self, level: int) -> nn.Module:
        raise NotImplementedError("a ladder has a classifier, no decoder")


class Rung(nn.Module):
    """(b, n, h, w) -> (b, 8, h', w'): the image, halved, and what seven units see in it point by point."""

    def __init__(self, halve: bool) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(2) if halve else nn.Identity()
        self.see = nn.Conv2d(1, 7, 1)
        with torch.no_grad():
            self.see.weight.copy_(torch.linspace(-2, 2, 7).view(7, 1, 1, 1))
            self.see.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        image = self.pool(x[:, :1])
        return torch.cat((image, torch.relu(self.see(image))), 1)


@dataclass(frozen=True)
class Task:
    """A run's data in memory, and the specification that its searches begin with."""

    cohort: Cohort
    parts: Parts
    spec: RunSpec
    costs: tuple[int, ...]


def board(size: int, block: int, random: np.random.Generator) -> np.ndarray:
    """A checkerboard of blocks, either way round: values +-1 as long as a block is not averaged over."""
    cells = np.indices((size, size)).sum(0) if block == 0 else (np.indices((size, size)) // block).sum(0)
    return (1 - 2 * (cells % 2)) * random.choice([-1.0, 1.0])


def planted_case(number: int, levels: int, level: int, random: np.random.Generator) -> LoadedCase:
    """Modality a: its mean is the sign; b: blocks of 2^level points if the cue is there, of half that if not."""
    size = 2**levels
    sign, cue = bool(random.random() < 0.75), bool(random.random() < 0.4)
    fine = board(size, 2 ** (level - 1), random) if level else np.zeros((size, size))
    b = board(size, 2**level, random) if cue else fine
    a = np.full((size, size), 1.0 if sign else -1.0) + 0.5 * random.normal(size=(size, size))
    images = np.stack((a, b + 0.1 * random.normal(size=b.shape)))[None].astype(np.float32)
    labels = np.zeros((1, size, size), np.uint8)
    return LoadedCase(f"case{number}", images, labels, (True, True), int(sign and not cue), (0, 1))


def planted_task(seed: int, level: int, levels: int = 4, cases: int = 192) -> Task:
    """Two thirds of the cases to train on, the others to validate on."""
    random = np.random.default_rng([seed, level])
    drawn = [planted_case(number, levels, level, random) for number in range(cases)]
    names = ("a", "b")
    paths = {name: Path(name) for name in names}
    cohort = Cohort(names, tuple(Case(c.id, c.id, paths) for c in drawn), (), ("no", "yes"))
    settings: dict[str, Any] = {
        "data": {"sources": [{"path": "planted", "layout": "table", "options": {"seed": seed, "level": level}}]},
        "task": "classification",
        "plan": "separate>mean",
        "network": f"__main__:Ladder(levels={levels})",
        "sampling": {"per_case": 4},
        "augmentation": PLAIN,
        "budget": {"epochs": EPOCHS, "batch_size": 8, "learning_rate": 0.02},
        "seed": seed,
        "machine": {"device": "cpu"},
    }
    costs = tuple(2 * 16 * 8 + 24 for _ in range(levels))
    return Task(
        cohort,
        Parts(drawn[: 2 * cases // 3], drawn[2 * cases // 3 :], (1, 2**levels, 2**levels)),
        RunSpec.model_validate(settings),
        costs,
    )


def phantom_task(folder: Path, seed: int) -> Task:
    """Slices of the whole head at 4 mm; 24 cases train and 8 validate."""
    if not (folder / "cases").is_dir():
        options: dict[str, Any] = {"cases": 40, "spacing_mm": 4.0, "seed": 0, "control": "complementary"}
        write_cohort(folder / "cases", **options, workers=2, progress=silent)
    settings: dict[str, Any] = {
        "data": {"sources": [{"path": str(folder / "cases"), "layout": "brats(year=2023)"}], "split": {"folds": 1}},
        "plan": "separate>mean",
        "network": "unet(base=4,stages=3,norm=instance)",
        "sampling": {"per_case": 4},
        "budget": {"epochs": PHANTOM_EPOCHS, "learning_rate": 0.005},
        "seed": seed,
        "machine": {"device": "cpu"},
    }
    spec = RunSpec.model_validate(settings)
    data = read_data(spec.data, task=spec.task, cache=folder / "cache", progress=silent)
    write_json(folder / "cohort.json", data.cohort.outline)
    costs = tuple(describe_space(spec.model_dump_json(), "mmtm", str(folder)))
    return Task(data.cohort, parts_of(spec, data), spec, costs)


def carry_out(task: Task, spec: RunSpec, out: Path) -> None:
    """One run as :mod:`mrfusion.run` carries it out, on data in memory and without trying the test cases."""
    folder = out / "runs" / spec.digest
    if folder.is_dir():
        return
    folder.mkdir(parents=True)
    fabric = make_fabric(spec.machine, spec.budget.precision)
    training = make_training(spec, task.cohort, task.parts, fabric=fabric, folder=folder, progress=silent)
    if spec.origin is not None:
        training = warmed(training, spec.plan, spec.origin, out / "runs")
    kept = spec.origin is not None and spec.origin.keep
    schedule = families.load("schedules", spec.schedule)()
    fit(training, [] if kept else schedule.phases(training.network, spec.loss_names))
    save_weights(folder / "model.safetensors", training.network)
    write_json(folder / "spec.json", spec.model_dump(mode="json"))


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    chosen: Candidate
    trials: tuple[Trial, ...]
    epochs: int
    digests: dict[Candidate, str]


def searched(text: str, task: Task, out: Path) -> Found:
    """Carry a search out to its end; runs that another has left in ``out`` are shared, and counted all the same."""
    quest = Quest("search", 0, task.spec.seed, text, False, task.spec, Space(task.costs, task.spec.seed))
    while (now := standing(quest, out)).verdict is None:
        for run in wanted(quest, out):
            carry_out(task, run.spec, out)
    digests = {trial.candidate: quest.digest_of(trial.candidate) for trial in now.trials}
    epochs = sum(epochs_of(out / "runs" / digest) for digest in digests.values())
    return Found(now.verdict.chosen, now.trials, epochs, digests)


def epochs_of(run: Path) -> int:
    rows = read_rows(run / "history.csv", ("epoch", "quantity", "value"))
    return sum(row["quantity"] == "seconds" for row in rows)


def compared(task: Task, out: Path) -> dict[str, Any]:
    """Forward, raced forward and supernet beside the exhaustive truth."""
    every = searched("exhaustive", task, out)
    truth = {trial.candidate.places: trial.loss for trial in every.trials}
    low, spread = min(truth.values()), max(truth.values()) - min(truth.values())
    row: dict[str, Any] = {
        "best": min(truth, key=truth.__getitem__),
        "range": spread,
        "exhaustive_epochs": every.epochs,
    }
    for name, text in (("forward", FORWARD), ("raced", RACED), ("supernet", SUPERNET), ("random", "random(count=4)")):
        found = searched(text, task, out)
        row[name] = {
            "chosen": found.chosen.places,
            "regret": (truth[found.chosen.places] - low) / spread,
            "cost": found.epochs / every.epochs,
        }
        if name == "supernet":
            ranked = [t for t in found.trials if t.candidate.kind == "inherited"]
            pairs = [(t.loss, truth[t.candidate.places]) for t in ranked]
            row[name]["kendall_tau"] = float(kendalltau(*zip(*pairs, strict=True)).statistic)
    return row


def on_phantom(folder: Path) -> dict[str, Any]:
    """Forward, raced forward and supernet with two seeds, against the mean of two exhaustive trainings."""
    tasks = [phantom_task(folder, seed) for seed in (0, 1)]
    every = [searched("exhaustive", task, folder) for task in tasks]
    single = [{trial.candidate.places: trial.loss for trial in each.trials} for each in every]
    truth = {places: float(np.mean([losses[places] for losses in single])) for places in single[0]}
    spread = max(truth.values()) - min(truth.values())
    for places, loss in sorted(truth.items(), key=lambda pair: pair[1]):
        print(f"phantom {places}: {loss:.4f} ({', '.join(f'{losses[places]:.4f}' for losses in single)})", flush=True)

    def regret(places: tuple[int, ...], losses: dict[tuple[int, ...], float]) -> float:
        return (losses[places] - min(losses.values())) / (max(losses.values()) - min(losses.values()))

    again = [regret(min(a, key=a.__getitem__), b) for a, b in (single, single[::-1])]
    answer = {"range": spread, "again_regret": float(np.mean(again))}
    small = f"epochs={PHANTOM_SHORT},min_delta=0.002"
    texts = {
        "forward": f"forward({small})",
        "raced": f"forward({small},race=true)",
        "supernet": f"supernet(epochs={PHANTOM_SHORT})",
    }
    for name, text in texts.items():
        found = [searched(text, task, folder) for task in tasks]
        print(f"phantom, {name}: {[each.chosen.places for each in found]}", flush=True)
        answer[f"{name}_regret"] = float(np.mean([regret(each.chosen.places, truth) for each in found]))
        answer[f"{name}_cost"] = float(np.mean([f.epochs / e.epochs for f, e in zip(found, every, strict=True)]))
    return {name: round(value, 4) for name, value in answer.items()}


def false_stops(task: Task, out: Path) -> tuple[int, int]:
    """Of the candidates that a race stopped, how many would have been accepted, had they been trained on."""
    raced, plain = searched(RACED, task, out), searched(FORWARD, task, out)
    stopped = [
        t for t in raced.trials if t.candidate.rival and epochs_of(out / "runs" / raced.digests[t.candidate]) < SHORT
    ]
    accepted = set(subsets_on_the_way(plain))
    return sum(t.candidate.places in accepted for t in stopped), len(stopped)


def subsets_on_the_way(found: Found) -> Iterable[tuple[int, ...]]:
    """The chosen set and those it grew from."""
    candidate: Candidate | None = found.chosen
    while candidate is not None:
        yield candidate.places
        candidate = candidate.parent


def silent(done: int, total: int, what: str) -> None:
    """A progress that nobody watches."""


def main() -> None:
    """Print a line for each experiment, and the figures last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--truths", type=int, default=3)
    parser.add_argument("--phantom", type=Path)
    parser.add_argument("--only", choices=("planted", "phantom", "eight"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        parts = {
            "planted": lambda: planted(given.seeds, given.truths, Path(place)),
            "phantom": lambda: on_phantom(given.phantom or Path(place) / "phantom"),
            "eight": lambda: growth(Path(place)),
        }
        answer: dict[str, Any] = {}
        for name in [given.only] if given.only else parts:
            answer |= parts[name]()
    print(json.dumps(answer))


def planted(seeds: int, truths: int, place: Path) -> dict[str, Any]:
    """How often the planted level is found; stops of the race; regrets where every placement was trained."""
    found, stops = [], []
    for seed in range(seeds):
        level = seed % 3
        task = planted_task(seed, level)
        result, seconds = timed(lambda t=task, s=seed: searched(FORWARD, t, place / f"planted{s}"))
        found.append(level in result.chosen.places)
        stops.append(false_stops(task, place / f"planted{seed}"))
        print(
            f"planted at {level}, seed {seed}: {result.chosen.places}, {result.epochs} epochs, {seconds:.0f} s",
            flush=True,
        )
    rows = [compared(planted_task(seed, seed % 3), place / f"planted{seed}") for seed in range(truths)]
    for seed, row in enumerate(rows):
        print(f"planted, seed {seed}: {row}", flush=True)
    answer: dict[str, Any] = {"planted_found": sum(found) / max(1, len(found))}
    answer |= {"race_false_stops": sum(w for w, _ in stops), "race_stops": sum(n for _, n in stops)}
    return answer | means("planted_", rows)


def means(prefix: str, rows: list[dict[str, Any]]) -> dict[str, float]:
    names = ("forward", "raced", "supernet", "random")
    return {
        f"{prefix}{name}_{what}": round(float(np.mean([row[name][what] for row in rows])), 4)
        for name in names
        for what in ("regret", "cost")
        if rows
    }


def growth(place: Path) -> dict[str, Any]:
    """Epochs at eight levels, where exhaustive would train 256 networks; and whether the planted level is found."""
    task, answer = planted_task(0, 5, levels=8, cases=96), dict[str, Any]()
    for name, text in (("forward", FORWARD), ("supernet", SUPERNET)):
        found, seconds = timed(lambda t=text: searched(t, task, place / "eight"))
        print(
            f"eight levels, planted at 5, {name}: {found.chosen.places}, {found.epochs} epochs, {seconds:.0f} s",
            flush=True,
        )
        answer[f"levels8_{name}_epochs"] = found.epochs
    return answer | {"levels8_exhaustive_epochs": 2**8 * EPOCHS}


def timed(work: Callable[[], Found]) -> tuple[Found, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


if __name__ == "__main__":
    main()
