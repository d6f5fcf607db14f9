"""SQLite: one file, any number of readers, one writer at a time."""

import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from harness.store.backends.base import READ_ONLY, Backend

BUSY_TIMEOUT_SECONDS = 60
"""How long a lock of somebody else is waited for."""

_SLICE_MILLISECONDS = 1000
"""SQLite waits outside Python, where Ctrl-C is not heard: it is asked again and again instead."""


class SQLite(Backend):
    """Write-ahead log, foreign keys on, and transactions that take the write lock at once."""

    name = "sqlite"
    read_options = MappingProxyType({READ_ONLY: True})
    backup_suffix = ".db"

    def engine(self, url: URL) -> Engine:
        """Return the engine; the file's folder is made if absent."""
        return _engine(url, foreign_keys=True)

    def migrating_engine(self, url: URL) -> Engine:
        """Return an engine without foreign keys: a table that is rebuilt is gone for a moment."""
        return _engine(url, foreign_keys=False)

    def is_missing(self, url: URL) -> bool:
        """Whether there is no such file."""
        return url.database not in {None, "", ":memory:"} and not Path(str(url.database)).exists()

    def insert(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        """Insert by one prepared statement."""
        quote = connection.dialect.identifier_preparer.quote
        names, marks = ", ".join(map(quote, columns)), ", ".join("?" for _ in columns)
        statement = f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})"
        connection.exec_driver_sql(statement, [tuple(row) for row in rows])

    def broken_references(self, connection: Connection) -> list[str]:
        """Ask SQLite for rows whose foreign key points nowhere."""
        found = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        return [f"table {row[0]!r}: a row refers to a missing row of {row[2]!r}" for row in found]

    def damage(self, connection: Connection) -> list[str]:
        """Run SQLite's integrity check: pages, indexes, constraints."""
        try:
            found = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        except DatabaseError as error:  # so damaged that the check itself stops
            return [str(error.orig)]
        return [] if found == ["ok"] else [str(line) for line in found]

    def size(self, connection: Connection) -> int:
        """Return pages times page size; the write-ahead log is not counted."""
        pages, size = (
            connection.exec_driver_sql(f"PRAGMA {what}").scalar_one() for what in ("page_count", "page_size")
        )
        return int(pages) * int(size)

    def vacuum(self, engine: Engine) -> None:
        """Rebuild the file and empty the write-ahead log."""
        with closing(_plain_connection(engine)) as connection:
            connection.execute("VACUUM")
            connection.execute("ANALYZE")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def backup(self, engine: Engine, target: Path) -> None:
        """Copy page by page through SQLite's backup interface, which a writer may interrupt."""
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with (
                closing(_plain_connection(engine)) as source,
                closing(sqlite3.connect(unfinished)) as copy,
            ):
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            unfinished.rename(target)
        finally:
            unfinished.unlink(missing_ok=True)


def _engine(url: URL, foreign_keys: bool) -> Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})

    def configure(connection: Any, _record: Any) -> None:
        # pysqlite starts transactions by itself, deferred; ours begin below.
        connection.isolation_level = None
        for setting in ("journal_mode = WAL", f"foreign_keys = {foreign_keys:d}", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute(f"PRAGMA busy_timeout = {_SLICE_MILLISECONDS}")

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    # A deferred transaction that turns into a writer fails at once under contention.
    reads = connection.get_execution_options().get(READ_ONLY, False)
    statement = "BEGIN" if reads else "BEGIN IMMEDIATE"
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.exec_driver_sql(statement)
            return
        except OperationalError as error:
            if time.monotonic() >= deadline or not _is_busy(error.orig):
                raise


def _is_busy(error: BaseException | None) -> bool:
    return str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY")


def _plain_connection(engine: Engine) -> sqlite3.Connection:
    """Return a connection outside the pool and outside any transaction."""
    # Through the dialect, so that URLs with options (uri=true) open the same file.
    (path, *_), options = engine.dialect.create_connect_args(engine.url)
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_SECONDS, uri=bool(options.get("uri")), isolation_level=None
    )
