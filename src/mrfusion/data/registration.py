"""Whether the modalities of a case lie over each other, told by label maps that were drawn on several of them."""

import numpy as np
from numpy.typing import NDArray

from mrfusion.case import Case
from mrfusion.data.nifti.labels import read_labels
from mrfusion.data.nifti.voxels import Image

LABELS = "label map"


def misplaced(case: Case) -> list[str]:
    """A sentence for each modality whose own mask lies elsewhere than the case's label map; none where all agree.

    Both show the same tissue in one world frame, each on its own grid. What a grid does to a mask moves its centre of
    mass by less than half a voxel, so a larger distance is one between the images. A turn about that centre, or a mask
    that was drawn differently on both sides, is not seen. CaseError for a file that cannot be read.
    """
    files = {**({LABELS: case.label_map} if case.label_map else {}), **case.masks}
    first, *others = files or [LABELS]
    if not others:
        return []
    reference = read_labels(files[first])
    return [text for name in others if (text := _apart(name, reference, read_labels(files[name])))]


def _apart(name: str, reference: Image, mask: Image) -> str:
    for image in (reference, mask):
        if not image.array.any():
            return f"{name}: {image.path.name} is empty, so whether it lies where it should cannot be told"
    distance = float(np.linalg.norm(_centre_mm(reference) - _centre_mm(mask)))
    allowed = max(_edge_mm(reference), _edge_mm(mask)) / 2
    if distance <= allowed:
        return ""
    return (
        f"{name} is not registered: the centre of {mask.path.name} lies {distance:.1f} mm from that of "
        f"{reference.path.name}, more than half a voxel ({allowed:.1f} mm); register {name} again, or drop the case"
    )


def _centre_mm(mask: Image) -> NDArray[np.float64]:
    return np.asarray(mask.affine[:3, :3] @ np.argwhere(mask.array).mean(axis=0) + mask.affine[:3, 3])


def _edge_mm(mask: Image) -> float:
    return float(np.linalg.norm(mask.affine[:3, :3], axis=0).max())
