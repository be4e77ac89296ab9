"""MONAI's MetricsSaver, which Auto3DSeg's bundles use: <metric>_raw.csv with filename, one column a class, mean."""

from pathlib import Path

from mrfusion.errors import InputError
from mrfusion.importers._base import Imported, Source, cells

_KNOWN = {"surface_dice": "nsd", "dice": "dice", "iou": "iou", "hausdorff": "hd", "surface_distance": "assd"}


def fits(source: Source) -> bool:
    """Whether the columns are MONAI's."""
    return len(source.columns) > 2 and source.columns[0] == "filename" and source.columns[-1] == "mean"


def monai_metrics(source: Source, *, metric: str | None = None) -> list[Imported]:
    """Every class of every case; the mean over classes is passed over, for it is taken anew.

    A case is called like its image without .nii.gz, or like the image's folder where images of two cases share a name.

    Options:
        metric: which metric the file holds; default: what its name says, val_mean_dice_raw.csv is dice
    Example: monai_metrics(metric=hd95)
    """
    if not fits(source):
        raise source.refuse("MONAI's <metric>_raw.csv (filename, class0, class1, ..., mean)")
    name = source.path.name.lower()
    chosen = metric or next((ours for theirs, ours in _KNOWN.items() if theirs in name), None)
    if chosen is None:
        raise InputError(f"{source.path}: its name tells no metric; say which, as in monai_metrics(metric=dice)")
    found: list[Imported] = []
    for case, row in zip(_cases([row["filename"] for row in source.rows]), source.rows, strict=True):
        for region in source.columns[1:-1]:
            found += cells(source, row, case=case, region=region, columns={region: chosen})
    return found


def _cases(filenames: list[str]) -> list[str]:
    paths = [Path(name.replace("\\", "/")) for name in filenames]
    names = [path.name.removesuffix(".gz").removesuffix(".nii") for path in paths]
    return names if len(set(names)) == len(names) else [path.parent.name for path in paths]
