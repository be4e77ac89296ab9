"""What is said of the arms before anything is trained."""

from pathlib import Path

from mrfusion.study.design import Study, read_study
from mrfusion.study.terms import terms_at_the_start


def study_of(place: Path, arm: str) -> Study:
    file = place / "study.yaml"
    file.write_text(
        "data: {sources: [{path: ., layout: brats(year=2023)}]}\nplan: separate>mean\nreference: late\n"
        f"arms: {{late: {{}}, {arm}}}\n"
    )
    return read_study(file)


def test_equal_and_unequal_terms_are_one_sentence(tmp_path: Path) -> None:
    study = study_of(tmp_path, "wide: {network: unet(base=64)}")
    assert terms_at_the_start(study, {"late": 100, "wide": 300}) == [
        "wide against late: equal epochs and optimiser steps; 3 times the parameters"
    ]


def test_of_an_arm_that_a_search_answers_for_nothing_is_said(tmp_path: Path) -> None:
    study = study_of(tmp_path, "searched: {search: forward(fusion=mmtm)}")
    assert terms_at_the_start(study, {"late": 100, "searched": 100}) == []
