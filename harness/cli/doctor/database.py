"""The results database: can it be opened, read and written."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError

from harness.cli.doctor.base import Finding, Setup, broken_by, check
from harness.cli.doctor.filesystem import NETWORK, kind_of
from harness.errors import InputError
from harness.store.database import Database, open_if_there
from harness.store.privacy import read_url, shown_url
from harness.store.versions import SCHEMA_VERSION, VERSION_TABLE

_POSTGRESQL = "use PostgreSQL: --db postgresql+psycopg://user@server/results"


@check("database", "storage")
def look(setup: Setup) -> Iterator[Finding]:
    """Open the database if there is one, read its version and begin a writing transaction."""
    try:
        url = read_url(setup.home.database_url)
        file = Path(url.database) if url.drivername.startswith("sqlite") and url.database else None
        if file is not None:
            yield from judge_file(file, kind_of(file), clustered=setup.address is not None)
        database = open_if_there(setup.home.database_url)
    except InputError as error:
        yield broken_by(error, "see that the server runs and that --db names host, user and database")
        return
    if database is None:
        yield Finding(f"{_kind(url)}, {shown_url(url)!r}: no results yet, the first run makes the tables")
        return
    try:
        yield from _opened(database)
    finally:
        database.close()


def judge_file(file: Path, kind: str | None, clustered: bool) -> Iterator[Finding]:
    """Yield what is to be said of a SQLite file before it is opened.

    Args:
        file: Need not be there.
        kind: Of file system.
        clustered: Whether a Ray cluster is to be used.
    """
    if kind in NETWORK:
        found = f"SQLite on a network file system ({kind}), where its locks fail"
        yield Finding(found, "warning", f"keep the database on a local disk, or {_POSTGRESQL}")
    if clustered:
        yield Finding("SQLite: one driver on one machine; PostgreSQL serves drivers on several")
    if file.is_file():
        mode = _journal_mode(file)
        if mode is not None and mode != "wal":
            yield Finding(f"journal mode {mode}; the first command that opens it sets it to WAL")


def _journal_mode(file: Path) -> str | None:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    except sqlite3.Error:  # whatever it is, opening it for real tells
        return None


def _opened(database: Database) -> Iterator[Finding]:
    began = time.perf_counter()
    with database.read() as connection:
        engine = ".".join(map(str, connection.dialect.server_version_info or ()))
        size = database.backend.size(connection) / 2**20
        mode = ""
        if database.dialect == "sqlite":
            mode = f", journal mode {connection.exec_driver_sql('PRAGMA journal_mode').scalar()}"
    milliseconds = 1000 * (time.perf_counter() - began)
    kind = f"{_kind(database.engine.url)} {engine}{mode}"
    answers = f"{size:.1f} MiB, answers in {milliseconds:.0f} ms"
    yield Finding(f"{kind}, {database.shown}, version {SCHEMA_VERSION}, {answers}")
    if mode and not mode.endswith("wal"):
        mend = "move it to a local disk that can be written: without WAL readers and writers wait"
        yield Finding(f"{mode.removeprefix(', ')} instead of WAL", "warning", mend)
    yield _writes(database)


def _writes(database: Database) -> Finding:
    """Change a row to what it is, and take that back."""
    try:
        with database.engine.connect() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = version_num"))
            connection.rollback()
    except DBAPIError as error:
        said = str(error.orig).strip().splitlines()[0]
        mend = "give this account the right to write, and the database's disk free space"
        return Finding(f"it cannot be written: {said}", "broken", mend)
    return Finding("it can be written")


def _kind(url: URL) -> str:
    return {"sqlite": "SQLite"}.get(url.get_backend_name(), "PostgreSQL")
