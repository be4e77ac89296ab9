"""What can go wrong, as one tree; the command line turns each into one message and exit code 2.

    MrFusionError
    ├── InputError            what the user gave cannot be used
    │   ├── CaseError         a case on disk: a file, its grid, its values
    │   └── SpecError         a YAML file, a plan, a name, a command-line option
    ├── OutputError           the place to write to refuses (read-only, full)
    │   └── TakenError        another process is at work there
    └── TrainingError         the training itself failed (a loss that is not finite)

Every message says what was expected, what was found, where, and what to do.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any


class MrFusionError(Exception):
    """Anything that mrfusion itself reports; its text is meant for the user."""


class InputError(MrFusionError):
    """What the user gave cannot be used."""


class CaseError(InputError):
    """A case on disk cannot be used: a file, its grid or its values."""


class SpecError(InputError):
    """A specification cannot be used: a YAML file, a plan, a name or an option."""


class OutputError(MrFusionError):
    """The place to write to refuses."""


class TakenError(OutputError):
    """Another process is at work there."""


class TrainingError(MrFusionError):
    """A training stopped because its numbers are no longer finite."""


class Note(UserWarning):
    """What the user should know although the work goes on; a warning in one line, from wherever it is done."""


@contextmanager
def notes_to(take: Callable[[str], object]) -> Iterator[None]:
    """While the block runs, every note is given to ``take``; other warnings are shown as before."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, Note):
                take(str(message))
            else:
                shown(message, category, *place, **more)

        warnings.simplefilter("always", Note)
        warnings.showwarning = show
        yield


def reason(error: BaseException) -> str:
    """What an error says, without the number of the system and the path, which the message has said."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def of_the_system(error: OSError) -> str:
    """What the system refused, and where, if it said so."""
    said = reason(error)
    if "No usable temporary directory" in said:  # Python's own, which PyTorch asks at its import
        return (
            "no folder can be written for temporary files, neither TMPDIR nor /tmp, /var/tmp or the current folder; "
            "set TMPDIR to a folder that can, as with: TMPDIR=OUT/tmp mrfusion .."
        )
    place = f"{error.filename}: " if error.filename else ""
    where = "" if error.filename else "; the system does not say where: look at --out, --cache and the temporary folder"
    return f"{place}the system refused: {said}{where}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known ones, then all of them."""
    choices = sorted(known)
    close = get_close_matches(name, choices, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(repr(c) for c in close)}? " if close else ""
    return f"{meant}Known: {', '.join(choices) or 'none'}."
