"""Whether to fuse, on the phantom: what each arm of recipes/phantom_whether.yaml reaches and costs against A.

    python bench/whether.py [--out FOLDER] [--cases 48] [--workers 2] [--smoke]

Makes the phantom and runs the study as a user would, by ``mrfusion phantom`` and ``mrfusion study``; finished runs in
FOLDER are not run again. Dice is the mean over ET, TC, WT and test patients, as a share. The last line is JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from mrfusion import families
from mrfusion.comparison.aggregate import MEAN
from mrfusion.study.load import LoadedStudy, load_study

RECIPE = Path(__file__).parents[1] / "recipes" / "phantom_whether.yaml"
TESTS, HERE = Path(__file__).parents[1] / "tests", "in_process:InProcess"  # all runs of a smoke in one process
PAPER, DECOUPLED = "C paper", "B"


def main() -> None:
    """Make, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, help="kept; default: a temporary folder")
    parser.add_argument("--cases", type=int, default=48)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="a few seconds, to see that it runs; figures mean nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mrfusion-bench-") as temporary:
        out = options.out or Path(temporary)
        if options.smoke:
            conduct(small_recipe(out), out, phantom=("--cases", 6, "--spacing", 6), study=("--executor", HERE))
        else:
            conduct(RECIPE, out, phantom=("--cases", options.cases), study=("--workers", options.workers))
        study = load_study(out / "study")
    show(study)
    print(json.dumps(summary(study)))


def conduct(recipe: Path, out: Path, *, phantom: Sequence[object], study: Sequence[object]) -> None:
    """The phantom and the study, as a user runs them."""
    cases = out / "phantom"
    if not cases.is_dir():
        mrfusion("phantom", cases, *phantom)
    mrfusion("study", recipe, "--data", cases, "--out", out / "study", *study)


def small_recipe(out: Path) -> Path:
    """The recipe with the arms that the last line names, an epoch and a seed each."""
    content = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    content |= {"arms": {name: content["arms"][name] for name in ("A", DECOUPLED, PAPER)}, "seeds": [0]}
    content |= {"network": "unet(base=4,stages=1)", "sampling": {"per_case": 1}, "metrics": ["dice"]}
    del content["data"]["preparation"]  # the small phantom is read at its own spacing
    content["budget"] |= {"epochs": 1, "batch_size": 2}
    path = out / "smoke.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def mrfusion(*words: object) -> None:
    """One command of mrfusion; its failure is ours."""
    command = Path(sys.executable).with_name("mrfusion")
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths}
    subprocess.run([command, *map(str, words)], check=True, stdout=sys.stderr, env=environment)


def dice(study: LoadedStudy, arm: str) -> float:
    """The mean over regions, test patients and seeds."""
    return study.arm_means[arm, "dice", MEAN].mean


def cost(study: LoadedStudy, arm: str) -> dict[str, float]:
    """Seconds an epoch, parameters and peak MiB; means over the arm's runs."""
    found = [run.environment for run in study.runs_of(arm)]
    return {
        "seconds an epoch": fmean(each["train_seconds"] / each["epochs"] for each in found),
        "parameters": fmean(each["parameters"] for each in found),
        "peak MiB": fmean(each["peak_mib"] for each in found),
    }


def show(study: LoadedStudy) -> None:
    """A row an arm: Dice, its difference to the reference, and costs as multiples of the reference's."""
    reference = cost(study, study.reference)
    print(f"{'arm':20s} {'Dice':>6s} {'- A':>7s}  " + "  ".join(f"{name:>16s}" for name in reference))
    for arm in study.arms:
        difference = dice(study, arm.name) - dice(study, study.reference)
        ratios = "  ".join(f"{value / reference[name]:15.2f}x" for name, value in cost(study, arm.name).items())
        print(f"{arm.name:20s} {dice(study, arm.name):6.3f} {difference:+7.3f}  {ratios}")
    print("A itself: " + ", ".join(f"{value:.4g} {name}" for name, value in reference.items()))


def summary(study: LoadedStudy) -> dict[str, Any]:
    """The last line."""
    reference = dice(study, study.reference)
    joint = [arm.name for arm in study.arms if arm.name.startswith("C ")]
    best = max(joint, key=lambda name: dice(study, name))
    lrrnet = families.load("image_fusions", "lrrnet(t1c,t2f)")()
    return {
        "lrrnet_parameters": sum(p.numel() for p in lrrnet.parameters()),
        "seeds": len({run.seed for run in study.done}),
        "best_joint": best,
        "best_joint_minus_concat": dice(study, best) - reference,
        "paper_dynamic_minus_concat": dice(study, PAPER) - reference,
        "decoupled_minus_concat": dice(study, DECOUPLED) - reference,
    }


if __name__ == "__main__":
    main()
