"""A real PostgreSQL for tests: the environment's, Debian's, or that of a package."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from harness.bench.private_postgres import NoPostgresError, private_postgres

URL_VARIABLE = "LOSSBENCH_TEST_POSTGRESQL"
"""URL of a server in which the tests may create databases; those that are there are not touched."""

REQUIRED_VARIABLE = "LOSSBENCH_REQUIRE_POSTGRESQL"
"""Set to 1 where tests must fail and not be skipped without a server."""


class Server:
    """A server in which databases can be made.

    Args:
        url: Of one of its databases.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg")

    @contextmanager
    def fresh(self, template: str = "template0") -> Iterator[str]:
        """Give the URL of a new database; it is dropped at the end, whoever is still connected."""
        name = f"lossbench_test_{uuid4().hex[:12]}"
        self.command(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self._url.set(database=name).render_as_string(hide_password=False)
        finally:
            self.command(f'DROP DATABASE "{name}" WITH (FORCE)')

    def command(self, statement: str) -> None:
        """Run one statement outside a transaction."""
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()


@contextmanager
def running_server() -> Iterator[Server]:
    """Give a server, or skip the test with the reason why there is none."""
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield Server(given)
        return
    with ExitStack() as stack:
        try:
            server = stack.enter_context(private_postgres())
        except NoPostgresError as error:
            if os.environ.get(REQUIRED_VARIABLE) == "1":
                pytest.fail(f"{REQUIRED_VARIABLE} is set: {error}", pytrace=False)
            pytest.skip(str(error))
        yield Server(server.url())
