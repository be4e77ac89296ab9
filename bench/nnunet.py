"""Equal time, head to head: nnU-Net as it is, and our ``concat``, on one split and one machine, one after the other.

    python bench/nnunet.py [--data FOLDER] [--minutes 10] [--device cpu] [--out KEPT]
    python bench/nnunet.py --data FOLDER --minutes 3 --variant "{augmentation: light}" --variant "{seed: 1}"

FOLDER holds hearts as MyoPS 2020 has them, brought to about 1.5 mm in the plane; without it phantoms at 3 mm are made.
Both sides read the same files, train on the same patients for the same minutes, and are scored on the same test
patients, which neither has seen. Ours is planned by ``auto``, its epochs for the minutes included. A ``--variant`` is
a change of our specification that is planned and trained as well, so that a table shows what each piece gives. The
other side is :mod:`nnunet_timed`, in an environment of its own; what lies finished in --out is not made again. Dice in
points, the mean over regions and patients; the judge is ``mrfusion.comparison.compare``. The last line is JSON. Where
other jobs share the machine the minutes are worth what the CPU seconds beside them say: nnU-Net's of its training,
loaders included; ours of the whole run, preparation and predictions included. --smoke: seconds of training on phantoms
at 8 mm beside label maps moved by a voxel instead of nnU-Net's answers; its figures mean nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import nibabel as nib
import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from environment import nnunet_python
from hearts import write_hearts

from mrfusion.case import Cohort
from mrfusion.comparison.aggregate import MEAN, with_mean_region
from mrfusion.comparison.compare import compare
from mrfusion.conversion.nnunet import write_nnunet
from mrfusion.data.read import read_cohort, read_data
from mrfusion.files import read_json, read_rows, write_json
from mrfusion.phantom.cohort import write_cohort
from mrfusion.planning.values import changes_of
from mrfusion.progress import silent
from mrfusion.result import ScoreRow
from mrfusion.rules import rule_named
from mrfusion.run.execute import execute
from mrfusion.run.propose import propose_values
from mrfusion.run_folder.study import StudyFolder
from mrfusion.scoring.masks import score_case
from mrfusion.spec import RunSpec, Source

PEER = "nnU-Net"
OURS: dict[str, Any] = {"plan": "concat", "mirror": True}
PLANNED = (
    "network", "sampling.dimensions", "sampling.size", "budget.batch_size", "budget.epochs",
    "data.preparation.spacing_mm", "data.preparation.interpolation", "data.preparation.intensities",
)  # fmt: skip
FRESH = 1  # of the phantoms; those of seed 0 showed that a batch of 33 is too large, and so cannot show the cure
PARTS = (12, 3, 25)  # patients to train on, to choose the epoch by, and to test on at most
USUAL = {"parts": PARTS, "spacing": 3.0}
SMOKE = {"parts": (4, 2, 6), "spacing": 8.0, "minutes": 0.02}
Scores = list[ScoreRow]


def main() -> None:
    """Train both, judge, print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="mrfusion-bench-") as folder:
        out = (options.out or Path(folder)).absolute()
        out.mkdir(parents=True, exist_ok=True)
        raw = _raw(options, out)
        if options.smoke:
            _moved(raw, _work(options, out))
        cohort = read_cohort([Source(path=raw, layout="nnunet_raw")])
        split = _split(cohort, out, options.parts)
        theirs, facts = _nnunet(options, out, raw, cohort=cohort, split=split)
        ours, about = _ours(options, out, raw)
    _tell(options, ours, theirs, {**about, PEER: facts})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, help="a folder of MyoPS 2020; default: phantoms at 3 mm")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, for each side")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--configuration", default="2d", help="nnU-Net's, as in 3d_fullres")
    parser.add_argument("--planner", default="ExperimentPlanner", help="nnU-Net's, as in nnUNetPlannerResEncM")
    parser.add_argument("--iterations", type=int, default=20, help="steps of an epoch of nnU-Net")
    parser.add_argument("--seed", type=int, default=0, help="of our training")
    parser.add_argument("--variant", action="append", default=[], help="a change of our specification, as YAML")
    parser.add_argument("--only-variants", action="store_true", help="leave out our specification as it is")
    parser.add_argument("--out", type=Path, help="kept; default: a temporary folder")
    parser.add_argument("--smoke", action="store_true", help="seconds, without nnU-Net, to see that the way is open")
    options = parser.parse_args()
    vars(options).update(USUAL | (SMOKE if options.smoke else {}))
    return options


def _raw(options: argparse.Namespace, out: Path) -> Path:
    """The files that both sides read, as nnU-Net's raw data with all cases in imagesTr."""
    raw = out / "Dataset001_Bench"
    if raw.is_dir():
        return raw
    if options.data is not None:
        return write_hearts(options.data, raw)
    cases = {"cases": sum(options.parts), "spacing_mm": options.spacing, "seed": FRESH, "workers": options.threads}
    phantom = write_cohort(out / "phantom", **cases)
    cohort = read_cohort([Source(path=phantom, layout="brats", options={"year": 2023})])
    return write_nnunet(cohort, raw, splits=(), progress=silent)


def _split(cohort: Cohort, out: Path, parts: tuple[int, int, int]) -> dict[str, list[str]]:
    """Patients to train on, to validate on, and at most so many to test on; drawn once, written for both sides."""
    names = sorted(case.id for case in cohort.cases)
    drawn = [names[i] for i in np.random.default_rng(0).permutation(len(names))]
    train, val, test = (sorted(part) for part in np.split(np.array(drawn[: sum(parts)]), np.cumsum(parts)[:2]))
    split = {"train": [str(n) for n in train], "val": [str(n) for n in val], "test": [str(n) for n in test]}
    write_json(out / "splits.json", {"folds": [split]})
    write_json(out / "splits_final.json", [{"train": split["train"], "val": split["val"]}])
    return split


def _work(options: argparse.Namespace, out: Path) -> Path:
    """Where nnU-Net trains and answers."""
    work = out / f"nnunet-{options.configuration}-{options.planner}-{options.minutes:g}"
    work.mkdir(exist_ok=True)
    return work


def _moved(raw: Path, work: Path) -> None:
    """What a smoke has instead of nnU-Net's answers: every label map, moved by a voxel."""
    print(f"a smoke: {PEER} is not trained, its answers are label maps moved by a voxel")
    (work / "predictions").mkdir()
    for path in sorted((raw / "labelsTr").iterdir()):
        image = nib.load(path)
        moved = np.roll(np.asarray(image.dataobj), 1, axis=0)
        nib.save(nib.Nifti1Image(moved, image.affine, image.header), work / "predictions" / path.name)
    write_json(work / "facts.json", {"epochs": 0, "train_s": 0.0, "cpu_s": 0.0, "parameters": 0})


def _nnunet(
    options: argparse.Namespace, out: Path, raw: Path, *, cohort: Cohort, split: Mapping[str, Sequence[str]]
) -> tuple[Scores, dict[str, Any]]:
    """Scores of nnU-Net's test predictions, and how they came about."""
    work = _work(options, out)
    if not (work / "facts.json").exists():
        python, why_not = nnunet_python()
        if python is None:
            raise SystemExit(why_not)
        settings = {
            "raw": str(_with_test_images(raw, work / raw.name, split)),
            "splits": str(out / "splits_final.json"),
            "out": str(work),
            "processes": options.threads,
        } | {
            key: getattr(options, key)
            for key in ("minutes", "configuration", "planner", "device", "iterations", "threads")
        }
        write_json(work / "settings.json", settings)
        script = Path(__file__).parent / "peers" / "nnunet_timed.py"
        with (work / "log.txt").open("w") as log:
            command = [str(python), str(script), str(work / "settings.json")]
            done = subprocess.run(command, stdout=log, stderr=log, start_new_session=True)
        if done.returncode:
            raise SystemExit(f"nnU-Net ended:\n{(work / 'log.txt').read_text()[-3000:]}")
    return _scores_of_files(work / "predictions", raw, cohort, split["test"]), read_json(work / "facts.json")


def _with_test_images(raw: Path, folder: Path, split: Mapping[str, Sequence[str]]) -> Path:
    """nnU-Net's own copy: the test patients' images in imagesTs, their labels nowhere."""
    for part, names in (("Tr", (*split["train"], *split["val"])), ("Ts", split["test"])):
        (folder / f"images{part}").mkdir(parents=True, exist_ok=True)
        for image in (path for name in names for path in raw.glob(f"imagesTr/{name}_0*.nii.gz")):
            os.link(image, folder / f"images{part}" / image.name)
    (folder / "labelsTr").mkdir()
    for name in (*split["train"], *split["val"]):
        os.link(raw / "labelsTr" / f"{name}.nii.gz", folder / "labelsTr" / f"{name}.nii.gz")
    dataset = read_json(raw / "dataset.json") | {"numTraining": len(split["train"]) + len(split["val"])}
    # not sorted: nnU-Net pairs the regions with regions_class_order by their place
    (folder / "dataset.json").write_text(json.dumps(dataset))
    return folder


def _scores_of_files(folder: Path, raw: Path, cohort: Cohort, names: Sequence[str]) -> Scores:
    """Dice of label maps in nnU-Net's numbers against labelsTr, region by region, by our own metric."""
    rows: Scores = []
    for name in names:
        images = [nib.load(place / f"{name}.nii.gz") for place in (folder, raw / "labelsTr")]
        found, truth = (
            np.stack([np.isin(np.asarray(image.dataobj), sorted(region.labels)) for region in cohort.regions])
            for image in images
        )
        scored = score_case(
            name,
            found,
            target=truth,
            regions=cohort.regions,
            spacing_mm=images[1].header.get_zooms()[:3],
            metrics=("dice",),
            rule=rule_named("plain"),
        )
        rows += [ScoreRow(PEER, 0, 0, name, name, s.region, s.metric, s.value) for s in scored]
    return rows


def _ours(options: argparse.Namespace, out: Path, raw: Path) -> tuple[Scores, dict[str, dict[str, Any]]]:
    """Scores of our specification and of each variant, and what each run was."""
    variants: dict[str, dict[str, Any]] = {} if options.only_variants else {"ours": {}}
    variants |= {text: yaml.safe_load(text) for text in options.variant}
    rows: Scores = []
    about = {}
    for name, changes in variants.items():
        spec = _spec(options, out, raw).changed(changes)
        planned = _planned(spec, out, options.minutes)
        used = time.process_time()
        execute(planned, out=out, cache=out / "cache", progress=silent)
        used, folder = time.process_time() - used, StudyFolder(out).run(planned.digest).path
        about[name] = read_json(folder / "environment.json") | {"cpu_s": used}
        rows += [
            ScoreRow(name, 0, 0, row["case"], row["case"], row["region"], row["metric"], float(row["value"]))
            for row in read_rows(folder / "scores.csv", ("case", "region", "metric", "value"))
            if row["metric"] == "dice"
        ]
        print(f"{name}: {100 * _mean(rows, name):.2f} points", file=sys.stderr, flush=True)
    return rows, about


def _spec(options: argparse.Namespace, out: Path, raw: Path) -> RunSpec:
    source = {"path": str(raw), "layout": "nnunet_raw"}
    spec = RunSpec.model_validate({
        "data": {"sources": [source], "split": {"folds": 1, "file": str(out / "splits.json")}},
        "machine": {"device": options.device, "threads": options.threads},
        "seed": options.seed,
    }).changed(OURS)  # fmt: skip
    data = read_data(spec.data, task=spec.task, cache=out / "cache", progress=silent)
    return spec.changed({"data": {"fingerprint": data.fingerprint}})


def _planned(spec: RunSpec, out: Path, minutes: float) -> RunSpec:
    """The specification with its keys to plan in, so many epochs among them as fit the minutes on this machine."""
    asked = json.dumps({"like": "residual", "memory_gb": None, "minutes": minutes, "folds": [0]})
    found = propose_values(spec.model_dump_json(), PLANNED, asked, str(out), str(out / "cache"))
    for one in found["planned"]:
        print(f"  {one['key']}: {one['value']} ({one['reason']})", file=sys.stderr, flush=True)
    return spec.changed(changes_of(found["planned"]))


def _mean(rows: Scores, arm: str, region: str = MEAN) -> float:
    return fmean(row.value for row in with_mean_region(r for r in rows if r.arm == arm) if row.region == region)


def _tell(options: argparse.Namespace, ours: Scores, theirs: Scores, about: Mapping[str, Mapping[str, Any]]) -> None:
    found = {row.arm: row for row in compare([*ours, *theirs], PEER) if row.region == MEAN}
    regions = [*dict.fromkeys(row.region for row in theirs), MEAN]
    print(f"{options.minutes:g} minutes of training each, {options.threads} threads, {options.device}")
    print(
        f"\n{'':44}"
        + "".join(f"{name:>12}" for name in regions)
        + f"{'epochs':>8}{'seconds':>9}{'CPU-s':>8}{'parameters':>12}"
    )
    for arm, rows in ((PEER, theirs), *((name, ours) for name in found)):
        facts = about[arm]
        seconds = facts.get("train_s", facts.get("train_seconds", 0.0))
        points = "".join(f"{100 * _mean(rows, arm, region):12.1f}" for region in regions)
        print(f"{arm[:44]:44}{points}{facts['epochs']:8}{seconds:9.0f}{facts['cpu_s']:8.0f}{facts['parameters']:12}")
    for arm, row in found.items():
        print(f"{arm} minus {PEER}: {100 * row.effect:+.1f} points, 95 % CI {100 * row.ci_low:+.1f} to "
              f"{100 * row.ci_high:+.1f}, {row.patients} patients: {row.verdict}")  # fmt: skip
    first = next(iter(found.values()))
    print(json.dumps({
        "minutes": options.minutes,
        "ours_dice": round(_mean(ours, first.arm), 4),
        "nnunet_dice": round(_mean(theirs, PEER), 4),
        "difference": round(first.effect, 4),
        "ci_low": round(first.ci_low, 4),
        "ci_high": round(first.ci_high, 4),
        "patients": first.patients,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
