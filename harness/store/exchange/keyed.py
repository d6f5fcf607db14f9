"""Rows by natural key: which of theirs is which of ours, and what ours lacks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from harness.store.bulk import insert_rows
from harness.store.exchange.findings import Findings

Ids = Mapping[int, int]
"""Our id of a row by their id; what ours does not take has none."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Ends:
    """Both databases of a merge, each in one transaction, and what was found so far."""

    ours: Connection
    theirs: Connection
    findings: Findings


def content_columns(table: Any) -> list[Any]:
    """Return the columns of a table without its surrogate id."""
    return [column for column in table.__table__.columns if column.name != "id"]


def add_rows(ends: Ends, table: Any, rows: Sequence[Row]) -> None:
    """Insert rows into ours and count them."""
    insert_rows(ends.ours, table, rows)
    ends.findings.added[table.__tablename__] += len(rows)


def join_by_key(
    ends: Ends,
    table: Any,
    key: Sequence[str],
    parents: Mapping[str, Ids] | None = None,
    accepts: Callable[[Row], bool] = lambda row: True,
) -> dict[int, int]:
    """Add the rows of theirs that ours lacks.

    Args:
        ends: Both databases.
        table: Class of the schema, with a surrogate id.
        key: Columns that identify a row.
        parents: Our id by theirs, by foreign-key column; rows with an unknown parent are left out.
        accepts: Says of a row, with our ids, whether ours takes it.

    Returns:
        Our id by theirs.
    """
    names = ["id", *(column.name for column in content_columns(table))]
    found: dict[int, Row] = {}
    for each in ends.theirs.execute(select(*(getattr(table, name) for name in names)).order_by(table.id)):
        row = translated(dict(zip(names, each, strict=True)), parents or {})
        if row is not None and accepts(row):
            found[row["id"]] = row
    ours = _ids(ends.ours, table, key)
    missing = [row for row in found.values() if _key(row, key) not in ours]
    if missing:
        add_rows(ends, table, [{name: row[name] for name in names if name != "id"} for row in missing])
        ours = _ids(ends.ours, table, key)
    return {theirs: ours[_key(row, key)] for theirs, row in found.items()}


def translated(row: dict[str, Any], parents: Mapping[str, Ids]) -> dict[str, Any] | None:
    """Put our ids in the place of theirs; None if ours lacks one of the parents."""
    for column, ids in parents.items():
        if row[column] is not None:
            if row[column] not in ids:
                return None
            row[column] = ids[row[column]]
    return row


def _ids(connection: Connection, table: Any, key: Sequence[str]) -> dict[tuple[Any, ...], int]:
    question = select(table.id, *(getattr(table, column) for column in key))
    return {tuple(row[1:]): row[0] for row in connection.execute(question)}


def _key(row: Row, key: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[column] for column in key)
