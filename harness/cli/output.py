"""Consoles and small printing helpers shared by the commands.

Names of studies, losses and cases are data: what is printed of them is neither markup nor a command to the
terminal.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 160
"""Columns of tables that do not go to a terminal."""

# Control characters but tab and line feed, what turns the direction of writing, halves of surrogate pairs.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Return ``text`` with the characters that steer a terminal, or that none can show, written out.

    >>> visible("loss \x1b[31m")
    'loss \\x1b[31m'
    """
    return _STEERING.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


class PlainConsole(Console):
    """A console on which ``:smile:`` stays as it is and every text is :func:`visible`."""

    def render_str(self, text: str, **how: Any) -> Text:
        """Return a text to print."""
        return super().render_str(visible(text), **{**how, "emoji": False})


stdout = PlainConsole(width=None if sys.stdout.isatty() else PIPE_WIDTH)
stderr = PlainConsole(stderr=True, width=None if sys.stderr.isatty() else PIPE_WIDTH)


def print_warning(sentence: str) -> None:
    """Print something the user should know, to stderr."""
    stderr.print(f"[yellow]warning:[/] {escape(sentence)}", highlight=False)


def print_json(content: Any) -> None:
    """Print JSON for other programs."""
    stdout.print(json.dumps(content, indent=2, default=str), highlight=False, markup=False, soft_wrap=True)


def print_table(rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Print rows that share their keys as a table."""
    table = Table(
        title=Text(visible(title), "table.title") if title else None,
        title_justify="left",
        header_style="bold",
    )
    for column in rows[0] if rows else ():
        numeric = all(isinstance(row[column], int | float) or row[column] is None for row in rows)
        table.add_column(Text(visible(column)), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(Text("" if value is None else visible(str(value))) for value in row.values()))
    stdout.print(table)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function of (done, total) that draws a bar on stderr while the body runs."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
