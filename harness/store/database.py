"""Open the results database: engine settings, migration, version check."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

from harness.errors import InputError

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA_VERSION = "0003"
"""Newest migration; versions are numbers of four digits and compare as text."""

VERSION_TABLE = "lossbench_version"
"""Not Alembic's default name: that one belongs to Optuna."""

BUSY_TIMEOUT_SECONDS = 60

_READ_ONLY = "lossbench_read_only"


class Database:
    """An open results database.

    Args:
        engine: Connected engine whose schema is current.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def url(self) -> str:
        """The URL with its password, for libraries that open their own connection."""
        return self.engine.url.render_as_string(hide_password=False)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection inside one transaction that takes the write lock at once."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for reading; it sees one consistent state and blocks no writer."""
        with self.engine.connect().execution_options(**{_READ_ONLY: True}) as connection:
            yield connection

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
        engine = _engine(url)
        with _as_input_error(url):
            upgrade(engine)
        database = Database(engine)
    return database


def open_if_there(url: str) -> Database | None:
    """Open a results database, or return None where there is none yet; nothing is written.

    Raises:
        InputError: if it cannot be opened, is none of ours, or has another version.
    """
    if _file_is_missing(url):
        return None
    engine = _engine(url)
    with _as_input_error(url):
        found = _version(engine)
        if found is None and not inspect(engine).get_table_names():
            return None
    if found != SCHEMA_VERSION:
        raise InputError(_wrong_version(found, url))
    return Database(engine)


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest version."""
    from alembic import command

    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def upgrade_database(url: str) -> tuple[str | None, str]:
    """Migrate an older database in place and return its old and new version.

    Raises:
        InputError: if it is newer than this program, none of ours, or cannot be opened.
    """
    if _file_is_missing(url):
        raise InputError(f"no database {_shown(url)}; give another --db")
    engine = _engine(url)
    with _as_input_error(url):
        found = _version(engine)
        ours = found is not None or not inspect(engine).get_table_names()
        if not ours or (found or "") > SCHEMA_VERSION:
            raise InputError(_wrong_version(found, url))
        upgrade(engine)
    engine.dispose()
    return found, SCHEMA_VERSION


def alembic_config() -> "Config":
    """Return Alembic's configuration for the migrations of this package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("harness.store") / "migrations"))
    return config


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise InputError(
            "the database URL cannot be read; expected for example sqlite:///lossbench-home/results.db"
        ) from None


def _file_is_missing(url: str) -> bool:
    parsed = _parsed(url)
    if not parsed.drivername.startswith("sqlite") or parsed.database in {None, "", ":memory:"}:
        return False
    return not Path(str(parsed.database)).exists()


def _engine(url: str) -> Engine:
    parsed = _parsed(url)
    if not parsed.drivername.startswith("sqlite"):
        try:
            return create_engine(parsed)
        except (NoSuchModuleError, ModuleNotFoundError):
            raise InputError(
                f"no database driver {parsed.drivername!r} is installed; install it with pip, or use sqlite"
            ) from None
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


@contextmanager
def _as_input_error(url: str) -> Iterator[None]:
    """Say in one sentence that a database cannot be opened."""
    try:
        yield
    except DatabaseError as error:
        raise InputError(f"cannot open database {_shown(url)}: {error.orig}") from error


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # pysqlite starts transactions by itself, deferred; ours begin below.
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction that turns into a writer fails at once under contention.
    reads = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _version(engine: Engine) -> str | None:
    if not inspect(engine).has_table(VERSION_TABLE):
        return None
    with engine.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    return None if found is None else str(found)


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
    return repr(make_url(url).render_as_string(hide_password=True))
