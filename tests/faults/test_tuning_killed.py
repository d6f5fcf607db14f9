"""Kill drivers and workers in the middle of a search, press Ctrl-C: its budget is spent to the last epoch."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import held_losses
from tests.faults.drivers import driver, resumed_at
from tests.faults.held_losses import EPOCH
from tests.faults.searches import (
    PRUNED,
    RANDOM,
    TunedStudy,
    second_attempts,
    tried_in,
    tuned_study,
    whole_searches,
)

LOCAL, RAY = ["--local"], ["--workers", "2"]
BEFORE = 3
"""Configurations that have their result when something happens: a fourth one may already be ended early."""

MakeStudy = Callable[[str], TunedStudy]


@pytest.fixture
def make_study(tmp_path: Path, discs_data: Path, monkeypatch: pytest.MonkeyPatch) -> MakeStudy:
    return lambda tuning: tuned_study(tmp_path, discs_data, monkeypatch, tuning)


def check(study: TunedStudy, folder: Path, *, one_worker: bool) -> None:
    """Check that the search is whole, and one that a single worker would make if nothing had happened."""
    (history,) = whole_searches(folder)
    if one_worker:
        assert tried_in(history) == study.undisturbed
    elif not study.pruned:  # random draws do not depend on results
        key = repr
        assert sorted(tried_in(history), key=key) == sorted(study.undisturbed, key=key)


CASES = [
    pytest.param(LOCAL, PRUNED, id="local pruned", marks=pytest.mark.full),
    pytest.param(LOCAL, RANDOM, id="local random", marks=pytest.mark.full),
    pytest.param(RAY, PRUNED, id="ray pruned", marks=pytest.mark.full),
    pytest.param(RAY, RANDOM, id="ray random", marks=pytest.mark.full),
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("options", "tuning"), CASES)
def test_a_search_whose_driver_was_killed_is_finished_by_the_same_command(
    make_study, tmp_path, options, tuning
):
    study = make_study(tuning)
    running = 2 if options is RAY else 1
    study.hold(but=BEFORE)
    with driver(study.command(*options), tmp_path) as killed:
        killed.wait_until_said(f"[{BEFORE}/")
        killed.wait_until_held(running)
        killed.kill()
    study.let_go()
    with driver(study.command(*options), tmp_path) as second:
        code, _ = second.end()
    assert code == 0, second.said
    assert second_attempts(tmp_path) == running
    check(study, tmp_path, one_worker=options is LOCAL)


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("tuning", [RANDOM, PRUNED], ids=["random", "pruned"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_search_survives_its_workers(make_study, tmp_path, tuning, workers):
    study = make_study(tuning)
    study.hold(but=BEFORE)
    killed = set[int]()
    with driver(study.command("--workers", workers), tmp_path) as running:
        for _ in range(2):
            running.wait_until_held(workers)
            (process, *_) = sorted(holding() - killed)
            os.kill(process, signal.SIGKILL)
            killed.add(process)
            running.wait_until(lambda: "the worker process died" in running.said, "noticed")
            running.wait_until_held(workers)
            held_losses.ticket(study.gate, "next").touch()  # one goes on, so that another one is killed
            running.wait_until(lambda: not list(study.gate.parent.glob("*ticket-next")), "let through")
        study.let_go()
        code, _ = running.end()
    assert code == 0, running.said
    assert second_attempts(tmp_path) == len(killed)
    check(study, tmp_path, one_worker=workers == 1)


def holding() -> set[int]:
    """Return the processes that are held at the gate."""
    gate = Path(os.environ[held_losses.GATE])
    return {int(path.name.rpartition("-")[2]) for path in gate.parent.glob(f"{gate.name}-held-*")}


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("options", [LOCAL, RAY], ids=["local", "ray"])
def test_an_interrupted_pruned_search_goes_on_from_its_checkpoints(make_study, tmp_path, options):
    study = make_study(PRUNED)
    running = 2 if options is RAY else 1
    study.hold(but=1)  # too few results to end what runs now
    with driver(study.command(*options), tmp_path) as first:
        first.wait_until_said("[1/")
        first.wait_until_held(running)
        first.interrupt()
        first.wait_until_said("finishing the running epochs")
        study.let_go()
        code, _ = first.end()
    assert code == 75, first.said
    assert first.said.count(f"stopped before epoch {EPOCH + 1}") == running
    with driver(study.command(*options), tmp_path) as second:
        code, out = second.end()
    assert code == 0, second.said
    assert "trials trained" in out
    assert resumed_at(tmp_path) == [EPOCH + 1] * running
    check(study, tmp_path, one_worker=options is LOCAL)


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("tuning", [RANDOM, PRUNED], ids=["random", "pruned"])
@pytest.mark.parametrize("options", [LOCAL, RAY], ids=["local", "ray"])
def test_a_search_killed_again_and_again_spends_its_budget(make_study, tmp_path, options, tuning):
    study = make_study(tuning)
    pause = random.Random(7)
    for _ in range(5):
        with driver(study.command(*options), tmp_path) as killed:
            killed.wait_until_said("trials, ")
            time.sleep(pause.uniform(0, 2))
            killed.kill()
    with driver(study.command(*options), tmp_path) as last:
        code, _ = last.end()
    assert code == 0, last.said
    whole_searches(tmp_path)
