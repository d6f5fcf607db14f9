"""Kill drivers: nothing is lost, nothing is trained twice, whoever goes on."""

import random
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.drivers import (
    TRIALS,
    Study,
    assert_whole,
    attempts,
    driver,
    held_study,
    ray_folders,
    states,
    streamed_epochs,
)
from tests.faults.held_losses import EPOCH

LOCAL, RAY = ["--local"], ["--workers", "2"]


@pytest.fixture
def study(tmp_path, discs_data, monkeypatch) -> Study:
    return held_study(tmp_path, discs_data, monkeypatch)


def finished(folder) -> dict[str, str]:
    with sqlite3.connect(folder / "lossbench-home" / "results.db") as connection:
        return dict(connection.execute("SELECT key, finished FROM trial WHERE state = 'done'").fetchall())


@pytest.mark.parametrize("options", [LOCAL, pytest.param(RAY, marks=pytest.mark.full)], ids=["local", "ray"])
def test_a_study_whose_driver_was_killed_is_finished_by_the_same_command(study, tmp_path, options):
    study.hold(but=1)
    running = 2 if options is RAY else 1
    with driver(study.command(*options), tmp_path) as killed:
        killed.wait_until_said("[1/")
        killed.wait_until_held(running)
        killed.wait_until(
            lambda: list(streamed_epochs(tmp_path).values()) == [EPOCH] * running, "curves are streamed"
        )
        killed.kill()
    study.let_go()
    survived = finished(tmp_path)
    assert len(survived) == 1
    with driver(study.command(*options), tmp_path) as second:
        code, out = second.end()
    assert code == 0, second.said
    assert f"{TRIALS - 1} trials trained; 1 already in the database" in out
    assert ray_folders(killed.process.pid) == []
    assert survived.items() <= finished(tmp_path).items()  # not trained twice
    assert attempts(tmp_path) == [1] * (TRIALS - running) + [2] * running
    assert_whole(tmp_path, study.expected)


@pytest.mark.full
def test_the_trials_of_a_driver_killed_on_another_machine_are_free_when_its_leases_end(study, tmp_path):
    study.hold()
    with driver(study.command(*LOCAL), tmp_path) as killed:
        killed.wait_until_held()
        killed.kill()
    study.let_go()
    with closing(sqlite3.connect(tmp_path / "lossbench-home" / "results.db")) as connection, connection:
        (owner,) = connection.execute("SELECT lease_owner FROM trial WHERE state = 'running'").fetchone()
        token, _, process = owner.split(":")
        expires = datetime.now(UTC) + timedelta(seconds=60)
        connection.execute(
            "UPDATE trial SET lease_owner = ?, lease_expires = ? WHERE state = 'running'",
            (f"{token}:elsewhere:{process}", expires.strftime("%Y-%m-%d %H:%M:%S.%f")),
        )
    with driver(study.command(*LOCAL), tmp_path) as second:
        second.wait_until_said(f"[{TRIALS - 1}/")
        assert states(tmp_path) == ["done"] * (TRIALS - 1) + ["running"]  # not ours yet
        with closing(sqlite3.connect(tmp_path / "lossbench-home" / "results.db")) as connection, connection:
            soon = datetime.now(UTC) + timedelta(seconds=1)
            connection.execute(
                "UPDATE trial SET lease_expires = ? WHERE state = 'running'",
                (soon.strftime("%Y-%m-%d %H:%M:%S.%f"),),
            )
        code, _ = second.end()
    assert code == 0, second.said
    assert datetime.fromisoformat(max(finished(tmp_path).values())) > soon.replace(tzinfo=None)
    assert attempts(tmp_path) == [1] * (TRIALS - 1) + [2]
    assert_whole(tmp_path, study.expected)


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("options", [LOCAL, RAY], ids=["local", "ray"])
def test_a_study_killed_again_and_again_equals_one_that_was_not(study, tmp_path, options):
    pause = random.Random(7)
    for _ in range(6):
        with driver(study.command(*options), tmp_path) as killed:
            killed.wait_until_said("trials, ")
            time.sleep(pause.uniform(0, 2))
            killed.kill()
    with driver(study.command(*options), tmp_path) as last:
        code, _ = last.end()
    assert code == 0, last.said
    assert_whole(tmp_path, study.expected)
