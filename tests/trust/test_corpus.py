"""Every bad input ends in one clear message, exit code 2, and nothing written outside the output folder."""

import pytest
from bad_choices import BAD_CHOICES
from corpus import CORPUS
from sandbox import attempt, unclear

SELDOM = {bad.name for number, bad in enumerate(BAD_CHOICES) if number % 8}  # seven of eight take six minutes


@pytest.mark.parametrize(
    "bad", [pytest.param(bad, id=bad.name, marks=[pytest.mark.slow] * (bad.name in SELDOM)) for bad in CORPUS]
)
def test_a_bad_input_is_one_clear_message(bad, tmp_path):
    said = attempt(bad, tmp_path)
    assert not unclear(bad, said), said.text


def test_there_are_enough_of_them():
    assert len({bad.name for bad in CORPUS}) == len(CORPUS) >= 60
