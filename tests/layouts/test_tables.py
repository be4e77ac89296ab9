"""Tables as people have them: encodings, separators, missing values, spellings, lines that hold nothing."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrfusion.errors import CaseError, InputError
from mrfusion.families import load
from mrfusion.files import MISSING, delimiter_in
from mrfusion.importers._base import Source
from mrfusion.importers._records import from_records
from mrfusion.outside.places import patients_named
from mrfusion.outside.tables import read_table

CLASSES = ["1", "0", "1", "0"]


def rows(classes: list[str], separator: str = ",", header: str = "case,image,label") -> str:
    cells = [header.split(","), *([f"c{n}", "a.nii.gz", name] for n, name in enumerate(classes))]
    return "".join(separator.join(line) + "\n" for line in cells)


def read(root: Path, content: str | bytes, **options: object):
    """The cohort of a table beside one image."""
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.float32), np.eye(4)), root / "a.nii.gz")
    (root / "t.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return load("layouts", "table")(root / "t.csv", **options)


@pytest.mark.parametrize("separator", [",", ";", "\t", ", ", "|"])
def test_separators_are_recognised(tmp_path: Path, separator: str) -> None:
    cohort = read(tmp_path, rows(CLASSES, separator))
    assert [case.label for case in cohort.cases] == CLASSES
    assert delimiter_in('case\timage\t"note; a, b, c, d"') == "\t"
    assert delimiter_in("case\timage\tlabel\tnote, free") == "\t"


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16", b""),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("utf-32", b""),
    ],
)
def test_encodings_are_recognised_with_and_without_a_mark(tmp_path: Path, encoding: str, mark: bytes) -> None:
    names = ["Müller", "x", "Müller", "x"]
    cohort = read(tmp_path, mark + rows(names).encode(encoding))
    assert [case.label for case in cohort.cases] == names


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (rows(["Müller"] * 4).encode("latin-1"), "expected a CSV table in UTF-8 at .*save it as UTF-8"),
        (b"PK\x03\x04" + bytes(90), "is a spreadsheet's own file, or packed; save the table as CSV"),
        (rows(CLASSES) + "c9,a.nii.gz,1,2,3\n", "line 6: expected 3 cells as in the header, found 5"),
        (rows(CLASSES, header="case,image,label").replace("label", "label,label", 1), "column 'label' stands twice"),
        (rows(CLASSES) + "c9,scan.nrrd,1\n", r"in the column image 'scan\.nrrd' is no name of a NIfTI file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        "\n\n" + rows(CLASSES),
        rows(CLASSES) + "\n,,\n",
        "sep=;\n" + rows(CLASSES, ";"),
        rows(CLASSES).replace("\n", "\r\n"),
        rows(CLASSES).replace("\n", ",\n"),
        rows(CLASSES, header="Case,image,LABEL"),
        rows(CLASSES, header="case , image,label "),
    ],
)
def test_what_says_nothing_counts_for_nothing(tmp_path: Path, content: str) -> None:
    cohort = read(tmp_path, content)
    assert [(case.id, case.label) for case in cohort.cases] == [(f"c{n}", name) for n, name in enumerate(CLASSES)]


@pytest.mark.parametrize("word", ["", " ", *MISSING, "NA", "N/A", "NaN"])
def test_missing_values_are_missing_in_every_table(tmp_path: Path, word: str) -> None:
    cohort = read(tmp_path, rows([*CLASSES, word]), may_lack=["labels"])
    assert cohort.classes == ("0", "1")
    assert cohort.cases[-1].label is None
    with pytest.raises(CaseError, match="nothing stands in label"):
        read(tmp_path, rows([*CLASSES, word]))
    content = rows(CLASSES, header="case,image,label") + f"c9,{word},1\n"
    with pytest.raises(CaseError, match="case c9: nothing stands in image"):
        read(tmp_path, content)
    (tmp_path / "s.csv").write_text(f"case,value\na,0.5\nb,{word}\n")
    assert [row.status for row in read_table(tmp_path / "s.csv")] == ["scored", "undefined"]
    assert np.isnan(Source(tmp_path / "s.csv").number(word, "x"))
    assert from_records([{"case": "a", "value": word}], "rows")[0].status == "undefined"
    entry = {"image": "a.nii.gz", "label": word or None, "id": "b"}
    known = {"image": "a.nii.gz", "label": 1.0, "id": "a"}
    (tmp_path / "d.json").write_text(json.dumps({"training": [known, entry]}))
    cohort = load("layouts", "datalist")(tmp_path / "d.json", may_lack=["labels"])
    assert [case.label for case in cohort.cases] == ["1", None]


@pytest.mark.parametrize("spelling", ["1.0", "1.00", "1."])
def test_a_whole_number_is_one_class_however_it_is_written(tmp_path: Path, spelling: str) -> None:
    assert read(tmp_path, rows([*CLASSES, spelling])).classes == ("0", "1")


@pytest.mark.parametrize(
    ("one", "other"), [("TRUE", "true"), ("1", "01"), ("1", "1e0"), ("GBM", "gbm"), ("1", "1\u200b"), ("Yes", "YES")]
)
def test_classes_that_differ_in_their_spelling_alone_are_named(tmp_path: Path, one: str, other: str) -> None:
    with pytest.raises(InputError, match="differ in how they are written alone; write them alike"):
        read(tmp_path, rows([one, other, "x"]))
    content = {"training": [{"image": "a.nii.gz", "label": label, "id": label} for label in (one, other)]}
    (tmp_path / "d.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="differ in how they are written alone"):
        load("layouts", "datalist")(tmp_path / "d.json")


def test_folders_written_as_on_windows_are_found_and_still_never_left(tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.float32), np.eye(4)), tmp_path / "in" / "sub" / "b.nii.gz")
    cohort = read(tmp_path / "in", "case,image,label\nc,sub\\b.nii.gz,1\n")
    assert cohort.cases[0].images["image"].is_file()
    with pytest.raises(CaseError, match=r"without '\.\.'"):
        read(tmp_path / "in", "case,image,label\nc,sub\\..\\..\\a.nii.gz,1\n")


def test_a_table_of_patients_may_have_any_separator(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("case; patient\na; one \n")
    named = patients_named(str(tmp_path / "p.csv"))
    assert named is not None
    assert named("a") == "one"


def test_scores_with_spaces_and_a_first_line_of_a_spreadsheet_are_read(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("sep=;\n\ncase; region; metric; value\na; WT; dice; 0.5\n")
    (row,) = read_table(tmp_path / "s.csv")
    assert (row.case, row.region, row.metric, row.value) == ("a", "WT", "dice", 0.5)
