"""Run SQL that somebody wrote by hand, for reading only.

The database itself refuses to write, whatever the text says: SQLite opens the file read-only behind an
authorizer that knows nothing but reading; PostgreSQL gets a cursor, which takes one ``select`` only, inside a
read-only transaction.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import inspect

from harness.errors import InputError, nearest
from harness.store.database import Database
from harness.store.privacy import without_secrets
from harness.store.schema import Base
from harness.store.views import VIEWS

CHUNK_ROWS = 5_000

_READING = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_NO_TABLE = re.compile(r"no such table: (?P<name>.+)|relation \"(?P<relation>.+)\" does not exist")
_NO_COLUMN = re.compile(r"no such column: (?P<name>.+)|column \"?(?P<column>[^\"]+)\"? does not exist")
_WRITES = re.compile(
    r"not authorized|prohibited|readonly|read-only|DECLARE CURSOR|"
    r"syntax error at or near \"(?:insert|update|delete|merge|copy|drop|create|alter|truncate|grant|set"
    r"|vacuum|analyze|begin|commit|call|do|lock)\"",
    re.IGNORECASE,
)
_SEE = "; docs/database.md lists tables, views and their columns"
_SEVERAL = re.compile(r"one statement at a time|multiple commands")


@dataclass(frozen=True)
class Answer:
    """What a query found.

    Attributes:
        columns: Names of the columns; one that is there twice gets a number.
        rows: Values, fetched while they are read: text, numbers, truth values, None.
    """

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def run_query(database: Database, sql: str) -> Iterator[Answer]:
    """Run one reading statement.

    Args:
        database: Open results database.
        sql: One ``select``, in the SQL of the database's engine.

    Raises:
        InputError: if it writes, is several statements, is wrong, or names what is not there; also while
            rows are read.
    """
    statement = sql.strip().rstrip(";").strip()
    if not statement:
        raise InputError("the query is empty; give for example: select * from v_leaderboard")
    with _CURSORS[database.backend.name](database) as cursor, _as_input_error(database, statement):
        cursor.execute(statement)
        if cursor.description is None:
            raise InputError("the query is no select; only reading is allowed")
        yield Answer(_unique(column[0] for column in cursor.description), _rows(cursor))


@contextmanager
def _sqlite_cursor(database: Database) -> Iterator[Any]:
    file = Path(str(database.engine.url.database)).resolve()
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        connection.isolation_level = None
        connection.execute("PRAGMA query_only = ON")
        connection.set_authorizer(_allow_reading)
        yield connection.cursor()


def _allow_reading(action: int, _first: str | None, second: str | None, *_more: str | None) -> int:
    harmless = action in _READING and second != "load_extension"
    return sqlite3.SQLITE_OK if harmless else sqlite3.SQLITE_DENY


@contextmanager
def _postgresql_cursor(database: Database) -> Iterator[Any]:
    with database.read() as connection:
        driver: Any = connection.connection.driver_connection
        with driver.cursor(name="lossbench_query") as cursor:
            yield cursor


_CURSORS: MappingProxyType[str, Callable[[Database], Any]] = MappingProxyType(
    {"sqlite": _sqlite_cursor, "postgresql": _postgresql_cursor}
)


def _rows(cursor: Any) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(CHUNK_ROWS):
        for row in rows:
            yield tuple(map(_plain, row))


def _plain(value: Any) -> Any:
    """Return a value that looks alike from every engine."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(sep=" ") if value.tzinfo else value.isoformat(sep=" ")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    found: list[str] = []
    for name in names:
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return tuple(found)


@contextmanager
def _as_input_error(database: Database, sql: str) -> Iterator[None]:
    driver: Any = database.engine.dialect.dbapi
    try:
        yield
    except (driver.Error, driver.Warning) as error:
        raise InputError(_sentence(database, sql, str(error))) from None


def _sentence(database: Database, sql: str, message: str) -> str:
    first = (message.strip().splitlines() or ["no reason given"])[0]
    if _SEVERAL.search(message):
        return "the query has several statements; give one select"
    if _WRITES.search(message):
        return f"the query would do more than read ({first}); only one select is allowed"
    missing = _missing(_NO_TABLE, first)
    if missing:
        inspector = inspect(database.engine)
        known = [*inspector.get_view_names(), *inspector.get_table_names()]
        return f"no table or view {missing!r} in the database{nearest(missing, known) or _SEE}"
    missing = _missing(_NO_COLUMN, first)
    if missing:
        return f"no column {missing!r} where the query looks for it{_column_hint(sql, missing)}"
    return f"the query cannot be run: {without_secrets(first)}"


def _missing(pattern: re.Pattern[str], message: str) -> str | None:
    found = pattern.search(message)
    return found and next(part for part in found.groups() if part)


def _column_hint(sql: str, missing: str) -> str:
    """Name the nearest column of the tables that the query names, or the tables that have it."""
    name = missing.rpartition(".")[2]
    columns = {table.name: set(table.columns.keys()) for table in Base.metadata.sorted_tables}
    columns |= {view.name: set(view.columns) for view in VIEWS.values()}
    words = set(re.findall(r"\w+", sql.lower()))
    here = {column for table, found in columns.items() if table in words for column in found}
    there = [table for table, found in columns.items() if name in found and table not in words]
    if there:
        return f"; it is a column of {', '.join(sorted(there))}"
    return nearest(name, sorted(here - {name})) or _SEE
