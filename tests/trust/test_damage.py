"""Damaged files by rule: a part of the product here, all of it by ``python tests/trust/corpus.py``."""

from pathlib import Path

import pytest
from damage import READERS, Reader, damaged, damages_of, sound_of, unclear_or_other
from sandbox import attempt

EACH = 6  # of a reader, evenly spread over its damages


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_damaged_file_is_one_clear_message_or_read_as_the_sound_one(reader: Reader, tmp_path: Path) -> None:
    assert sound_of(reader)[1].code == 0
    every = list(damages_of(reader))
    assert len({name for name, _ in every}) == len(every)
    for number, damage in enumerate(every[:: -(-len(every) // EACH)]):
        bad = damaged(reader, damage)
        said = attempt(bad, tmp_path / str(number))
        assert not unclear_or_other(reader, bad, said), f"{bad.name}: {said.text}"
