"""Insert many rows at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Float, Table
from sqlalchemy.types import TypeEngine

from harness.store.backends import BACKENDS


def insert_rows(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows by COPY on PostgreSQL and by one prepared statement on SQLite.

    Args:
        connection: Inside a transaction.
        table: Class of the schema, or its table.
        rows: Values by column; all rows have the same columns. None: nothing happens.
    """
    if not rows:
        return
    found: Table = getattr(table, "__table__", table)
    columns = list(rows[0])
    values = [[row[column] for row in rows] for column in columns]
    for place, column in enumerate(columns):
        process = _processor(found.c[column].type, connection.dialect)
        if process is not None:
            values[place] = [process(value) for value in values[place]]
    BACKENDS[connection.dialect.name].insert(connection, found, columns, zip(*values, strict=True))


def _processor(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what makes the driver's value of ours; None where they are the same."""
    if isinstance(kind, Float):
        return None  # SQLAlchemy would call float() on every float
    return kind.dialect_impl(dialect).bind_processor(dialect)
