"""Makes the small study that this version leaves for the tests of later ones, tests/study/stored/<version>.zip.

python tests/study/store_study.py [OUT]

Six phantoms, two arms, one fold, one seed, two epochs. What a report does not need (the cache of prepared cases, the
page itself, locks) is left out, and folders are written into one archive whose entries have no times, so that the same
study gives the same file. Run it once for each version whose numbers or folders differ from those of the last.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from mrfusion import __version__
from mrfusion.phantom.cohort import write_cohort

HERE = Path(__file__).parent / "stored"
RECIPE = """
name: stored
question: What did this version say of six phantoms?
data:
  sources: [{path: PHANTOM, layout: brats(year=2023)}]
  split: {folds: 1, test_share: 0.34}
network: unet(base=4,stages=1)
sampling: {per_case: 4}
budget: {epochs: 2, batch_size: 2}
metrics: [dice, hd95, volume_mm3, target_volume_mm3]
arms:
  all: {plan: concat}
  only t1c: {plan: only(t1c)}
"""
LEFT_OUT = ("cache", "progress", "report.html", "report.md", "report.tex")


def main() -> None:
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / f"{__version__}.zip"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        phantom = write_cohort(folder / "phantom", cases=6, spacing_mm=8.0)
        (folder / "stored.yaml").write_text(RECIPE.replace("PHANTOM", str(phantom)))
        study = [sys.executable, "-m", "mrfusion", "study", str(folder / "stored.yaml"), "--out", str(folder / "out")]
        subprocess.run([*study, "--workers", "1"], check=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for path in sorted((folder / "out").rglob("*")):
                inside = path.relative_to(folder / "out")
                if path.is_file() and inside.parts[0] not in LEFT_OUT:
                    archive.writestr(zipfile.ZipInfo(inside.as_posix()), path.read_bytes(), zipfile.ZIP_DEFLATED)
    print(f"{place}: {place.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
