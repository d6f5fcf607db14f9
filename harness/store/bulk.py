"""Insert many rows at once, and ask for many in portions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Float, Table
from sqlalchemy.types import TypeEngine

from harness.store.backends import BACKENDS

_Item = TypeVar("_Item")


def insert_rows(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows as :func:`insert_columns` does.

    Args:
        connection: Inside a transaction.
        table: Class of the schema, or its table.
        rows: Values by column; all rows have the same columns. None: nothing happens.
    """
    if rows:
        insert_columns(connection, table, {name: [row[name] for row in rows] for name in rows[0]})


def insert_columns(connection: Connection, table: Any, columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows by COPY on PostgreSQL and by one prepared statement on SQLite.

    Args:
        connection: Inside a transaction.
        table: Class of the schema, or its table.
        columns: Values of every row by column; all are equally long.
    """
    found: Table = getattr(table, "__table__", table)
    values = []
    for name, column in columns.items():
        process = _processor(found.c[name].type, connection.dialect)
        values.append(column if process is None else [process(value) for value in column])
    BACKENDS[connection.dialect.name].insert(connection, found, list(columns), zip(*values, strict=True))


def in_chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Yield lists of at most ``size`` items."""
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk


def _processor(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what makes the driver's value of ours; None where they are the same."""
    if isinstance(kind, Float):
        return None  # SQLAlchemy would call float() on every float
    return kind.dialect_impl(dialect).bind_processor(dialect)
