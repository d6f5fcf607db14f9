"""Break workers in every way that is known: trials that can be saved are, and no other is disturbed."""

import re

from tests.conftest import lossbench, stored_numbers
from tests.faults.conftest import check_whole, log_of, run_traceless, trials_of, write_study

BREAKING_ONCE = {"Killed": "crash: the worker process died", "Greedy": "memory: OutOfMemory", "Hung": "hung: "}


def test_trials_survive_their_workers_and_a_loss_that_raises_fails_alone(discs_data, tmp_path, markers):
    losses = ["Hung", "Killed", "Greedy", "Raising", "NotANumber", "ce"]
    study = write_study(tmp_path / "breaking.yaml", discs_data, losses)
    command = ["run", study, "--data", discs_data]
    done = run_traceless(*command, "--workers", 2, "--stall-after", 0.15, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "5 trials trained" in done.stdout
    assert "1 failed" in done.stdout
    home = tmp_path / "lossbench-home"
    check_whole(home)
    trials = trials_of(home / "results.db")
    assert {label: trial.state for label, trial in trials.items()} == {
        "Hung 0": "done",
        "Killed 0": "done",
        "Greedy 0": "done",
        "Raising 0": "failed",
        "NotANumber 0": "diverged",
        "ce 0": "done",
    }
    for label, reason in BREAKING_ONCE.items():
        trial = trials[f"{label} 0"]
        log = log_of(home, trial)
        assert trial.attempts == 2
        assert f"Z {reason}" in log
        assert log.count("begins at epoch 0 of 3") == 2
        assert len(set(re.findall("worker process ([0-9]+) on", log))) == 2  # not the same one again
    assert trials["Raising 0"].attempts == 1  # code that raises would raise again
    assert "Unpicklable: no luck with" in trials["Raising 0"].reason
    log = log_of(home, trials["Raising 0"])
    assert "the loss says a word before it raises" in log
    assert 'breaking_losses.py", line' in log
    shown = lossbench("status", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "Unpicklable: no luck with" in " ".join(shown.stdout.split())

    (markers / "mended").touch()
    mended = run_traceless(*command, "--retry-failed", "--local", cwd=tmp_path)
    assert mended.returncode == 0, mended.stderr
    assert "1 trials trained; 5 already in the database" in mended.stdout
    check_whole(home)
    assert trials_of(home / "results.db")["Raising 0"].state == "done"

    (tmp_path / "undisturbed").mkdir()  # all markers are there
    undisturbed = lossbench(*command, "--local", cwd=tmp_path / "undisturbed")
    assert undisturbed.returncode == 0, undisturbed.stderr
    assert len(stored_numbers(tmp_path)) > 100
    assert stored_numbers(tmp_path) == stored_numbers(tmp_path / "undisturbed")
