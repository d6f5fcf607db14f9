"""Press Ctrl-C: once, twice, while the database does not answer; and what a cluster sends before it kills."""

import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.faults.drivers import (
    TRIALS,
    Driver,
    Study,
    assert_whole,
    attempts,
    driver,
    held_study,
    resumed_at,
    states,
)
from tests.faults.held_losses import EPOCH

LOCAL, RAY = ["--local"], ["--workers", "2"]
NOW_SECONDS = 20.0
"""On a machine that does much else at the same time; a database is waited for three times as long."""


@pytest.fixture
def study(tmp_path, discs_data, monkeypatch) -> Study:
    return held_study(tmp_path, discs_data, monkeypatch)


def terminate(ended: Driver) -> None:
    """Do what schedulers of clusters do some time before they kill."""
    ended.process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("stop", "options"),
    [
        pytest.param(Driver.interrupt, LOCAL, id="ctrl-c local"),
        pytest.param(Driver.interrupt, RAY, id="ctrl-c ray", marks=pytest.mark.full),
        pytest.param(terminate, LOCAL, id="sigterm local", marks=pytest.mark.full),
        pytest.param(terminate, RAY, id="sigterm ray", marks=pytest.mark.full),
    ],
)
def test_running_epochs_are_finished_and_the_next_run_goes_on_from_there(
    study, tmp_path, stop: Callable[[Driver], None], options
):
    at_once = 2 if options is RAY else 1
    study.hold()
    with driver(study.command(*options), tmp_path) as first:
        first.wait_until_held(at_once)
        stop(first)
        first.wait_until_said("finishing the running epochs")
        study.let_go()
        code, out = first.end()
    assert code == 75
    assert first.said.count(f"stopped before epoch {EPOCH + 1}") == at_once
    assert f"0 trials trained; 0 already in the database; {TRIALS} left; the same command goes on" in out
    assert states(tmp_path) == ["waiting"] * TRIALS
    with driver(study.command(*options), tmp_path) as second:
        code, out = second.end()
    assert code == 0, second.said
    assert f"{TRIALS} trials trained" in out
    assert second.said.count(f"goes on at epoch {EPOCH + 1}") == at_once
    assert resumed_at(tmp_path) == [EPOCH + 1] * at_once
    assert attempts(tmp_path) == [1] * (TRIALS - at_once) + [2] * at_once
    assert_whole(tmp_path, study.expected)


@pytest.mark.full
@pytest.mark.parametrize("options", [LOCAL, RAY], ids=["local", "ray"])
def test_a_second_ctrl_c_stops_now(study, tmp_path, options):
    study.hold()  # no epoch ends
    with driver(study.command(*options), tmp_path) as first:
        first.wait_until_held()
        first.interrupt()
        first.wait_until_said("finishing the running epochs")
        first.interrupt()
        began = time.monotonic()
        code, _ = first.end()
        assert time.monotonic() - began < NOW_SECONDS
    assert code == 130
    assert states(tmp_path) == ["waiting"] * TRIALS
    study.let_go()
    with driver(study.command(*options), tmp_path) as second:
        code, _ = second.end()
    assert code == 0, second.said
    assert_whole(tmp_path, study.expected)


@pytest.mark.parametrize("options", [LOCAL, RAY], ids=["local", "ray"])
@pytest.mark.full
def test_a_second_ctrl_c_does_not_wait_for_a_database_that_is_locked(study, tmp_path, options):
    study.hold()
    with driver(study.command(*options), tmp_path) as first:
        first.wait_until_held()
        with closing(sqlite3.connect(tmp_path / "lossbench-home" / "results.db")) as other:
            other.isolation_level = None
            other.execute("BEGIN IMMEDIATE")
            first.interrupt()
            first.wait_until_said("finishing the running epochs")
            study.let_go()
            time.sleep(1)  # it tries to give its trials back
            first.interrupt()
            began = time.monotonic()
            code, _ = first.end()
            assert time.monotonic() - began < NOW_SECONDS
    assert code == 130
    assert "running" in states(tmp_path)  # nobody could write anything
    with driver(study.command(*options), tmp_path) as second:
        code, _ = second.end()
    assert code == 0, second.said
    assert_whole(tmp_path, study.expected)
