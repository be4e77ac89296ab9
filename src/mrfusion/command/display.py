"""What long work shows in the terminal: bars with what is being done and how long it will take."""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from mrfusion import progress

console = Console()
_SHOWN = sys.stderr is not None and sys.stderr.isatty()  # it is None where there is no terminal at all
complaints = Console(stderr=True, force_terminal=_SHOWN)  # FORCE_COLOR asks for colours, not for bars


def say(text: str, *, style: str | None = None) -> None:
    """A line of plain words: nothing in it is markup, and a long path stays in one piece."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _bars() -> Progress:
    """Rows that begin with the count and the time left; a narrow terminal cuts what is being done, never these."""
    return Progress(
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        BarColumn(bar_width=12),
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        console=complaints,
        expand=True,
        transient=True,
    )


@contextmanager
def one_bar(title: str) -> Iterator[progress.Progress]:
    """A bar for one piece of work, as the callback that the work calls; where no terminal shows it, nothing."""
    if not complaints.is_terminal:
        yield progress.silent
        return
    with _bars() as bars:
        bar = bars.add_task(escape(title), total=None)

        def tell(done: int, total: int, what: str) -> None:
            bars.update(bar, completed=done, total=total, description=f"{escape(title)}: {escape(what)}")

        yield tell


class StudyView:
    """A bar for the whole study and one for each job that is running; time left is judged from the jobs' shares.

    ``total`` is how many runs there are; without it there is no bar for the whole. ``above`` draws what stands over
    the bars, from the names of the jobs that are running.
    """

    def __init__(
        self,
        names: Mapping[str, str],
        total: int = 0,
        above: Callable[[Collection[str]], RenderableType] | None = None,
    ) -> None:
        self.names, self.total, self.above = names, total, above
        self.bars = _bars()
        self.whole = self.bars.add_task("[bold]runs", total=total, visible=total > 0)
        self.tasks: dict[str, TaskID] = {}
        self.live = Live(self._picture(), console=complaints, transient=True)

    def __enter__(self) -> "StudyView":
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def watch(self, told: Mapping[str, Mapping[str, Any]], done: int) -> None:
        """Show what the running jobs told; ``done`` jobs have ended."""
        for name in set(self.tasks) - set(told):
            self.bars.remove_task(self.tasks.pop(name))
        share = 0.0
        for name, news in told.items():
            if name not in self.tasks:
                self.tasks[name] = self.bars.add_task("", total=news["total"])
            text = f"{self.names.get(name, name)}: {news['what']}"
            self.bars.update(self.tasks[name], completed=news["done"], total=news["total"], description=escape(text))
            share += news["done"] / max(1, news["total"])
        self.bars.update(self.whole, completed=min(self.total, done + share))
        self.live.update(self._picture())

    def _picture(self) -> RenderableType:
        return self.bars if self.above is None else Group(self.above(self.tasks), self.bars)
