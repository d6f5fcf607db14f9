"""Workers that never tell anything again are ended; what always breaks is given up after three attempts."""

import pytest

from tests.conftest import lossbench
from tests.faults.conftest import check_whole, log_of, run_traceless, trials_of, write_study


@pytest.mark.full
@pytest.mark.timeout(600)
def test_what_breaks_every_time_is_given_up_after_three_attempts(discs_data, tmp_path, markers):
    losses = ["HungEveryTime", "KilledEveryTime", "ce"]
    study = write_study(tmp_path / "breaking.yaml", discs_data, losses)
    done = run_traceless(
        "run", study, "--data", discs_data, "--workers", 2, "--stall-after", 0.15, cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr
    assert "1 trials trained" in done.stdout
    assert "2 failed" in done.stdout
    assert done.stderr.count("trying again") == 4
    home = tmp_path / "lossbench-home"
    check_whole(home)
    trials = trials_of(home / "results.db")
    assert {label: (trial.state, trial.attempts) for label, trial in trials.items()} == {
        "HungEveryTime 0": ("failed", 3),
        "KilledEveryTime 0": ("failed", 3),
        "ce 0": ("done", 1),
    }
    assert "told nothing for 0.15 minutes" in trials["HungEveryTime 0"].reason
    assert "worker process died" in trials["KilledEveryTime 0"].reason
    assert log_of(home, trials["HungEveryTime 0"]).count("Z hung: ") == 3
    shown = " ".join(lossbench("status", cwd=tmp_path).stdout.split())
    assert "told nothing for" in shown
    assert "worker process died" in shown


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_worker_that_hangs_for_ever_keeps_no_other_trial_from_ending(discs_data, tmp_path, markers):
    losses = ["Hung", "HungEveryTime", "ce"]
    study = write_study(tmp_path / "breaking.yaml", discs_data, losses)
    command = ["run", study, "--data", discs_data, "--set", "seeds=3", "--stall-after", 0.15]
    done = run_traceless(*command, "--workers", 1, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    check_whole(tmp_path / "lossbench-home")
    trials = trials_of(tmp_path / "lossbench-home" / "results.db")
    states = {label: trial.state for label, trial in trials.items()}
    assert {label for label, state in states.items() if state == "failed"} == {
        f"HungEveryTime {seed}" for seed in range(3)
    }
    assert sorted(set(states.values())) == ["done", "failed"]
    assert sum(trial.attempts for trial in trials.values()) == 3 * (3 + 1 + 1) + 1
