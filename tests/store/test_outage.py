"""Which errors of a database pass by themselves, and which do not."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from harness.store.database import open_database
from harness.store.outage import outage


def error_of(engine, *statements):
    with pytest.raises(DBAPIError) as raised:
        execute(engine, statements)
    return raised.value


def execute(engine, statements):
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def engine(tmp_path: Path):
    found = create_engine(f"sqlite:///{tmp_path / 'a.db'}", connect_args={"timeout": 0.05})
    with found.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x TEXT NOT NULL UNIQUE)")
    yield found
    found.dispose()


def test_a_full_disk_passes(engine):
    error = error_of(
        engine, "PRAGMA max_page_count = 4", "INSERT INTO t VALUES (printf('%.*c', 100000, 'x'))"
    )
    assert outage(error) == "the disk of the database is full"


def test_a_lock_passes(engine, tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        error = error_of(engine, "INSERT INTO t VALUES ('a')")
    assert outage(error) == "another program holds the database locked"


def test_a_wrong_row_or_statement_does_not_pass(engine):
    assert outage(error_of(engine, "INSERT INTO t VALUES (NULL)")) is None
    assert outage(error_of(engine, "SELECT y FROM t")) is None
    assert outage(ValueError("no")) is None


def test_a_server_that_is_not_there_passes():
    pytest.importorskip("psycopg")
    engine = create_engine("postgresql+psycopg://u@127.0.0.1:1/x", connect_args={"connect_timeout": 2})
    assert outage(error_of(engine, "SELECT 1")) == "the database does not answer"


def test_a_wrong_row_on_a_server_does_not_pass(postgresql_url):
    database = open_database(postgresql_url, create=True)
    error = error_of(database.engine, "INSERT INTO study (name) VALUES (NULL)")
    assert outage(error) is None
    error = error_of(
        database.engine,
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT 1",
    )
    assert outage(error) == "the database does not answer"
    database.close()
