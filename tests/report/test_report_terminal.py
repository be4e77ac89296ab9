"""The answer in the terminal: what stands in the table of arms, and that eighty columns are enough for it."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from mrfusion.comparison.aggregate import MEAN
from mrfusion.report.terminal import terminal_answer, terminal_table
from mrfusion.study.load import LoadedStudy, load_study


@pytest.fixture(scope="module")
def study(study_folder: Path) -> LoadedStudy:
    return load_study(study_folder)


def headings(study: LoadedStudy) -> list[str]:
    return [str(column.header) for column in terminal_table(study).columns]


def printed(study: LoadedStudy, width: int) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(terminal_answer(study))
    return captured.get()


def test_no_number_and_no_region_is_cut_at_eighty_columns(study: LoadedStudy) -> None:
    lines = printed(study, 80)
    means = study.arm_means
    for arm in study.arms:
        found = means[arm.name, study.metrics[0], MEAN]
        assert f"{100 * found.low:.1f} to {100 * found.high:.1f}" in lines
    assert all(region in lines for region in study.regions)
    assert "…" not in lines
    assert max(map(len, lines.splitlines())) <= 80


def test_one_number_of_patients_stands_below_the_table(study: LoadedStudy) -> None:
    first = study.metrics[0], MEAN
    patients = {mean.patients for (_, *key), mean in study.arm_means.items() if tuple(key) == first}
    assert patients == {8}
    assert "patients" not in headings(study)
    assert "mean over 8 patients" in str(terminal_table(study).caption)


def test_different_numbers_of_patients_have_a_column(study: LoadedStudy) -> None:
    first = study.arms[0].name
    fewer = {k: replace(m, patients=5) if k[0] == first else m for k, m in study.arm_means.items()}
    other = replace(study)
    vars(other)["arm_means"] = fewer  # computed once a study
    assert headings(other)[-1] == "patients"
    assert "mean over patients" in str(terminal_table(other).caption)
    cells = map(str, terminal_table(other).columns[-1].cells)
    assert sorted(cells) == ["5", *["8"] * (len(study.arms) - 1)]
