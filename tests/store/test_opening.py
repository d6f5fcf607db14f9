"""Opening a results database: what is refused, what is never told, how it is set up."""

import gc
import signal
import sqlite3
import time
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from harness.errors import InputError
from harness.store.backends import sqlite
from harness.store.database import Database, open_database
from harness.store.versions import VERSION_TABLE


def test_missing_or_empty_database_is_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(InputError, match="run a study first"):
        open_database(url)


def test_what_is_not_opened_leaves_no_connection(postgresql_url: str) -> None:
    gc.disable()
    try:
        open_database(postgresql_url, create=True).close()
        database = open_database(postgresql_url)
        with database.write() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        with pytest.raises(InputError, match="9999"):
            open_database(postgresql_url)
        assert _connections_left(database) == 1
        database.close()
    finally:
        gc.enable()


def _connections_left(database: Database) -> int:
    """Return how many clients stay connected: a server ends the session of one that left a moment later."""
    question = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND backend_type = 'client backend'"
    )
    deadline = time.monotonic() + 10
    while True:
        with database.read() as connection:
            found = int(connection.exec_driver_sql(question).scalar() or 0)
        if found == 1 or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def test_a_foreign_database_is_refused(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
    with pytest.raises(InputError, match="is not a lossbench database"):
        open_database(database.url)


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "broken.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match="cannot open database"):
        open_database(f"sqlite:///{tmp_path / 'broken.db'}")


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(InputError, match="cannot open database") as caught:
        open_database("postgresql://jane:secret@127.0.0.1:1/results")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "postgresql+nodriver://user:secret@host/db",
            "no database driver 'postgresql.nodriver' is installed",
        ),
        (
            "mysql://user:secret@host/db",
            "no results can be kept in a database of kind 'mysql'; use sqlite or postgresql",
        ),
        ("postgrsql://user:secret@host/db", "of kind 'postgrsql'; use sqlite or postgresql"),
        ("no url at all", "the database URL .* cannot be read"),
        (
            "postgresql://jane:p@secret@host/db",
            "write an @ that is part of a password, name or option as %40",
        ),
    ],
)
def test_what_is_no_database_of_ours_is_one_sentence_without_its_password(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        open_database(url)
    assert "secret" not in str(caught.value)


def test_a_database_never_shows_its_password() -> None:
    url = "postgresql+psycopg://jane:secret@127.0.0.1:1/results"
    from sqlalchemy import create_engine

    assert (
        repr(Database(create_engine(url))) == "Database('postgresql+psycopg://jane:***@127.0.0.1:1/results')"
    )


def test_foreign_keys_and_wal_are_on_in_a_file(tmp_path):
    with open_database(f"sqlite:///{tmp_path / 'file.db'}", create=True).read() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_lock_is_waited_for_and_ctrl_c_is_heard_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "_SLICE_MILLISECONDS", 50)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.4)
    database = open_database(f"sqlite:///{tmp_path / 'file.db'}", create=True)

    def interrupt(*_):
        raise KeyboardInterrupt

    with closing(sqlite3.connect(tmp_path / "file.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"), database.write():
            pass
        monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 1000)
        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            with pytest.raises(KeyboardInterrupt), database.write():
                pass
        finally:
            signal.signal(signal.SIGALRM, before)
        other.execute("ROLLBACK")
    with database.write() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    database.close()


def test_who_reads_cannot_write_on_a_server(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("a SQLite reader is not kept from writing, only from waiting")
    with database.read() as connection, pytest.raises(Exception, match="read-only"):
        connection.exec_driver_sql("UPDATE trial SET seed = 1")


def test_writers_come_one_after_the_other(database: Database) -> None:
    import threading

    order = []

    def second() -> None:
        with database.write():
            order.append("second")

    with database.write():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_reader_sees_one_state(database: Database) -> None:
    with database.read() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM loss").scalar()
        with database.write() as other:
            other.exec_driver_sql("INSERT INTO loss VALUES (1, 'd', 'ce', 'distribution', '{}')")
        assert connection.exec_driver_sql("SELECT count(*) FROM loss").scalar() == before == 0
