"""Which command made a trial, and what its study said that day."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from harness.store.database import Database
from harness.store.privacy import document_without_paths, shareable
from harness.store.rows import insert_row
from harness.store.schema import RunRow


def register_run(database: Database, study: str, resolved: Mapping[str, Any], command: str) -> int:
    """Insert a run and return its id.

    Args:
        database: Results.
        study: Name of the study.
        resolved: Text of the study, defaults filled in; kept without folders.
        command: From :func:`harness.store.provenance.command_line`.
    """
    with database.write() as connection:
        return insert_run(connection, study, resolved, command)


def insert_run(connection: Connection, study: str, resolved: Mapping[str, Any], command: str) -> int:
    """Insert a run inside a transaction and return its id."""
    return insert_row(
        connection,
        RunRow,
        uid=uuid.uuid4().hex,
        study=study,
        command=shareable(command),
        started=datetime.now(UTC),
        resolved=document_without_paths(resolved),
    )
