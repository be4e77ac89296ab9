"""The program that goes with an exported network: one file, complete, that needs no mrfusion."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference

from mrfusion.finished_run.export import PROGRAMS
from mrfusion.standalone.program import program
from mrfusion.standalone.windows import mirrored, windows
from mrfusion.training.predict import over_mirrors


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_is_complete_and_names_no_mrfusion(name: str, tmp_path: Path) -> None:
    text = program(PROGRAMS[name])
    (tmp_path / name).write_text(text)
    assert "import mrfusion" not in text
    assert "from mrfusion" not in text
    checked = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,E9", str(tmp_path)]
    done = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_name_of_its_own_takes_the_place_of_another_s() -> None:
    """The scale of a file's numbers is a plain tuple there, and needs no pydantic."""
    text = program(PROGRAMS["case.py"])
    assert text.count("class Scale") == 1
    assert "pydantic" not in text


@pytest.mark.parametrize("shape", [(1, 2, 7, 9), (1, 2, 3, 5, 4)])
@pytest.mark.parametrize("of_classes", [False, True])
@pytest.mark.parametrize("mirror", [False, True])
def test_mirrors_are_those_of_the_prediction(shape: tuple[int, ...], of_classes: bool, mirror: bool) -> None:
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=shape[2:]).astype(np.float32)  # each voxel has its own

    def answer(part: Any) -> Any:
        found = part * (weights if isinstance(part, np.ndarray) else torch.from_numpy(weights))
        return found.reshape(1, 2, -1).sum(2) if of_classes else found

    expected = over_mirrors(answer, torch.from_numpy(image), mirror).numpy()
    np.testing.assert_allclose(mirrored(answer, image, mirror), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("shape", "size"), [((7, 9, 8), (4, 6, 8)), ((3, 9, 5), (4, 6, 4)), ((4, 6, 8), (4, 6, 8))])
def test_windows_are_monai_s(shape: tuple[int, ...], size: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)

    def answer(part: np.ndarray) -> np.ndarray:  # depends on where in its window a voxel lies
        return (part * np.arange(part.shape[-1], dtype=np.float32)).astype(np.float32)

    expected = sliding_window_inference(
        torch.from_numpy(image)[None], size, sw_batch_size=1, overlap=0.5, mode="gaussian",
        predictor=lambda part: torch.from_numpy(answer(part[0].numpy()))[None],
    )  # fmt: skip
    np.testing.assert_allclose(windows(image, size, answer), expected[0].numpy(), rtol=1e-5, atol=1e-5)
