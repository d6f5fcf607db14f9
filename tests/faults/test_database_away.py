"""Take the database away while trials run: results wait for it, and are written."""

import signal
import sqlite3
import time
from contextlib import ExitStack, closing

import pytest

from tests.faults.drivers import TRIALS, Driver, Study, assert_whole, attempts, driver, held_study, program

AWAY_SECONDS = 10.0


@pytest.fixture
def study(tmp_path, discs_data, monkeypatch) -> Study:
    return held_study(tmp_path, discs_data, monkeypatch)


def end_well(waited: Driver) -> None:
    code, out = waited.end()
    assert code == 0, waited.said
    assert f"{TRIALS} trials trained" in out
    assert "failed" not in waited.said


@pytest.mark.parametrize(
    ("options", "how", "away"),
    [
        pytest.param(["--local"], signal.SIGINT, 3.0, id="stopped local", marks=pytest.mark.full),
        pytest.param(["--workers", "2"], signal.SIGINT, 20.0, id="stopped ray", marks=pytest.mark.full),
        pytest.param(["--workers", "2"], signal.SIGQUIT, 10.0, id="crashed ray", marks=pytest.mark.full),
    ],
)
def test_results_wait_for_a_server_that_is_started_again(study, tmp_path, server, options, how, away):
    url = server.private.url()
    study.hold()
    with driver(study.command(*options, "--db", url), tmp_path) as waiting:
        waiting.wait_until_held(1 if options == ["--local"] else 2)
        server.stop(how)
        study.let_go()
        waiting.wait_until_said("the database does not answer: results wait until it can be written again")
        time.sleep(away)
        assert waiting.process.poll() is None, waiting.said
        with server.started_again():
            waiting.wait_until_said("the database can be written again")
            end_well(waiting)
            assert attempts(tmp_path, url) == [1] * TRIALS
            assert_whole(tmp_path, study.expected, url)


def test_results_wait_for_a_file_that_another_program_holds_locked(study, tmp_path):
    study.hold()
    with driver(study.command("--local"), tmp_path, program(busy=0.5)) as waiting:
        waiting.wait_until_held()
        with closing(sqlite3.connect(tmp_path / "lossbench-home" / "results.db")) as other:
            other.isolation_level = None
            other.execute("BEGIN IMMEDIATE")
            study.let_go()
            waiting.wait_until_said("another program holds the database locked: results wait")
        waiting.wait_until_said("the database can be written again")
        end_well(waiting)
    assert attempts(tmp_path) == [1] * TRIALS
    assert_whole(tmp_path, study.expected)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_server_that_comes_and_goes_loses_nothing(study, tmp_path, server):
    url = server.private.url()
    study.hold()
    with ExitStack() as again, driver(study.command("--workers", 2, "--db", url), tmp_path) as waiting:
        waiting.wait_until_held(2)
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGINT, signal.SIGQUIT):
            server.stop(how)
            again.close()
            time.sleep(3)
            again.enter_context(server.started_again())
            time.sleep(3)
        study.let_go()
        end_well(waiting)
        assert_whole(tmp_path, study.expected, url)
