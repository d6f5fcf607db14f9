"""A results database on both engines in turn."""

from collections.abc import Iterator

import pytest

from harness.store.database import Database, open_database


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A new results database: SQLite, then PostgreSQL."""
    database = open_database(url, create=True)
    yield database
    database.close()
