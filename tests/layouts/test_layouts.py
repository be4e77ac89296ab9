"""Layouts: what every layout keeps to, then each on names as the world writes them, then on real data."""

import inspect
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrfusion import families
from mrfusion.case import Cohort, join_cohorts
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.read import recognised
from mrfusion.errors import CaseError, InputError, MrFusionError, Note, SpecError
from mrfusion.layouts.brats import patient_of
from mrfusion.layouts.folder import matches
from mrfusion.phantom.cohort import write_cohort
from mrfusion.spec import Preparation

pytestmark = pytest.mark.filterwarnings("ignore:.*has a fold for its cases")

IMAGE = nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)).to_bytes()
FOLDER = "folder(modalities=('C0','LGE'),label='gd',regions={'scar':[2221],'oedema':[1220,2221]})"
TABLE = "case,patient,t1,t2,label_map,label\nA,P,A/t1.nii,A/t2.nii,A/seg.nii,high\n"
NNUNET = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "whole": [1, 2], "core": 2}}
MSD = {
    "modality": {"0": "T1", "1": "T2"},
    "labels": {"0": "background", "1": "oedema", "2": "core"},
    "training": [{"image": "imagesTr/A.nii", "label": "./labelsTr/A.nii"}],
    "test": ["./imagesTs/B.nii"],
}
DATALIST = {
    "modality": {"0": "t1", "1": "t2"},
    "labels": {"0": "background", "1": "lesion"},
    "training": [{"id": "A", "image": ["A/t1.nii", "A/t2.nii"], "label": "A/seg.nii", "fold": 0}],
}


@dataclass(frozen=True)
class Example:
    """One case of a layout: its text, the case's files, the label map last, and what text files lie beside them."""

    text: str
    names: tuple[str, ...]
    beside: dict[str, str] = field(default_factory=dict)
    recognised: str | None = ""  # the text that names alone tell; "" where it is ``text``
    listed: bool = False  # files are named in a list

    def put(self, root: Path) -> Path:
        put(root, *self.names)
        for name, content in self.beside.items():
            (root / name).write_text(content)
        return root

    def without(self, root: Path, name: str) -> None:
        """Take a file away, and its name out of a table."""
        (root / name).unlink()
        if "participants.csv" in self.beside:
            (root / "participants.csv").write_text(TABLE.replace(name, ""))

    def twice(self, root: Path) -> None:
        """The same case once more."""
        for name, content in self.beside.items():
            found = json.loads(content) if name.endswith("json") else {}
            if "training" in found:
                (root / name).write_text(json.dumps(found | {"training": found["training"] * 2}))
            elif name.endswith("csv"):
                (root / name).write_text(content + content.splitlines()[1])
        put(root, *(f"again/{name}" for name in self.names))


# a new layout adds an entry here
EXAMPLES = {
    "brats": Example("brats(year=2021)", tuple(f"X_1/X_1_{m}.nii" for m in ("t1", "t1ce", "t2", "flair", "seg"))),
    "folder": Example(FOLDER, tuple(f"A/A_{m}.nii" for m in ("C0", "LGE", "gd")), recognised=None),
    "table": Example(
        "table(modalities=('t1','t2'),regions={'lesion':[1]})",
        ("A/t1.nii", "A/t2.nii", "A/seg.nii"),
        {"participants.csv": TABLE},
        "table(regions={'lesion':[1]})",
        listed=True,
    ),
    "nnunet_raw": Example(
        "nnunet_raw",
        ("imagesTr/A_0000.nii", "imagesTr/A_0001.nii", "labelsTr/A.nii"),
        {"dataset.json": json.dumps(NNUNET)},
    ),
    "msd": Example("msd", ("imagesTr/A.nii", "labelsTr/A.nii"), {"dataset.json": json.dumps(MSD)}, listed=True),
    "bids": Example(
        "bids(modalities=('T1w','T2w'))",
        (
            "sub-A/ses-1/anat/sub-A_ses-1_T1w.nii",
            "sub-A/ses-1/anat/sub-A_ses-1_T2w.nii",
            "derivatives/masks/sub-A/ses-1/sub-A_ses-1_label-lesion_mask.nii",
        ),
        recognised="bids",
    ),
    "datalist": Example(
        "datalist", ("A/t1.nii", "A/t2.nii", "A/seg.nii"), {"datalist.json": json.dumps(DATALIST)}, listed=True
    ),
}
CASE = r"(X_1|A|sub-A_ses-1)"


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(IMAGE)
    return root


def read(text: str, root: Path, **options) -> Cohort:
    return families.load("layouts", text)(root, **options)


@pytest.fixture
def example(request, tmp_path):
    return EXAMPLES[request.param], EXAMPLES[request.param].put(tmp_path)


# --- the contract ---------------------------------------------------------------------------------------------------

every = pytest.mark.parametrize("example", families.names("layouts"), indirect=True)


def test_every_layout_has_an_example():
    assert sorted(EXAMPLES) == families.names("layouts")


@every
def test_a_case_is_read_in_place_by_name(example):
    given, root = example
    cohort = read(given.text, root)
    [case] = cohort.cases
    assert set(case.images) == set(cohort.modalities)
    assert {path.relative_to(root).as_posix() for path in case.files} == set(given.names)
    assert cohort.regions
    assert all(set(r.labels) <= set(case.label_values.values()) for r in cohort.regions)
    assert cohort == read(given.text, root)


@every
def test_a_layout_is_recognised_by_names_alone_and_no_other_fits(example, tmp_path_factory):
    given, root = example
    if given.recognised is not None:
        assert recognised(root) == (given.recognised or given.text)
    else:
        with pytest.raises(SpecError, match=r"no layout knows .* by its names; say with --layout"):
            recognised(root)
    with pytest.raises(SpecError, match="no layout knows"):
        recognised(tmp_path_factory.mktemp("empty"))


def test_a_table_beside_files_that_tell_themselves_is_not_what_is_meant(tmp_path):
    """A folder of the phantom is both: BraTS's names, and a table of classes and of files."""
    write_cohort(tmp_path / "phantom", cases=2, spacing_mm=8.0, workers=1)
    with pytest.warns(Note, match="there is a table too"):
        assert recognised(tmp_path / "phantom") == "brats(year=2023)"


@every
def test_options_follow_the_root_and_are_named(example):
    given, _ = example
    function = families.load("layouts", families.parse(given.text).name)
    first, *others = inspect.signature(function).parameters.values()
    assert first.name == "root"
    assert "may_lack" in [p.name for p in others]
    assert all(p.kind is p.KEYWORD_ONLY for p in others)


@every
def test_a_missing_file_names_the_case_and_may_be_allowed(example):
    given, root = example
    given.without(root, given.names[0])
    with pytest.raises(CaseError, match=rf"case {CASE}.*may_lack: \[images\]"):
        read(given.text, root)
    if len(given.names) == 2:  # the only image there is
        return
    [case] = read(given.text, root, may_lack=("images",)).cases
    assert len(case.images) == len(given.names) - 2


@every
def test_a_missing_label_map_names_the_case_and_may_be_allowed(example):
    given, root = example
    given.without(root, given.names[-1])
    with pytest.raises(CaseError, match=rf"case {CASE}.*may_lack: \[labels\]"):
        read(given.text, root)
    assert read(given.text, root, may_lack=["labels"]).cases[0].label_map is None


@every
def test_two_cases_with_one_id_are_refused(example):
    given, root = example
    if families.parse(given.text).name == "nnunet_raw":
        put(root, "imagesTr/A_0000.nii.gz")
        message = r"expected one file of T1, found .*A_0000.nii and .*A_0000.nii.gz; remove one"
    elif families.parse(given.text).name == "bids":
        message = r"case sub-A_ses-1: expected one file for T1w, which ends in 'T1w', found"
    else:
        message = r"two cases are called '(X_1|A)': .* must be unique"
    given.twice(root)
    with pytest.raises(InputError, match=message):
        read(given.text, root)


@every
def test_empty_and_absent_folders_say_what_was_looked_for(example, tmp_path_factory):
    given, root = example
    with pytest.raises(InputError, match=r"expected .* found"):
        read(given.text, tmp_path_factory.mktemp("empty"))
    with pytest.raises(InputError, match=r"expected .*nowhere.*found"):
        read(given.text, root / "nowhere")
    other = put(tmp_path_factory.mktemp("other"), "scan.nii.gz")
    with pytest.raises(InputError, match="expected"):
        read(given.text, other)


@every
def test_hidden_files_are_not_seen_and_links_do_not_lead_out(example, tmp_path_factory):
    given, root = example
    first = given.names[0]
    put(root, f"{Path(first).parent}/._{Path(first).name}", ".git/x_t1.nii", ".A/A_C0.nii")
    assert len(read(given.text, root).cases) == 1
    elsewhere = put(tmp_path_factory.mktemp("elsewhere"), "secret.nii")
    (root / first).unlink()
    (root / first).symlink_to(elsewhere / "secret.nii")
    with pytest.raises(CaseError, match="leads out of"):
        read(given.text, root)
    (root / first).unlink()
    put(root, ".annex/object.nii")
    (root / first).symlink_to(root / ".annex/object.nii")  # as git-annex and DVC keep their files
    assert len(read(given.text, root).cases) == 1


@every
@pytest.mark.parametrize("name", ["../secret.nii", "/etc/secret.nii", "a/../../secret.nii"])
def test_names_in_lists_do_not_lead_out(example, name):
    given, root = example
    for beside, content in given.beside.items():
        (root / beside).write_text(content.replace(given.names[0], name))
    if given.listed:
        with pytest.raises(CaseError, match=r"expected a name below .*, without '\.\.'"):
            read(given.text, root, may_lack=("images", "labels"))


@every
def test_unknown_words_and_options_offer_the_nearest(example):
    given, root = example
    with pytest.raises(SpecError, match=r"'image' is not known; did you mean 'images'"):
        read(given.text, root, may_lack=("image",))
    name = families.parse(given.text).name
    with pytest.raises(SpecError, match="did you mean 'regions'"):
        families.load("layouts", f"{name}(regionz={{'a':[1]}})")


# --- brats ----------------------------------------------------------------------------------------------------------

OLD, NEW = ("_t1", "_t1ce", "_t2", "_flair", "_seg"), ("-t1n", "-t1c", "-t2w", "-t2f", "-seg")
NAMES = [
    ("HGG/Brats18_2013_10_1/Brats18_2013_10_1", OLD, 2018, "Brats18_2013_10"),
    ("LGG/BraTS19_TCIA10_103_1/BraTS19_TCIA10_103_1", OLD, 2019, "BraTS19_TCIA10_103"),
    ("BraTS20_Training_001/BraTS20_Training_001", OLD, 2020, "BraTS20_Training_001"),
    ("BraTS2021_01477/BraTS2021_01477", OLD, 2021, "BraTS2021_01477"),
    ("00000/BraTS-GLI-00012-001", NEW, 2023, "BraTS-GLI-00012"),
    ("BraTS-SSA-00007-000/BraTS-SSA-00007-000", NEW, 2024, "BraTS-SSA-00007"),
]


@pytest.mark.parametrize(("prefix", "endings", "year", "patient"), NAMES)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_brats_names_of_every_year(prefix, endings, year, patient, ending, tmp_path):
    put(tmp_path, *(prefix + e + ending for e in endings))
    cohort = read(f"brats(year={year})", tmp_path)
    [case] = cohort.cases
    assert (case.id, case.patient, patient_of(case.id)) == (prefix.split("/")[-1], patient, patient)
    assert [path.name.removesuffix(ending)[len(case.id) :] for path in case.images.values()] == list(endings[:4])
    assert cohort.modalities == ("t1n", "t1c", "t2w", "t2f")
    assert case.label_values == ({1: 1, 2: 2, 4: 3} if year < 2023 else {1: 1, 2: 2, 3: 3})
    assert {r.name: set(r.labels) for r in cohort.regions} == {"WT": {1, 2, 3}, "TC": {1, 3}, "ET": {3}}


def test_time_points_are_one_patient(tmp_path):
    put(tmp_path, *(f"BraTS-GLI-00012-00{t}/BraTS-GLI-00012-00{t}{e}.nii.gz" for t in (0, 1) for e in NEW))
    assert {case.patient for case in read("brats(year=2023)", tmp_path).cases} == {"BraTS-GLI-00012"}


def test_the_cavity_after_treatment_is_a_region_of_its_own(tmp_path):
    put(tmp_path, *(f"BraTS-GLI-02059-100{e}.nii.gz" for e in NEW))
    cohort = read("brats(year=2024,dataset=post_treatment)", tmp_path)
    assert cohort.cases[0].label_values == {1: 1, 2: 2, 3: 3, 4: 4}
    assert {r.name: set(r.labels) for r in cohort.regions}["RC"] == {4}
    own = read("brats(year=2024)", tmp_path, regions={"ET": [3]})
    assert own.label_values == (3,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("brats(year=2022)", "known for the years 2018, 2019, 2020, 2021, 2023, 2024, found 2022"),
        ("brats(year='2021')", "found '2021'"),
        ("brats(year=2023,dataset=post_treatment)", "known for the years 2024"),
        ("brats(year=2024,dataset=postreatment)", "did you mean 'post_treatment'"),
        ("brats(year=2021,regions={'x':[0]})", "expected label values above 0"),
        ("brats(year=2021,regions={'x':[]})", "expected label values above 0"),
    ],
)
def test_brats_options_that_cannot_be(text, message, tmp_path):
    put(tmp_path, *(f"X{e}.nii" for e in OLD))
    with pytest.raises(SpecError, match=message):
        read(text, tmp_path)


def test_one_case_in_two_spellings_is_refused(tmp_path):
    put(tmp_path, *(f"X{e}.nii" for e in OLD), "X_t1.nii.gz")
    with pytest.raises(InputError, match=r"expected one t1n for a case, found .*X_t1.nii and .*X_t1.nii.gz"):
        read("brats(year=2021)", tmp_path)


# --- folder ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "word", "expected"),
    [
        ("Case3001_T1", "T1", True),
        ("T1_N4_brain", "T1", True),
        ("T1POST_N4_brain", "T1", False),
        ("T1", "T1", True),
        ("x-T1", "T1", True),
        ("a.T1", "T1", True),
        ("x_t1", "T1", False),
        ("a_T1_b", "T1", False),
        ("MR_T1_image", "T1_image", True),
        ("aT1", "T1", False),
    ],
)
def test_the_word_of_a_file(name, word, expected):
    assert matches(name, word) is expected


def test_two_files_for_a_word_are_refused(tmp_path):
    put(tmp_path, *EXAMPLES["folder"].names, "A/C0_raw.nii")
    with pytest.raises(CaseError, match=r"expected one file for C0 \(word 'C0'\), found A_C0.nii, C0_raw.nii"):
        read(FOLDER, tmp_path)


def test_a_folder_of_one_case_and_names_of_ones_own(tmp_path):
    root = put(tmp_path / "Case7_b", "x_C0.nii.gz", "x_LGE.nii.gz", "x_gd.nii.gz")
    cohort = read(
        "folder", root, modalities={"bssfp": "C0"}, label="gd", regions={"all": [1, 2]}, patient=r"^(Case\d+)_"
    )
    [case] = cohort.cases
    assert (case.id, case.patient, list(case.images)) == ("Case7_b", "Case7", ["bssfp"])


def test_background_labels_are_known_and_mean_nothing(tmp_path):
    put(tmp_path, *EXAMPLES["folder"].names)
    assert read(FOLDER, tmp_path, background_labels=[9]).cases[0].label_values == {2221: 2221, 1220: 1220, 9: 0}
    with pytest.raises(SpecError, match=r"\[1220\] also stand in a region"):
        read(FOLDER, tmp_path, background_labels=[1220])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modalities": "C0"}, "expected a list of names"),
        ({"modalities": ["C0", "C0"]}, "each name and suffix once"),
        ({"modalities": ["C0", "gd"]}, "also the word of a modality"),
        ({"label": {"C0": "C0"}}, "also the word of a modality"),
        ({"label": {"C9": "gd"}}, "expected a word, or"),
        ({"regions": [1]}, "expected {name:"),
        ({"regions": {"a": ["1"]}}, "expected label values above 0"),
        ({"regions": {"a": [True]}}, "expected label values above 0"),
        ({"patient": "("}, "expected a regular expression"),
    ],
)
def test_folder_options_that_cannot_be(options, message, tmp_path):
    put(tmp_path, *EXAMPLES["folder"].names)
    with pytest.raises(SpecError, match=message):
        read("folder", tmp_path, **{"modalities": ["C0"], "label": "gd", "regions": {"a": [1]}, **options})


def test_a_patient_that_is_not_in_the_name_is_refused(tmp_path):
    put(tmp_path, *EXAMPLES["folder"].names)
    with pytest.raises(CaseError, match="case A: the patient is not found"):
        read(FOLDER, tmp_path, patient=r"\d+")


# --- table ----------------------------------------------------------------------------------------------------------


def test_a_table_of_classes(tmp_path):
    put(tmp_path, *EXAMPLES["table"].names)
    (tmp_path / "participants.csv").write_text(TABLE + "B,P,A/t1.nii,A/t2.nii,A/seg.nii,low\n")
    cohort = read("table", tmp_path)
    assert (cohort.classes, cohort.regions, cohort.modalities) == (("high", "low"), (), ("t1", "t2"))
    assert [(c.id, c.patient, c.label, c.label_map) for c in cohort.cases] == [
        ("A", "P", "high", None),
        ("B", "P", "low", None),
    ]
    assert read("table", tmp_path / "participants.csv", modalities=["t2"]).modalities == ("t2",)
    assert read("table(file='participants.csv')", tmp_path, modalities={"t2w": "t2"}).modalities == ("t2w",)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("A/t1.nii", "../t1.nii", "without '..'"),
        ("A/t1.nii", "/etc/t1.nii", "expected a name below"),
        ("A/t1.nii", "A/t9.nii", r"expected a file at .*t9.nii, found nothing"),
        ("t1,t2,label_map", "t1,t2,mask", "expected the columns label_map"),
        (TABLE[TABLE.index("\n") + 1 :], "", "expected one row a case"),
        (",t1,t2,", ",,,", "expected the columns"),
    ],
)
def test_tables_that_cannot_be(before, after, message, tmp_path):
    put(tmp_path, *EXAMPLES["table"].names)
    (tmp_path / "participants.csv").write_text(TABLE.replace(before, after))
    with pytest.raises(MrFusionError, match=message) as error:
        read("table(regions={'lesion':[1]})", tmp_path)
    assert "participants.csv" in str(error.value) or "t9.nii" in str(error.value)


# --- real data ------------------------------------------------------------------------------------------------------

MYOPS = {"scar": [2221], "oedema": [1220, 2221], "myocardium": [200, 1220, 2221], "lv": [500], "rv": [600]}


def test_brats_of_two_years_join(data_root):
    cohort = join_cohorts(
        [read("brats(year=2021)", data_root / "brats2021"), read("brats(year=2023)", data_root / "brats2023")]
    )
    assert len(cohort.cases) == 5
    assert cohort.cases[-1].id == "BraTS-GLI-00000-000"
    assert cohort.cases[-1].patient == "BraTS-GLI-00000"
    assert cohort.label_values == (1, 2, 3)


def test_a_brats_case_of_each_year_prepares_to_one_convention(data_root, tmp_path):
    old, new = read("brats(year=2021)", data_root / "brats2021"), read("brats(year=2023)", data_root / "brats2023")
    cohort = Cohort(old.modalities, (old.case("BraTS2021_01479"), *new.cases), old.regions)
    prepared = prepare_cohort(cohort, Preparation(), tmp_path, workers=2)
    assert all(min(one.label_voxels.values()) > 1000 for one in prepared.values())
    for one in prepared.values():
        truth = one.truth()
        assert truth.shape == (240, 240, 155)
        np.testing.assert_array_equal(one.restore(np.asarray(one.labels(("t1c",))), ("t1c",)), truth)


def test_the_wrong_year_is_noticed_by_its_values(data_root, tmp_path):
    cohort = read("brats(year=2023)", data_root / "brats2021")
    with pytest.raises(CaseError, match=r"expected the label values \[0, 1, 2, 3\], found 4 \(224 voxels\)"):
        prepare_cohort(cohort, Preparation(), tmp_path)


def test_myops_hearts_are_slices_along_their_own_axis(data_root, tmp_path):
    cohort = read("folder", data_root / "myops2020", modalities=["C0", "LGE", "T2"], label="gd", regions=MYOPS)
    assert len(cohort.cases) == len([p for p in os.listdir(data_root / "myops2020") if p.startswith("Case")])
    few = Cohort(cohort.modalities, cohort.cases[:2], cohort.regions)
    for one in prepare_cohort(few, Preparation(), tmp_path, workers=2).values():
        slices, rows, columns = one.shape(cohort.modalities)
        assert slices in (3, 5)
        assert min(rows, columns) > 400
        assert one.spacing_mm[0] > 10
        assert min(one.label_voxels.values()) > 0


def test_open_ms_words_stand_first(data_root):
    names = {"flair": "FLAIR", "t1": "T1", "t1c": "T1POST", "t2": "T2"}
    cohort = read("folder", data_root / "open_ms", modalities=names, label="GOLD_STANDARD", regions={"lesion": [1]})
    assert [path.name.split("_")[0] for path in cohort.cases[0].images.values()] == ["FLAIR", "T1", "T1POST", "T2"]


def test_patients_whose_modalities_have_other_grids_can_still_be_listed(data_root):
    cohort = read(
        "folder",
        data_root / "sts",
        modalities={"t1": "MR_T1_image", "pet": "PET_image"},
        label="MR_T1_mask",
        regions={"tumour": [1]},
        may_lack=("images",),
    )
    assert len(cohort.cases) == len([p for p in os.listdir(data_root / "sts") if p.startswith("STS")])


def test_a_file_that_is_called_the_word_alone_wins(tmp_path):
    for name in ("T1", "T1_brain", "seg"):
        (tmp_path / "c").mkdir(exist_ok=True)
        (tmp_path / "c" / f"{name}.nii.gz").touch()
    load = families.load("layouts", "folder(modalities=['T1'],label='seg',regions={'x':[1]})")
    assert load(tmp_path).cases[0].images["T1"].name == "T1.nii.gz"
    (tmp_path / "c" / "T1.nii.gz").rename(tmp_path / "c" / "P_T1.nii.gz")
    with pytest.raises(CaseError, match="expected one file for T1"):
        load(tmp_path)


@pytest.mark.parametrize("mark", [",", ", ", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_of_any_spreadsheet_are_read(mark, encoding, tmp_path):
    (tmp_path / "a.nii.gz").touch()
    lines = [("case", "t1", "label"), ("Müller", "a.nii.gz", "1.0"), ("b", "a.nii.gz", "0"), ("c", "a.nii.gz", "1")]
    content = "\n".join(mark.join(line) for line in lines) + "\n"
    (tmp_path / "participants.csv").write_bytes(content.encode(encoding))
    cohort = families.load("layouts", "table")(tmp_path)
    assert [(case.id, case.label) for case in cohort.cases] == [("Müller", "1"), ("b", "0"), ("c", "1")]
    assert cohort.classes == ("0", "1")
    assert families.module_of("layouts", "table").fits(tmp_path) == "table"


@pytest.mark.parametrize("word", ["NA", "nan", "n/a", "None", ""])
def test_a_missing_value_of_a_table_is_no_class(word, tmp_path):
    (tmp_path / "a.nii.gz").touch()
    (tmp_path / "participants.csv").write_text(f"case,t1,label\na,a.nii.gz,{word}\nb,a.nii.gz,x\n")
    with pytest.raises(CaseError, match="case a: nothing stands in label"):
        families.load("layouts", "table")(tmp_path)
    assert families.load("layouts", "table")(tmp_path, may_lack=["labels"]).classes == ("x",)
