"""Several studies as one page: what is read, what is written, and what is refused."""

import json
import xml.etree.ElementTree as ET

import pytest
from typer.testing import CliRunner

from mrfusion.cli import app
from mrfusion.errors import InputError
from mrfusion.report.combined import Question, chance, combine_studies, write_combined


@pytest.fixture(scope="module")
def folders(make_study, tmp_path_factory):
    home = tmp_path_factory.mktemp("combined")
    skills = ({"concat": 0.0, "late": 0.04}, {"concat": 0.0, "late": 0.06})
    return [make_study(home / f"site{k}", arms=arms, cases=30, folds=5, size=16) for k, arms in enumerate(skills)]


def test_the_page_the_plot_and_the_numbers(folders, tmp_path):
    together = combine_studies(folders)
    page = write_combined(together, tmp_path / "all.html")
    found = json.loads(page.with_suffix(".json").read_text())
    assert (found["arm"], found["reference"], len(found["studies"])) == ("late", "concat", 2)
    assert [s["effect"] for s in found["studies"]] == [row.effect for _, row in together.rows]
    assert [s["study"] for s in found["studies"]] == ["site0", "site1"]  # both are called Phantom
    assert found["next"]["helps"] < found["mean"]["helps"]
    assert found["sentence"] in page.read_text()
    assert "<script>" not in page.read_text()
    drawing = ET.fromstring(page.with_suffix(".svg").read_text())
    assert drawing.tag.endswith("svg")
    assert "next data set" in page.with_suffix(".svg").read_text()


def test_the_command(folders, tmp_path):
    out = tmp_path / "c.html"
    answer = CliRunner().invoke(app, ["combine", *map(str, folders), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    assert out.is_file()


def test_what_they_have_not_in_common_is_said(folders, make_study, tmp_path):
    other = make_study(tmp_path / "o", arms={"concat": 0.0, "separate": 0.05}, cases=10, folds=5, size=16)
    with pytest.raises(InputError, match="expected one arm that all studies compare"):
        combine_studies([folders[0], other])
    with pytest.raises(InputError, match="expected a comparison of late in mean by nsd"):
        combine_studies(folders, Question(metric="nsd"))
    with pytest.raises(InputError, match="at least two studies"):
        combine_studies(folders[:1])


def test_one_training_set_is_a_caution(folders, make_study, tmp_path):
    single = make_study(tmp_path / "s", arms={"concat": 0.0, "late": 0.05}, cases=12, folds=1, seeds=3, size=16)
    assert any("one training set" in text for text in combine_studies([folders[0], single]).cautions)


def test_means_over_other_regions_are_a_caution(folders, make_study, tmp_path):
    """In one study no case has the region ET, so that its mean is over the others."""
    other = make_study(tmp_path / "o", arms={"concat": 0.0, "late": 0.05}, cases=12, folds=5, size=16)
    for path in other.glob("runs/*/scores.csv"):
        lines = path.read_text().splitlines()
        path.write_text(
            "\n".join(line.rpartition(",")[0] + ",nan" if ",ET," in line else line for line in lines) + "\n"
        )
    (told,) = combine_studies([folders[0], other]).cautions
    assert "over regions that differ" in told
    assert told.count("WT, TC, ET") == 1
    assert not combine_studies([folders[0], other], Question(region="WT")).cautions
    assert not combine_studies(folders).cautions


def test_no_chance_is_below_nothing():
    assert [chance(share) for share in (-1e-9, 0.0, 0.864, 1.0)] == ["0 %", "0 %", "86 %", "100 %"]
