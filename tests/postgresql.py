"""The PostgreSQL that tests run against, or the reason why there is none."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from harness.bench.postgresql_server import Server, postgresql_server
from harness.bench.private_postgres import NoPostgresError

REQUIRED_VARIABLE = "LOSSBENCH_REQUIRE_POSTGRESQL"
"""Set to 1 where tests must fail and not be skipped without a server."""


@contextmanager
def running_server() -> Iterator[Server]:
    """Give a server, or skip the test with the reason."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgresql_server())
        except NoPostgresError as error:
            if os.environ.get(REQUIRED_VARIABLE) == "1":
                pytest.fail(f"{REQUIRED_VARIABLE} is set: {error}", pytrace=False)
            pytest.skip(str(error))
        yield server
