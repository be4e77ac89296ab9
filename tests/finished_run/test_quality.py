"""Which case holds another patient's modality: made energies whose truth is known."""

import math
from pathlib import Path

import numpy as np
import pytest

from mrfusion.case import Case
from mrfusion.files import read_rows
from mrfusion.finished_run.quality import Own, Row, compare, limit, ranked, write_judged
from mrfusion.run_folder.quantity import Quantity

MODALITIES = ("t1", "t1c", "t2", "flair")


def energies_of(random: np.random.Generator, *, wrong: str = "", shift: float = 0.0) -> list[Row]:
    """Three levels; the energy is the sum of what each modality adds, a wrong one adds more."""
    rows: list[Row] = []
    for level in range(3):
        adds = {name: random.normal(0.2, 0.01) + shift + (0.1 if name == wrong else 0) for name in MODALITIES}
        whole = sum(adds.values())
        rows.append((Quantity("energy", level=level), whole))
        rows += [(Quantity("without", name, level), whole - adds[name]) for name in MODALITIES]
    return rows


def case(name: str) -> Case:
    return Case(name, f"patient of {name}", {})


@pytest.fixture
def own() -> Own:
    random = np.random.default_rng(1)
    return {f"own {i}": energies_of(random) for i in range(12)}


def test_a_modality_of_another_patient_ranks_first_by_its_name(own: Own) -> None:
    random = np.random.default_rng(2)
    cases = [compare(case(f"right {i}"), energies_of(random), own) for i in range(10)]
    cases += [compare(case(f"wrong {name}"), energies_of(random, wrong=name), own) for name in MODALITIES]
    found = ranked(cases)
    assert {one.case for one in found[:4]} == {f"wrong {name}" for name in MODALITIES}
    assert [one.suspicious for one in found] == [True] * 4 + [False] * 10
    assert all(one.case == f"wrong {one.modality}" for one in found[:4])
    assert min(one.unusual for one in found[:4]) > 3


def test_a_case_is_never_compared_with_itself(own: Own) -> None:
    rows = energies_of(np.random.default_rng(3), wrong="t2")
    apart = compare(case("new"), rows, own)
    assert compare(case("own 0"), rows, {**own, "own 0": rows}).suspicion == pytest.approx(
        compare(case("new"), rows, {name: each for name, each in own.items() if name != "own 0"}).suspicion
    )
    assert apart.suspicious


def test_right_cases_are_rarely_suspicious_however_few_say_what_is_usual() -> None:
    random = np.random.default_rng(4)
    for count in (5, 20):
        own = {str(i): energies_of(random) for i in range(count)}
        found = [compare(case("right"), energies_of(random), own).suspicious for _ in range(60)]
        assert sum(found) <= 5, "one in a hundred is meant; all are compared with the same few"
    few, many = ([{(0, "t1"): 0.0}] * n for n in (5, 50))
    assert limit(few) > limit(many) > 2


def test_the_table_holds_every_case(own: Own, tmp_path: Path) -> None:
    right = compare(case("right"), energies_of(np.random.default_rng(5)), own)
    lacking = type(right)("lacking", "somebody", problem="t1 is absent")
    write_judged(tmp_path / "energies.csv", ranked([lacking, right]), MODALITIES)
    rows = read_rows(tmp_path / "energies.csv", ("rank", "energy/level2", "suspicion/flair"))
    assert [(row["rank"], row["case"], row["suspicious"]) for row in rows] == [
        ("1", "right", "no"),
        ("2", "lacking", ""),
    ]
    assert rows[1]["problem"] == "t1 is absent"
    assert float(rows[0]["suspicion"]) == max(float(rows[0][f"suspicion/{name}"]) for name in MODALITIES)
    assert math.isnan(float(rows[1]["energy"]))
