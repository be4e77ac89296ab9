"""From a folder to a first study: which words tell files apart, which is the label map, and a YAML that is read."""

import nibabel as nib
import numpy as np
import pytest

from mrfusion.command.init import write_first_study
from mrfusion.data.read import recognised
from mrfusion.errors import InputError, OutputError
from mrfusion.inspection.opening import study_text, understood
from mrfusion.inspection.roles import roles_of
from mrfusion.study.design import read_study
from mrfusion.study.planned import KEYS


def save(path, array, spacing=(1.0, 1.0, 2.0)):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([*spacing, 1.0])), path)


def case(root, name, *, images=("T1", "T1_post", "FLAIR"), values=(1, 4), label="seg"):
    rng = np.random.default_rng(sum(map(ord, name)))
    for image in images:
        save(root / name / f"{name}_{image}.nii.gz", rng.normal(100, 20, (12, 10, 4)).astype(np.float32))
    labels = np.zeros((12, 10, 4), np.uint8)
    for number, value in enumerate(values):
        labels[3 + number, 3:6, 1:3] = value
    save(root / name / f"{name}_{label}.nii.gz", labels)


@pytest.fixture
def root(tmp_path):
    for name in ("P01_1", "P01_2", "P02_1", "P03_1", "P04_1"):
        case(tmp_path / "data", name)
    return tmp_path / "data"


def test_words_tell_modalities_and_the_label_map(root):
    roles = roles_of(root)
    assert set(roles.images) == {"FLAIR", "T1", "post"}
    assert roles.labels == ("seg",)
    assert roles.cases == 5
    assert not roles.incomplete


def test_the_words_read_the_same_files_as_the_layout(root):
    opening = understood(root, None)
    assert len(opening.cohort.cases) == 5
    assert all(len(c.images) == 3 for c in opening.cohort.cases)
    assert {c.images["T1"].name for c in opening.cohort.cases} == {
        f"{n}_T1.nii.gz" for n in ("P01_1", "P01_2", "P02_1", "P03_1", "P04_1")
    }


def test_visits_of_one_patient_are_told_from_cases(root):
    assert len({c.patient for c in understood(root, None).cohort.cases}) == 4


def test_numbered_cases_are_not_taken_for_visits(tmp_path):
    for number in range(6):
        case(tmp_path, f"study_{number}")
    assert roles_of(tmp_path).patient == ""


def test_label_values_are_counted_and_each_becomes_a_region(root):
    opening = understood(root, None)
    assert opening.values == {1: 30, 4: 30}
    assert {r.name: set(r.labels) for r in opening.cohort.regions} == {"label1": {1}, "label4": {4}}


def test_a_label_map_with_more_values_is_taken_before_a_mask_of_the_head(tmp_path):
    for name in ("a", "b", "c"):
        case(tmp_path, name, values=(1, 2, 3), label="classes")
        save(tmp_path / name / f"{name}_brain.nii.gz", np.ones((12, 10, 4), np.uint8))
    assert roles_of(tmp_path).labels == ("classes", "brain")


def test_the_study_is_short_can_be_read_and_marks_what_is_unknown(root, tmp_path):
    text = study_text(understood(root, None))
    assert len(text.splitlines()) <= 25
    assert "what do the label values mean? Found 1 (30 voxels), 4 (30 voxels)" in text
    path = tmp_path / "study.yaml"
    path.write_text(text)
    study = read_study(path)
    assert [arm.name for arm in study.arms] == ["all", "only FLAIR", "only T1", "only post", "late"]
    assert len(study.seeds) * len(study.folds) == 4, "four patients: no more than four folds"
    assert study.reference == "all"


def test_what_can_be_planned_is_left_to_planning(root, tmp_path):
    (tmp_path / "study.yaml").write_text(study_text(understood(root, None)))
    study = read_study(tmp_path / "study.yaml")
    assert set(study.auto) == set(KEYS), "network, samples, batch, preparation and epochs"
    assert study.planning.minutes


def test_the_longest_file_has_25_lines(tmp_path):
    for name in ("P01_1", "P01_2", "P02_1", "P03_1", "P04_1", "P05_1"):
        images = ("T1", "T2", "DWI", "FLAIR")
        case(tmp_path / "data", name, images=images if name != "P03_1" else images[:3])
        save(tmp_path / "data" / name / f"{name}_T2.nii.gz", np.linspace(0, 9, 60, dtype=np.float32).reshape(6, 5, 2))
        save(tmp_path / "data" / name / f"{name}_brain.nii.gz", np.ones((12, 10, 4), np.uint8))
    text = study_text(understood(tmp_path / "data", None))
    assert len(text.splitlines()) == 25
    assert all(word in text for word in ("patient: ", "may_lack", "resample_to", "# seg, brain all hold"))
    (tmp_path / "study.yaml").write_text(text)
    assert set(read_study(tmp_path / "study.yaml").auto) == set(KEYS)


def test_the_arms_of_many_modalities_stand_in_one_line(tmp_path):
    for name in ("a", "b", "c", "d", "e"):
        case(tmp_path / "data", name, images=("T1", "T2", "DWI", "FLAIR", "SWI", "PD"))
    text = study_text(understood(tmp_path / "data", None))
    assert len(text.splitlines()) <= 25
    (tmp_path / "study.yaml").write_text(text)
    assert len(read_study(tmp_path / "study.yaml").arms) == 8


def test_other_grids_are_brought_to_that_of_the_labels(tmp_path):
    for name in ("a", "b", "c"):
        case(tmp_path, name)
        save(
            tmp_path / name / f"{name}_FLAIR.nii.gz",
            np.linspace(0.5, 9.3, 60, dtype=np.float32).reshape(6, 5, 2),
            (2.0, 2.0, 4.0),
        )
    opening = understood(tmp_path, None)
    assert opening.resample_to in {"T1", "post"}
    assert f"resample_to: {opening.resample_to}" in study_text(opening)


def test_a_modality_that_some_cases_lack_may_be_absent(root):
    (root / "P04_1" / "P04_1_FLAIR.nii.gz").unlink()
    assert "may_lack: [images]" in study_text(understood(root, None))


def test_init_writes_the_file_and_a_picture_and_nothing_over_what_is_there(root, tmp_path):
    out = tmp_path / "new" / "study.yaml"
    write_first_study(root, out, layout=None)
    assert out.is_file()
    assert out.with_suffix(".png").is_file()
    with pytest.raises(OutputError, match="is there already"):
        write_first_study(root, out, layout=None)


@pytest.mark.parametrize("of_files", [False, True], ids=["folders", "files"])
def test_links_that_lead_out_are_followed_and_said(root, tmp_path, capsys, of_files):
    links = tmp_path / "links"
    for place in root.iterdir():
        for path in place.iterdir() if of_files else [place]:
            link = links / path.relative_to(root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    out = tmp_path / "study.yaml"
    write_first_study(links, out, layout=None)
    text = out.read_text()
    assert len(text.splitlines()) <= 25
    assert read_study(out).base.data.sources[0].follow_links
    assert "P01_1/P01_1_FLAIR.nii.gz" in next(line for line in text.splitlines() if "follow_links" in line)
    assert "5 cases of 4 patients" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_without_links_nothing_is_said_of_them(root):
    (root / "P01_1" / "again.nii.gz").symlink_to(root / "P02_1" / "P02_1_T1.nii.gz")  # stays inside
    assert "follow_links" not in study_text(understood(root, "folder(modalities=[T1,post],label=seg,regions={a:[1]})"))


def test_linked_folders_of_brats_are_known_by_their_names(root, tmp_path):
    case(tmp_path / "brats", "BraTS-GLI-00001-000", images=("x-t1n", "x-t1c", "x-t2w", "x-t2f"), label="x-seg")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "BraTS-GLI-00001-000").symlink_to(tmp_path / "brats" / "BraTS-GLI-00001-000")
    assert recognised(tmp_path / "links") == recognised(tmp_path / "brats") == "brats(year=2023)"


@pytest.mark.parametrize("taken", ["study.yaml", "study.png"])
def test_init_never_writes_through_a_link(root, tmp_path, taken):
    (tmp_path / taken).symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match=f"{taken} is there already"):
        write_first_study(root, tmp_path / "study.yaml", layout=None)
    assert not (tmp_path / "nowhere").exists()


def test_images_without_a_label_map_are_said(tmp_path):
    for name in ("a", "b"):
        case(tmp_path, name)
        (tmp_path / name / f"{name}_seg.nii.gz").unlink()
    with pytest.raises(InputError, match="found no file of whole numbers"):
        understood(tmp_path, None)


def test_names_that_say_nothing(tmp_path):
    save(tmp_path / "a" / "x1.nii.gz", np.ones((8, 8, 2), np.uint8))
    save(tmp_path / "b" / "y2.nii.gz", np.ones((8, 8, 2), np.uint8))
    save(tmp_path / "c" / "z3.nii.gz", np.ones((8, 8, 2), np.uint8))
    with pytest.raises(InputError, match="found no such word"):
        understood(tmp_path, None)


@pytest.mark.parametrize(
    ("data", "modalities"),
    [("myops2020", {"C0", "LGE", "T2"}), ("open_ms", {"FLAIR", "T1", "T1POST", "T2"}), ("brats2015", {"Flair", "T1c"})],
)
def test_real_folders_are_understood(data_root, data, modalities):
    opening = understood(data_root / data, None)
    assert set(opening.cohort.modalities) == modalities
    assert all(case.label_map for case in opening.cohort.cases)
