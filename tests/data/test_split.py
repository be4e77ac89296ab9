"""Splits: no patient on two sides, strata dealt evenly, files of ours and of nnU-Net."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfusion.case import Case, Cohort, Region, Split
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.split import check_split, make_splits, strata_of
from mrfusion.data.split_file import read_splits
from mrfusion.errors import CaseError, InputError, SpecError
from mrfusion.run_folder.splits import write_splits
from mrfusion.spec import Preparation

WT = (Region("WT", frozenset({1})),)


def cohort_with(patients: list[int], kinds: str = "ab") -> tuple[Cohort, dict[str, str]]:
    """``patients[i]`` cases of patient i, and a stratum per patient in turn."""
    cases = [Case(f"p{i:03}-{j}", f"p{i:03}", {"t1": Path("x")}) for i, n in enumerate(patients) for j in range(n)]
    strata = {case.id: kinds[int(case.patient[1:]) % len(kinds)] for case in cases}
    return Cohort(("t1",), tuple(cases), WT), strata


@given(
    st.lists(st.integers(1, 3), min_size=5, max_size=25),
    st.integers(1, 5),
    st.integers(0, 3),
    st.sampled_from(["a", "ab", "aab", "abcde"]),
)
@settings(max_examples=120, deadline=None, derandomize=True, database=None)
def test_every_split_is_whole_and_keeps_patients_together(patients, folds, seed, kinds):
    cohort, strata = cohort_with(patients, kinds)
    splits = make_splits(cohort, strata, folds=folds, seed=seed)
    ids = {case.id for case in cohort.cases}
    assert splits == make_splits(cohort, strata, folds=folds, seed=seed)
    for split in splits:
        check_split(cohort, split, "made")
        assert split.val
        assert {*split.train, *split.val, *split.test} == ids
    if folds > 1:
        assert sorted(case for split in splits for case in split.test) == sorted(ids)


def test_the_order_on_disk_does_not_matter_and_the_seed_does():
    cohort, strata = cohort_with([1] * 20)
    backwards = replace(cohort, cases=cohort.cases[::-1])
    assert make_splits(cohort, strata, folds=4) == make_splits(backwards, strata, folds=4)
    assert make_splits(cohort, strata, folds=4) != make_splits(cohort, strata, folds=4, seed=1)


def test_strata_are_dealt_evenly():
    cohort, strata = cohort_with([1] * 50, "aaab")
    for split in make_splits(cohort, strata, folds=5, val_share=0.25):
        assert len(split.test) == 10
        assert len(split.val) == 10
        for part in (split.test, split.val):
            assert Counter(strata[case] for case in part)["b"] in (2, 3)


def test_shares_of_a_hold_out():
    cohort, strata = cohort_with([1] * 100)
    [split] = make_splits(cohort, strata, folds=1, val_share=1 / 9, test_share=0.1)
    assert [len(part) for part in (split.train, split.val, split.test)] == [80, 10, 10]


def test_five_patients_can_be_left_out_one_by_one_and_too_few_are_refused():
    cohort, strata = cohort_with([1, 1, 1, 1, 2])
    splits = make_splits(cohort, strata, folds=5)
    assert [len({case[:4] for case in split.test}) for split in splits] == [1] * 5
    assert [len({case[:4] for case in split.val}) for split in splits] == [1] * 5
    with pytest.raises(SpecError, match="6 folds need at least 6 patients, found 5 in 6 cases"):
        make_splits(cohort, strata, folds=6)
    with pytest.raises(SpecError, match="at least 3 patients, found 2"):
        make_splits(*cohort_with([3, 3]), folds=1)


def test_strata_are_the_regions_present_or_the_class(make_case, cohort_of, tmp_path):
    case = make_case()
    cohort = cohort_of(case, replace(case, id="b", label_values={1: 0, 2: 2, 4: 0}))
    prepared = prepare_cohort(cohort, Preparation(), tmp_path / "c")
    assert strata_of(cohort, {name: one.label_voxels for name, one in prepared.items()}) == {"a": "WT+TC+ET", "b": "WT"}
    classes = Cohort(("t1",), (replace(case, label="high"),), classes=("high", "low"))
    assert strata_of(classes, {}) == {"a": "high"}


def test_our_file_comes_back_and_says_what_changed(tmp_path):
    cohort, strata = cohort_with([1, 2, 1, 2, 1, 1])
    splits = make_splits(cohort, strata, folds=3)
    hashes = {case.id: "1" for case in cohort.cases}
    write_splits(tmp_path / "s.json", cohort.cases, splits, hashes)
    assert read_splits(tmp_path / "s.json", cohort, strata, hashes=hashes) == (splits, ())
    content = json.loads((tmp_path / "s.json").read_text())
    assert content["cases"]["p001-0"] == {"patient": "p001", "hash": "1"}
    _, notes = read_splits(tmp_path / "s.json", cohort, strata, hashes={**hashes, "p001-0": "2"})
    assert notes == ("1 cases have changed since the splits were written: p001-0",)


def test_nnunet_files_test_on_val_and_carve_validation_by_patient(tmp_path):
    cohort, strata = cohort_with([2, 2, 2, 1, 1])
    train = [case.id for case in cohort.cases if case.patient not in ("p003", "p004")]
    (tmp_path / "splits_final.json").write_text(json.dumps([{"train": train, "val": ["p003-0"]}]))
    [split], notes = read_splits(tmp_path / "splits_final.json", cohort, strata)
    assert split.test == ("p003-0",)
    assert sorted(split.train + split.val) == train
    assert len({case[:4] for case in split.val}) == 1
    assert "val part of each fold is tested on" in notes[0]
    assert notes[1] == "fold 0 leaves out 1 cases: p004-0"


BAD = {
    "unknown": ([{"train": ["p000-0", "nobody"], "val": ["p001-0"]}], "found 'nobody'"),
    "case twice": ([{"train": ["p000-0", "p002-0"], "val": ["p000-0"]}], "'p000-0' stands in train and in test"),
    "patient twice": (
        [{"train": ["p000-0", "p002-0"], "val": ["p000-1"]}],
        "patient 'p000' stands in train and in test",
    ),
    "empty": ([{"train": [], "val": ["p000-0"]}], "cases to train and to test on"),
    "no list": ({"a": 1}, "expected our splits or nnU-Net's"),
    "no parts": ([{"train": ["p000-0"]}], "fold 0: expected lists of case ids"),
    "numbers": ([{"train": [1], "val": ["p000-0"]}], "expected lists of case ids"),
    "ours, patient": (
        {"folds": [{"train": ["p000-0"], "val": ["p000-1"], "test": ["p001-0"]}]},
        "'p000' stands in train",
    ),
    "one patient": ([{"train": ["p000-0"], "val": ["p001-0"]}], "at least 2 patients to train and validate"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_file_is_refused_with_its_name(how, tmp_path):
    cohort, strata = cohort_with([2, 2, 2])
    content, message = BAD[how]
    (tmp_path / "s.json").write_text(json.dumps(content))
    with pytest.raises((CaseError, InputError), match=message):
        read_splits(tmp_path / "s.json", cohort, strata)


def test_broken_json_and_foreign_splits_are_refused(tmp_path):
    cohort, strata = cohort_with([1, 1, 1])
    (tmp_path / "s.json").write_text("{")
    with pytest.raises(InputError, match=r"expected a JSON file at .*s\.json"):
        read_splits(tmp_path / "s.json", cohort, strata)
    with pytest.raises(CaseError, match="here: expected cases of the data, such as 'p000-0', under val, found 'x'"):
        check_split(cohort, Split(("p000-0",), ("x",), ("p001-0",)), "here")


def test_folds_that_are_the_same_are_refused_and_cases_tested_twice_are_said(tmp_path):
    cohort, strata = cohort_with([1, 1, 1, 1, 1])
    names = [case.id for case in cohort.cases]
    once = {"train": names[1:], "val": names[:1]}
    path = tmp_path / "splits_final.json"
    path.write_text(json.dumps([once, {"train": names[:1:-1] + names[1:2], "val": names[:1]}]))
    with pytest.raises(CaseError, match="the folds 0 and 1 are the same, which tells nothing new"):
        read_splits(path, cohort, strata)
    path.write_text(json.dumps([once, {"train": names[2:], "val": names[:2]}]))
    _, notes = read_splits(path, cohort, strata)
    assert f"1 cases are tested in several folds: {names[0]}" in notes
