"""What a run and a study leave is read back as it was written; folders of version 0.1.0 are read too."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from mrfusion.case import Case, Cohort, Region, Split
from mrfusion.errors import InputError
from mrfusion.files import read_rows, write_json, write_rows
from mrfusion.result import CaseScore, ScoreRow
from mrfusion.run_folder.energies import EnergyRow, read_energies, write_energies
from mrfusion.run_folder.history import History
from mrfusion.run_folder.probabilities import Answer
from mrfusion.run_folder.quantity import Quantity
from mrfusion.run_folder.run import RunFolder
from mrfusion.run_folder.scores import OF_A_STUDY
from mrfusion.run_folder.study import StudyFolder
from mrfusion.run_folder.subsets import SubsetFolder

TEXTS = {
    "energy/level0/step3": Quantity("energy", "step3", 0),
    "energy/level12/class/a/b": Quantity("energy", "class/a/b", 12),
    "pi/level1/t1c": Quantity("pi", "t1c", 1),
    "term/energy/level0": Quantity("term", "energy/level0"),
    "cosine/a:b": Quantity("cosine", "a:b"),
    "val/score": Quantity("val", "score"),
    "seconds": Quantity("seconds"),
    "energy/levels": Quantity("energy", "levels"),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_quantity_and_its_text_are_the_same(text: str) -> None:
    assert Quantity.parse(text) == TEXTS[text]
    assert str(Quantity.parse(text)) == text


def test_a_quantity_is_asked_and_not_cut_apart() -> None:
    assert Quantity("energy", "step13").numbered("step") == 13
    assert Quantity("alignment", "factor2/direction").numbered("factor") == 2
    assert Quantity("energy", "stepping").numbered("step") is None
    assert Quantity("energy", "class/WT").within("class") == "WT"
    assert Quantity("energy", "classes").within("class") is None
    assert Quantity("pi", "t1c").at(3) == Quantity("pi", "t1c", 3)


def test_a_history_comes_back(tmp_path: Path) -> None:
    history = History()
    history.add(0, {Quantity("energy", "step0", 1): 0.1})
    history.add(1, {Quantity("val", "score"): 1 / 3, Quantity("lr"): math.nan})
    RunFolder(tmp_path).write_history(history)
    found = RunFolder(tmp_path).read_history()
    assert found.rows[:2] == history.rows[:2]
    assert math.isnan(found.of(Quantity("lr"))[0])


def test_the_table_of_energies_has_the_names_it_always_had(tmp_path: Path) -> None:
    names = {
        "energy": Quantity("energy", level=0),
        "step0": Quantity("energy", "step0", 0),
        "class/WT": Quantity("energy", "class/WT", 0),
        "pi/t1c": Quantity("pi", "t1c", 0),
        "without/t1c": Quantity("without", "t1c", 0),
        "alignment/factor1/direction": Quantity("alignment", "factor1/direction", 0),
    }
    rows = [EnergyRow("c", quantity, 0.5) for quantity in names.values()]
    write_energies(tmp_path / "energy.csv", rows)
    written = read_rows(tmp_path / "energy.csv", ("case", "level", "quantity", "value"))
    assert [(row["level"], row["quantity"]) for row in written] == [("0", name) for name in names]
    assert read_energies(tmp_path / "energy.csv") == rows
    with pytest.raises(InputError, match=r"expected energy\.csv in .*, found none"):
        RunFolder(tmp_path / "none").read_energies()


def test_scores_come_back_with_how_they_came_about(tmp_path: Path) -> None:
    scores = [
        CaseScore("a", "WT", "dice", 1 / 3),
        CaseScore("a", "ET", "hd95", 374.0, "penalised", "no target"),
        CaseScore("b", "ET", "hd95", math.nan, "undefined", "both empty"),
    ]
    RunFolder(tmp_path).write_scores(scores, {})
    found = RunFolder(tmp_path).read_scores()
    assert found[:2] == scores[:2]
    assert (math.isnan(found[2].value), found[2].reason) == (True, "both empty")
    write_json(tmp_path / "scores.json", {"not_scored": [vars(scores[1]) | {"status": "guessed"}]})
    with pytest.raises(ValueError, match="expected scored, penalised, undefined as a status, found 'guessed'"):
        RunFolder(tmp_path).read_scores()


ROW = ScoreRow("late, again", 1, 2, "case", "patient", "WT", "nsd(tolerance_mm=2)", 0.1 + 0.2, in_target=False)


def test_the_long_table_of_a_study_comes_back(tmp_path: Path) -> None:
    study, nan = StudyFolder(tmp_path), replace(ROW, value=math.nan, status="undefined", in_target=True)
    study.write_scores([ROW, nan])
    assert (tmp_path / "scores.csv").read_text().splitlines()[0] == ",".join(OF_A_STUDY)
    first, second = study.read_scores()
    assert first == ROW
    assert math.isnan(second.value)
    assert replace(second, value=0.0) == replace(nan, value=0.0)


@pytest.mark.parametrize("broken", [{"status": "guessed"}, {"in_target": "perhaps"}, {"fold": "a"}, {"value": "much"}])
def test_a_broken_row_of_a_study_is_named(tmp_path: Path, broken: dict[str, str]) -> None:
    row = dict(zip(OF_A_STUDY, ("a", "c", "p", "0", "0", "WT", "dice", "0.5", "scored", "yes"), strict=True))
    write_rows(tmp_path / "scores.csv", OF_A_STUDY, [tuple((row | broken).values())])
    with pytest.raises(InputError, match=r"scores\.csv, line 2: expected a score of a study"):
        StudyFolder(tmp_path).read_scores()


def test_probabilities_come_back_also_where_nobody_knows_the_class(tmp_path: Path) -> None:
    answers = [Answer("a", "HGG", (0.25, 0.75)), Answer("b", "", (1 / 3, 2 / 3))]
    RunFolder(tmp_path).write_probabilities(("LGG", "HGG"), answers)
    assert RunFolder(tmp_path).read_probabilities() == (("LGG", "HGG"), answers)


def test_subsets_are_there_whole_or_not_at_all(tmp_path: Path) -> None:
    rows = [ScoreRow("t1c", 0, 0, "c", "p", "WT", "dice", 0.5)]
    folder = SubsetFolder(tmp_path / "subsets")
    with pytest.raises(KeyboardInterrupt), folder.building() as work:
        work.write(rows, {"modalities": ["t1c"]})
        raise KeyboardInterrupt
    assert not folder.path.exists()
    with folder.building() as work:
        work.write(rows, {"modalities": ["t1c"]})
    assert folder.is_done
    assert folder.read_scores() == rows
    folder.table.rename(folder.path / "scores.csv")  # as version 0.1.0 called it
    assert folder.read_scores() == rows


def test_a_study_says_what_its_cases_are(tmp_path: Path) -> None:
    cases = (Case("a", "p", {}), Case("b", "p", {}))
    cohort = Cohort(("t2f", "t1c"), cases, (Region("WT", frozenset({1, 2})), Region("ET", frozenset({2}))))
    study = StudyFolder(tmp_path)
    study.write_cohort(cohort, fingerprint="f", notes=("a note",))
    assert study.read_outline() == Cohort(cohort.modalities, (), cohort.regions)
    assert study.read_cohort()["cases"] == [{"id": "a", "patient": "p"}, {"id": "b", "patient": "p"}]
    study.write_splits(cases, [Split(("a",), (), ("b",))], {"a": "1", "b": "2"})
    assert study.read_hashes() == {"a": "1", "b": "2"}
    with pytest.raises(InputError, match=r"expected the digests of runs, found '\.\./elsewhere'"):
        study.run("../elsewhere")
