"""One file adds a choice: a name is the file's name, or package.module:Class from anyone's own package."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mrfusion import families
from mrfusion.errors import SpecError
from mrfusion.model.network import FusionNetwork
from mrfusion.run_folder.quantity import Quantity
from tiny import fitted, run_spec, training_of

FUSION = '''"""The strongest stream wins, as one file that anyone could write."""

from mrfusion.fusions._base import Fused, Fusion, where_present


class Strongest(Fusion):
    """skip = factor x the largest magnitude among the present streams."""

    def __init__(self, modalities, channels, dimensions, *, factor=1.0):
        super().__init__(modalities, channels, dimensions)
        self.factor = factor

    def forward(self, streams, present):
        return Fused(streams, self.factor * where_present(streams, present).abs().amax(1))
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of somebody else's, importable for the time of a test."""
    folder = tmp_path / "somebodys_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "strongest.py").write_text(FUSION)
    monkeypatch.syspath_prepend(tmp_path)
    yield "somebodys_package.strongest:Strongest"
    for name in [name for name in sys.modules if name.startswith("somebodys_package")]:
        del sys.modules[name]


def test_a_fusion_from_outside_is_named_in_a_plan_and_trained(package: str, tmp_path: Path) -> None:
    spec = run_spec(plan=f"separate[{package}(factor=2)]", budget={"epochs": 1}, sampling={"per_case": 1})
    training = training_of(spec, tmp_path / "run")
    network = training.network
    assert isinstance(network, FusionNetwork)
    assert [type(fusion).__name__ for fusion in network.fusions] == ["Strongest", "Strongest"]
    assert all(fusion.factor == 2 for fusion in network.fusions)
    before = [p.detach().clone() for p in network.parameters()]
    history = fitted(spec, training)
    assert len(history.of(Quantity.parse("train/dice_ce"))) == 1
    assert any(not torch.equal(b, p) for b, p in zip(before, network.parameters(), strict=True))


def test_a_file_in_a_family_is_a_choice_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "mrfusion"
    shutil.copytree(families.ROOT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "fusions" / "strongest.py").write_text(FUSION)
    (copy / "fusions" / "_hidden.py").write_text('"""No choice."""\n')
    monkeypatch.setattr(families, "ROOT", copy)
    monkeypatch.setattr("mrfusion.fusions.__path__", [str(copy / "fusions")])
    assert set(families.names("fusions")) >= {"strongest", "mean", "max", "concat"}
    assert "_hidden" not in families.names("fusions")
    assert families.summaries("fusions")["strongest"].startswith("The strongest stream wins")
    try:
        fusion = families.load("fusions", "strongest(factor=3)")(2, 4, 2)
        assert fusion(torch.full((1, 2, 4, 3, 3), -2.0), torch.ones(1, 2, dtype=torch.bool)).skip.eq(6).all()
    finally:
        sys.modules.pop("mrfusion.fusions.strongest", None)


def test_a_file_without_a_choice_of_its_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fusions").mkdir()
    (tmp_path / "fusions" / "empty_one.py").write_text('"""Nothing here."""\n')
    monkeypatch.setattr(families, "ROOT", tmp_path)
    monkeypatch.setattr("mrfusion.fusions.__path__", [str(tmp_path / "fusions")])
    with pytest.raises(SpecError, match="should hold a class or function called 'empty_one'"):
        families.load("fusions", "empty_one")
