"""The benchmark of tuning: what a search costs beside the training of its configurations."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from harness.bench.base import BENCHMARKS, Benchmark, Row
from harness.bench.measure import Settings, compare
from harness.bench.postgresql_server import Server, postgresql_server
from harness.bench.private_postgres import NoPostgresError
from harness.bench.tuning_runs import EPOCHS, PRUNED, RANDOM, PlainTrials, SearchedTrials, ToldTimes

PLAIN = "plain trials"
FEW, MANY = 20, 200
"""Configurations; twenty are the budget that a study has if it names none."""

MOST_ROUNDS: Mapping[int, int] = MappingProxyType({FEW: 3, MANY: 1})
"""A sample takes many seconds."""

_SEARCHES: Mapping[str, dict[str, Any]] = MappingProxyType({"random": RANDOM, "tpe + median": PRUNED})


@BENCHMARKS.register("tuning")
class TuningBench(Benchmark):
    """Seconds that a search adds to the trials of its configurations, against as many plain trials.

    One training for each configuration, which does nothing for 10 epochs, in this process: what is timed is
    asking, writing, judging every epoch (``tpe + median``) and telling. The space is that of GDL + boundary:
    learning rate, alpha schedules and their parameters. 20 and 200 configurations show how it grows. CPU
    time on SQLite, wall time on PostgreSQL; the opening of a search is left out.
    """

    baselines = (PLAIN,)

    def names(self) -> list[str]:
        """Return what is timed."""
        return list(self._rows)

    def row(self, name: str) -> Row:
        """Time one of them."""
        return self._rows[name](name)

    @property
    def _rows(self) -> dict[str, Callable[[str], Row]]:
        return {
            f"{search} {number} {engine}": partial(run, search, number)
            for engine, run in (("sqlite", self._compare), ("postgresql", self._on_a_server))
            for search in _SEARCHES
            for number in (FEW, MANY)
        }

    def _on_a_server(self, search: str, number: int, name: str) -> Row:
        try:
            with postgresql_server() as server:
                return self._compare(search, number, name, server)
        except NoPostgresError as error:
            return Row(name, error=f"not available: {error}")

    def _compare(self, search: str, number: int, name: str, server: Server | None = None) -> Row:
        configurations = self.options.size or number
        ours = SearchedTrials(configurations, _SEARCHES[search], server)
        rounds = min(self.options.settings.rounds, MOST_ROUNDS[number])
        settings = Settings(rounds, sample_seconds=1e-9, retries=0)
        found = compare(ours, {PLAIN: PlainTrials(configurations, server)}, ToldTimes(), settings)
        ratio, seconds = found.against[PLAIN].busy, found.seconds.busy
        added = 1000 * (seconds - seconds / ratio)
        note = f"{configurations} configurations of {EPOCHS} epochs; tuning adds {added:.0f} ms to each"
        return Row(name, found, note=note)
