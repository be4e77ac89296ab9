"""Checkpoints: checked before they are believed, and one in reserve."""

from pathlib import Path

import pytest
import torch

from mrfusion.errors import InputError
from mrfusion.run_folder.run import RunFolder
from mrfusion.training.checkpoint import drop_checkpoints, load_checkpoint, save_checkpoint


def damage(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)


def test_the_newest_is_read(tmp_path: Path) -> None:
    assert load_checkpoint(RunFolder(tmp_path)) is None
    for epoch in range(3):
        save_checkpoint(RunFolder(tmp_path), {"epoch": epoch, "network": {"w": torch.full((2,), float(epoch))}})
    found = load_checkpoint(RunFolder(tmp_path))
    assert found is not None
    assert found["epoch"] == 2
    assert found["network"]["w"].tolist() == [2.0, 2.0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pt", "previous.pt"]


@pytest.mark.parametrize("place", [0, 63, 64, 500, -1])
def test_one_flipped_bit_is_noticed(tmp_path: Path, place: int) -> None:
    for epoch in range(2):
        save_checkpoint(RunFolder(tmp_path), {"epoch": epoch})
    damage(tmp_path / "last.pt", place)
    with pytest.warns(UserWarning, match=r"last.pt is damaged"):
        found = load_checkpoint(RunFolder(tmp_path))
    assert found == {"epoch": 0}


@pytest.mark.parametrize("content", [b"", b"x", b"0" * 64])
def test_a_torn_file_is_noticed(tmp_path: Path, content: bytes) -> None:
    for epoch in range(2):
        save_checkpoint(RunFolder(tmp_path), {"epoch": epoch})
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.warns(UserWarning, match="damaged"):
        assert load_checkpoint(RunFolder(tmp_path)) == {"epoch": 0}


def test_where_both_are_damaged_it_begins_anew(tmp_path: Path) -> None:
    for epoch in range(2):
        save_checkpoint(RunFolder(tmp_path), {"epoch": epoch})
    damage(tmp_path / "last.pt", 100)
    damage(tmp_path / "previous.pt", 100)
    with pytest.warns(UserWarning, match="damaged"):
        assert load_checkpoint(RunFolder(tmp_path)) is None


def test_between_the_two_renames_the_previous_one_is_there(tmp_path: Path) -> None:
    for epoch in range(2):
        save_checkpoint(RunFolder(tmp_path), {"epoch": epoch})
    (tmp_path / "last.pt").unlink()
    assert load_checkpoint(RunFolder(tmp_path)) == {"epoch": 0}


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("run",)

    save_checkpoint(RunFolder(tmp_path), {"epoch": Evil()})
    with pytest.raises(InputError, match=r"UnpicklingError.*nothing was run"):
        load_checkpoint(RunFolder(tmp_path))


def test_dropped(tmp_path: Path) -> None:
    save_checkpoint(RunFolder(tmp_path), {"epoch": 0})
    drop_checkpoints(RunFolder(tmp_path))
    drop_checkpoints(RunFolder(tmp_path))
    assert list(tmp_path.iterdir()) == []
