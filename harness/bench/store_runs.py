"""Pieces of work for the benchmark of the database: the same rows written and read in several ways."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.orm import Session

from harness.bench.made_up_results import STUDY, MadeUpResults
from harness.store import frames
from harness.store.bulk import insert_rows
from harness.store.database import Database, open_database
from harness.store.rows import digest_of
from harness.store.schema import CaseRow, EpochRow, EpochScoreRow, MetricRow, ScoreRow, TrialRow
from harness.store.trials import TrialStore

GROUPED = ["label", "seed", "metric", "checkpoint"]
_SPARE = 500
"""Trials that wait to be written; more are made when they are used up."""

_GROUP = (
    "SELECT st.label, t.seed, m.name, s.checkpoint, avg(s.imputed) FROM score s "
    "JOIN trial t ON t.id = s.trial_id JOIN study_trial st ON st.trial_id = t.id "
    "JOIN metric m ON m.id = s.metric_id GROUP BY st.label, t.seed, m.name, s.checkpoint"
)
_GROUP_FILE = (
    "SELECT label, seed, metric, checkpoint, avg(imputed) FROM read_parquet('{}') "
    "GROUP BY label, seed, metric, checkpoint"
)


class WrittenTrials:
    """Writes one finished trial after the other, in one transaction each.

    Args:
        database: Empty.
        made_up: What a trial leaves.
    """

    def __init__(self, database: Database, made_up: MadeUpResults) -> None:
        self._database, self._made_up = database, made_up
        self._store = TrialStore(database, "bench")
        made_up.register(self._store, 1)
        self._outcome = made_up.outcome(0)
        self._seeds = count(1)
        self._waiting: list[tuple[int, str]] = []
        with database.read() as connection:
            cases = {row.name: row.id for row in connection.execute(select(CaseRow.name, CaseRow.id))}
            metrics = {row.name: row.id for row in connection.execute(select(MetricRow.name, MetricRow.id))}
        self._rows = {
            EpochRow: [dict(row) for row in self._outcome.epochs],
            EpochScoreRow: [_numbered(row, metrics) for row in self._outcome.epoch_scores],
            ScoreRow: [
                {"case_id": cases[row["case"]], **_numbered(row, metrics)} for row in self._outcome.scores
            ],
        }
        for row in self._rows[ScoreRow]:
            del row["case"]

    def by_store(self) -> None:
        """Write a trial as a driver does, names and all."""
        _, key = self._next()
        assert self._store.finish(key, self._outcome)

    def by_executemany(self) -> None:
        """Insert ready rows by SQLAlchemy Core."""
        trial, _ = self._next()
        with self._database.write() as connection:
            for table, rows in self._rows.items():
                connection.execute(insert(table), [{"trial_id": trial, **row} for row in rows])
            self._finish(connection, trial)

    def by_orm(self) -> None:
        """Add ready objects to a session."""
        trial, _ = self._next()
        with Session(self._database.engine) as session, session.begin():
            for table, rows in self._rows.items():
                session.add_all([table(trial_id=trial, **row) for row in rows])
                session.flush()
            self._finish(session.connection(), trial)

    def _next(self) -> tuple[int, str]:
        if not self._waiting:
            self._make_trials()
        return self._waiting.pop(0)

    def _make_trials(self) -> None:
        """Add many waiting trials at once."""
        with self._database.write() as connection:
            pattern = connection.execute(select(TrialRow.dataset_id, TrialRow.loss_id)).first()
            assert pattern is not None
            rows = [
                {
                    "key": digest_of({"seed": seed}),
                    **{"dataset_id": pattern.dataset_id, "loss_id": pattern.loss_id, "seed": seed, "fold": 0},
                    **{"purpose": "study", "canonical": {"seed": seed}, "state": "waiting", "attempts": 0},
                }
                for seed in (next(self._seeds) for _ in range(_SPARE))
            ]
            insert_rows(connection, TrialRow, rows)
            waiting = (
                select(TrialRow.id, TrialRow.key)
                .where(TrialRow.state == "waiting", TrialRow.seed > 0)
                .order_by(TrialRow.id)
            )
            self._waiting = [(row.id, row.key) for row in connection.execute(waiting)]

    def _finish(self, connection: Connection, trial: int) -> None:
        found = self._outcome
        values = {"state": "done", "collapsed": False, "finished": pd.Timestamp.now("UTC").to_pydatetime()}
        facts = {"best_epoch": found.best_epoch, "best_val_dsc": found.best_val_dsc, "seconds": found.seconds}
        connection.execute(update(TrialRow).where(TrialRow.id == trial).values(**values, **facts))


class ReadScores:
    """Means of every loss, seed, metric and checkpoint over all scores of a study.

    Args:
        database: With finished trials.
        file: The same scores as Parquet; written here.
    """

    def __init__(self, database: Database, file: Path) -> None:
        self._database, self._file = database, file

    def by_frames(self) -> int:
        """Read the tidy frame and group it."""
        return _groups(frames.scores(self._database, STUDY))

    def by_read_sql(self) -> int:
        """Read the view as pandas does and group it."""
        with self._database.read() as connection:
            frame = pd.read_sql(text("SELECT * FROM v_case_score"), connection)
        return _groups(frame.rename(columns={"loss": "label"}))

    def by_sql(self) -> int:
        """Let the database group the tables."""
        with self._database.read() as connection:
            return len(connection.execute(text(_GROUP)).all())

    def by_duckdb(self) -> int:
        """Let DuckDB group the exported file."""
        import duckdb

        if not self._file.exists():
            frames.scores(self._database, STUDY).to_parquet(self._file)
        return len(duckdb.execute(_GROUP_FILE.format(self._file)).fetchall())


def bytes_per_score(database: Database) -> float:
    """Return what a row of ``score`` takes with its indexes."""
    question = {
        "sqlite": "SELECT sum(pgsize) FROM dbstat WHERE name = 'score'",
        "postgresql": "SELECT pg_total_relation_size('score')",
    }[database.dialect]
    with database.read() as connection:
        size = connection.execute(text(question)).scalar_one()
        rows = connection.execute(text("SELECT count(*) FROM score")).scalar_one()
    return float(size) / float(rows)


@contextmanager
def fresh_file(folder: Path, name: str) -> Iterator[Database]:
    """Give a new SQLite database."""
    database = open_database(f"sqlite:///{folder / name}", create=True)
    try:
        yield database
    finally:
        database.close()


def _numbered(row: Mapping[str, Any], metrics: Mapping[str, int]) -> dict[str, Any]:
    return {"metric_id": metrics[row["metric"]]} | {name: row[name] for name in row if name != "metric"}


def _groups(frame: pd.DataFrame) -> int:
    means: Callable[..., Any] = frame.groupby(GROUPED, observed=True)["imputed"].mean
    return len(means())
