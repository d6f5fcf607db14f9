"""One search, several drivers, many workers, and a server that goes away: its budget is spent exactly."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.faults.drivers import driver, program
from tests.faults.searches import (
    LOSS,
    PRUNED,
    RANDOM,
    second_attempts,
    tried_in,
    tuned_study,
    whole_searches,
)

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]

LEASE_SECONDS = 3.0
LOCKED = "locked"


@pytest.fixture
def make_study(tmp_path: Path, discs_data: Path, monkeypatch: pytest.MonkeyPatch):
    return lambda tuning: tuned_study(tmp_path, discs_data, monkeypatch, tuning)


def trained(out: str) -> int:
    return int(out.partition(" trials trained")[0].split()[-1])


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize("tuning", [RANDOM, PRUNED], ids=["random", "pruned"])
def test_two_drivers_share_a_search(make_study, tmp_path, tuning, engine, request):
    url = request.getfixturevalue("postgresql_url") if engine == "postgresql" else None
    study = make_study(tuning)
    command = study.command("--local", *([] if url is None else ["--db", url]))
    study.hold()
    with driver(command, tmp_path) as one, driver(command, tmp_path) as other:
        one.wait_until_held(2)
        study.let_go()
        ends = [each.end() for each in (one, other)]
    assert [code for code, _ in ends] == [0, 0], one.said + other.said
    assert LOCKED not in one.said + other.said
    shares = [trained(out) for _, out in ends]
    (history,) = whole_searches(tmp_path, url)
    assert sum(shares) == len(history.tried)
    assert min(shares) >= 1
    assert second_attempts(tmp_path, url) == 0
    if not study.pruned:  # random draws do not depend on results
        assert sorted(tried_in(history), key=repr) == sorted(study.undisturbed, key=repr)


def test_a_driver_that_slept_hears_of_what_another_one_has_found(make_study, tmp_path):
    study, words = make_study(PRUNED), program(lease=LEASE_SECONDS)
    study.hold(but=1)
    with driver(study.command("--local"), tmp_path, words) as sleeper:
        sleeper.wait_until_said("[1/")
        sleeper.wait_until_held()
        os.kill(sleeper.process.pid, signal.SIGSTOP)
        study.let_go()
        with driver(study.command("--local"), tmp_path, words) as other:
            code, _ = other.end()
        assert code == 0, other.said
        os.kill(sleeper.process.pid, signal.SIGCONT)
        code, _ = sleeper.end()
    assert code == 0, sleeper.said
    (history,) = whole_searches(tmp_path)
    assert tried_in(history) == study.undisturbed


@pytest.mark.parametrize("tuning", [RANDOM, PRUNED], ids=["random", "pruned"])
def test_four_workers_that_end_at_once_find_the_file_unlocked(make_study, tmp_path, tuning):
    study = make_study(tuning)
    losses = f"{LOSS.format('CE')}, {{label: Dice, loss: 'dice + held_losses:Held'}}"
    study.file.write_text(study.file.read_text().replace(LOSS.format("CE"), losses))
    study.hold()
    with driver(study.command("--workers", 4), tmp_path) as running:
        running.wait_until_held(4)
        study.let_go()
        code, _ = running.end()
    assert code == 0, running.said
    assert LOCKED not in running.said
    whole_searches(tmp_path, searches=2)


@pytest.mark.parametrize(
    ("options", "tuning", "how"),
    [
        pytest.param(["--local"], PRUNED, signal.SIGINT, id="stopped local pruned"),
        pytest.param(["--workers", "2"], PRUNED, signal.SIGQUIT, id="crashed ray pruned"),
        pytest.param(["--local"], RANDOM, signal.SIGQUIT, id="crashed local random"),
    ],
)
def test_a_search_waits_for_a_server_that_is_started_again(
    make_study, tmp_path, server, options, tuning, how
):
    study, url = make_study(tuning), server.private.url()
    study.hold(but=2)
    with driver(study.command(*options, "--db", url), tmp_path) as waiting:
        waiting.wait_until_said("[2/")
        waiting.wait_until_held(1 if options == ["--local"] else 2)
        server.stop(how)
        study.let_go()
        waiting.wait_until_said("the database does not answer: results wait until it can be written again")
        time.sleep(5)
        assert waiting.process.poll() is None, waiting.said
        with server.started_again():
            code, _ = waiting.end()
            assert code == 0, waiting.said
            assert "failed" not in waiting.said
            (history,) = whole_searches(tmp_path, url)
            assert second_attempts(tmp_path, url) == 0
    if options == ["--local"]:
        assert tried_in(history) == study.undisturbed
