"""The benchmark of tuning at tiny size: what is run and checked, never how long it took."""

import pytest

from harness.bench import BenchOptions, run_benchmark
from harness.bench.measure import Settings
from harness.bench.private_postgres import NoPostgresError
from harness.bench.tuning import TuningBench
from harness.bench.tuning_runs import PRUNED, RANDOM, SearchedTrials
from harness.scheduling.driver import Driver, Summary

QUICK = Settings(rounds=1, sample_seconds=1e-6, retries=0)


def measured(*names, size=2):
    return run_benchmark("tuning", BenchOptions(only=names, size=size, settings=QUICK))


def test_rows_are_those_of_the_documentation():
    assert TuningBench(BenchOptions()).names() == [
        f"{search} {number} {engine}"
        for engine in ("sqlite", "postgresql")
        for search in ("random", "tpe + median")
        for number in (20, 200)
    ]


@pytest.mark.parametrize("search", ["random", pytest.param("tpe + median", marks=pytest.mark.full)])
def test_a_search_is_timed_against_as_many_plain_trials(search):
    (row,) = measured(f"{search} 20 sqlite")
    assert not row.error
    assert set(row.comparison.against) == {"plain trials"}
    assert "2 configurations of 10 epochs; tuning adds" in row.note


@pytest.mark.full
def test_a_search_is_timed_on_a_server(postgresql):
    (row,) = measured("tpe + median 20 postgresql")
    assert not row.error
    assert row.comparison.seconds.busy == row.comparison.seconds.wall


def test_a_server_that_is_not_there_is_told(monkeypatch):
    def missing():
        raise NoPostgresError("no programs")

    monkeypatch.setattr("harness.bench.tuning.postgresql_server", missing)
    (row,) = measured("random 20 postgresql")
    assert row.error == "not available: no programs"


@pytest.mark.parametrize("settings", [RANDOM, PRUNED], ids=["random", "pruned"])
def test_a_configuration_that_was_not_trained_is_an_error(monkeypatch, settings):
    monkeypatch.setattr(Driver, "run", lambda self: Summary(trained=1, reused=0, failed=0, left=1))
    with pytest.raises(RuntimeError, match="2 configurations were to be trained"):
        SearchedTrials(2, settings)()
