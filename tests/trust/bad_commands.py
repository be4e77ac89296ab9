"""Every command with one of the things left out that it needs, and with an option that it does not have."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from sandbox import Bad

from mrfusion.command.cli import app  # its commands are in it since sandbox imported mrfusion.cli

GROUP = typer.main.get_command(app)


def needed(command: Any) -> list[list[str]]:
    """The words that a command needs, for each argument and option: made of names that lead nowhere."""
    found = []
    for parameter in command.params:
        if parameter.required:
            opening = [parameter.opts[0]] if parameter.param_type_name == "option" else []
            found.append([*opening, "nowhere"])
    return found


def _say(*words: str) -> Callable[[Path], Sequence[object]]:
    return lambda work: words


def _bad() -> Iterator[Bad]:
    for name, command in GROUP.commands.items():  # type: ignore[attr-defined]
        every = needed(command)
        for missing in range(len(every)):
            left = [word for number, words in enumerate(every) if number != missing for word in words]
            yield Bad(f"{name} without its need {missing + 1} of {len(every)}", _say(name, *left), ("Missing",))
        yield Bad(f"{name} with an option that is not there", _say(name, "--no-such-option"), ("No such option",))


BAD_COMMANDS = list(_bad())
