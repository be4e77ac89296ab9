"""Splits by patient: k folds or one hold-out, stratified by which regions (or which class) a case has."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from mrfusion.case import Cohort, Split
from mrfusion.errors import CaseError, SpecError

FEWEST_PATIENTS = 3  # one to train on, one to choose the epoch by, one to test on


def strata_of(cohort: Cohort, label_voxels: Mapping[str, Mapping[int, int]]) -> dict[str, str]:
    """Case id -> what splits are balanced by: the class, or the names of the regions that the case has.

    ``label_voxels`` counts the voxels of each label value in each case.
    """
    if cohort.classes:
        return {case.id: case.label or "" for case in cohort.cases}
    voxels = {case.id: label_voxels[case.id] for case in cohort.cases}
    return {
        case: "+".join(r.name for r in cohort.regions if any(counts.get(value) for value in r.labels)) or "none"
        for case, counts in voxels.items()
    }


def make_splits(
    cohort: Cohort,
    strata: Mapping[str, str],
    *,
    folds: int = 5,
    val_share: float = 0.2,
    test_share: float = 0.2,
    seed: int = 0,
) -> list[Split]:
    """``folds`` splits whose test parts together are the cohort; or one hold-out of ``test_share`` if ``folds`` is 1.

    ``val_share`` is the share of a fold's remaining patients to validate on, at least one of them. All cases of a
    patient stay together, patients of each stratum are dealt out evenly, and the same seed gives the same splits.
    With as many folds as patients each is tested once, alone. SpecError if they are too few, for one fold too.
    """
    patients = _patients(cohort)
    kind = {patient: min(strata[case] for case in cases) for patient, cases in patients.items()}
    if len(patients) < max(folds, FEWEST_PATIENTS):
        raise SpecError(
            f"{folds} folds need at least {max(folds, FEWEST_PATIENTS)} patients, found {len(patients)} in "
            f"{len(cohort.cases)} cases; ask for fewer folds or add cases"
        )
    random = np.random.default_rng(seed)
    ordered = _by_stratum(list(patients), kind, random)
    tests = _deal(ordered, kind, patients, folds) if folds > 1 else [_spread(ordered, test_share, 2)]
    splits = []
    for test in tests:
        rest = [patient for patient in ordered if patient not in set(test)]
        if len(rest) < 2:
            raise SpecError(
                f"with {folds} folds of {len(patients)} patients, one tests {len(test)} and leaves {len(rest)}; "
                "expected at least 2, one to train on and one to validate on: take more folds, or add patients"
            )
        val = _spread(rest, val_share, 1)
        splits.append(_split(patients, [p for p in rest if p not in set(val)], val, test))
    return splits


def carve_validation(
    cohort: Cohort, strata: Mapping[str, str], train: Sequence[str], *, val_share: float, seed: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide the case ids of a training part into training and validation, by patient and stratified."""
    patients = {p: [c for c in cases if c in set(train)] for p, cases in _patients(cohort).items()}
    patients = {patient: cases for patient, cases in patients.items() if cases}
    if len(patients) < 2:
        raise SpecError(f"expected at least 2 patients to train and validate on, found {len(patients)}; add patients")
    kind = {patient: min(strata[case] for case in cases) for patient, cases in patients.items()}
    ordered = _by_stratum(list(patients), kind, np.random.default_rng(seed))
    val = _spread(ordered, val_share, 1)
    split = _split(patients, [p for p in ordered if p not in set(val)], val, ())
    return split.train, split.val


def check_split(cohort: Cohort, split: Split, where: str) -> None:
    """CaseError if the split names a case that is not there, names one twice, or has a patient on two sides."""
    patient_of = {case.id: case.patient for case in cohort.cases}
    side_of_case: dict[str, str] = {}
    side_of_patient: dict[str, str] = {}
    for side, ids in (("train", split.train), ("val", split.val), ("test", split.test)):
        for case in ids:
            if case not in patient_of:
                example = next(iter(patient_of), "none")
                raise CaseError(
                    f"{where}: expected cases of the data, such as {example!r}, under {side}, found {case!r}; "
                    "mend the name or take it out"
                )
            if case in side_of_case:
                raise CaseError(f"{where}: the case {case!r} stands in {side_of_case[case]} and in {side}; keep one")
            side_of_case[case] = side
            patient = patient_of[case]
            if side_of_patient.setdefault(patient, side) != side:
                raise CaseError(
                    f"{where}: the patient {patient!r} stands in {side_of_patient[patient]} and in {side} (as case "
                    f"{case!r}); all cases of a patient must be on one side"
                )
    if not split.train or not split.test:
        raise CaseError(
            f"{where}: expected cases to train and to test on, found {len(split.train)} and {len(split.test)}; name at "
            "least one of each"
        )


def _patients(cohort: Cohort) -> dict[str, list[str]]:
    patients: dict[str, list[str]] = defaultdict(list)
    for case in sorted(cohort.cases, key=lambda c: c.id):
        patients[case.patient].append(case.id)
    return dict(sorted(patients.items()))


def _by_stratum(patients: list[str], kind: Mapping[str, str], random: np.random.Generator) -> list[str]:
    """Patients in random order within their stratum, the rarest stratum first."""
    shuffled = [patients[i] for i in random.permutation(len(patients))]
    size = {k: sum(kind[p] == k for p in patients) for k in set(kind.values())}
    return sorted(shuffled, key=lambda p: (size[kind[p]], kind[p]))


def _deal(
    ordered: Sequence[str], kind: Mapping[str, str], patients: Mapping[str, Sequence[str]], folds: int
) -> list[list[str]]:
    """Each patient to the fold with the fewest of its stratum, of these to the one with the fewest cases."""
    dealt: list[list[str]] = [[] for _ in range(folds)]
    for patient in ordered:
        fewest = min(
            dealt, key=lambda fold: (sum(kind[p] == kind[patient] for p in fold), sum(len(patients[p]) for p in fold))
        )
        fewest.append(patient)
    return dealt


def _spread(ordered: Sequence[str], share: float, keep: int) -> list[str]:
    """``share`` of the patients, evenly spaced along the strata: at least one, and ``keep`` are left over."""
    count = min(max(1, round(share * len(ordered))), len(ordered) - keep)
    return [ordered[int((i + 0.5) * len(ordered) / count)] for i in range(count)]


def _split(
    patients: Mapping[str, Sequence[str]], train: Sequence[str], val: Sequence[str], test: Sequence[str]
) -> Split:
    parts = [tuple(sorted(case for patient in part for case in patients[patient])) for part in (train, val, test)]
    return Split(*parts)
