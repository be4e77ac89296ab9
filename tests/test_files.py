"""What is written is written whole or not at all, and read back or refused by name."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from mrfusion.errors import InputError, OutputError
from mrfusion.files import (
    building,
    building_anew,
    read_json,
    read_rows,
    sweep,
    temporary_folder,
    write_json,
    write_rows,
    write_text,
    writing,
)
from mrfusion.progress import ProgressFile, forget_progress, read_progress
from mrfusion.result import Value


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.nii.gz"
    with writing(path) as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("x")
        assert not path.exists()
    assert path.read_text() == "x"
    assert left_in(path.parent) == ["a.nii.gz"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_an_interrupted_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), writing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert left_in(tmp_path) == ["a.txt"]


def test_a_full_disk_is_one_message_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with (
        pytest.raises(OutputError, match=r"cannot write .*a.txt: No space left on device; nothing was kept"),
        writing(path),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert left_in(tmp_path) == []


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write in (lambda p: write_text(p, "x"), lambda p: write_json(p, 1)):
        with pytest.raises(OutputError, match=r"cannot write .*choose another --out"):
            write(tmp_path / "file" / "a.txt")
    with pytest.raises(OutputError, match="cannot write"), building(tmp_path / "file" / "run"):
        pass
    with pytest.raises(OutputError, match="cannot write"), temporary_folder(tmp_path / "file" / "x"):
        pass


def test_a_folder_is_done_or_absent(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(ZeroDivisionError), building(folder) as work:
        (work / "half").write_text("x")
        raise ZeroDivisionError
    assert not folder.exists()
    with building(folder) as work:
        assert (work / "half").read_text() == "x", "an interrupted run finds what it had"
        (work / "rest").write_text("y")
    assert left_in(folder) == ["half", "rest"]
    assert left_in(tmp_path) == ["run"]


def test_who_comes_second_keeps_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with building(folder) as work:
        (work / "mine").write_text("x")
        folder.mkdir()
        (folder / "theirs").write_text("y")
    assert left_in(folder) == ["theirs"]
    assert left_in(tmp_path) == ["run"]


def test_a_temporary_folder_is_gone_afterwards(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), temporary_folder(tmp_path / "x") as folder:
        (folder / "a").write_text("b")
        raise ZeroDivisionError
    assert left_in(tmp_path / "x") == []


def test_json_has_no_nan_and_is_refused_by_name(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": float("nan"), 3: [float("inf"), (1, -2.5)], "s": "é"})
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text, parse_constant=lambda _: pytest.fail("NaN in JSON")) == {
        "x": None,
        "3": [None, [1, -2.5]],
        "s": "é",
    }
    for content in ("", "{", "[" * 100_000, "\x00"):
        (tmp_path / "b.json").write_text(content)
        with pytest.raises(InputError, match=r"expected a JSON file at .*b.json"):
            read_json(tmp_path / "b.json")
    with pytest.raises(InputError, match=r"absent.json"):
        read_json(tmp_path / "absent.json")


def test_tables_keep_every_digit(tmp_path: Path) -> None:
    values = [0.1 + 0.2, 1e-300, float("nan"), -0.0]
    write_rows(tmp_path / "a.csv", ("name", "value"), [('a,\n"b"', v) for v in values])
    rows = read_rows(tmp_path / "a.csv", ("name", "value"))
    assert [row["name"] for row in rows] == ['a,\n"b"'] * 4
    assert [repr(float(row["value"])) for row in rows] == [repr(v) for v in values]


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ("name",), [("x",)])
    with pytest.raises(InputError, match="lacks the columns value; it has name"):
        read_rows(tmp_path / "a.csv", ("name", "value"))
    (tmp_path / "b.csv").write_bytes(b"name\xff\n")
    with pytest.raises(InputError, match=r"expected a CSV table in UTF-8 at .*b.csv"):
        read_rows(tmp_path / "b.csv", ())


def test_a_value_says_how_it_came_about() -> None:
    score = Value.undefined("both masks are empty").of("c", "ET", "hd95")
    assert (score.status, score.reason) == ("undefined", "both masks are empty")
    assert score.value != score.value
    assert float(Value(0.5)) == 0.5


def test_progress_across_processes(tmp_path: Path) -> None:
    folder = tmp_path / "progress"
    with pytest.raises(ZeroDivisionError), ProgressFile(folder / "run1.json") as progress:
        progress(3, 10, "epoch 1")
        progress(4, 10, "too soon after the last to be written")
        (folder / "run2.json").write_text("{")
        told = read_progress(folder)
        assert set(told) == {"run1"}
        assert (told["run1"]["done"], told["run1"]["total"], told["run1"]["what"]) == (3, 10, "epoch 1")
        raise ZeroDivisionError
    assert read_progress(folder) == {}, "a job that failed leaves no bar"
    forget_progress(folder, ["run2", "run3"])
    assert left_in(folder) == []
    assert read_progress(tmp_path / "nowhere") == {}


def test_what_a_killed_process_had_half_written_does_not_stay(tmp_path):
    partial = tmp_path / ".run.partial"
    (partial / "slices").mkdir(parents=True)
    (partial / ".mrfusion-a1.csv").write_text("half")
    (partial / "slices" / ".mrfusion-b2.npz").write_text("half")
    (partial / "last.pt").write_text("whole")
    with building(tmp_path / "run") as work:
        write_text(work / "scores.csv", "whole")
    assert sorted(str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*")) == [
        "last.pt",
        "scores.csv",
        "slices",
    ]


def test_two_that_build_one_folder_do_not_meet(tmp_path: Path) -> None:
    folder = tmp_path / "subsets"
    with building_anew(folder) as slower:
        (slower / "half").write_text("slower")
        with building_anew(folder) as faster:
            assert not any(faster.iterdir())
            (faster / "whole").write_text("faster")
        (slower / "whole").write_text("slower")
    assert (folder / "whole").read_text() == "faster"
    assert list(tmp_path.iterdir()) == [folder]
    assert list(folder.iterdir()) == [folder / "whole"]


def test_nothing_is_left_of_a_folder_that_was_not_finished(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), building_anew(tmp_path / "subsets") as work:
        (work / "half").write_text("of it")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_makes_room(tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    with building_anew(tmp_path / "done") as work:
        (work / "a").write_text("1")
    assert (tmp_path / "done" / "a").read_text() == "1"
    with building_anew(tmp_path / "done") as work:
        (work / "b").write_text("2")
    assert [path.name for path in (tmp_path / "done").iterdir()] == ["a"], "the first to end is the one that counts"


def test_a_sweep_spares_what_is_younger(tmp_path: Path) -> None:
    for name in (".mrfusion-old", ".mrfusion-new", "kept"):
        (tmp_path / name).write_text("")
    os.utime(tmp_path / ".mrfusion-old", (1, 1))
    sweep(tmp_path.iterdir(), older_than_seconds=60)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mrfusion-new", "kept"]
    sweep(tmp_path.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
