"""Sixteen workers end at once on SQLite while others read, and another driver writes."""

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select

from harness.store.database import open_database
from harness.store.integrity import faults
from harness.store.schema import CaseRow, EpochRow, EpochScoreRow, ScoreRow, TrialRow
from tests.conftest import LOSSBENCH
from tests.faults.many_trials import CASES, EPOCHS, GO, METRIC_NAMES, value_of

WORKERS = 16


def watch(url: str, cwd: Path) -> None:
    """Ask for the states once, as another terminal does."""
    asked = subprocess.run(
        [*LOSSBENCH, "status", "--json", "--db", url],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    assert asked.stderr == ""
    assert json.loads(asked.stdout)["trials"]


def running_in(url: str) -> list[str]:
    """Return the drivers of the running trials."""
    database = open_database(url)
    with database.read() as connection:
        owners = connection.scalars(select(TrialRow.lease_owner).where(TrialRow.state == "running")).all()
    database.close()
    return [owner for owner in owners if owner is not None]


@pytest.mark.full
@pytest.mark.parametrize(
    "seeds",
    [16, pytest.param(250, marks=pytest.mark.timeout(900))],
    ids=["few", "many"],
)
def test_sixteen_workers_and_another_driver_write_every_trial_once(tmp_path, seeds):
    url = f"sqlite:///{tmp_path / 'results.db'}"
    open_database(url, create=True).close()
    with ExitStack() as stack:
        program = [sys.executable, "-m", "tests.faults.many_trials"]
        drivers = [
            stack.enter_context(
                subprocess.Popen(
                    [*program, url, tmp_path, str(seeds), str(workers)],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for workers in (WORKERS, 0)
        ]
        stack.callback(lambda: [driver.kill() for driver in drivers])
        while len(running := running_in(url)) < WORKERS + 1:
            assert [driver.poll() for driver in drivers] == [None, None], drivers
            time.sleep(0.1)
        assert len(set(running)) == len(drivers)
        (tmp_path / GO).touch()
        readers = 0
        while any(driver.poll() is None for driver in drivers):
            watch(url, tmp_path)
            readers += 1
        told = [driver.communicate() for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], told
    assert [err for _, err in told] == ["", ""]
    assert readers > 1
    trained = [json.loads(out)["trained"] for out, _ in told]
    assert sum(trained) == 2 * seeds
    database = open_database(url)
    with database.read() as connection:
        trials = connection.execute(
            select(TrialRow.id, TrialRow.key, TrialRow.state, TrialRow.attempts)
        ).all()
        assert {(row.state, row.attempts) for row in trials} == {("done", 1)}
        assert len({row.key for row in trials}) == len(trials) == 2 * seeds
        for table, rows in (
            (EpochRow, EPOCHS),
            (EpochScoreRow, EPOCHS),
            (ScoreRow, len(CASES) * len(METRIC_NAMES) * 2),
        ):
            counted = connection.execute(select(table.trial_id, func.count()).group_by(table.trial_id))
            assert {row[0]: row[1] for row in counted} == {row.id: rows for row in trials}
        scores = connection.execute(
            select(TrialRow.key, CaseRow.name, ScoreRow.value)
            .join(TrialRow, TrialRow.id == ScoreRow.trial_id)
            .join(CaseRow, CaseRow.id == ScoreRow.case_id)
        )
        assert all(row.value == value_of(row.key, row.name) for row in scores)
    assert faults(database) == []
    database.close()
