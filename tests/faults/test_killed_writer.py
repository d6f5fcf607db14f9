"""Kill who writes results, at any moment: a trial is there whole or not at all."""

import multiprocessing
import os
import random
import signal
import time
from typing import Any

import pytest
from sqlalchemy import func, select

from harness.bench.made_up_results import MadeUpResults
from harness.store.database import Database, open_database
from harness.store.integrity import faults
from harness.store.ownership import new_owner
from harness.store.schema import EpochRow, EpochScoreRow, ScoreRow, TrialRow
from harness.store.trials import Beat, TrialStore

MADE_UP = MadeUpResults(cases=50, metrics=20, epochs=50)
# Forked from this process: a start takes milliseconds, so that most kills meet a writer at work.
FORK = multiprocessing.get_context("fork")


def waiting_trials(url: str, trials: int) -> list[str]:
    """Make a database of trials that wait, and return their keys."""
    database = open_database(url, create=True)
    records = MADE_UP.register(TrialStore(database, new_owner()), trials)
    database.close()
    return [record.key for record in records]


def _write(url: str, keys: list[str], written: Any) -> None:
    database = open_database(url)
    store = TrialStore(database, new_owner())
    outcome = MADE_UP.outcome(0)
    for key in keys:
        if store.claim([key])[key].taken:
            store.finish(key, outcome)
            written.value += 1
    os._exit(0)


def _recount(database: Database) -> int:
    """Check that every trial is whole and return the number of those that are done."""
    with database.read() as connection:
        done = set(connection.scalars(select(TrialRow.id).where(TrialRow.state == "done")))
        for table, rows in ((ScoreRow, MADE_UP.scores), (EpochRow, 50), (EpochScoreRow, 50)):
            question = select(table.trial_id, func.count()).group_by(table.trial_id)
            found = {row[0]: row[1] for row in connection.execute(question)}
            assert found == dict.fromkeys(done, rows)
    return len(done)


@pytest.mark.parametrize(
    "kills", [8, pytest.param(200, marks=[pytest.mark.full, pytest.mark.timeout(900)])], ids=["few", "many"]
)
def test_a_killed_writer_leaves_whole_trials_only(url: str, kills: int) -> None:
    keys = waiting_trials(url, 20 * kills)
    moments = random.Random(kills)
    done = 0
    for _ in range(kills):
        written = FORK.Value("i", 0)
        writer = FORK.Process(target=_write, args=(url, keys[done:], written))
        writer.start()
        enough = moments.randrange(4)  # at work, however busy the machine is
        while written.value < enough and writer.is_alive():
            time.sleep(0.001)
        time.sleep(moments.uniform(0.0, 0.02))
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        database = open_database(url)
        now = _recount(database)
        assert now - done >= written.value  # what was told as written is there
        done = now
        database.close()
    assert done >= kills
    database = open_database(url)
    assert faults(database) == []
    database.close()


def _claim_and_write(url: str, keys: list[str], seed: int) -> None:
    database = open_database(url)
    store = TrialStore(database, new_owner())
    random.Random(seed).shuffle(keys)
    for number, key in enumerate(keys):
        if store.claim([key])[key].taken:
            store.heartbeat({key: Beat(1)})
            assert store.finish(key, MADE_UP.outcome(number))
    database.close()
    os._exit(0)


@pytest.mark.parametrize(
    ("writers", "trials"), [(3, 12), pytest.param(16, 200, marks=pytest.mark.full)], ids=["few", "many"]
)
def test_writers_side_by_side_wait_for_each_other(url: str, writers: int, trials: int) -> None:
    keys = waiting_trials(url, trials)
    processes = [FORK.Process(target=_claim_and_write, args=(url, keys, seed)) for seed in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(110)
    assert [process.exitcode for process in processes] == [0] * writers
    database = open_database(url)
    assert _recount(database) == trials
    with database.read() as connection:
        attempts = connection.scalars(select(TrialRow.attempts).where(TrialRow.state == "done")).all()
    assert set(attempts) == {1}  # none was trained twice
    assert faults(database) == []
    database.close()
