"""A results database on both engines in turn; made and filled once, copied for every test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from harness.bench.postgresql_server import Server
from harness.store.database import Database, open_database
from tests.store.made_up import fill


@pytest.fixture(scope="session")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty results database in a file."""
    path = tmp_path_factory.mktemp("made") / "results.db"
    open_database(f"sqlite:///{path}", create=True).close()  # which empties the log beside it
    return path


@pytest.fixture(scope="session")
def made_on_server(postgresql: Server) -> Iterator[str]:
    """Name of an empty results database on a server."""
    with postgresql.fresh() as url:
        open_database(url, create=True).close()
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up study in a file; copy it, never write it."""
    folder = tmp_path_factory.mktemp("filled")
    database = open_database(f"sqlite:///{folder / 'results.db'}", create=True)
    fill(database, folder)
    database.close()
    return folder / "results.db"


@pytest.fixture(scope="session")
def filled_on_server(
    postgresql: Server, made_on_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Name of a database on a server that holds the made-up study."""
    with postgresql.fresh(made_on_server) as url:
        database = open_database(url)
        fill(database, tmp_path_factory.mktemp("filled"))
        database.close()
        yield str(make_url(url).database)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A new results database: SQLite, then PostgreSQL."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("made_file"), tmp_path / "results.db")
        database = open_database(f"sqlite:///{tmp_path / 'results.db'}")
        yield database
        database.close()
        return
    template = request.getfixturevalue("made_on_server")
    with request.getfixturevalue("postgresql").fresh(template) as url:
        database = open_database(url)
        yield database
        database.close()
