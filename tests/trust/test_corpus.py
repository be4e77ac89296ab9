"""Every bad input ends in one clear message, exit code 2, and nothing written outside the output folder."""

import pytest
from corpus import CORPUS
from sandbox import attempt, unclear


@pytest.mark.parametrize("bad", CORPUS, ids=lambda bad: bad.name)
def test_a_bad_input_is_one_clear_message(bad, tmp_path):
    said = attempt(bad, tmp_path)
    assert not unclear(bad, said), said.text


def test_there_are_enough_of_them():
    assert len({bad.name for bad in CORPUS}) == len(CORPUS) >= 60
