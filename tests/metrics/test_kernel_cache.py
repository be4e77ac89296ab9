"""What numba kept on disk may be damaged, and numba may be switched off: the numbers are the same."""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCORE = """
import numpy as np
from mrfusion.case import Region
from mrfusion.scoring.masks import score_case
from mrfusion.surface.engine import engine

target = np.zeros((12, 12, 6), np.uint8)
target[3:8, 3:8, 2:5] = 1
for score in score_case("a", np.roll(target, 1, 0), target=target, regions=(Region("r", frozenset({1})),),
                        spacing_mm=(1, 1, 2), metrics=("dice",)):
    print(engine.NAME if hasattr(engine, "NAME") else engine.__name__, score.metric, repr(score.value))
"""


def scored(cache: Path, **variables: str) -> tuple[list[str], str]:
    """What a new process scores with this cache, and what it says beside."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), **variables}
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", SCORE], check=False, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines(), done.stderr


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A cache that one process left, and what it scored."""
    cache = tmp_path_factory.mktemp("numba")
    return cache, scored(cache)[0]


@pytest.mark.parametrize(("pattern", "length"), [("*.nbi", 0), ("*.nbc", 10)])
def test_a_damaged_cache_is_a_miss_and_is_mended(kept: tuple[Path, list[str]], pattern: str, length: int) -> None:
    cache, expected = kept
    files = list(cache.rglob(pattern))
    assert files
    for path in files:
        os.truncate(path, length)
    assert scored(cache)[0] == expected
    assert all(path.stat().st_size > length for path in files if path.exists()), "kept anew"
    assert scored(cache)[0] == expected


def flipped(files: list[Path]) -> None:
    """One bit in the middle of each file, where the machine code is."""
    for path in files:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)


def exchanged(files: list[Path]) -> None:
    """Each file has the content of another one, which is sound."""
    contents = [path.read_bytes() for path in files]
    for path, content in zip(files, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)


def unchecked(files: list[Path]) -> None:
    """As numba alone writes them."""
    for path in files:
        path.write_bytes(path.read_bytes()[32:])


def folders(files: list[Path]) -> None:
    """Something that can be neither read nor replaced."""
    for path in files:
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize("damage", [flipped, exchanged, unchecked, folders])
def test_machine_code_that_is_not_what_was_kept_is_never_carried_out(
    kept: tuple[Path, list[str]], damage: Callable[[list[Path]], None], tmp_path: Path
) -> None:
    cache = shutil.copytree(kept[0], tmp_path / "cache")
    files = sorted(cache.rglob("*.nbc"))
    assert len(files) > 1
    damage(files)
    assert scored(cache)[0] == kept[1]


def test_another_version_s_index_is_a_miss(kept: tuple[Path, list[str]], tmp_path: Path) -> None:
    cache = shutil.copytree(kept[0], tmp_path / "cache")
    for path in cache.rglob("*.nbi"):
        path.write_bytes(pickle.dumps("0.1.0") + pickle.dumps({"of another": "form"}))
    assert scored(cache)[0] == kept[1]


def test_without_numba_s_compiler_the_slower_way_is_taken_and_said(kept: tuple[Path, list[str]]) -> None:
    found, said = scored(kept[0], NUMBA_DISABLE_JIT="1")
    assert [line.split()[1:] for line in found] == [line.split()[1:] for line in kept[1]]
    assert [line.split()[0] for line in found] != [line.split()[0] for line in kept[1]]
    assert "NUMBA_DISABLE_JIT is set" in said
    assert "unset it" in said
