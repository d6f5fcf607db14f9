"""The benchmark of the results database."""

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.bench.base import BENCHMARKS, Benchmark, BenchOptions, Row
from harness.bench.clocks import Clock, CpuClock, Times, Work
from harness.bench.made_up_results import MadeUpResults, write_trials
from harness.bench.measure import Comparison, Settings, compare
from harness.bench.postgresql_server import postgresql_server
from harness.bench.private_postgres import NoPostgresError
from harness.bench.store_runs import ReadScores, WrittenTrials, bytes_per_score, fresh_file
from harness.store.database import Database, open_database

ORM, EXECUTEMANY, READ_SQL, SQL, DUCKDB = "ORM", "executemany", "read_sql", "SQL", "DuckDB"

MOST_ROUNDS = 3
"""Of reading: a sample takes many seconds."""

_SCORES = 1_000_000
_FASTER_THAN_ORM = 5
_FASTER_THAN_EXECUTEMANY = 1.5
_FASTER_THAN_READ_SQL = 3


class _WallClock:
    """Counts waiting as work: a server's time is not ours."""

    def time(self, work: Work, repetitions: int) -> Times:
        """Return wall time twice."""
        wall = CpuClock().time(work, repetitions).wall
        return Times(wall, wall)


@BENCHMARKS.register("store")
class Store(Benchmark):
    """Time of writing a finished trial (2,000 scores, 50 epochs) and of grouping a million scores.

    Against SQLAlchemy's unit of work (ORM) and executemany over the same rows, ready with their ids; and
    against ``pandas.read_sql`` of ``v_case_score``, GROUP BY in SQL, and DuckDB over the exported file.
    On PostgreSQL by the clock on the wall. Reading has three rounds at most.
    """

    baselines = (ORM, EXECUTEMANY, READ_SQL, SQL, DUCKDB)

    def __init__(self, options: BenchOptions) -> None:
        super().__init__(options)
        # `size` are the cases of a trial.
        self._made_up = MadeUpResults(cases=options.size) if options.size else MadeUpResults()
        self._trials = 2 if options.size else _SCORES // self._made_up.scores

    def names(self) -> list[str]:
        """Return what is timed."""
        return list(self._rows)

    def row(self, name: str) -> Row:
        """Time one of them."""
        return self._rows[name](name)

    @property
    def _rows(self) -> dict[str, Callable[[str], Row]]:
        return {
            "write sqlite": self._write_sqlite,
            "write postgresql": self._write_postgresql,
            "read sqlite": self._read_sqlite,
            "read postgresql": self._read_postgresql,
        }

    def _write_sqlite(self, name: str) -> Row:
        with _folder() as folder, fresh_file(folder, "results.db") as database:
            return self._write(name, database, CpuClock(), _FASTER_THAN_ORM, ORM)

    def _write_postgresql(self, name: str) -> Row:
        try:
            with _fresh_server() as database:
                return self._write(name, database, _WallClock(), _FASTER_THAN_EXECUTEMANY, EXECUTEMANY)
        except NoPostgresError as error:
            return Row(name, error=f"not available: {error}")

    def _write(self, name: str, database: Database, clock: Clock, least: float, rival: str) -> Row:
        work = WrittenTrials(database, self._made_up)
        others: dict[str, Work] = {ORM: work.by_orm, EXECUTEMANY: work.by_executemany}
        found = compare(work.by_store, others, clock, self.options.settings)
        rows = self._made_up.scores + 2 * self._made_up.epochs
        note = f"{rows / found.seconds.wall:,.0f} rows/s, {bytes_per_score(database):.0f} bytes per score"
        return Row(name, found, targets={rival: 1 / least}, note=note)

    def _read_sqlite(self, name: str) -> Row:
        with _folder() as folder, fresh_file(folder, "results.db") as database:
            return self._read(name, database, folder, CpuClock())

    def _read_postgresql(self, name: str) -> Row:
        try:
            with _folder() as folder, _fresh_server() as database:
                return self._read(name, database, folder, _WallClock())
        except NoPostgresError as error:
            return Row(name, error=f"not available: {error}")

    def _read(self, name: str, database: Database, folder: Path, clock: Clock) -> Row:
        write_trials(database, "bench", self._made_up, self._trials)
        database.vacuum()
        work = ReadScores(database, folder / "scores.parquet")
        others: dict[str, Work] = {READ_SQL: work.by_read_sql, SQL: work.by_sql}
        peers = {}
        if importlib.util.find_spec("duckdb"):
            others[DUCKDB] = work.by_duckdb
        else:
            peers[DUCKDB] = "not installed"
        assert len({by() for by in (work.by_frames, *others.values())}) == 1, "the ways differ"
        found = self._compare_slowly(work.by_frames, others, clock)
        scores = self._trials * self._made_up.scores
        note = (
            f"{scores:,} scores in {found.seconds.wall:.2f} s, "
            f"{bytes_per_score(database):.0f} bytes per score after vacuum"
        )
        return Row(name, found, targets={READ_SQL: 1 / _FASTER_THAN_READ_SQL}, peers=peers, note=note)

    def _compare_slowly(self, subject: Work, others: dict[str, Work], clock: Clock) -> Comparison:
        """Compare in samples of one call and few rounds."""
        rounds = min(self.options.settings.rounds, MOST_ROUNDS)
        settings: Settings = replace(self.options.settings, rounds=rounds, sample_seconds=1e-9, retries=0)
        return compare(subject, others, clock, settings)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lossbench-bench-") as name:
        yield Path(name)


@contextmanager
def _fresh_server() -> Iterator[Database]:
    """Give an empty database on a server."""
    with postgresql_server() as server, server.fresh() as url:
        database = open_database(url, create=True)
        try:
            yield database
        finally:
            database.close()
