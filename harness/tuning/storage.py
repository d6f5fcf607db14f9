"""Optuna's tables in the results database."""

import time
from typing import Any

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import event, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from harness.errors import InputError
from harness.store.database import Database
from harness.store.privacy import without_secrets

OPTUNA_SCHEMA = "optuna"
"""Of its tables on PostgreSQL."""

TIMEOUT_SECONDS = 60
"""How long Optuna waits for another writer, or for the server."""

_ATTEMPTS = 3
_TABLE = "studies"


def open_storage(database: Database) -> RDBStorage:
    """Return Optuna's storage in the results database: beside our tables, never among them.

    In a SQLite file its tables have other names than ours; on PostgreSQL they have a schema of their own.

    Raises:
        InputError: if it cannot be opened; the database's password is not told.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    postgresql = database.engine.dialect.name == "postgresql"
    if postgresql:
        _make_schema(database)
    # Optuna sees no password, so none of its messages can show one; and it fills in braces.
    url = database.engine.url._replace(password=None).render_as_string(hide_password=False)
    url = url.replace("{", "{{").replace("}", "}}")
    arguments = _postgresql_arguments(database) if postgresql else {"timeout": TIMEOUT_SECONDS}
    for _ in range(_ATTEMPTS):
        try:
            storage = RDBStorage(url, {"connect_args": arguments, "pool_pre_ping": True})
        except DBAPIError as error:  # another driver may be making the same tables at this moment
            lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
            time.sleep(1.0)
        else:
            if not postgresql:
                storage.engine.dispose()  # the next connection has the setting
                event.listen(storage.engine, "connect", _sync_now_and_then)
            return storage
    raise InputError(f"cannot open Optuna's tables in database {database.shown}: {without_secrets(lines[0])}")


def _sync_now_and_then(connection: Any, _record: Any) -> None:
    """As our own tables: a process that dies loses nothing, and a transaction does not wait for the disk."""
    connection.execute("PRAGMA synchronous = NORMAL")


def _make_schema(database: Database) -> None:
    """Make Optuna's schema, in a transaction of ours that ends before Optuna begins."""
    with database.read() as connection:
        if inspect(connection).has_schema(OPTUNA_SCHEMA):
            return  # "if not exists" asks for the right to create, which an account may not have
    with database.write() as connection:
        connection.execute(CreateSchema(OPTUNA_SCHEMA, if_not_exists=True))


def _postgresql_arguments(database: Database) -> dict[str, Any]:
    url = database.engine.url
    given = url.query.get("options", ())
    options = [given] if isinstance(given, str) else [*given]
    options += [f"-c search_path={OPTUNA_SCHEMA}", f"-c lock_timeout={TIMEOUT_SECONDS}s"]
    password = {} if url.password is None else {"password": url.password}
    return {"options": " ".join(options), "connect_timeout": TIMEOUT_SECONDS, **password}


def has_storage(database: Database) -> bool:
    """Whether Optuna's tables are there; nothing is written."""
    inspector = inspect(database.engine)
    schemas = (None, *(name for name in inspector.get_schema_names() if name == OPTUNA_SCHEMA))
    return any(inspector.has_table(_TABLE, schema) for schema in schemas)
