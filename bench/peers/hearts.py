"""Hearts of MyoPS 2020 as nnU-Net's raw data: the middle 256 x 256 pixels, each four averaged to one of about 1.5 mm.

The middle holds every labelled voxel (at most 63 of its 93 mm from the centre). The order of the axes in the files
stays what it was, slices last, because nnU-Net does not turn images: cut in two dimensions, it takes the last axis.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from mrfusion import families
from mrfusion.conversion.nnunet import write_nnunet
from mrfusion.progress import silent

OPTIONS: dict[str, Any] = {
    "modalities": ["C0", "LGE", "T2"],
    "label": "gd",
    "regions": {"myocardium": [200, 1220, 2221], "lv": [500], "rv": [600], "oedema": [1220, 2221], "scar": [2221]},
}
MIDDLE = 256


def write_hearts(folder: Path, raw: Path) -> Path:
    """Write every case of ``folder`` in the plane's half resolution; gives ``raw``."""
    cohort = families.load("layouts", "folder")(folder, **OPTIONS)
    cases = []
    for case in cohort.cases:
        place = raw.parent / "halved" / case.id
        place.mkdir(parents=True, exist_ok=True)
        files = {name: _halved(path, place / f"{name}.nii.gz", labels=False) for name, path in case.images.items()}
        truth = _halved(case.label_map, place / "labels.nii.gz", labels=True)
        cases.append(replace(case, images=files, label_map=truth))
    return write_nnunet(replace(cohort, cases=tuple(cases)), raw, splits=(), progress=silent)


def _halved(source: Path, path: Path, *, labels: bool) -> Path:
    image = nib.load(source)
    array, low = np.asarray(image.dataobj), [(n - MIDDLE) // 2 for n in image.shape[:2]]
    middle = array[low[0] : low[0] + MIDDLE, low[1] : low[1] + MIDDLE]
    fours = np.stack([middle[i::2, j::2] for i in (0, 1) for j in (0, 1)])
    found = _most(fours) if labels else fours.mean(0).astype(np.float32)
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, :2] @ (np.array(low) + 0.5)
    affine[:3, :2] *= 2
    nib.save(nib.Nifti1Image(found, affine), path)
    return path


def _most(fours: NDArray[Any]) -> NDArray[np.int16]:
    """The value that most of the four pixels have; of equals the highest, lest small regions shrink."""
    values = np.unique(fours)
    votes = np.stack([(fours == value).sum(0) for value in values])
    most: NDArray[np.int16] = values[len(values) - 1 - votes[::-1].argmax(0)].astype(np.int16)
    return most
