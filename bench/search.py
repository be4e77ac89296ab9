"""What searches find and what they cost, against every placement trained: a task with a planted truth, and the phantom.

    python bench/search.py [--seeds 10] [--truths 3] [--nulls 20] [--out FOLDER] [--only PART] [--smoke]

Judged: thousands of simulated searches in which no module does anything, so that whatever is accepted is accepted
falsely; and in which one level is worth a number of run-to-run standard deviations. What varies: trainings, each
patient's score, what a placement is worth to each patient. Nothing is trained.

Nothing: the same with real trainings. The heads of "planted" below, but the class is the sign of t1c's mean, wrong in a
fifth of the cases, and t2f says nothing of it. ``search_false_accepts`` is the share of searches that place a module.

Planted: heads of the phantom, t1c and t2f, with a cue put into them; four levels; classes that late fusion cannot tell
apart. t2f shows a pattern whose values differ between the classes at one level of resolution only; the class is the
sign of t1c's mean unless t2f shows it. Each level of the network sees the values at its own resolution and passes on
nothing but the averaged image, so a module at that level, and nowhere else, can carry the cue over. Which level it is
changes with the seed.

Depth: the planted task, with energy modules that bring their losses (on patients by their class) and a base that has
none. ``depth_found`` is the share of searches that place one at the planted level, ``depth_found_alone`` there alone.

Tumours: segmentation in the complementary phantom, late fusion of four small networks, modules at four levels. A
placement's true loss is the mean of two trainings from scratch with different seeds, since one training is not the
truth; ``again_regret`` is what the exhaustive search itself regrets when its other training is asked: below that
nothing can be told apart. FOLDER keeps the phantom and all runs (default: a temporary one).

--smoke: two searches of each kind on a small scale, to see that the way is open; its figures mean nothing.

Eight: a ladder of eight levels, to show how the cost grows. Regrets are shares of the range between the worst and the
best placement. Last line: JSON.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import zoom
from scipy.stats import kendalltau
from torch import Tensor, nn

from mrfusion import families
from mrfusion.backbones._base import Backbone
from mrfusion.case import Case, Cohort
from mrfusion.data.read import read_data
from mrfusion.data.sample import LoadedCase
from mrfusion.files import read_rows, write_json
from mrfusion.phantom.cohort import write_cohort
from mrfusion.progress import silent
from mrfusion.run.execute import execute, parts_of
from mrfusion.run.jobs import describe_space
from mrfusion.run.prediction import predict_classes
from mrfusion.run_folder.run import RunFolder
from mrfusion.scoring.classes import answers_of, class_table
from mrfusion.searches._base import Candidate, Space, Trial
from mrfusion.spec import RunSpec
from mrfusion.study.quest import Quest, standing, wanted
from mrfusion.training.assemble import Parts, make_fabric, make_model, make_training
from mrfusion.training.inherit import warmed
from mrfusion.training.loop import fit, save_weights

PLAIN = {"flip": False, "share": 0, "brightness": 0, "contrast": 0, "gamma": 0, "noise": 0}
EPOCHS, SHORT = 12, 3
TUMOUR_EPOCHS, TUMOUR_SHORT = 32, 8
CLUTTER = 0.3  # of the anatomy, beside a planted cue of 1
FORWARD = f"forward(epochs={SHORT})"
ENERGIES = f"forward(fusion='energy(width=8,exchange=true)',epochs={SHORT})"
RACED = f"forward(epochs={SHORT},race=true)"
SIMULATED = ("forward", "forward(mode=full_path)", "backward", "floating", "random", "exhaustive", "supernet")
PLANTED = {
    "forward": FORWARD,
    "raced": RACED,
    "supernet": f"supernet(epochs={SHORT})",
    "random": "random(count=4)",
}
TUMOURS = {
    "forward": f"forward(epochs={TUMOUR_SHORT})",
    "gentle": f"forward(epochs={TUMOUR_SHORT},rate=0.3)",
    "raced": f"forward(epochs={TUMOUR_SHORT},race=true)",
    "supernet": f"supernet(epochs={TUMOUR_SHORT})",
    "random": "random(count=4)",
}


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
            self.see.state_dict()["bias"].zero_()

    def forward(self, x: Tensor) -> Tensor:
        image = self.pool(x[:, :1])
        return torch.cat((image, torch.relu(self.see(image))), 1)


@dataclass(frozen=True)
class Task:
    """A run's data, and the specification that its searches begin with."""

    cohort: Cohort
    parts: Parts
    spec: RunSpec
    costs: tuple[int, ...]
    cache: Path | None = None  # of prepared cases; None where the cases are made here


def board(size: int, block: int, random: np.random.Generator) -> NDArray[Any]:
    """A checkerboard of blocks, either way round: values +-1 as long as a block is not averaged over."""
    cells = np.indices((size, size)).sum(0) if block == 0 else (np.indices((size, size)) // block).sum(0)
    signs: NDArray[Any] = (1 - 2 * (cells % 2)) * random.choice([-1.0, 1.0])
    return signs


def read_phantom(folder: Path, spec: RunSpec) -> tuple[Cohort, Parts]:
    """Whole heads at 4 mm, made where they are not there yet; 24 cases train and 8 validate."""
    if not (folder / "cases").is_dir():
        options: dict[str, Any] = {"cases": 40, "spacing_mm": 4.0, "seed": 0, "control": "complementary"}
        write_cohort(folder / "cases", **options, workers=2, progress=silent)
    data = read_data(spec.data, task=spec.task, cache=folder / "cache", progress=silent)
    return data.cohort, parts_of(spec, data)


def slices_of(folder: Path, size: int) -> NDArray[Any]:
    """(n, 2, size, size) float32: t1c and t2f of the heads' inner slices on this grid, of mean 0 and deviation 1."""
    cohort, parts = read_phantom(folder, tumour_spec(folder, 0))
    channels = [cohort.modalities.index(name) for name in ("t1c", "t2f")]
    inner = [
        case.images[len(case.images) // 3 : -(len(case.images) // 3), channels] for case in (*parts.train, *parts.val)
    ]
    grids = [
        zoom(each.astype(np.float32), (1, 1, size / each.shape[2], size / each.shape[3]), order=1) for each in inner
    ]
    found = np.concatenate(grids)
    scaled: NDArray[Any] = (found - found.mean((2, 3), keepdims=True)) / found.std((2, 3), keepdims=True)
    return scaled


def planted_case(number: int, head: NDArray[Any], level: int, random: np.random.Generator, helps: bool) -> LoadedCase:
    """t1c: its mean is the sign; t2f: blocks of 2^level points if the cue is there, of half that if not.

    Where the cue does not help, the class is the sign, wrong in one of five cases.
    """
    size = head.shape[-1]
    sign, cue = bool(random.random() < 0.75), bool(random.random() < 0.4)
    fine = board(size, 2 ** (level - 1), random) if level else np.zeros((size, size))
    planted = np.stack((np.full((size, size), 1.0 if sign else -1.0), board(size, 2**level, random) if cue else fine))
    images = (planted + CLUTTER * head + 0.1 * random.normal(size=head.shape))[None].astype(np.float32)
    labels = np.zeros((1, size, size), np.uint8)
    yes = sign and not cue if helps else sign != bool(random.random() < 0.2)
    return LoadedCase(f"case{number}", images, labels, (True, True), int(yes), (0, 1))


def planted_task(folder: Path, seed: int, level: int, levels: int = 4, cases: int = 192, helps: bool = True) -> Task:
    """Two thirds of the cases to train on, the others to validate on; each is one slice of a head."""
    random = np.random.default_rng([seed, level])
    heads = slices_of(folder, 2**levels)
    drawn = [planted_case(n, heads[random.integers(len(heads))], level, random, helps) for n in range(cases)]
    names = ("t1c", "t2f")
    paths = {name: Path(name) for name in names}
    cohort = Cohort(names, tuple(Case(c.id, c.id, paths) for c in drawn), (), ("no", "yes"))
    settings: dict[str, Any] = {
        "data": {
            "sources": [
                {"path": "planted", "layout": "table", "options": {"seed": seed, "level": level, "helps": helps}}
            ]
        },
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


def tumour_spec(folder: Path, seed: int) -> RunSpec:
    """Late fusion of four small networks, on slices of whole heads."""
    settings: dict[str, Any] = {
        "data": {"sources": [{"path": str(folder / "cases"), "layout": "brats(year=2023)"}], "split": {"folds": 1}},
        "plan": "separate>mean",
        "network": "unet(base=4,stages=3,norm=instance)",
        "sampling": {"per_case": 4},
        "budget": {"epochs": TUMOUR_EPOCHS, "learning_rate": 0.005},
        "seed": seed,
        "machine": {"device": "cpu"},
    }
    return RunSpec.model_validate(settings)


def tumour_task(folder: Path, seed: int) -> Task:
    """Tumours in whole heads."""
    spec = tumour_spec(folder, seed)
    cohort, parts = read_phantom(folder, spec)
    fingerprint = read_data(spec.data, task=spec.task, cache=folder / "cache", progress=silent).fingerprint
    spec = spec.changed({"data": {"fingerprint": fingerprint}})
    write_json(folder / "cohort.json", cohort.outline)
    costs = tuple(describe_space(spec.model_dump_json(), "mmtm", str(folder)))
    return Task(cohort, parts, spec, costs, folder / "cache")


def carry_out(task: Task, spec: RunSpec, out: Path) -> None:
    """One run: as studies carry it out, or on cases in memory, whose patients are those that validate."""
    folder = out / "runs" / spec.digest
    if task.cache is not None:
        execute(spec, out=out, cache=task.cache, progress=silent)
        return
    if not folder.is_dir():
        with RunFolder(folder).building() as work:
            train_and_try(task, spec, work)


def train_and_try(task: Task, spec: RunSpec, folder: RunFolder) -> None:
    """Train on the cases in memory, and keep what the best epoch says of those that validate."""
    fabric = make_fabric(spec.machine, spec.budget.precision)
    training = make_training(spec, task.cohort, task.parts, fabric=fabric, folder=folder, progress=silent)
    if spec.origin is not None:
        training = warmed(training, spec.plan, spec.origin)
    kept = spec.origin is not None and spec.origin.keep
    schedule = families.load("schedules", spec.schedule)()
    fit(training, [] if kept else schedule.phases(training.network, spec.loss_names))
    save_weights(folder.weights, training.network)
    folder.write_spec(spec)
    model = make_model(spec, task.cohort, network=training.network, size=task.parts.size, fabric=fabric)
    cases, classes = task.parts.val, task.cohort.classes
    rows = np.stack([predict_classes(case, model) for case in cases])
    right = [classes[case.class_index] for case in cases]
    table = class_table([case.id for case in cases], rows, targets=right, classes=classes)
    folder.write_probabilities(classes, answers_of(table))


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    chosen: Candidate
    trials: tuple[Trial, ...]
    epochs: int
    digests: dict[Candidate, str]


def searched(text: str, task: Task, out: Path) -> Found:
    """Carry a search out to its end; runs that another has left in ``out`` are shared, and counted all the same."""
    patients = {case.id: case.patient for case in task.cohort.cases}
    space = Space(task.costs, task.spec.seed)
    quest = Quest("search", 0, task.spec.seed, text, False, task.spec, space, patients)
    while (now := standing(quest, out)).choice is None:
        for run in wanted(quest, out):
            carry_out(task, run.spec, out)
    digests = {trial.candidate: quest.digest_of(trial.candidate) for trial in now.trials}
    epochs = sum(epochs_of(out / "runs" / digest) for digest in set(digests.values()))
    return Found(now.choice.chosen, now.trials, epochs, digests)


def epochs_of(run: Path) -> int:
    rows = read_rows(run / "history.csv", ("epoch", "quantity", "value"))
    return sum(row["quantity"] == "seconds" for row in rows)


def compared(tasks: Sequence[Task], texts: Mapping[str, str], out: Path) -> dict[str, Any]:
    """Searches on tasks that are trainings of the same networks, against the mean of their exhaustive truths."""
    every = [searched("exhaustive", task, out) for task in tasks]
    single = [
        {trial.candidate.places: trial.loss for trial in each.trials if trial.candidate.kind == "trained"}
        for each in every
    ]
    truth = {places: float(np.mean([losses[places] for losses in single])) for places in single[0]}
    for places, loss in sorted(truth.items(), key=lambda pair: pair[1]):
        print(f"  {places}: {loss:.4f} ({', '.join(f'{losses[places]:.4f}' for losses in single)})", flush=True)
    answer = {"range": max(truth.values()) - min(truth.values())}
    if len(single) > 1:
        others = zip(single, single[1:] + single[:1], strict=True)
        answer["again_regret"] = fmean(regret(min(mine, key=mine.__getitem__), other) for mine, other in others)
    for name, text in texts.items():
        found = [searched(text, task, out) for task in tasks]
        answer[f"{name}_regret"] = fmean(regret(each.chosen.places, truth) for each in found)
        answer[f"{name}_cost"] = fmean(f.epochs / e.epochs for f, e in zip(found, every, strict=True))
        ranked = [
            (t.loss, truth[t.candidate.places]) for f in found for t in f.trials if t.candidate.kind == "inherited"
        ]
        if ranked:
            answer[f"{name}_kendall_tau"] = float(kendalltau(*zip(*ranked, strict=True)).statistic)
        costs = ", ".join(f"{key} {answer[key]:.4f}" for key in answer if key.startswith(f"{name}_"))
        print(f"  {name}: {[each.chosen.places for each in found]}; {costs}", flush=True)
    return answer


def regret(places: tuple[int, ...], losses: Mapping[tuple[int, ...], float]) -> float:
    """By how much a placement is worse than the best, as a share of the range to the worst."""
    return (losses[places] - min(losses.values())) / (max(losses.values()) - min(losses.values()))


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


def main() -> None:
    """Print what was found, and the figures last."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=10, help="of the planted cue")
    parser.add_argument("--truths", type=int, default=3, help="of them with every placement trained")
    parser.add_argument("--nulls", type=int, default=20, help="searches where there is nothing to find")
    parser.add_argument("--out", type=Path, help="kept; default: a temporary folder")
    parser.add_argument("--only", choices=("judged", "nothing", "planted", "depth", "tumours", "eight"))
    parser.add_argument("--smoke", action="store_true", help="small enough for every day; its figures mean nothing")
    given = parser.parse_args()
    if given.smoke:
        given.seeds, given.truths, given.nulls = 1, 0, 1
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        out = given.out or Path(temporary)
        parts = {
            "judged": lambda: judged(10 if given.smoke else 300),
            "nothing": lambda: nothing(given.nulls, out, 48 if given.smoke else 192),
            "planted": lambda: planted(given.seeds, given.truths, out),
            "depth": lambda: depth(given.seeds, out),
            "tumours": lambda: tumours(out),
            "eight": lambda: growth(out),
        }
        answer: dict[str, Any] = {}
        usual = ("judged", "nothing") if given.smoke else tuple(parts)
        for name in [given.only] if given.only else usual:
            answer |= parts[name]()
    print(json.dumps({name: round(value, 4) for name, value in answer.items()}))


def judged(count: int) -> dict[str, Any]:
    """The share of false accepts in each search's worst cell, simulated anew; how often a level that helps is found.

    The largest of many shares is large by chance, so the cell that came out worst is simulated again with ten times the
    searches, and only these count.
    """
    rng, answer = np.random.default_rng(0), dict[str, Any]()
    cells = [(n, *v) for n in (12, 32) for v in ((1, 0, 1), (1, 1, 1), (0.2, 2, 1), (0.3, 0, 3), (0, 0, 1), (4, 1, 1))]
    for text in SIMULATED:
        number = count if text == "forward" else count // 5
        shares = {cell: false_accepts(text, rng, cell, number) for cell in cells}
        worst = max(shares, key=shares.__getitem__)
        share = false_accepts(text, rng, worst, 10 * number)
        answer[f"simulated_false_accepts_{text}"] = share
        print(
            f"{text}: false accepts {fmean(shares.values()):.3f} in the mean over cells; {share:.3f} in the worst of "
            f"them, of {10 * number}: (patients, sd of runs, of what a placement is worth to a patient, of noise) = "
            f"{worst}",
            flush=True,
        )
    answer["simulated_false_accepts_worst"] = max(answer.values())
    for gain in (2.0, 3.0, 4.0):
        worlds = [World(rng, 32, run=1, worth=0.5, noise=1, gain=gain) for _ in range(count // 2)]
        answer[f"simulated_found_at_{gain:g}_sd"] = fmean(2 in simulated("forward", world).places for world in worlds)
    return answer


def false_accepts(text: str, rng: np.random.Generator, cell: tuple[float, ...], count: int) -> float:
    """The share of searches that place a module where none does anything."""
    patients, run, worth, noise = cell
    worlds = [World(rng, int(patients), run=run, worth=worth, noise=noise) for _ in range(count)]
    return fmean(bool(simulated(text, world).places) for world in worlds)


class World:
    """Four levels; the third is worth ``gain`` to every patient, each placement something more or less to each."""

    def __init__(
        self, rng: np.random.Generator, patients: int, *, run: float, worth: float, noise: float, gain: float = 0.0
    ) -> None:
        self.rng, self.patients, self.run, self.worth, self.noise, self.gain = rng, patients, run, worth, noise, gain
        self.base = rng.normal(0, 10, patients)
        self.own: dict[tuple[int, ...], NDArray[Any]] = {(): np.zeros(patients)}

    def trial(self, candidate: Candidate) -> Trial:
        """One training: a shift of its own for all patients, and noise for each."""
        places, rng = candidate.places, self.rng
        if places not in self.own:
            self.own[places] = rng.normal(0, self.worth, self.patients)
        scores = self.base + self.own[places] + self.gain * (2 in places) + rng.normal(0, self.run)
        scores = scores + rng.normal(0, self.noise, self.patients)
        return Trial(candidate, -float(scores.mean()), tuple(scores))


def simulated(text: str, world: World) -> Candidate:
    """What a search chooses in a world where trainings are drawn."""
    search, space, trials = families.load("searches", text)(), Space((10, 40, 160, 640)), list[Trial]()
    while proposed := search.propose(space, trials):
        trials += [world.trial(candidate) for candidate in proposed]
    chosen: Candidate = search.conclude(space, trials).chosen
    return chosen


def nothing(count: int, out: Path, cases: int = 192) -> dict[str, Any]:
    """How often a search places a module where there is nothing to find, with real trainings."""
    false = []
    for seed in range(count):
        task = planted_task(out, 100 + seed, seed % 3, cases=cases, helps=False)
        result, seconds = timed(partial(searched, FORWARD, task, out / f"nothing{seed}"))
        false.append(bool(result.chosen.places))
        print(
            f"nothing to find, seed {seed}: {result.chosen.places}, {result.epochs} epochs, {seconds:.0f} s", flush=True
        )
    return {"search_false_accepts": fmean(false)}


def planted(seeds: int, truths: int, out: Path) -> dict[str, Any]:
    """How often the planted level is found; stops of the race; regrets where every placement was trained."""
    found, stops, rows = [], [], []
    for seed in range(seeds):
        level, place = seed % 3, out / f"planted{seed}"
        task = planted_task(out, seed, level)
        result, seconds = timed(partial(searched, FORWARD, task, place))
        found.append(level in result.chosen.places)
        stops.append(false_stops(task, place))
        print(
            f"planted at {level}, seed {seed}: {result.chosen.places}, {result.epochs} epochs, {seconds:.0f} s",
            flush=True,
        )
        if seed < truths:
            rows.append(compared([task], PLANTED, place))
    answer: dict[str, Any] = {"planted_found": fmean(found)}
    answer |= {"race_false_stops": sum(wrong for wrong, _ in stops), "race_stops": sum(number for _, number in stops)}
    return answer | {name: fmean(row[name] for row in rows) for name in (rows[0] if rows else ())}


def depth(seeds: int, out: Path) -> dict[str, Any]:
    """How often the planted level is found by energies whose losses come and go with their modules."""
    found, alone = [], []
    losses = ["cross_entropy", "energy(of=patients,needed=false)", "alignment(needed=false)"]
    for seed in range(seeds):
        level = seed % 3
        task = planted_task(out, seed, level)
        spec = task.spec.changed({"losses": losses, "balancer": "static(energy=0.1,alignment=0.1,warm=0.1)"})
        result, seconds = timed(partial(searched, ENERGIES, replace(task, spec=spec), out / f"depth{seed}"))
        places = result.chosen.places
        found.append(level in places)
        alone.append(places == (level,))
        loss = {trial.candidate: trial.loss for trial in result.trials}
        print(
            f"energies, planted at {level}, seed {seed}: {places}, {result.epochs} epochs, {seconds:.0f} s; validation "
            f"loss {loss[result.chosen]:.3f}, late fusion {result.trials[0].loss:.3f}",
            flush=True,
        )
    return {"depth_found": fmean(found), "depth_found_alone": fmean(alone)}


def tumours(out: Path) -> dict[str, Any]:
    """The searches with two seeds, against the mean of two exhaustive trainings."""
    print("tumours")
    found = compared([tumour_task(out, seed) for seed in (0, 1)], TUMOURS, out / "tumours")
    return {f"tumours_{name}": value for name, value in found.items()}


def growth(out: Path) -> dict[str, Any]:
    """Epochs at eight levels, where exhaustive would train 256 networks; and whether the planted level is found."""
    task, answer = planted_task(out, 0, 5, levels=8, cases=96), dict[str, Any]()
    for name in ("forward", "supernet"):
        found, seconds = timed(partial(searched, PLANTED[name], task, out / "eight"))
        print(
            f"eight levels, planted at 5, {name}: {found.chosen.places}, {found.epochs} epochs, {seconds:.0f} s",
            flush=True,
        )
        answer[f"levels8_{name}_epochs"] = found.epochs
        answer[f"levels8_{name}_found"] = float(5 in found.chosen.places)
    return answer | {"levels8_exhaustive_epochs": 2**8 * EPOCHS}


def timed(work: Callable[[], Found]) -> tuple[Found, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


if __name__ == "__main__":
    main()
