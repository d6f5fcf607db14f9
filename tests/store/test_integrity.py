"""Checking, vacuuming and copying a database, on both engines."""

import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, make_url, select, update
from sqlalchemy.exc import DBAPIError

from harness.errors import InputError
from harness.store.artifacts import wrong_files
from harness.store.bulk import insert_rows
from harness.store.database import Database, open_database, upgrade_database, write_backup
from harness.store.integrity import faults
from harness.store.rows import digest_of
from harness.store.schema import ArtifactRow, EnvironmentRow, LossRow, RunRow, ScoreRow, TrialRow
from tests.store.versions import make_database


@pytest.fixture
def kept(url: str) -> Database:
    """A database with a done, a failed and a waiting trial."""

    make_database(url, "0003")
    upgrade_database(url)
    return open_database(url)


def mend_keys(database: Database) -> None:
    """Give every row the key that its fields have."""

    with database.write() as connection:
        for table, key, content in (
            (TrialRow, "key", TrialRow.canonical),
            (LossRow, "digest", LossRow.canonical),
            (EnvironmentRow, "digest", EnvironmentRow.facts),
        ):
            for number, found in connection.execute(select(table.id, content)).all():
                fields = {**found, "number": number}
                column = content.key
                values = {key: digest_of(fields), column: fields}
                connection.execute(update(table).where(table.id == number).values(**values))


def test_a_whole_database_has_no_faults(kept: Database) -> None:
    mend_keys(kept)
    assert faults(kept) == []
    kept.close()


def test_half_trials_and_wrong_keys_are_found(kept: Database) -> None:
    mend_keys(kept)
    file = {"kind": "model", "path": "3/model.pt", "sha256": "0" * 64, "bytes": 1}
    with kept.write() as connection:
        connection.execute(insert(ArtifactRow).values(id=99, trial_id=3, **file))
        connection.execute(update(LossRow).values(canonical={"name": "another"}))
    found = faults(kept)
    assert [line.split("' ")[-1] for line in found] == [
        "is not finished and has files",
        "is not the sha256 of its fields",
    ]
    with kept.write() as connection:
        connection.exec_driver_sql("DELETE FROM score")
    assert any(line.endswith("is done and has no scores") for line in faults(kept))
    kept.close()


def test_a_pruned_trial_has_a_curve_and_no_scores(kept: Database) -> None:
    mend_keys(kept)
    pruned = update(TrialRow).where(TrialRow.id == 1).values(state="pruned", collapsed=None)
    with kept.write() as connection:
        connection.execute(pruned)
    assert [line.split("' ")[-1] for line in faults(kept)] == [
        "is not finished and has scores",
        "is not finished and has files",
    ]
    with kept.write() as connection:
        for table in ("score", "artifact", "epoch_score", "epoch"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    assert [line.split("' ")[-1] for line in faults(kept)] == ["is pruned and has no learning curve"]
    kept.close()


def test_missing_and_changed_files_of_trials_are_found(kept: Database, tmp_path: Path) -> None:
    assert wrong_files(kept, tmp_path) == ["file 'k1/model.pt' of trial 'k1' is missing"]
    (tmp_path / "k1").mkdir()
    (tmp_path / "k1" / "model.pt").write_bytes(b"other")
    assert wrong_files(kept, tmp_path) == ["file 'k1/model.pt' of trial 'k1' is changed"]
    kept.close()


def test_a_damaged_page_is_found(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    database = open_database(f"sqlite:///{path}", create=True)
    with database.write() as connection:
        rows = [
            {"uid": f"{number:032x}", "study": "s", "command": "x" * 900, "started": None, "resolved": {}}
            for number in range(200)
        ]

        insert_rows(connection, RunRow, [{**row, "started": datetime.now(UTC)} for row in rows])
    database.vacuum()
    database.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 64] = b"\xff" * 64
    path.write_bytes(bytes(content))
    database = open_database(f"sqlite:///{path}")
    assert faults(database)
    database.close()


def test_vacuum_gives_the_space_of_deleted_rows_back(database: Database) -> None:
    if database.dialect == "postgresql":
        pytest.skip("a server gives the space back to itself")

    row = {"study": "s", "command": "x" * 1000, "started": datetime.now(UTC), "resolved": {}}
    with database.write() as connection:
        insert_rows(connection, RunRow, [{"uid": f"{number:032x}", **row} for number in range(500)])
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM run")
    with database.read() as connection:
        before = database.backend.size(connection)
    database.vacuum()
    with database.read() as connection:
        assert database.backend.size(connection) < before / 2


def test_vacuum_runs_on_every_engine(database: Database) -> None:
    database.vacuum()
    assert faults(database) == []


@pytest.mark.usefixtures("client_programs")
def test_a_backup_is_a_whole_copy_made_while_somebody_writes(kept: Database, tmp_path: Path) -> None:
    with kept.write() as connection:  # uncommitted: not in the copy, and not in its way
        connection.exec_driver_sql("DELETE FROM score")
        written = write_backup(kept, tmp_path / "copies" / "one")
        connection.rollback()
    with pytest.raises(InputError, match="is there already; give another file"):
        write_backup(kept, written)
    if kept.dialect == "sqlite":
        with closing(sqlite3.connect(written)) as copy:
            assert copy.execute("SELECT count(*) FROM score").fetchone() == (2,)
        assert [path.name for path in written.parent.iterdir()] == ["one"]
    else:
        assert written.read_bytes().startswith(b"PGDMP")
    kept.close()


def test_a_backup_of_a_server_can_be_restored(
    postgresql, postgresql_url: str, client_programs: None, tmp_path: Path
) -> None:

    make_database(postgresql_url, "0003")
    upgrade_database(postgresql_url)
    database = open_database(postgresql_url)
    written = write_backup(database, tmp_path / "copy.dump")
    database.close()
    with postgresql.fresh() as other:
        place = make_url(other)
        query = {key: str(value) for key, value in place.query.items()}
        host = place.host or query.get("host", "")
        command = [
            "pg_restore",
            "--no-owner",
            f"--host={host}",
            f"--port={place.port or query.get('port', 5432)}",
        ]
        command += [f"--username={place.username}", f"--dbname={place.database}", str(written)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        restored = open_database(other)
        with restored.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM v_case_score").scalar() == 2
        restored.close()


def test_bulk_rows_hold_every_kind_of_value(database: Database) -> None:

    hostile = "tab\tline\nback\\slash \\N 'quote' \"double\" NULL ü 你好 🙂"
    started = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    row = {"uid": "1", "study": hostile, "command": "", "started": started, "resolved": {"a": [1, hostile]}}
    with database.write() as connection:
        insert_rows(connection, RunRow, [row, {**row, "uid": "2"}])
        insert_rows(connection, ScoreRow, [])
    with database.read() as connection:
        found = connection.execute(select(RunRow).order_by(RunRow.uid)).first()
    assert found is not None
    assert (found.study, found.command, found.started, found.resolved) == (
        hostile,
        "",
        started,
        {"a": [1, hostile]},
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trial SET state = 'lost' WHERE id = 1",
        "UPDATE trial SET state = 'waiting' WHERE id = 1",
        "UPDATE trial SET state = 'running' WHERE id = 3",
        "UPDATE trial SET lease_owner = 'somebody' WHERE id = 3",
        "UPDATE trial SET collapsed = NULL WHERE id = 1",
        "UPDATE trial SET reason = NULL WHERE id = 2",
        "UPDATE trial SET traceback = 'Traceback' WHERE id = 1",
        "UPDATE trial SET seed = -1 WHERE id = 1",
        "UPDATE trial SET best_val_dsc = 1.5 WHERE id = 1",
        "UPDATE trial SET purpose = 'fun' WHERE id = 1",
        "UPDATE trial SET dataset_id = 99 WHERE id = 1",
        "UPDATE trial SET key = 'k2' WHERE id = 1",
        "UPDATE epoch SET val_dsc = 2",
        "UPDATE epoch SET epoch = -1",
        "UPDATE epoch_score SET undefined = -1",
        "UPDATE score SET value = NULL WHERE checkpoint = 'best'",
        "UPDATE score SET imputed = 9e999",
        "UPDATE score SET part = 'train'",
        "UPDATE score SET checkpoint = 'middle' WHERE checkpoint = 'best'",
        "UPDATE score SET case_id = 99",
        "UPDATE metric SET direction = 'sideways'",
        "UPDATE metric SET version = 0",
        "UPDATE artifact SET path = '/home/jane/model.pt'",
        "UPDATE split_case SET part = 'both'",
        "DELETE FROM trial WHERE id = 1",
        'DELETE FROM "case"',
        "DELETE FROM study",
    ],
)
def test_a_wrong_state_is_refused(statement: str, kept: Database) -> None:

    statement = statement.replace("9e999", "'Infinity'" if kept.dialect == "postgresql" else "9e999")
    with pytest.raises(DBAPIError), kept.write() as connection:
        connection.exec_driver_sql(statement)
    kept.close()


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:

    row = {"uid": "1", "study": "s", "command": "", "started": datetime(2026, 1, 1), "resolved": {}}
    with pytest.raises(ValueError, match="has no time zone"), database.write() as connection:
        insert_rows(connection, RunRow, [row])
