"""The benchmark of the database at tiny size: what is compared, never how long it took."""

import importlib.util

import pytest

from harness.bench import BenchOptions, run_benchmark
from harness.bench.made_up_results import STUDY, MadeUpResults, write_trials
from harness.bench.measure import Settings
from harness.bench.private_postgres import NoPostgresError
from harness.bench.store_runs import ReadScores, WrittenTrials
from harness.store import frames
from harness.store.database import open_database
from harness.store.integrity import faults

QUICK = Settings(rounds=1, sample_seconds=1e-6, retries=0)
TINY = MadeUpResults(cases=2, metrics=3, epochs=2, losses=2)


def measured(name):
    (row,) = run_benchmark("store", BenchOptions(only=(name,), size=2, settings=QUICK))
    return row


@pytest.mark.usefixtures("postgresql")
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_writing_is_timed_against_both_ways_of_sqlalchemy(engine):
    row = measured(f"write {engine}")
    assert not row.error
    assert set(row.comparison.against) == {"ORM", "executemany"}
    assert "rows/s" in row.note
    assert "bytes per score" in row.note


@pytest.mark.usefixtures("postgresql")
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_reading_is_timed_against_pandas_sql_and_duckdb(engine):
    pytest.importorskip("duckdb")
    row = measured(f"read {engine}")
    assert not row.error
    assert set(row.comparison.against) == {"read_sql", "SQL", "DuckDB"}


def test_without_a_server_or_duckdb_the_row_says_so(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "duckdb" else found(name, *rest)
    )
    assert measured("read sqlite").peers == {"DuckDB": "not installed"}

    def missing(*_):
        raise NoPostgresError("no PostgreSQL programs were found")

    monkeypatch.setattr("harness.bench.store.postgresql_server", missing)
    assert measured("write postgresql").error == "not available: no PostgreSQL programs were found"


def test_all_ways_of_writing_leave_the_same_rows(url):
    database = open_database(url, create=True)
    work = WrittenTrials(database, TINY)
    for by in (work.by_store, work.by_executemany, work.by_orm):
        by()
    with database.read() as connection:
        for table, rows in (("score", TINY.scores), ("epoch", 2), ("epoch_score", 2)):
            counts = connection.exec_driver_sql(
                f"SELECT count(*), sum(length(CAST(t.state AS TEXT))) FROM {table} r "
                "JOIN trial t ON t.id = r.trial_id GROUP BY r.trial_id"
            ).all()
            assert [tuple(row) for row in counts] == [(rows, 4 * rows)] * 3
        sums = connection.exec_driver_sql("SELECT sum(imputed) FROM score GROUP BY trial_id").scalars().all()
    assert sums == pytest.approx([sums[0]] * 3)
    database.close()


def test_all_ways_of_reading_find_the_same_groups(url, tmp_path):
    pytest.importorskip("duckdb")
    database = open_database(url, create=True)
    write_trials(database, "test", TINY, 4)
    work = ReadScores(database, tmp_path / "scores.parquet")
    groups = 2 * 2 * 3 * 2  # losses, seeds, metrics, checkpoints
    assert work.by_frames() == work.by_read_sql() == work.by_sql() == work.by_duckdb() == groups
    assert len(frames.scores(database, STUDY)) == 4 * TINY.scores
    assert faults(database) == []
    database.close()
