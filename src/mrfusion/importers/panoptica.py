"""panoptica's TSV: subject_name, then one column a group and number, as in tumour-global_bin_dsc."""

from mrfusion.importers._base import Imported, Source, cells

METRICS = {
    "tp": "instance_tp",
    "fp": "instance_fp",
    "fn": "instance_fn",
    "prec": "instance_precision",
    "rec": "instance_recall",
    "rq": "instance_f1",
    "sq_dsc": "instance_dice",
    "sq_dsc_std": "instance_dice(statistic=std)",
    "sq_nsd": "instance_nsd",
    "sq_nsd_std": "instance_nsd(statistic=std)",
    "sq_hd95": "instance_hd95",
    "sq_hd95_std": "instance_hd95(statistic=std)",
    "global_bin_dsc": "dice",
    "global_bin_iou": "iou",
    "global_bin_nsd": "nsd(variant=voxel)",
    "global_bin_hd95": "hd95(variant=pooled)",
    "global_bin_hd": "hd(variant=voxel)",
    "global_bin_assd": "assd(variant=voxel)",
}


def fits(source: Source) -> bool:
    """Whether the first column is subject_name and a group counts its true positives."""
    return source.columns[:1] == ("subject_name",) and any(name.endswith("-tp") for name in source.columns)


def panoptica(source: Source) -> list[Imported]:
    """The numbers that we have a name for; how instances were matched stands in panoptica's configuration.

    A group whose reference has no instance lacks the region; rows of single instances are passed over.
    """
    if not fits(source):
        raise source.refuse("panoptica's TSV (subject_name, <group>-tp, <group>-global_bin_dsc, ...)")
    groups = [name.removesuffix("-tp") for name in source.columns if name.endswith("-tp")]
    found: list[Imported] = []
    for row in source.rows:
        case = row["subject_name"]
        for group in groups:
            if not row[f"{group}-tp"].strip():
                continue
            hits = (source.number(row[f"{group}-{what}"], f"{what} of {case}") for what in ("tp", "fn"))
            named = {f"{group}-{column}": metric for column, metric in METRICS.items()}
            found += cells(source, row, case=case, region=group, columns=named, lacks=sum(hits) == 0)
    return found
