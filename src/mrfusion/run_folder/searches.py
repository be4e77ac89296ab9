"""``searches.json``: what each search of a study tried, decided and found, and what it cost."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mrfusion.errors import InputError
from mrfusion.files import read_json, write_json


@dataclass(frozen=True)
class TriedNetwork:
    """One candidate: where its modules are, what it was, its validation loss, and what its run cost.

    ``repeat`` counts trainings of the same candidate with other seeds; 0 is the one that searches choose by. ``arm`` is
    the arm of the study whose training it is, where it is one.
    """

    places: tuple[int, ...]
    kind: str
    parent: int | None
    loss: float
    digest: str
    epochs: int
    steps: int
    seconds: float
    stopped: bool
    reused: bool
    repeat: int = 0
    arm: str = ""


@dataclass(frozen=True)
class Decision:
    """The candidates that were compared, by their numbers; the one that was accepted; and why."""

    tried: tuple[int, ...]
    accepted: int | None
    why: str


@dataclass(frozen=True)
class SearchAccount:
    """One search on one fold with one seed; ``chosen`` is None while it goes on. ``epochs`` of a training from new."""

    arm: str
    fold: int
    seed: int
    search: str
    fusion: str
    plan: str
    ensemble: bool
    epochs: int
    costs: tuple[int, ...]
    trials: tuple[TriedNetwork, ...]
    decisions: tuple[Decision, ...]
    chosen: int | None
    why: str

    @property
    def levels(self) -> int:
        """How many positions there are."""
        return len(self.costs)

    @property
    def places(self) -> tuple[int, ...] | None:
        """The positions of the answer."""
        return None if self.chosen is None else self.trials[self.chosen].places

    @property
    def trainings(self) -> int:
        """Networks that were trained, null candidates, repeated trainings and a supernet among them."""
        return sum(trial.kind != "inherited" for trial in self._runs)

    @property
    def spent(self) -> dict[str, float]:
        """Epochs, optimiser steps and seconds of all its trainings, whoever paid for them; keys of environment.json."""
        return {
            "epochs": sum(trial.epochs for trial in self._runs),
            "steps": sum(trial.steps for trial in self._runs),
            "train_seconds": sum(trial.seconds for trial in self._runs),
        }

    @property
    def _runs(self) -> list[TriedNetwork]:
        """The trials whose run is their own: a control that a search had trained already is not trained anew."""
        return list({trial.digest: trial for trial in reversed(self.trials)}.values())

    @property
    def exhaustive_epochs(self) -> int:
        """What training every placement from new would take."""
        return int(2**self.levels) * self.epochs


def write_searches(path: Path, found: Iterable[SearchAccount]) -> None:
    """Write the accounts, whole or not at all."""
    write_json(path, [_plain(asdict(one)) for one in found])


def read_searches(path: Path) -> tuple[SearchAccount, ...]:
    """Read the accounts; InputError where the file is of another form."""
    content = read_json(path)
    try:
        return tuple(_search(entry) for entry in content)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"expected the searches of a study in {path}, found another form ({error!r})") from None


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    fields["steps"] = fields.pop("decisions")  # what they are called in the file
    return fields


def _search(entry: Mapping[str, Any]) -> SearchAccount:
    plain = {
        key: entry[key] for key in ("arm", "fold", "seed", "search", "fusion", "plan", "ensemble", "epochs", "why")
    }
    return SearchAccount(
        **plain,
        costs=tuple(entry["costs"]),
        trials=tuple(TriedNetwork(**{**trial, "places": tuple(trial["places"])}) for trial in entry["trials"]),
        decisions=tuple(Decision(tuple(s["tried"]), s["accepted"], s["why"]) for s in entry["steps"]),
        chosen=entry["chosen"],
    )
