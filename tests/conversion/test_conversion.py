"""Conversion: what is written is read back as the same cohort, by our layouts and as nnU-Net and MONAI define it."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from mrfusion import cli, families
from mrfusion.case import Case, Cohort, Region, Split
from mrfusion.conversion.datalist import write_datalist
from mrfusion.conversion.nnunet import dataset_json, file_names, write_nnunet
from mrfusion.data.label_map import region_masks
from mrfusion.data.prepared import resampler
from mrfusion.data.split_file import count_folds, read_splits
from mrfusion.data.volume import Target, read_volume
from mrfusion.errors import CaseError, InputError, Note, OutputError, SpecError
from mrfusion.progress import silent
from mrfusion.run_folder.splits import write_splits

SHAPE = (6, 7, 5)
LPS = np.diag([-1.0, -1, 2, 1])
RAS = np.diag([1.0, 1, 2, 1])
RAS[:3, 3] = [-5, -6, 0]  # the same voxels as LPS, stored in another order
VALUES = {200: 200, 1220: 1220, 2221: 2221, 9: 0}
REGIONS = (
    Region("scar", frozenset({2221})),
    Region("oedema", frozenset({1220, 2221})),
    Region("myocardium", frozenset({200, 1220, 2221})),
)
SPLITS = [Split(("a/1",), ("b",), ("c",)), Split(("c",), ("a/1",), ("b",))]


def save(path, array, affine=LPS):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


@pytest.fixture
def cohort(tmp_path):
    cases = []
    for number, name in enumerate(("a/1", "b", "c")):
        random = np.random.default_rng(number)
        images = random.integers(1, 99, (2, *SHAPE)).astype(np.int16)
        labels = random.choice([0, 9, 200, 1220, 2221], SHAPE).astype(np.int16)
        home = tmp_path / "data" / name
        files = {m: save(home / f"{m}.nii.gz", image) for m, image in zip(("lge", "t2"), images, strict=True)}
        cases.append(Case(name, f"patient {number}", files, save(home / "gd.nii.gz", labels), None, VALUES))
    return Cohort(("lge", "t2"), tuple(cases), REGIONS)


def same(one: Cohort, other: Cohort, names: dict[str, str]) -> None:
    """The same patients, images and masks of the same regions, to the voxel and in the same place."""
    assert one.modalities == other.modalities
    assert {r.name for r in one.regions} == {r.name for r in other.regions}
    for case in one.cases:
        twin = other.case(names[case.id])
        assert twin.patient == case.patient
        mine, theirs = (read_volume(c, w.modalities, w.label_values) for c, w in ((case, one), (twin, other)))
        np.testing.assert_array_equal(mine.images_MXYZ, theirs.images_MXYZ)
        np.testing.assert_allclose(mine.affine, theirs.affine, atol=1e-5)
        assert mine.labels_XYZ is not None
        assert theirs.labels_XYZ is not None
        both = [
            dict(zip((r.name for r in w.regions), region_masks(v, w.regions, w.label_values), strict=True))
            for v, w in ((mine.labels_XYZ, one), (theirs.labels_XYZ, other))
        ]
        for name, mask in both[0].items():
            np.testing.assert_array_equal(mask, both[1][name])


def test_nnunet_raw_is_read_back_as_the_same_cohort(cohort, tmp_path):
    out = write_nnunet(cohort, tmp_path / "Dataset001_x", splits=SPLITS, progress=silent)
    back = families.load("layouts", "nnunet_raw")(out)
    names = {"a/1": "a_1", "b": "b", "c": "c"}
    same(cohort, back, names)
    assert (out / "imagesTr/b_0001.nii.gz").read_bytes() == cohort.case("b").images["t2"].read_bytes()
    content = json.loads((out / "dataset.json").read_text())
    assert content["channel_names"] == {"0": "lge", "1": "t2"}
    assert content["labels"] == {"background": 0, "myocardium": [1, 2, 3], "oedema": [2, 3], "scar": [3]}
    assert list(content["labels"]) == ["background", "myocardium", "oedema", "scar"]  # as nnU-Net pairs them
    assert content["regions_class_order"] == [1, 2, 3]
    assert json.loads((out / "splits_final.json").read_text())[0] == {"train": ["a_1", "b"], "val": ["c"]}
    splits, _ = read_splits(out / "splits_final.json", back, {case.id: "" for case in back.cases}, val_share=0.5)
    assert [split.test for split in splits] == [("c",), ("b",)]
    assert np.asarray(nib.load(out / "labelsTr/b.nii.gz").dataobj).max() == 3


def test_files_that_lie_otherwise_are_written_anew(cohort, tmp_path):
    case = cohort.case("b")
    save(case.images["t2"], np.asarray(nib.load(case.images["t2"]).dataobj)[::-1, ::-1], RAS)
    out = write_nnunet(cohort, tmp_path / "out", splits=[], progress=silent)
    same(cohort, families.load("layouts", "nnunet_raw")(out), {"a/1": "a_1", "b": "b", "c": "c"})
    loaded = [nib.load(out / f) for f in ("imagesTr/b_0000.nii.gz", "imagesTr/b_0001.nii.gz", "labelsTr/b.nii.gz")]
    assert len({(image.shape, image.affine.tobytes()) for image in loaded}) == 1
    assert not (out / "splits_final.json").exists()


def test_modalities_on_other_grids_are_brought_together(cohort, tmp_path):
    for case in cohort.cases:
        save(case.images["t2"], np.ones((3, 4, 5), np.float32), np.diag([-2.0, -2, 2, 1]))
    with pytest.raises(CaseError, match="must share one grid"):
        write_nnunet(cohort, tmp_path / "out", splits=[], progress=silent)
    assert not [p for p in tmp_path.iterdir() if p.name != "data"]
    out = write_nnunet(cohort, tmp_path / "out", splits=[], onto=Target("lge", resampler()), progress=silent)
    assert nib.load(out / "imagesTr/b_0001.nii.gz").shape == SHAPE


def test_volumes_of_one_file_become_files(cohort, tmp_path):
    four = np.stack([np.asarray(nib.load(p).dataobj) for p in cohort.case("b").images.values()], axis=-1)
    path = save(tmp_path / "data/four.nii.gz", four)
    one = replace(cohort.case("b"), images=dict.fromkeys(("lge", "t2"), path), channels={"lge": 0, "t2": 1})
    whole = Cohort(cohort.modalities, (one,), REGIONS)
    out = write_nnunet(whole, tmp_path / "o", splits=[], progress=silent)
    same(whole, families.load("layouts", "nnunet_raw")(out), {"b": "b"})
    write_datalist(whole, tmp_path / "list", splits=[], progress=silent)
    assert json.loads((tmp_path / "list/datalist.json").read_text())["training"][0]["image"] == "four.nii.gz"
    swapped = replace(one, channels={"lge": 1, "t2": 0})
    with pytest.raises(CaseError, match="not the volumes of one file in the order lge, t2"):
        write_datalist(replace(whole, cases=(swapped,)), tmp_path / "no", splits=[], progress=silent)


def test_a_datalist_names_files_in_place_and_is_read_back(cohort, tmp_path):
    root = write_datalist(cohort, tmp_path / "out", splits=SPLITS, progress=silent)
    assert root == tmp_path / "data"
    content = json.loads((tmp_path / "out/datalist.json").read_text())
    assert [entry.get("fold") for entry in content["training"]] == [None, 1, 0]
    with pytest.warns(Note, match="has a fold for its cases"):
        back = families.load("layouts", "datalist")(root, file=str(tmp_path / "out/datalist.json"))
    same(cohort, back, {case.id: case.id for case in cohort.cases})
    assert back.cases[0].label_values == VALUES
    assert back.fingerprint == cohort.fingerprint


def test_regions_that_nnunet_cannot_paint_are_refused():
    crossing = Cohort(("a",), (), (Region("x", frozenset({1, 2})), Region("y", frozenset({2, 3}))))
    with pytest.raises(SpecError, match="of x, y the label 3 would be lost"):
        dataset_json(crossing, {})
    single = Cohort(("a",), (), (Region("x", frozenset({5})), Region("y", frozenset({2}))))
    assert dataset_json(single, {})["labels"] == {"background": 0, "x": 2, "y": 1}
    with pytest.raises(SpecError, match="Write a datalist instead"):
        dataset_json(Cohort(("a",), (), classes=("x",)), {})


def test_regions_are_painted_from_the_largest_to_the_smallest():
    brats = (Region("ET", frozenset({3})), Region("TC", frozenset({1, 3})), Region("WT", frozenset({1, 2, 3})))
    content = dataset_json(Cohort(("a",), (), brats), {})
    assert list(content["labels"].items()) == [("background", 0), ("WT", [1, 2, 3]), ("TC", [1, 3]), ("ET", [3])]
    assert content["regions_class_order"] == [2, 1, 3]


def test_names_that_would_be_one_file_are_refused():
    cases = tuple(Case(name, name, {}) for name in ("a/b", "a_b"))
    with pytest.raises(SpecError, match="'a/b', 'a_b' would have one file name"):
        file_names(Cohort(("t1",), cases))


def test_cases_of_two_conventions_need_nnunet(cohort, tmp_path):
    other = replace(cohort.cases[0], label_values={1: 200, 2: 1220, 3: 2221})
    mixed = replace(cohort, cases=(other, *cohort.cases[1:]))
    with pytest.raises(CaseError, match="--to nnunet writes them alike"):
        write_datalist(mixed, tmp_path / "out", splits=[], progress=silent)


def test_at_the_command_line(cohort, tmp_path, monkeypatch, capsys):
    root = write_datalist(cohort, tmp_path / "data", splits=[], progress=silent)
    write_splits(tmp_path / "splits.json", cohort.cases, SPLITS, {})

    def run(*words):
        monkeypatch.setattr("sys.argv", ["mrfusion", *map(str, words)])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        return leaving.value.code, " ".join(capsys.readouterr())

    command = ("convert", root, "--splits", tmp_path / "splits.json", "--out")
    assert run(*command, tmp_path / "n", "--to", "nnunet")[0] == 0
    code, said = run(*command, tmp_path / "l", "--to", "datalist")
    assert (code, "layout: datalist" in said, "3 cases, 2 folds" in said) == (0, True, True)
    code, said = run(*command, tmp_path / "n", "--to", "nnunet")
    assert (code, "expected a folder that is new or empty" in said) == (2, True)
    code, said = run(*command, tmp_path / "x", "--to", "nnunt")
    assert (code, "did you mean 'nnunet'" in said) == (2, True)
    code, said = run("inspect", tmp_path / "n")
    assert (code, "layout: nnunet_raw" in said) == (0, True)


def test_nothing_is_kept_of_a_conversion_that_fails(cohort, tmp_path):
    cohort.cases[2].images["t2"].write_bytes(b"text")
    with pytest.raises(CaseError, match="expected a gzip file"):
        write_nnunet(cohort, tmp_path / "o/out", splits=[], progress=silent)
    assert list((tmp_path / "o").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_nnunet(cohort, tmp_path / "file/out", splits=[], progress=silent)


@pytest.mark.parametrize("resampled", [False, True], ids=["as the files lie", "written anew"])
def test_values_that_no_region_tells_apart_become_one_label(cohort, tmp_path, resampled):
    """One region of several labels is a label of nnU-Net's, 0 and 1; so are regions that do not overlap."""
    lesion = replace(cohort, regions=(Region("lesion", frozenset({200, 1220, 2221})),))
    onto = Target("lge", resampler()) if resampled else None
    out = write_nnunet(lesion, tmp_path / "one", splits=[], onto=onto, progress=silent)
    assert json.loads((out / "dataset.json").read_text())["labels"] == {"background": 0, "lesion": 1}
    for case in lesion.cases:
        raw = np.asarray(nib.load(case.label_map).dataobj)
        written = nib.as_closest_canonical(nib.load(out / "labelsTr" / f"{file_names(lesion)[case.id]}.nii.gz"))
        truth = nib.as_closest_canonical(nib.Nifti1Image(np.isin(raw, (200, 1220, 2221)).astype(np.uint8), LPS))
        assert np.array_equal(np.asarray(written.dataobj), np.asarray(truth.dataobj))
    apart = replace(cohort, regions=(Region("a", frozenset({200, 1220})), Region("b", frozenset({2221}))))
    assert dataset_json(apart, {c.id: c.id for c in apart.cases})["labels"] == {"background": 0, "a": 1, "b": 2}
    nested = replace(cohort, regions=(Region("all", frozenset({200, 1220, 2221})), Region("in", frozenset({2221}))))
    found = dataset_json(nested, {c.id: c.id for c in nested.cases})
    assert (found["labels"], found["regions_class_order"]) == ({"background": 0, "all": [1, 2], "in": [2]}, [1, 2])


def test_the_folds_of_a_datalist_are_named_and_become_the_split_where_it_is_asked_for(cohort, tmp_path):
    folds = [Split((), (), (case.id,)) for case in cohort.cases]
    root = write_datalist(cohort, tmp_path / "out", splits=folds, progress=silent)
    file = tmp_path / "out/datalist.json"
    with pytest.warns(Note, match=r"has a fold for its cases .0, 1, 2.; it is used only where data.split.file"):
        back = families.load("layouts", "datalist")(root, file=str(file))
    assert count_folds(file) == 3
    splits, _ = read_splits(file, back, {case.id: "" for case in back.cases})
    assert [split.test for split in splits] == [(case.id,) for case in cohort.cases]
    content = json.loads(file.read_text())
    content["training"][0]["fold"] = 7
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"expected the folds 0, 1, .. of the cases, found \[1, 2, 7\]"):
        count_folds(file)
