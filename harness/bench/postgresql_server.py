"""A PostgreSQL server to make databases in: one that is given, or a private one."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from uuid import uuid4

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from harness.bench.private_postgres import private_postgres

URL_VARIABLE = "LOSSBENCH_POSTGRESQL_SERVER"
"""URL of a server in which databases may be made and dropped; those that are there are not touched."""


class Server:
    """A server in which databases can be made.

    Args:
        url: Of one of its databases, for an account that may create others.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg")

    @contextmanager
    def fresh(self, template: str = "template0") -> Iterator[str]:
        """Give the URL of a new database; it is dropped at the end, whoever is still connected.

        Args:
            template: Name of the database that it is a copy of; nobody may be connected to that one.
        """
        name = f"lossbench_{uuid4().hex[:12]}"
        self._command(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self._url.set(database=name).render_as_string(hide_password=False)
        finally:
            self._command(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _command(self, statement: str) -> None:
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()


@contextmanager
def postgresql_server(settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[Server]:
    """Give the server that the environment names, or run a private one until the block ends.

    Args:
        settings: Of a private server, as :func:`private_postgres` has them.

    Raises:
        NoPostgresError: if none is given and none can be started.
    """
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield Server(given)
        return
    with private_postgres(settings) as private:
        yield Server(private.url())
