"""Suspicion by hand: pulls from a table, what is usual, and the level where a modality is most unlike it."""

import pytest

from mrfusion.finished_run.mismatch import pulls, suspicion, usual
from mrfusion.run_folder.quantity import Quantity


def rows(energy: float, without: dict[str, float], level: int = 0) -> list[tuple[Quantity, float]]:
    others = [(Quantity("without", name, level), value) for name, value in without.items()]
    return [(Quantity("energy", level=level), energy), (Quantity("pi", "a", level), 0.4), *others]


def test_a_pull_is_what_a_modality_adds() -> None:
    assert pulls(rows(3.0, {"a": 1.0, "b": 4.0}) + rows(1.0, {"a": 1.0}, level=2)) == {
        (0, "a"): 2.0,
        (0, "b"): -1.0,
        (2, "a"): 0.0,
    }


def test_suspicion_counts_deviations_at_the_worst_level() -> None:
    by = usual([{(0, "a"): 1.0, (1, "a"): 0.0, (0, "b"): 5.0}, {(0, "a"): 3.0, (1, "a"): 1.0, (0, "b"): 5.0}])
    found = suspicion({(0, "a"): 4.0, (1, "a"): 2.5, (0, "b"): 5.0, (0, "c"): 9.0}, by)
    assert found == {"a": pytest.approx(4.0), "b": pytest.approx(0.0)}  # (4 - 2) / 1 = 2, (2.5 - 0.5) / 0.5 = 4
    assert suspicion({(7, "a"): 1.0}, by) == {}
