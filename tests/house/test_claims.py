"""The ledger of claims: every row has its word, its evidence or the reason for none, and a recipe that exists."""

import re
import tomllib
from pathlib import Path

import pytest

from mrfusion.report import part

ROOT = Path(__file__).parents[2]
LEDGER = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
WORDS = {"confirmed", "refuted", "undecided", "not testable here", "not run"}
HEADINGS = ["claim", "in the paper", "tested by", "patients", "runs", "effect, 95 % interval", "word", "date"]
LINES = [line for line in LEDGER.splitlines() if line.startswith("| ")]
ROWS = [
    dict(zip(HEADINGS, (cell.strip() for cell in line.strip("|").split("|")), strict=True))
    for line in LINES
    if line != f"| {' | '.join(HEADINGS)} |"
]
every = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["claim"].split(".")[0])


def test_there_is_a_table_for_each_of_the_three_papers() -> None:
    names = [row["claim"].split(".")[0] for row in ROWS]
    assert len(LINES) == len(ROWS) + 3
    assert {name[0] for name in names} == {"W", "G", "E"}
    assert len(set(names)) == len(names)
    assert [name for name in names if re.fullmatch(r"[WGE]\d+", name) is None] == []


@every
def test_each_word_is_of_the_list_and_has_what_it_asks_for(row: dict[str, str]) -> None:
    assert row["word"] in WORDS
    measured = row["word"] in {"confirmed", "refuted", "undecided"}
    assert measured == (re.fullmatch(r"20\d\d-\d\d-\d\d", row["date"]) is not None)
    if row["word"] == "not run":
        assert re.search(r"about \d+ minutes", row["effect, 95 % interval"]), "the time that it is expected to take"
    if measured:
        assert re.search(r"\d|theorem", row["effect, 95 % interval"])
    else:
        assert row["runs"] == "0"


@every
def test_each_row_names_what_tests_it_and_that_exists(row: dict[str, str]) -> None:
    named = re.findall(r"`((?:recipes|bench|tests)/[\w/.]+)`", row["tested by"])
    assert all((ROOT / name).is_file() for name in named)
    assert named or row["word"] == "not testable here"


@every
def test_no_word_on_a_method_from_one_training_set(row: dict[str, str]) -> None:
    said = row["effect, 95 % interval"]
    alone = ("one training set", "one parent run", "no interval", "exploratory, since")
    if any(words in said for words in alone) or "judge of 0.1.0" in row["tested by"] + said:
        assert row["word"] == "undecided"


def test_the_report_s_link_leads_to_the_ledger() -> None:
    """That the three sections have it: tests/report, of the page, of searches and of energies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    home = project["urls"]["Documentation"].removesuffix("#readme")
    assert f"{home}/blob/main/docs/claims.md" == part.LEDGER
    assert home.startswith("https://github.com/")
