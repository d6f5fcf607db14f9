"""Versions of the tables: which one a database has, and how it gets the newest."""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, Engine, inspect, text

from harness.errors import InputError
from harness.store.backends import Backend
from harness.store.backends.base import READ_ONLY
from harness.store.ownership import lease_is_over

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA_VERSION = "0006"
"""Newest migration; versions are numbers of four digits and compare as text."""

VERSION_TABLE = "lossbench_version"
"""Not Alembic's default name: that one belongs to Optuna."""


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade did.

    Attributes:
        before: Version that was found; None if the database was empty.
        after: Version of this program.
        backup: The copy of the database as it was, if one was asked for and anything changed.
    """

    before: str | None
    after: str
    backup: Path | None = None


def version_of(engine: Engine) -> str | None:
    """Return the version of a database's tables; None if it has none of ours."""
    with _reading(engine) as connection:
        if not inspect(connection).has_table(VERSION_TABLE):
            return None
        found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    return None if found is None else str(found)


def is_empty(engine: Engine) -> bool:
    """Whether a database has no tables at all."""
    with _reading(engine) as connection:
        return not inspect(connection).get_table_names()


def _reading(engine: Engine) -> Connection:
    """Return a connection that waits for no writer, and no writer for it."""
    return engine.connect().execution_options(**{READ_ONLY: True})


def migrate(backend: Backend, url: URL, version: str = "head") -> None:
    """Bring the tables to a version and renew the views, in one transaction.

    Args:
        backend: Of the database.
        url: Of the database.
        version: Which migration to stop at; views are made for the newest only.

    Raises:
        InputError: if the stored rows would break a reference.
    """
    from alembic import command

    from harness.store.views import create_views, drop_views

    config = alembic_config()
    engine = backend.migrating_engine(url)
    try:
        with engine.begin() as connection:
            drop_views(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, version)
            broken = backend.broken_references(connection)
            if broken:
                raise InputError(f"the database is damaged and stays as it was: {broken[0]}")
            if version == "head":
                create_views(connection)
    finally:
        engine.dispose()


def refuse_while_in_use(connection: Connection) -> None:
    """Check that no driver is writing.

    Raises:
        InputError: if one holds a trial.
    """
    question = text("SELECT lease_owner, lease_expires FROM trial WHERE state = 'running'")
    now = datetime.now(UTC)
    held = [
        owner for owner, expires in connection.execute(question) if not lease_is_over(owner, expires, now)
    ]
    if held:
        raise InputError(f"a run is writing {len(held)} trials to this database; stop it first")


def alembic_config() -> "Config":
    """Return Alembic's configuration for the migrations of this package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("harness.store") / "migrations"))
    return config
