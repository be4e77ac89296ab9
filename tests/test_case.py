"""The values that name data."""

import json
from pathlib import Path

import pytest

from mrfusion.case import Case, Cohort, Region, join_cohorts, outlined
from mrfusion.errors import CaseError, InputError, MrFusionError, nearest

REGIONS = (Region("WT", frozenset({1, 2, 3})), Region("TC", frozenset({1, 3})), Region("ET", frozenset({3})))


def case_at(folder: Path, name: str, *, size: int = 3) -> Case:
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for modality in ("t1", "t2"):
        files[modality] = folder / f"{name}_{modality}.nii.gz"
        files[modality].write_bytes(b"x" * size)
    return Case(name, name, files)


def test_ids_are_unique_and_the_message_says_where() -> None:
    cases = (Case("a", "a", {"t1": Path("/x/1/a.nii")}), Case("a", "b", {"t1": Path("/x/2/a.nii")}))
    with pytest.raises(CaseError, match=r"two cases are called 'a': /x/1 and /x/2; case ids must be unique"):
        Cohort(("t1",), cases)


def test_label_values_are_those_of_the_regions() -> None:
    assert Cohort((), (), REGIONS).label_values == (1, 2, 3)
    assert Cohort((), ()).label_values == ()


def test_files_are_in_a_fixed_order() -> None:
    case = Case("a", "a", {"z": Path("z"), "b": Path("b")}, Path("seg"))
    assert case.files == (Path("b"), Path("z"), Path("seg"))


def test_the_fingerprint_follows_the_data_and_not_their_place(tmp_path: Path) -> None:
    def cohort(folder: str, size: int = 3, patient: str = "") -> Cohort:
        cases = [case_at(tmp_path / folder, name, size=size) for name in ("a", "b")]
        if patient:
            cases[0] = Case("a", patient, cases[0].images)
        return Cohort(("t1", "t2"), tuple(cases), REGIONS)

    first = cohort("x").fingerprint
    assert cohort("y").fingerprint == first
    assert Cohort(("t1", "t2"), tuple(reversed(cohort("x").cases)), REGIONS).fingerprint == first
    assert cohort("z", size=4).fingerprint != first
    assert cohort("x", patient="p").fingerprint != first
    assert Cohort(("t1", "t2"), cohort("x").cases, REGIONS[:2]).fingerprint != first
    assert Cohort(("t2", "t1"), cohort("x").cases, REGIONS).fingerprint != first


def test_outline_and_back_through_json_keeps_the_order() -> None:
    """The order of regions is the order of a network's logits; their names are not sorted that way."""
    cohort = Cohort(("t2", "t1"), (), REGIONS, ("low", "high"))
    stored = json.loads(json.dumps(cohort.outline, sort_keys=True))
    assert outlined(stored) == cohort


def test_case_by_id() -> None:
    cohort = Cohort(("t1",), (Case("a", "a", {}),))
    assert cohort.case("a").id == "a"
    with pytest.raises(CaseError, match="expected one of the 1 cases of the cohort, such as 'a', found 'b'"):
        cohort.case("b")


def test_joined_cohorts_must_agree(tmp_path: Path) -> None:
    first = Cohort(("t1", "t2"), (case_at(tmp_path / "1", "a"),), REGIONS)
    second = Cohort(("t2", "t1"), (case_at(tmp_path / "2", "b"),), REGIONS)
    joined = join_cohorts([first, second])
    assert joined.modalities == ("t1", "t2")
    assert [case.id for case in joined.cases] == ["a", "b"]
    with pytest.raises(CaseError, match="must agree on modalities"):
        join_cohorts([first, Cohort(("t1", "flair"), second.cases, REGIONS)])
    with pytest.raises(CaseError, match="must agree on regions"):
        join_cohorts([first, Cohort(("t1", "t2"), second.cases, REGIONS[:2])])
    with pytest.raises(CaseError, match="two cases are called 'a'"):
        join_cohorts([first, first])


def test_errors_are_one_tree() -> None:
    assert issubclass(CaseError, InputError)
    assert issubclass(InputError, MrFusionError)


def test_nearest() -> None:
    assert nearest("maen", ["mean", "max"]).startswith("did you mean 'mean'")
    assert nearest("zzz", ["mean", "max"]) == "Known: max, mean."
    assert nearest("zzz", []) == "Known: none."
