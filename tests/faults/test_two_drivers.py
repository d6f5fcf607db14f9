"""Two drivers on one database share the work, even if one of them sleeps longer than its leases last."""

import os
import signal
import time

import pytest

from tests.faults.drivers import (
    TRIALS,
    Study,
    assert_whole,
    attempts,
    driver,
    held_study,
    program,
    states,
)

LEASE_SECONDS = 3.0


@pytest.fixture
def study(tmp_path, discs_data, monkeypatch) -> Study:
    return held_study(tmp_path, discs_data, monkeypatch)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.full)])
def url(request, tmp_path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return f"sqlite:///{tmp_path / 'lossbench-home' / 'results.db'}"


def trained(out: str) -> int:
    return int(out.partition(" trials trained")[0])


def test_two_drivers_train_every_trial_once(study, tmp_path, url):
    command = study.command("--local", "--db", url)
    study.hold()
    with driver(command, tmp_path) as one, driver(command, tmp_path) as other:
        one.wait_until_held(2)
        study.let_go()
        (code, out), (other_code, other_out) = one.end(), other.end()
    assert code == 0, one.said
    assert other_code == 0, other.said
    assert trained(out) + trained(other_out) == TRIALS
    assert min(trained(out), trained(other_out)) >= 1
    assert attempts(tmp_path, url) == [1] * TRIALS
    assert_whole(tmp_path, study.expected, url)


@pytest.mark.full
@pytest.mark.parametrize("options", [["--local"], ["--workers", "2"]], ids=["local", "ray"])
def test_a_driver_that_slept_leaves_its_trials_to_the_one_that_has_taken_them(study, tmp_path, options):
    words = program(lease=LEASE_SECONDS)
    study.hold()
    with driver(study.command(*options), tmp_path, words) as sleeper:
        sleeper.wait_until_held()
        os.kill(sleeper.process.pid, signal.SIGSTOP)
        study.let_go()
        with driver(study.command("--local"), tmp_path, words) as other:
            code, out = other.end()
        assert code == 0, other.said
        assert trained(out) == TRIALS
        assert states(tmp_path) == ["done"] * TRIALS
        study.hold()
        os.kill(sleeper.process.pid, signal.SIGCONT)
        time.sleep(1)  # some heartbeats
        study.let_go()
        code, out = sleeper.end()
    assert code == 0, sleeper.said
    if options == ["--local"]:  # with Ray the worker did not sleep, and its driver hears the result first
        assert "silent for too long: another driver has taken over 1 trials" in sleeper.said
        assert trained(out) == 0
    assert_whole(tmp_path, study.expected)
