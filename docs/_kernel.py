"""What the cells of tutorials run in: a command's whole output in one piece and in order, as a terminal shows it.

IPython hands on what ``%%bash`` prints a hundred bytes at a time, errors apart from the rest, and its kernel asks every
program for colours and moving bars. Pages would show the pieces.
"""

import os
import subprocess

from IPython.core.magic import register_cell_magic

for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR"):
    os.environ.pop(name, None)
os.environ |= {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "80"}


@register_cell_magic
def bash(line: str, cell: str) -> None:
    """Run a cell's commands; CalledProcessError, which ends the build, where the last of them fails."""
    del line
    together = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(["bash", "-c", cell], check=False, **together)
    print(done.stdout, end="", flush=True)
    done.check_returncode()
