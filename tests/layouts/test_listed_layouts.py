"""Layouts with a list or convention of their own: nnU-Net, the decathlon, BIDS, MONAI; files of four dimensions."""

import json
from dataclasses import replace
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from mrfusion import families
from mrfusion.case import Cohort
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.label_map import write_label_map
from mrfusion.data.nifti import header, voxels
from mrfusion.data.nifti.header import read_header
from mrfusion.data.nifti.voxels import read_channels, read_image
from mrfusion.data.read import recognised
from mrfusion.data.volume import read_volume
from mrfusion.errors import CaseError, InputError, Note, SpecError
from mrfusion.spec import Preparation

SHAPE = (6, 7, 5)
AFFINE = np.diag([-1.0, 1, 2, 1])


def save(path, array, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


def noise(seed, shape=SHAPE):
    return np.random.default_rng(seed).integers(1, 99, shape).astype(np.int16)


def read(text, root, **options) -> Cohort:
    return families.load("layouts", text)(root, **options)


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


# --- nnU-Net --------------------------------------------------------------------------------------------------------

RAW = {
    "channel_names": {"0": "T1", "1": "FLAIR"},
    "labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3},
    "regions_class_order": [1, 2, 3],
    "numTraining": 2,
    "file_ending": ".nii.gz",
}


@pytest.fixture
def raw(tmp_path):
    written(tmp_path / "dataset.json", RAW)
    for number, case in enumerate(("p1", "p2_0001")):  # a case's name may end like a channel
        for channel in (0, 1):
            save(tmp_path / f"imagesTr/{case}_000{channel}.nii.gz", noise(10 * number + channel))
        save(tmp_path / f"labelsTr/{case}.nii.gz", (noise(number) % 4).astype(np.uint8))
    save(tmp_path / "imagesTs/new_0000.nii.gz", noise(7))
    save(tmp_path / "imagesTs/new_0001.nii.gz", noise(8))
    return tmp_path


def test_nnunet_channels_and_regions_have_their_names(raw):
    cohort = read("nnunet_raw", raw)
    assert cohort.modalities == ("T1", "FLAIR")
    assert [case.id for case in cohort.cases] == ["p1", "p2_0001"]
    assert {r.name: set(r.labels) for r in cohort.regions} == {"whole": {1, 2, 3}, "core": {2, 3}, "enhancing": {3}}
    assert cohort.cases[1].images["FLAIR"].name == "p2_0001_0001.nii.gz"
    [new] = read("nnunet_raw(part=Ts)", raw, may_lack=["labels"]).cases
    assert (new.id, new.label_map) == ("new", None)
    assert {r.name for r in read("nnunet_raw", raw, regions={"one": [1]}).regions} == {"one"}
    assert read("nnunet_raw", raw, regions={"one": [1]}).cases[0].label_values == {1: 1, 2: 0, 3: 0}


def test_nnunet_files_may_be_listed_and_lead_nowhere_else(raw):
    listed = {"images": ["imagesTr/p1_0000.nii.gz", "imagesTr/p1_0001.nii.gz"], "label": "labelsTr/p1.nii.gz"}
    written(raw / "dataset.json", RAW | {"dataset": {"first": listed}})
    [case] = read("nnunet_raw", raw).cases
    assert (case.id, case.label_map.name) == ("first", "p1.nii.gz")
    for broken, message in [
        ({"first": listed | {"images": ["../x_0000.nii.gz", "/etc/passwd"]}}, "without '..'"),
        ({"first": listed | {"images": listed["images"][:1]}}, "a file for each of T1, FLAIR"),
        ({"first": []}, "found something else"),
    ]:
        written(raw / "dataset.json", RAW | {"dataset": broken})
        with pytest.raises(InputError, match=message):
            read("nnunet_raw", raw)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {"background": 0, "a": 1, "ignore": 2}}, "to be ignored"),
        ({"labels": {"background": 0, "a": "one"}}, "expected whole numbers"),
        ({"labels": {"background": 0}}, "regions: expected"),
        ({"channel_names": {"1": "T1"}}, "expected channel_names as in"),
        ({"channel_names": ["T1", "T1"]}, "each channel's name once"),
        ({"channel_names": 7}, "expected channel_names"),
        ({"file_ending": ".png"}, r"expected file_ending \.nii\.gz"),
    ],
)
def test_dataset_files_that_cannot_be(raw, changes, message):
    written(raw / "dataset.json", RAW | changes)
    with pytest.raises(InputError, match=message):
        read("nnunet_raw", raw)


# --- the decathlon, and files of four dimensions --------------------------------------------------------------------

TASK: dict[str, Any] = {
    "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
    "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
    "training": [{"image": "./imagesTr/BRATS_457.nii.gz", "label": "./labelsTr/BRATS_457.nii.gz"}],
    "test": ["./imagesTs/BRATS_490.nii.gz"],
}


@pytest.fixture
def task(tmp_path):
    written(tmp_path / "dataset.json", TASK)
    save(tmp_path / "imagesTr/BRATS_457.nii.gz", noise(1, (*SHAPE, 4)))
    save(tmp_path / "imagesTs/BRATS_490.nii.gz", noise(2, (*SHAPE, 4)))
    save(tmp_path / "labelsTr/BRATS_457.nii.gz", (noise(3) % 4).astype(np.uint8))
    return tmp_path


def test_a_decathlon_task_is_read_channel_by_channel(task):
    cohort = read("msd", task)
    [case] = cohort.cases
    whole = nib.as_closest_canonical(nib.load(case.images["T2w"])).get_fdata()
    volume = read_volume(case, ("t1gd", "FLAIR"), cohort.label_values)
    assert volume.modalities == ("t1gd", "FLAIR")
    np.testing.assert_array_equal(volume.images_MXYZ, whole[..., [2, 0]].transpose(3, 0, 1, 2))
    np.testing.assert_array_equal(read_volume(case, ("T2w",), (1,)).images_MXYZ[0], whole[..., 3])
    assert [region.name for region in cohort.regions] == ["edema", "non-enhancing tumor", "enhancing tumour"]
    [test] = read("msd(part=test)", task, may_lack=["labels"]).cases
    assert test.id == "BRATS_490"


def test_a_file_of_four_dimensions_is_inflated_once_and_not_beyond_what_is_wanted(task, monkeypatch):
    [case] = read("msd", task).cases
    calls, asked = [], []
    opened, exactly = header.opened, voxels._exactly

    def counted(path):
        calls.append(path.name)
        return opened(path)

    def measured(*args):
        asked.append(args[2])
        return exactly(*args)

    for module in (header, voxels):
        monkeypatch.setattr(module, "opened", counted)
    monkeypatch.setattr(voxels, "_exactly", measured)
    read_channels(case.images["FLAIR"], [0, 1])
    assert (calls, asked) == (["BRATS_457.nii.gz"], [2 * 6 * 7 * 5] * 2)
    calls.clear()
    read_volume(replace(case, label_map=None), tuple(TASK["modality"].values()), ())
    assert len(calls) == 5  # a header for each modality, then the voxels once


def test_a_channel_counts_in_the_cache_and_in_the_fingerprint(task, tmp_path):
    cohort = read("msd", task)
    swapped = replace(cohort.cases[0], channels={"FLAIR": 3, "T1w": 1, "t1gd": 2, "T2w": 0})
    assert replace(cohort, cases=(swapped,)).fingerprint != cohort.fingerprint
    one = prepare_cohort(cohort, Preparation(), tmp_path / "cache")["BRATS_457"]
    other = prepare_cohort(replace(cohort, cases=(swapped,)), Preparation(), tmp_path / "cache")["BRATS_457"]
    np.testing.assert_array_equal(one.images(("FLAIR",)), other.images(("T2w",)))
    assert "channels" in other.reason
    labels = one.truth()
    assert labels is not None
    write_label_map(tmp_path / "p.nii.gz", labels, one.reference, (1, 2, 3))
    assert nib.load(tmp_path / "p.nii.gz").shape == SHAPE


def test_channels_that_are_not_there_are_refused(task):
    path = task / "imagesTr/BRATS_457.nii.gz"
    with pytest.raises(CaseError, match="expected at least 5 volumes, found 4"):
        read_channels(path, [4])
    with pytest.raises(CaseError, match="split the file into one per modality"):
        read_image(path)
    assert read_header(path, many=True).channels == 4
    save(path, noise(1))
    with pytest.raises(CaseError, match="expected at least 4 volumes, found 1"):
        read_volume(read("msd", task).cases[0], ("T2w",), (1, 2, 3))


def test_a_decathlon_list_that_cannot_be(task):
    written(task / "dataset.json", TASK | {"training": [["a", "b"]]})
    with pytest.raises(InputError, match=r"expected \{'image': a file"):
        read("msd", task)
    written(task / "dataset.json", TASK | {"training": "all"})
    with pytest.raises(InputError, match="training: expected a list"):
        read("msd", task)


# --- BIDS -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path):
    for subject in ("01", "02"):
        for session in ("a", "b"):
            name = f"sub-{subject}_ses-{session}"
            for kind, ending in (("anat", "T1w"), ("anat", "acq-fast_T2w"), ("dwi", "dwi")):
                save(tmp_path / f"sub-{subject}/ses-{session}/{kind}/{name}_{ending}.nii.gz", noise(1))
            place = tmp_path / f"derivatives/lesions/sub-{subject}/ses-{session}/anat"
            save(place / f"{name}_label-lesion_mask.nii.gz", (noise(2) > 90).astype(np.uint8))
    (tmp_path / "participants.tsv").write_text("participant_id\tage\tgroup\nsub-01\t30\tMS\nsub-02\t40\tcontrol\n")
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')
    return tmp_path


def test_sessions_are_cases_and_subjects_patients(study):
    assert recognised(study) == "bids"
    cohort = read("bids", study)
    assert cohort.modalities == ("T1w", "T2w", "dwi")
    assert [(case.id, case.patient) for case in cohort.cases][:2] == [
        ("sub-01_ses-a", "sub-01"),
        ("sub-01_ses-b", "sub-01"),
    ]
    assert cohort.cases[0].label_map.name == "sub-01_ses-a_label-lesion_mask.nii.gz"
    assert {r.name: set(r.labels) for r in cohort.regions} == {"lesion": {1}}
    two = read("bids", study, modalities={"t1": "T1w", "t2": "acq-fast_T2w"}, label="mask", regions={"ms": [1]})
    assert two.modalities == ("t1", "t2")


def test_two_files_of_a_suffix_ask_for_more_of_the_name(study):
    anat = study / "sub-01/ses-a/anat"
    (anat / "sub-01_ses-a_T1w.nii.gz").rename(anat / "sub-01_ses-a_run-1_T1w.nii.gz")
    save(anat / "sub-01_ses-a_run-2_T1w.nii.gz", noise(4))
    with pytest.raises(CaseError, match=r"sub-01_ses-a: expected one file for T1w, .*say more of its name"):
        read("bids", study)
    save(study / "derivatives/x/sub-01/ses-a/anat/sub-01_ses-a_desc-brain_mask.nii.gz", noise(4))
    with pytest.raises(InputError, match="expected one kind of label map, found desc-brain_mask, label-lesion_mask"):
        read("bids", study)


def test_classes_come_from_the_table_of_participants(study):
    cohort = read("bids(classes=group)", study)
    assert cohort.classes == ("MS", "control")
    assert cohort.regions == ()
    assert [case.label for case in cohort.cases] == ["MS", "MS", "control", "control"]
    with pytest.raises(InputError, match="lacks the columns grade; it has participant_id, age, group"):
        read("bids(classes=grade)", study)


def test_a_stroke_patient_whose_flair_lies_on_another_grid(data_root, tmp_path):
    cohort = read("bids", data_root / "isles2022")
    [case] = cohort.cases
    assert (cohort.modalities, case.id, case.patient) == (
        ("adc", "dwi", "flair"),
        "sub-strokecase0009_ses-0001",
        "sub-strokecase0009",
    )
    with pytest.raises(CaseError, match=r"must share one grid\. resample_to: adc would bring them together"):
        read_volume(case, cohort.modalities, (1,))
    one = prepare_cohort(cohort, Preparation(resample_to="dwi"), tmp_path)[case.id]
    assert one.placement.source.shape == (112, 112, 73)
    assert one.label_voxels[1] > 0
    assert "flair.nii.gz: resampled" in one.notes[0]


# --- MONAI's datalist -----------------------------------------------------------------------------------------------


@pytest.fixture
def lists(tmp_path):
    for case in "ab":
        for number, name in enumerate(("t1", "t2")):
            save(tmp_path / case / f"{name}.nii.gz", noise(number))
        save(tmp_path / case / "seg.nii.gz", (noise(3) > 90).astype(np.uint8))
    return tmp_path


ENTRIES = {
    "a list": {"image": ["a/t1.nii.gz", "a/t2.nii.gz"], "label": "a/seg.nii.gz", "fold": 1},
    "a mapping": {"image": {"t1": "a/t1.nii.gz", "t2": "a/t2.nii.gz"}, "label": "a/seg.nii.gz"},
    "keys": {"t1": "a/t1.nii.gz", "t2": "a/t2.nii.gz", "label": "a/seg.nii.gz"},
}


@pytest.mark.filterwarnings("ignore:.*has a fold for its cases")
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_images_of_a_datalist_in_every_form(entry, lists):
    written(lists / "datalist.json", {"modality": {"0": "t1", "1": "t2"}, "training": [{"id": "x", **entry}]})
    cohort = read("datalist", lists, regions={"lesion": [1]})
    assert cohort.modalities == ("t1", "t2")
    assert [(case.id, case.label_map.name) for case in cohort.cases] == [("x", "seg.nii.gz")]
    with pytest.raises(SpecError, match="regions: expected"):
        read("datalist", lists)


def test_a_datalist_of_single_files_classes_and_parts(lists):
    training = [{"id": c, "image": f"{c}/t1.nii.gz", "label": n} for n, c in enumerate("ab")]
    written(
        lists / "mine.json",
        {"training": training[:1], "validation": training[1:], "testing": [{"image": "a/t2.nii.gz"}]},
    )
    cohort = read("datalist", lists)
    assert (cohort.modalities, cohort.classes) == (("image",), ("0", "1"))
    assert read("datalist", lists, modalities=["t1"], lists=["training"]).modalities == ("t1",)
    assert recognised(lists / "mine.json") == "datalist"
    assert read("datalist", lists / "mine.json").cases == cohort.cases
    [test] = read("datalist(lists=['testing'])", lists, may_lack=["labels"]).cases
    assert test.id == "t2"


def test_a_datalist_of_a_file_of_four_dimensions(lists):
    save(lists / "four.nii.gz", noise(5, (*SHAPE, 2)))
    written(lists / "datalist.json", {"training": [{"image": "four.nii.gz", "label": "a/seg.nii.gz"}]})
    [case] = read("datalist(modalities=['p','q'])", lists, regions={"x": [1]}).cases
    assert case.channels == {"p": 0, "q": 1}
    assert read_volume(case, ("q",), (1,)).images_MXYZ.shape == (1, *SHAPE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected keys and values"),
        ({"training": 7}, "expected a list of cases"),
        ({"training": [7]}, "expected cases as"),
        ({"training": []}, "expected cases as"),
        ({"training": [{"label": 1}]}, "expected under image a file"),
        ({"training": [{"image": [1, 2], "label": 1}]}, "expected under image a file"),
        (
            {"modality": ["a", "b"], "training": [{"image": ["x"], "label": 1}]},
            "expected under image a file for each of a, b",
        ),
    ],
)
def test_datalists_that_cannot_be(content, message, lists):
    written(lists / "datalist.json", content)
    with pytest.raises(InputError, match=message):
        read("datalist", lists)


def test_a_table_beside_what_another_layout_reads_is_told(lists):
    written(lists / "datalist.json", {"training": [{"image": "a/t1.nii.gz", "label": 1}]})
    (lists / "participants.csv").write_text("case,t1,label\na,a/t1.nii.gz,x\n")
    with pytest.warns(Note, match="is read as datalist; there is a table too"):
        assert recognised(lists).startswith("datalist")


def test_two_layouts_that_fit_are_both_named(lists, monkeypatch):
    monkeypatch.setattr(families.module_of("layouts", "table"), "BESIDE", False)
    written(lists / "datalist.json", {"training": [{"image": "a/t1.nii.gz", "label": 1}]})
    (lists / "participants.csv").write_text("case,t1,label\na,a/t1.nii.gz,x\n")
    with pytest.raises(SpecError, match=r"could be datalist or table; say which with --layout"):
        recognised(lists)
