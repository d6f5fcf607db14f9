"""Consoles and small printing helpers shared by the commands."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PIPE_WIDTH = 160
"""Columns of tables that do not go to a terminal."""

stdout = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
stderr = Console(stderr=True, width=None if sys.stderr.isatty() else PIPE_WIDTH)


def print_warning(sentence: str) -> None:
    """Print something the user should know, to stderr."""
    stderr.print(f"[yellow]warning:[/] {escape(sentence)}", highlight=False)


def print_json(content: Any) -> None:
    """Print JSON for other programs."""
    stdout.print(json.dumps(content, indent=2, default=str), highlight=False, markup=False, soft_wrap=True)


def print_table(rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Print rows that share their keys as a table."""
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in rows[0] if rows else ():
        numeric = all(isinstance(row[column], int | float) or row[column] is None for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    stdout.print(table, markup=False)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function of (done, total) that draws a bar on stderr while the body runs."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
