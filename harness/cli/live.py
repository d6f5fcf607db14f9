"""What a run shows on stderr: a table on a terminal, lines elsewhere, little or JSON on request."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Literal, TypeAlias

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live

from harness.cli.output import stderr
from harness.cli.watching.board import Boards
from harness.cli.watching.lines import JsonView, PlainView, QuietView
from harness.cli.watching.tally import Tally
from harness.scheduling.progress import Cell, Progress

Style: TypeAlias = Literal["auto", "quiet", "json"]

_REFRESHES = 2.0
"""Per second."""

_LINES: dict[str, type[Tally]] = {"auto": PlainView, "quiet": QuietView, "json": JsonView}


class LiveView(Tally):
    """One table that is drawn again and again."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw the board of this moment."""
        yield Boards([self.board()])


@contextmanager
def progress_view(
    study: str, style: Style = "auto", expected: Mapping[Cell, float] = MappingProxyType({})
) -> Iterator[Progress]:
    """Give the view of a run.

    Args:
        study: Name of the study.
        style: ``auto`` is a table on a terminal and a line per event elsewhere; ``quiet`` tells only
            failures and notes, ``json`` every event as a JSON object.
        expected: Seconds of a trial by cell, from earlier runs.
    """
    if style != "auto" or not stderr.is_terminal:
        yield _LINES[style](study, expected)
        return
    view = LiveView(study, expected)
    with Live(view, console=stderr, refresh_per_second=_REFRESHES):
        yield view
