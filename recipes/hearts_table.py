"""Makes a classification of MyoPS 2020: is a heart's share of scar above or below the median? A table beside links.

Usage: python recipes/hearts_table.py <folder of MyoPS 2020> OUT, then recipes/myops_scar.yaml. Writes
OUT/participants.csv and, for each heart, a link to its folder; nothing is copied. The share is scar over all of the
left ventricle's muscle.
"""

import csv
import statistics
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

SCAR, MUSCLE = 2221, (200, 1220, 2221)  # values of the label maps
MODALITIES = ("C0", "LGE", "T2")


def share_of_scar(heart: Path) -> float:
    """Voxels of scar as a share of those of the muscle."""
    labels = np.asanyarray(nib.load(heart / f"{heart.name}_gd.nii.gz").dataobj)
    return float((labels == SCAR).sum() / np.isin(labels, MUSCLE).sum())


def main(data: Path, out: Path) -> None:
    """The table and the links."""
    hearts = sorted(path for path in data.iterdir() if path.is_dir())
    shares = {heart.name: share_of_scar(heart) for heart in hearts}
    median = statistics.median(shares.values())
    out.mkdir(parents=True, exist_ok=True)
    with (out / "participants.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("case", *MODALITIES, "label"))
        for heart in hearts:
            link = out / heart.name
            if not link.exists():
                link.symlink_to(heart.resolve())
            files = [f"{heart.name}/{heart.name}_{name}.nii.gz" for name in MODALITIES]
            table.writerow((heart.name, *files, "above" if shares[heart.name] > median else "below"))
    print(f"{len(hearts)} hearts; median share of scar {median:.3f}; {out / 'participants.csv'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
