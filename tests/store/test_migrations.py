"""From every released version to this one, on both engines, with data and a backup."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, select, text
from sqlalchemy.exc import IntegrityError

from harness.errors import InputError
from harness.store import frames
from harness.store.database import Database, open_database, upgrade_database
from harness.store.ownership import new_owner
from harness.store.schema import Base, EpochRow, ScoreRow, TrialRow
from harness.store.versions import SCHEMA_VERSION, VERSION_TABLE, alembic_config
from harness.store.views import VIEWS
from tests.store.versions import RELEASED, make_database


def constraints(connection: Connection) -> set[tuple[str, str]]:
    """Every table's columns and constraints, in the engine's own words."""
    if connection.dialect.name == "postgresql":
        found = connection.exec_driver_sql(
            "SELECT conrelid::regclass || '', conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = current_schema()::regnamespace AND contype <> 'n'"
        )
        return {(table, line) for table, line in found if table != VERSION_TABLE}
    found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    lines = set()
    for table, sql in found:
        inner, end = re.fullmatch(r'CREATE TABLE "?\w+"? \((.*)\)(.*)', sql, re.DOTALL).groups()
        parts = re.split(r",\s*\n", inner)
        lines |= {(table, " ".join(part.replace('"', "").split())) for part in (*parts, end)}
    return {(table, line) for table, line in lines if table != VERSION_TABLE}


@pytest.fixture
def declared(database: Database, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database of the same engine made from the declared schema, without migrations."""
    if database.dialect == "sqlite":
        engine = create_engine("sqlite://")
        Base.metadata.create_all(engine)
        yield engine
    else:
        with request.getfixturevalue("postgresql").fresh() as other:
            engine = create_engine(other)
            Base.metadata.create_all(engine)
            yield engine
            engine.dispose()


def test_migrations_lead_to_the_declared_schema(database: Database, declared: Engine) -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == SCHEMA_VERSION
    with database.engine.connect() as connection, declared.connect() as expected:
        options = {
            "version_table": VERSION_TABLE,
            "include_object": lambda _, name, *rest: name not in {*VIEWS, VERSION_TABLE},
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
        assert constraints(connection) == constraints(expected)


@pytest.mark.parametrize("version", RELEASED)
def test_a_database_of_every_version_is_upgraded_with_its_rows(
    version: str, url: str, tmp_path: Path
) -> None:
    make_database(url, version)
    with pytest.raises(
        InputError,
        match=rf"older version {version}, this program needs {SCHEMA_VERSION}; run 'lossbench db upgrade'",
    ):
        open_database(url)
    done = upgrade_database(url)
    assert (done.before, done.after, done.backup) == (version, SCHEMA_VERSION, None)
    database = open_database(url)
    trials = frames.trials(database, "s").set_index("seed")
    assert trials["state"].to_dict() == {0: "done", 1: "failed", 2: "waiting"}
    assert trials.loc[0, "best_val_dsc"] == 0.4
    assert trials.loc[1, "reason"] == "no"
    scores = frames.scores(database, "s").set_index("checkpoint")
    assert scores.loc["best", "value"] == 0.25
    assert scores.loc["last", "reason"] == "prediction empty"
    assert frames.curves(database, "s")["val_dsc"].tolist() == [0.4]
    assert frames.artifacts(database, "s")["path"].tolist() == ["k1/model.pt"]
    assert frames.looks(database, "s")["digest"].tolist() == ["x"]
    database.close()


def test_an_upgrade_keeps_curves_of_classes_memory_and_sides(url: str) -> None:
    make_database(url, "0003")
    upgrade_database(url)
    database = open_database(url)
    assert frames.class_curves(database, "s")["mean"].tolist() == [0.4]
    assert frames.curves(database, "s")["peak_bytes"].tolist() == [3 * 2**30]
    assert frames.trials(database, "s")["numerics"].tolist()[0] == "x86_64 AVX2"
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT part FROM split_case").scalars().all() == ["test"]
        assert connection.exec_driver_sql("SELECT value FROM v_case_score").scalars().all().count(0.25) == 1
    database.close()


def test_a_trial_may_be_pruned_after_an_upgrade_and_keeps_its_run(url: str) -> None:
    make_database(url, "0004")
    pruned = text(
        "UPDATE trial SET state = 'pruned', finished = CURRENT_TIMESTAMP, reason = 'enough' WHERE id = 3"
    )
    with pytest.raises(IntegrityError, match="ck_trial_state"), create_engine(url).begin() as connection:
        connection.execute(pruned)
    upgrade_database(url)
    database = open_database(url)
    with database.write() as connection:
        connection.execute(pruned)
    with pytest.raises(IntegrityError, match="ck_trial_state"), database.write() as connection:
        connection.exec_driver_sql("UPDATE trial SET state = 'tired' WHERE id = 3")
    trials = frames.trials(database, "s").set_index("seed")
    assert trials["state"].to_dict() == {0: "done", 1: "failed", 2: "pruned"}
    with database.read() as connection:
        rows = connection.execute(select(TrialRow.id, TrialRow.run_id, TrialRow.reason_epoch)).all()
        assert sorted(rows) == [(1, 1, None), (2, None, 2), (3, None, None)]
        assert connection.exec_driver_sql("SELECT count(*) FROM v_trial WHERE run = 'u'").scalar() == 1
    database.close()


def test_new_rows_get_new_numbers_after_an_upgrade(url: str) -> None:
    make_database(url, "0003")
    with create_engine(url).begin() as connection:  # PostgreSQL counts only the rows that it numbered itself
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT setval(pg_get_serial_sequence('trial', 'id'), 3)"))
    upgrade_database(url)
    database = open_database(url)
    with database.write() as connection:
        row = connection.execute(
            text(
                "INSERT INTO trial (key, dataset_id, loss_id, seed, fold, purpose, canonical, state, "
                "attempts) VALUES ('k4', 1, 1, 3, 0, 'study', '{}', 'waiting', 0) RETURNING id"
            )
        ).scalar_one()
    assert row == 4
    database.close()


@pytest.mark.usefixtures("client_programs")
def test_the_backup_holds_the_database_as_it_was(url: str, tmp_path: Path) -> None:
    make_database(url, "0002")
    backup = upgrade_database(url, tmp_path / "backups").backup
    assert backup is not None
    assert backup.name.startswith("results-0002-")
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(backup)) as connection:
            assert connection.execute("SELECT version_num FROM lossbench_version").fetchone() == ("0002",)
            assert connection.execute("SELECT count(*) FROM score").fetchone() == (2,)
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    else:
        assert backup.read_bytes().startswith(b"PGDMP")
    assert [path.name for path in backup.parent.iterdir()] == [backup.name]


def test_nothing_is_copied_where_nothing_changes(database: Database, tmp_path: Path) -> None:
    done = upgrade_database(database.url, tmp_path / "backups")
    assert (done.before, done.backup) == (SCHEMA_VERSION, None)
    assert not (tmp_path / "backups").exists()


def test_an_upgrade_that_fails_leaves_the_old_version(url: str) -> None:
    make_database(url, "0003")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE epoch SET val_dsc = 7")
    engine.dispose()
    with pytest.raises(InputError, match="val_dsc"):
        upgrade_database(url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM lossbench_version").scalar() == "0003"
        assert connection.exec_driver_sql("SELECT count(*) FROM trial").scalar() == 3
    engine.dispose()


def test_a_database_that_a_run_writes_to_is_not_upgraded(url: str) -> None:
    make_database(url, "0003")
    engine = create_engine(url)
    expires = datetime.now(UTC) + timedelta(hours=1)
    with engine.begin() as connection:
        held = text(
            "UPDATE trial SET state = 'running', lease_owner = :owner, lease_expires = :expires WHERE id = 3"
        )
        connection.execute(held, {"owner": new_owner(), "expires": expires})
    engine.dispose()
    with pytest.raises(InputError, match="a run is writing 1 trials to this database; stop it first"):
        upgrade_database(url)


def test_a_newer_database_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for opening in (open_database, upgrade_database):
        with pytest.raises(InputError, match=r"has version 9999, which this program .* does not know"):
            opening(database.url)


def test_every_trial_of_an_upgraded_database_can_go_on(url: str) -> None:
    from harness.store.trials import TrialStore

    make_database(url, "0003")
    upgrade_database(url)
    store = TrialStore(open_database(url), new_owner())
    assert store.claim(["k3"])["k3"].taken
    assert store.claim(["k2"], retry={"failed"})["k2"].taken
    store.release(["k2"])
    store.fail("k3", "no", "Traceback")
    with store.database.read() as connection:
        states = {row.key: row.state for row in connection.execute(select(TrialRow.key, TrialRow.state))}
        assert states == {"k1": "done", "k2": "waiting", "k3": "failed"}
        assert len(connection.execute(select(ScoreRow)).all()) == 2
        assert len(connection.execute(select(EpochRow)).all()) == 1
    store.database.close()
