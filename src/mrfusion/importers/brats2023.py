"""The table of the BraTS scripts of 2023 and 2024: Labels, Num_TP, LesionWise_Score_Dice, ..., one row a region."""

from mrfusion.importers._base import Imported, Source, cells

COLUMNS = {
    "Num_TP": "lesion_tp",
    "Num_FP": "lesion_fp",
    "Num_FN": "lesion_fn",
    "Sensitivity": "sensitivity",
    "Specificity": "specificity",
    "Legacy_Dice": "dice",
    "Legacy_HD95": "hd95",
    "GT_Complete_Volume": "target_volume_mm3",
    "LesionWise_Score_Dice": "lesion_dice",
    "LesionWise_Score_HD95": "lesion_hd95",
}
_CASE = ("case", "case_id", "subject_id", "scan_id", "patient_id", "id", "ID")


def fits(source: Source) -> bool:
    """Whether the header is the script's."""
    return {"Labels", "LesionWise_Score_Dice"} <= set(source.columns)


def brats2023(source: Source) -> list[Imported]:
    """Every number of every region; the script writes one file a case, whose name is then the case's.

    Where several cases stand in one table, a column case, case_id, subject_id, scan_id, patient_id or id names them.
    """
    if not fits(source):
        raise source.refuse("a table of the BraTS script of 2023 (Labels, Num_TP, LesionWise_Score_Dice, ...)")
    key = next((name for name in _CASE if name in source.columns), None)
    regions = [row["Labels"] for row in source.rows]
    if key is None and len(regions) > len(set(regions)):
        raise source.refuse(f"a column that names the case ({', '.join(_CASE)}), for a region stands there twice")
    found: list[Imported] = []
    for row in source.rows:
        case = row[key] if key else source.path.stem
        volume = source.number(row.get("GT_Complete_Volume", ""), f"GT_Complete_Volume of {case}")
        found += cells(source, row, case=case, region=row["Labels"], columns=COLUMNS, lacks=volume == 0)
    return found
