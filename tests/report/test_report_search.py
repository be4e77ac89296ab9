"""The section on searches: what was tried, what was accepted and why, how stable it is, what it cost."""

import re
from pathlib import Path
from typing import Any

import pytest

from mrfusion.errors import InputError
from mrfusion.files import write_json
from mrfusion.report.part import LEDGER
from mrfusion.report.section import search
from mrfusion.report.sentence import leading, sentence
from mrfusion.run_folder.searches import read_searches
from mrfusion.study.load import load_study


def tried(places: list[int], loss: float, **more: Any) -> dict[str, Any]:
    plain = {
        "kind": "trained",
        "parent": None,
        "digest": f"{places}{more}",
        "epochs": 2,
        "steps": 20,
        "seconds": 3.0,
        "stopped": False,
    }
    return {"places": places, "loss": loss, "reused": False, **plain, **more}


def forward(seed: int, chosen: int | None = 3) -> dict[str, Any]:
    """Late fusion, its null candidate, two modules, of which the coarser is accepted."""
    trials = [tried([], 0.9, epochs=10), tried([], 0.85, kind="null"), tried([0], 0.8, stopped=True), tried([1], 0.7)]
    steps = [{"tried": [1, 2, 3], "accepted": 3, "why": "level 2: loss 0.7 against the null candidate's 0.85"}]
    more = {"trials": trials, "steps": steps if chosen is not None else [], "chosen": chosen}
    return outline("forward", "forward(epochs=2)", seed) | more


def exhaustive(seed: int) -> dict[str, Any]:
    trials = [tried(p, loss, epochs=10) for p, loss in (([], 0.9), ([0], 0.6), ([1], 0.65), ([0, 1], 0.7))]
    steps = [{"tried": [0, 1, 2, 3], "accepted": 1, "why": "least"}]
    return outline("every <placement>", "exhaustive", seed) | {"trials": trials, "steps": steps, "chosen": 1}


def outline(arm: str, text: str, seed: int) -> dict[str, Any]:
    return {"arm": arm, "fold": 0, "seed": seed, "search": text, "ensemble": False, "fusion": "mmtm",
            "plan": "separate>mean", "costs": [10, 4000], "epochs": 10, "why": "every level is taken"}  # fmt: skip


@pytest.fixture
def html(make_study: Any, tmp_path: Path) -> str:
    folder = make_study(tmp_path, folds=1, seeds=1, cases=3, size=32)
    write_json(folder / "searches.json", [forward(0), forward(1), forward(2, None), exhaustive(0)])
    found = search.section(load_study(folder))
    assert found is not None
    return found.html


@pytest.fixture
def page(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_it_links_to_the_ledger_of_claims_and_loads_nothing(html: str) -> None:
    assert re.findall(r"[^ ]*https?:[^ ]*", html) == [f'href="{LEDGER}">docs/claims.md</a>']


def test_stability_and_what_goes_on(page: str) -> None:
    assert "Over folds and seeds: level 2 2 of 2" in page
    assert "1 of 3 searches have not ended" in page
    assert "4 k parameters" in page


def test_the_ledger_adds_up(page: str) -> None:
    """Three searches of 16 epochs, four trainings and one race lost each, against 40 epochs each of exhaustive."""
    row = page.split("forward 3 ")[1].split("every")[0].split()
    assert row[:9] == ["12", "3", "0", "3", "0", "0", "0", "48", "40"]


def test_rounds_say_what_was_accepted_and_why(page: str) -> None:
    assert "null candidate: its parent trained on 0.8500" in page
    assert "level 1 0.8000 2 stopped early" in page
    assert "level 2 0.7000 2 accepted" in page
    assert "Round 1: level 2: loss 0.7 against the null candidate's 0.85" in page.replace("&#39;", "'")


def test_regret_against_the_exhaustive_truth(page: str) -> None:
    """Level 2 has 0.65 there; the best is 0.6, the worst 0.9."""
    assert "fold 0, seed 0: level 2 , 16.7 % of the loss range above the best placement" in page.replace(
        "level 2,", "level 2 ,"
    )
    assert "&lt;placement&gt;" in page


@pytest.mark.parametrize(
    ("accounts", "told"),
    [
        ([forward(0), forward(1, 0), forward(2, None)], "; in 1 of 2 runs its search placed no module; "),
        ([forward(0), forward(1)], ""),
        ([forward(0, 0) | {"ensemble": True}], ""),
    ],
)
def test_an_undecided_arm_says_in_how_many_runs_its_search_placed_nothing(
    accounts: list[dict[str, Any]], told: str, make_study: Any, tmp_path: Path
) -> None:
    folder = make_study(tmp_path, arms={"late": 0.0, "forward": 0.0}, folds=1, seeds=1, cases=8, size=16)
    write_json(folder / "searches.json", accounts)
    study = load_study(folder)
    (row,) = leading(study)
    assert told in str(sentence(study, row))
    assert ("placed no module" in str(sentence(study, row))) == bool(told)


def test_no_searches_no_section(make_study: Any, tmp_path: Path) -> None:
    assert search.section(load_study(make_study(tmp_path, folds=1, seeds=1, cases=3, size=32))) is None


def test_a_file_of_another_form_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "searches.json", [{"arm": "forward"}])
    with pytest.raises(InputError, match=r"searches\.json"):
        read_searches(tmp_path / "searches.json")


def test_the_answer_of_a_search_costs_what_the_search_did(make_study: Any, tmp_path: Path) -> None:
    folder = make_study(tmp_path, arms={"forward": 0.0, "other": 0.0}, folds=1, seeds=1, cases=3, size=32)
    before = {run.arm: run.environment for run in load_study(folder).runs}
    write_json(folder / "searches.json", [forward(0)])
    after = {run.arm: run.environment for run in load_study(folder).runs}
    assert after["other"] == before["other"]
    assert [after["forward"][key] for key in ("epochs", "steps", "train_seconds")] == [16, 80, 12.0]
