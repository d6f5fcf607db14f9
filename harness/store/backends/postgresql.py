"""PostgreSQL through psycopg: for results that several machines write."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from harness.errors import InputError
from harness.store.backends.base import READ_ONLY, Backend

CONNECT_SECONDS = 15
_WRITE_LOCK = 0x6C6F7373
"""Key of the advisory lock that a writing transaction holds to its end."""

_DEBIAN = Path("/usr/lib/postgresql")


class PostgreSQL(Backend):
    """One writer at a time by an advisory lock, COPY for many rows."""

    name = "postgresql"
    read_options = MappingProxyType(
        {READ_ONLY: True, "isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    )
    backup_suffix = ".dump"

    def engine(self, url: URL) -> Engine:
        """Return the engine; lost connections are noticed before they are used again."""
        engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_SECONDS})
        event.listen(engine, "begin", _lock_out_writers)
        return engine

    def migrating_engine(self, url: URL) -> Engine:
        """Return the same engine: tables are altered in place."""
        return self.engine(url)

    def is_missing(self, url: URL) -> bool:
        """Never: only the server knows."""
        return False

    def insert(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        """Insert by COPY."""
        quote = connection.dialect.identifier_preparer.quote
        statement = f"COPY {quote(table.name)} ({', '.join(map(quote, columns))}) FROM STDIN"
        driver: Any = connection.connection.driver_connection
        module: Any = connection.dialect.loaded_dbapi
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except module.Error as error:  # beside SQLAlchemy, which would have wrapped it
            raise DBAPIError.instance(
                statement, None, error, module.Error, dialect=connection.dialect
            ) from error

    def broken_references(self, connection: Connection) -> list[str]:
        """Find none: PostgreSQL lets no such row in."""
        return []

    def damage(self, connection: Connection) -> list[str]:
        """Read every row of every table; the server checks its pages while it reads."""
        tables = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        ).scalars()
        quote = connection.dialect.identifier_preparer.quote
        for table in tables.all():
            connection.exec_driver_sql(f"SELECT count(t::text) FROM {quote(table)} AS t")
        return []

    def size(self, connection: Connection) -> int:
        """Return what the server says of the whole database."""
        return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)

    def vacuum(self, engine: Engine) -> None:
        """Vacuum and analyse; the server gives space back to itself."""
        with engine.connect().execution_options(
            isolation_level="AUTOCOMMIT", **{READ_ONLY: True}
        ) as connection:
            connection.execute(text("VACUUM (ANALYZE)"))

    def backup(self, engine: Engine, target: Path) -> None:
        """Write a file for pg_restore with PostgreSQL's own pg_dump, Optuna's schema included."""
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        command = [_client_program("pg_dump"), "--format=custom", f"--file={unfinished}", "--no-password"]
        settings = dict(_connection_settings(engine.url))
        try:
            done = subprocess.run(
                command, env={**os.environ, **settings}, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                reason = done.stderr.strip().splitlines() or ["no reason given"]
                raise InputError(f"pg_dump cannot write the backup: {reason[0]}")
            unfinished.rename(target)
        finally:
            unfinished.unlink(missing_ok=True)


def _lock_out_writers(connection: Connection) -> None:
    if not connection.get_execution_options().get(READ_ONLY, False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")


def _client_program(name: str) -> str:
    """Return the path of a client program: on PATH, or the newest of Debian's.

    Raises:
        InputError: if there is none.
    """
    newest_first = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: -int(path.parts[-3]))
    found = shutil.which(name) or next(iter(map(str, newest_first)), None)
    if found is None:
        raise InputError(f"{name!r} is not installed; install PostgreSQL's client programs")
    return found


def _connection_settings(url: URL) -> Iterator[tuple[str, str]]:
    """Yield what a client program needs to connect, as environment variables: arguments are public."""
    variables = {
        "PGHOST": url.host or url.query.get("host"),
        "PGPORT": url.port or url.query.get("port"),
        "PGUSER": url.username or url.query.get("user"),
        "PGPASSWORD": url.password or url.query.get("password"),
        "PGDATABASE": url.database or url.query.get("dbname"),
        "PGSSLMODE": url.query.get("sslmode"),
        "PGSSLROOTCERT": url.query.get("sslrootcert"),
        "PGOPTIONS": url.query.get("options"),
    }
    for name, value in variables.items():
        if value is not None:
            yield name, str(value)
