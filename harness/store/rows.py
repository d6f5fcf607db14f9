"""Small moves on rows that every part of the store makes."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the sha256 of a mapping's canonical JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def insert_row(connection: Connection, table: Any, **values: Any) -> int:
    """Insert a row and return its id."""
    result = connection.execute(insert(table).values(**values))
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def upsert_row(
    connection: Connection, table: Any, identity: Mapping[str, Any], values: Mapping[str, Any]
) -> int:
    """Insert or update the row that ``identity`` names, and return its id."""
    conditions = [getattr(table, column) == value for column, value in identity.items()]
    known = connection.scalar(select(table.id).where(*conditions))
    if known is None:
        return insert_row(connection, table, **identity, **values)
    connection.execute(update(table).where(table.id == known).values(**values))
    return int(known)
