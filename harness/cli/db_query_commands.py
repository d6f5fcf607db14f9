"""``lossbench db query``: SQL by hand, for reading."""

import csv
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import stderr, stdout, visible

if TYPE_CHECKING:
    from harness.store.query import Answer

TABLE_ROWS = 200
"""Rows of a table if no limit is given."""


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(query)


def query(
    sql: Annotated[str, typer.Argument(help="One select; - reads it from stdin.", show_default=False)],
    how: Annotated[Format, typer.Option("--format", help="How rows are printed.")] = Format.TABLE,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=0, help="Most rows to print; a table has 200 if absent.", show_default=False
        ),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Ask the database in SQL; nothing can be changed.

    The views v_trial, v_case_score, v_curve and v_leaderboard are made for it: docs/database.md has
    their columns and ten queries to start from.
    """
    from harness.store.database import open_database
    from harness.store.query import run_query

    text = sys.stdin.read() if sql == "-" else sql
    database = open_database(Home(home, db).database_url)
    with _closed_pipe_is_fine(), run_query(database, text) as answer:
        _PRINTERS[how](answer, limit)
        sys.stdout.flush()


def _print_table(answer: "Answer", limit: int | None) -> None:
    rows = list(islice(answer.rows, TABLE_ROWS if limit is None else limit))
    more = sum(1 for _ in answer.rows)
    table = Table(header_style="bold")
    for place, name in enumerate(answer.columns):
        numeric = all(isinstance(row[place], int | float) or row[place] is None for row in rows)
        table.add_column(Text(visible(name)), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(Text(visible(_short(value))) for value in row))
    stdout.print(table)
    if more:
        sentence = f"{more:,} more rows; --limit shows more of them, --format csv all"
        stderr.print(sentence, highlight=False, markup=False)


def _print_csv(answer: "Answer", limit: int | None) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows(islice(answer.rows, limit))


def _print_json(answer: "Answer", limit: int | None) -> None:
    separator = "["
    for row in islice(answer.rows, limit):
        record = dict(zip(answer.columns, map(_finite, row), strict=True))
        sys.stdout.write(f"{separator}\n  {json.dumps(record)}")
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


_PRINTERS: Mapping[Format, Callable[["Answer", int | None], None]] = MappingProxyType(
    {Format.TABLE: _print_table, Format.CSV: _print_csv, Format.JSON: _print_json}
)


def _short(value: Any) -> str:
    """Return a cell for people: six digits."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _finite(value: Any) -> Any:
    """JSON knows neither infinity nor NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def _closed_pipe_is_fine() -> Iterator[None]:
    """Stop without a word when the reader, for example ``head``, has seen enough."""
    try:
        yield
    except BrokenPipeError:
        # What is still buffered has no reader either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
