"""What the store asks of an engine."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, Engine, Table

READ_ONLY = "lossbench_read_only"
"""Execution option of connections that only read."""


class Backend(ABC):
    """One kind of database.

    Attributes:
        name: Of the dialect in SQLAlchemy.
        read_options: Execution options of a connection that reads: it sees one state of the
            database and keeps no writer waiting.
        backup_suffix: Ending of backup files.
    """

    name: ClassVar[str]
    read_options: ClassVar[Mapping[str, Any]]
    backup_suffix: ClassVar[str]

    @abstractmethod
    def engine(self, url: URL) -> Engine:
        """Return an engine whose writing transactions come one after the other."""

    @abstractmethod
    def migrating_engine(self, url: URL) -> Engine:
        """Return an engine on which tables can be rebuilt."""

    @abstractmethod
    def is_missing(self, url: URL) -> bool:
        """Whether there is no such database, as far as that can be told without connecting."""

    @abstractmethod
    def insert(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        """Insert many rows of values that the driver takes as they are."""

    @abstractmethod
    def broken_references(self, connection: Connection) -> list[str]:
        """Return a sentence for every reference that points nowhere."""

    @abstractmethod
    def damage(self, connection: Connection) -> list[str]:
        """Read everything and return a sentence for every fault in the stored pages."""

    @abstractmethod
    def size(self, connection: Connection) -> int:
        """Return the bytes that the database takes."""

    @abstractmethod
    def vacuum(self, engine: Engine) -> None:
        """Give free space back and renew the statistics of the query planner."""

    @abstractmethod
    def backup(self, engine: Engine, target: Path) -> None:
        """Write a whole copy to a new file, while others read and write.

        Raises:
            InputError: if a program that it takes is missing or fails.
        """
