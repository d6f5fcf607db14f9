"""One consistent state of a database for many questions."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from harness.store.database import Database


class Snapshot(Database):
    """A database whose readers all see the state of one transaction.

    Args:
        database: Open database.
        connection: From its ``read()``.
    """

    def __init__(self, database: Database, connection: Connection) -> None:
        super().__init__(database.engine)
        self._connection = connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give the connection of the one transaction."""
        yield self._connection


@contextmanager
def snapshot(database: Database) -> Iterator[Snapshot]:
    """Give a database that stands still while the body runs."""
    with database.read() as connection:
        yield Snapshot(database, connection)
