"""Claims: one holder at a time, a dead one's is free, a silent one's is lost to whoever has watched it."""

import os
import pickle
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mrfusion import lock
from mrfusion.errors import OutputError, TakenError
from mrfusion.lock import Claim, Observer, alone


def test_a_claim_names_its_holder_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "new" / "it.claim"
    refused = pytest.raises(TakenError, match=f"the study.*process {os.getpid()} on ")
    with alone(path, "the study"), refused, alone(path, "the study"):
        raise AssertionError
    assert not path.exists()
    assert Observer(path).is_free()


def test_it_is_let_go_of_where_the_work_fails(tmp_path: Path) -> None:
    path = tmp_path / "it.claim"
    with pytest.raises(ZeroDivisionError), alone(path, "it"):
        raise ZeroDivisionError
    with alone(path, "it"):
        assert not Observer(path).is_free()


def test_a_holder_on_another_machine_is_believed_until_it_was_seen_silent_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process cannot be asked for; only the file's time of change tells, by the observer's own clock."""
    path = tmp_path / "it.claim"
    with monkeypatch.context() as there, alone_elsewhere(there, path):
        marker = path.read_text()
    path.write_text(marker)
    observer, clock = Observer(path), [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    assert not observer.is_free()
    clock[0] = lock.LEASE_SECONDS - 1
    assert not observer.is_free()
    os.utime(path, (1, 1))  # it was renewed
    clock[0] = lock.LEASE_SECONDS + 1
    assert not observer.is_free()
    clock[0] = 2 * lock.LEASE_SECONDS + 2
    assert observer.is_free() or observer.is_free()


def alone_elsewhere(there: pytest.MonkeyPatch, path: Path) -> AbstractContextManager[Claim]:
    there.setattr("socket.gethostname", lambda: "elsewhere")
    return alone(path, "it")


def test_whoever_lost_its_claim_is_told_at_its_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, said = tmp_path / "it.claim", list[str]()
    monkeypatch.setattr(lock, "_LOOK_SECONDS", 0.0)
    with alone(path, "run x") as claim:
        tell = claim.checked(lambda done, total, what: said.append(what))
        tell(1, 2, "a step")
        path.unlink()
        with alone(path, "run x"):
            tell(1, 2, "a miss is no loss yet")
            with pytest.raises(TakenError, match="taken over run x"):
                tell(2, 2, "never")
    assert said == ["a step", "a miss is no loss yet"]


def test_a_claim_goes_to_helping_processes(tmp_path: Path) -> None:
    with alone(tmp_path / "it.claim", "it") as claim:
        again = pickle.loads(pickle.dumps(claim.checked(print)))
        again.claim.check()
        assert again.claim.missed == 0


def test_a_place_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        Observer(tmp_path / "file" / "it.claim").is_free()
