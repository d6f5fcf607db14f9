"""Open the results database and refuse what is none, or one of another version."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DatabaseError, NoSuchModuleError

from harness.errors import InputError
from harness.store.backends import BACKENDS, Backend
from harness.store.privacy import read_url, shown_url, without_secrets
from harness.store.versions import (
    SCHEMA_VERSION,
    Upgrade,
    is_empty,
    migrate,
    refuse_while_in_use,
    version_of,
)

DATABASE_FILE = "results.db"
"""Name of the database in a home folder."""


def file_url(path: Path) -> str:
    """Return the URL of a SQLite file; its name may hold what has a meaning in URLs."""
    return URL.create("sqlite", database=str(path)).render_as_string()


class Database:
    """An open results database.

    Args:
        engine: Connected engine whose schema is current.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.backend: Backend = BACKENDS[engine.dialect.name]

    def __repr__(self) -> str:
        return f"Database({self.shown})"

    @property
    def url(self) -> str:
        """The URL with its password, for libraries that open their own connection."""
        return self.engine.url.render_as_string(hide_password=False)

    @property
    def dialect(self) -> str:
        """Name of the engine: ``sqlite`` or ``postgresql``."""
        return self.backend.name

    @property
    def shown(self) -> str:
        """The URL without secrets, in quotes."""
        return repr(shown_url(self.engine.url))

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection inside one transaction; writers come one after the other."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for reading; it sees one consistent state and blocks no writer."""
        with self.engine.connect().execution_options(**self.backend.read_options) as connection:
            yield connection

    def vacuum(self) -> None:
        """Give free space back and renew the statistics of the query planner.

        Raises:
            InputError: if the database is locked or the disk is full.
        """
        with as_input_error(self.url):
            self.backend.vacuum(self.engine)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_database(url: str, create: bool = False) -> Database:
    """Open a results database.

    Args:
        url: SQLAlchemy URL, for example ``sqlite:///results.db``.
        create: Create the database and its tables where there are none.

    Raises:
        InputError: if it is not there, cannot be opened, is none of ours, or has another version.
    """
    database = open_if_there(url)
    if database is None:
        if not create:
            raise InputError(f"no results in database {_shown(url)}; run a study first, or give another --db")
        with as_input_error(url):
            migrate(*_found(url))
            database = Database(_engine(url))
    return database


def open_if_there(url: str) -> Database | None:
    """Open a results database, or return None where there is none yet; nothing is written.

    Raises:
        InputError: if it cannot be opened, is none of ours, or has another version.
    """
    backend, parsed = _found(url)
    if backend.is_missing(parsed):
        return None
    database = Database(_engine(url))
    with as_input_error(url):
        found = version_of(database.engine)
        empty = found is None and is_empty(database.engine)
    if found == SCHEMA_VERSION:
        return database
    database.close()  # a connection left in the pool would keep others from copying or dropping it
    if empty:
        return None
    raise InputError(_wrong_version(found, url))


def upgrade_database(url: str, backups: Path | None = None) -> Upgrade:
    """Migrate an older database in place.

    Args:
        url: Of the database.
        backups: Folder for a copy of it as it was; None: no copy.

    Raises:
        InputError: if it is newer than this program, none of ours, in use, or cannot be opened or copied.
    """
    backend, parsed = _found(url)
    if backend.is_missing(parsed):
        raise InputError(f"no database {_shown(url)}; give another --db")
    database = Database(_engine(url))
    try:
        with as_input_error(url):
            return _upgrade(database, backups)
    finally:
        database.close()


def _upgrade(database: Database, backups: Path | None) -> Upgrade:
    engine, backend = database.engine, database.backend
    found = version_of(engine)
    ours = found is not None or is_empty(engine)
    if not ours or (found or "") > SCHEMA_VERSION:
        raise InputError(_wrong_version(found, database.url))
    older = found is not None and found < SCHEMA_VERSION
    copy = None
    if found is not None and older:
        with engine.connect() as connection:
            refuse_while_in_use(connection)
        if backups is not None:
            copy = write_backup(database, backups / backup_name(backend, found))
    engine.dispose()
    migrate(backend, engine.url)
    if older:
        backend.vacuum(engine)  # rebuilt tables leave their old pages behind
    return Upgrade(found, SCHEMA_VERSION, copy)


def write_backup(database: Database, target: Path) -> Path:
    """Write a whole copy of a database to a new file and return its path.

    Raises:
        InputError: if the file is there already, or a program that it takes is missing.
    """
    if target.exists():
        raise InputError(f"backup {str(target)!r} is there already; give another file")
    target.parent.mkdir(parents=True, exist_ok=True)
    database.backend.backup(database.engine, target)
    return target


def backup_name(backend: Backend, version: str) -> str:
    """Return a file name that tells version and moment."""
    return f"results-{version}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{backend.backup_suffix}"


@contextmanager
def as_input_error(url: str) -> Iterator[None]:
    """Say in one sentence, without secrets, that a database cannot be opened."""
    try:
        yield
    except DatabaseError as error:
        lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
        # Not chained: the driver's message and SQLAlchemy's may repeat the URL.
        raise InputError(f"cannot open database {_shown(url)}: {without_secrets(lines[0])}") from None


def _found(url: str) -> tuple[Backend, URL]:
    """Return the kind of database and its URL, with our driver where the URL names none."""
    parsed = read_url(url)
    kind, _, driver = parsed.drivername.partition("+")
    if kind == "postgres":  # as other programs write it
        kind = "postgresql"
    if kind not in BACKENDS:
        known = " or ".join(BACKENDS)
        raise InputError(f"no results can be kept in a database of kind {kind!r}; use {known}")
    if kind == "postgresql":
        parsed = parsed.set(drivername=f"postgresql+{driver or 'psycopg'}")
    return BACKENDS[kind], parsed


def _engine(url: str) -> Engine:
    backend, parsed = _found(url)
    try:
        return backend.engine(parsed)
    except (NoSuchModuleError, ModuleNotFoundError):
        raise InputError(
            f"no database driver {parsed.drivername!r} is installed; "
            "install it with: pip install 'lossbench[postgresql]'"
        ) from None


def _wrong_version(found: str | None, url: str) -> str:
    if found is None:
        return f"database {_shown(url)} is not a lossbench database; give another --db"
    if found < SCHEMA_VERSION:
        return (
            f"database {_shown(url)} has the older version {found}, this program needs {SCHEMA_VERSION}; "
            "run 'lossbench db upgrade'"
        )
    return (
        f"database {_shown(url)} has version {found}, which this program (version {SCHEMA_VERSION}) "
        "does not know; install a newer lossbench"
    )


def _shown(url: str) -> str:
    return repr(shown_url(url))
