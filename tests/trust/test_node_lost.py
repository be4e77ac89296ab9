"""A node of a cluster is lost in the middle of a study; the numbers are those of one machine, bit for bit."""

from pathlib import Path

import pytest
from killing import numbers
from node_loss import end, lose_a_node, seconds, start, write_recipe

from mrfusion.phantom.cohort import write_cohort


@pytest.mark.slow
def test_a_node_lost_in_the_middle_of_a_study_changes_no_bit(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    recipe = write_recipe(tmp_path, write_cohort(tmp_path / "phantom", cases=8, spacing_mm=4.0, workers=1))
    done = lose_a_node(recipe, tmp_path / "cluster")
    kept = [row for path in tmp_path.glob("cluster/runs/*/history.csv") for row in seconds(path)]
    assert len(done) >= 2
    assert set(done) <= set(kept), "an epoch that was safe was trained again"
    end(start(recipe, tmp_path / "local", "--executor", "local", "--workers", "2"))
    assert numbers(tmp_path / "cluster") == numbers(tmp_path / "local")
