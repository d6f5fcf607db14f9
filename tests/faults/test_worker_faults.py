"""Break workers in every way that is known: trials that can be saved are, and no other is disturbed."""

import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from harness.data.splits import HoldoutSplit
from harness.scheduling.cluster.pool import PoolOptions, RayExecutor
from harness.scheduling.driver import Driver, Summary
from harness.scheduling.progress import Progress
from harness.scheduling.trial_forms import DriverOptions, Folders, record_of
from harness.scheduling.trial_source import PlanSource
from harness.store.database import open_database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.ownership import new_owner
from harness.store.trials import TrialStore
from harness.strict_yaml import read, validate
from harness.study.plan import StudyDataset, fixed_trials
from harness.study.spec import Study
from tests.conftest import LOSSBENCH, lossbench
from tests.faults.conftest import (
    check_traceless,
    check_whole,
    log_of,
    run_traceless,
    same_numbers_as_undisturbed,
    trials_of,
    write_study,
)

GPU_STUDY = """\
study: gpu
datasets: [msd_hippocampus]
seeds: {seeds}
losses: [{{label: ce, loss: ce}}, {{label: dice, loss: dice}}]
"""
FINGERPRINT = "f" * 64

BREAKING_ONCE = {
    "Killed": "crash: the worker process died",
    "Greedy": "memory: OutOfMemory",
    "Hung": "hung: ",
}


@pytest.mark.timeout(600)  # 40 s where nothing else runs
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

    same_numbers_as_undisturbed(command, tmp_path)


@pytest.fixture
def run_on_a_made_up_gpu(tmp_path: Path, markers: Path) -> Callable[[PoolOptions, int], Summary]:
    """A function that runs ``ce`` and ``dice``, a number of times each, on GPUs that are not there."""

    def run(options: PoolOptions, seeds: int) -> Summary:
        study = validate(Study, read(GPU_STUDY.format(seeds=seeds), "gpu.yaml"), "gpu.yaml")
        entry = study.dataset_entries[0]
        store = TrialStore(open_database(f"sqlite:///{tmp_path / 'results.db'}", create=True), new_owner())
        study_id = store.register_study("gpu", "", {})
        record = DatasetRecord(FINGERPRINT, entry.dataset, "", ("background", "a"), ())
        register_dataset(store.database, record)
        planned = fixed_trials(study, [StudyDataset(entry.dataset, FINGERPRINT, HoldoutSplit())])
        store.register_trials(study_id, list(map(record_of, planned)))
        folders = Folders({FINGERPRINT: tmp_path}, tmp_path / "artifacts")
        executor = RayExecutor(options)
        try:
            return Driver(
                store, study_id, executor, PlanSource(planned), folders, Progress(), DriverOptions("cuda")
            ).run()
        finally:
            executor.close()
            store.database.close()

    return run


@pytest.mark.full
@pytest.mark.parametrize(
    ("gpus", "trials_per_gpu", "seeds"),
    [(1, 2, 2), pytest.param(2, 3, 12, marks=[pytest.mark.full, pytest.mark.timeout(900)])],
    ids=["few", "many"],
)
def test_what_does_not_fit_beside_others_is_tried_alone_on_the_gpu(
    run_on_a_made_up_gpu, tmp_path, gpus, trials_per_gpu, seeds
):
    summary = run_on_a_made_up_gpu(
        PoolOptions(
            trials_per_gpu=trials_per_gpu, gpus=gpus, cores=2, entry="breaking_losses:train_on_a_small_gpu"
        ),
        seeds,
    )
    assert (summary.trained, summary.failed, summary.left) == (2 * seeds, 0, 0)
    trials = trials_of(tmp_path / "results.db")
    assert {trial.state for trial in trials.values()} == {"done"}
    assert {label: trial.attempts for label, trial in trials.items()} == {
        **{f"dice {seed}": 2 for seed in range(seeds)},
        **{f"ce {seed}": 1 for seed in range(seeds)},
    }
    check_traceless(os.getpid())


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_killed_trial_goes_on_from_its_checkpoint(discs_data, tmp_path, markers):
    study = write_study(tmp_path / "breaking.yaml", discs_data, ["KilledAfterACheckpoint"])
    command = ["run", study, "--data", discs_data]
    done = run_traceless(*command, "--workers", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    home = tmp_path / "lossbench-home"
    check_whole(home)
    log = log_of(home, trials_of(home / "results.db")["KilledAfterACheckpoint 0"])
    assert re.findall("begins at epoch . of 3", log) == ["begins at epoch 0 of 3", "begins at epoch 1 of 3"]
    same_numbers_as_undisturbed(command, tmp_path)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_numbers_do_not_depend_on_how_often_workers_are_killed(discs_data, tmp_path, markers):
    study = write_study(tmp_path / "breaking.yaml", discs_data, ["Slow"])
    command = ["run", study, "--data", discs_data, "--set", "seeds=8", "--set", "protocol.epochs=8"]
    home = tmp_path / "lossbench-home"
    arguments = [*LOSSBENCH, *map(str, command), "--workers", "2"]
    kills: Counter[Path] = Counter()
    moments = random.Random(11)
    with subprocess.Popen(arguments, cwd=tmp_path, stderr=subprocess.DEVNULL) as driver:
        while driver.poll() is None:
            time.sleep(moments.uniform(0.2, 2.0))
            busy = {log: worker for log, worker in workers_at(home) if kills[log] < 2}
            if busy:
                log = moments.choice(sorted(busy))
                with suppress(ProcessLookupError):
                    os.kill(busy[log], signal.SIGKILL)
                kills[log] += 1
    check_traceless(driver.pid)
    assert driver.returncode == 0
    assert kills.total() >= 8
    check_whole(home)
    trials = trials_of(home / "results.db")
    assert {trial.state for trial in trials.values()} == {"done"}
    print(f"{kills.total()} kills, {sum(trial.attempts for trial in trials.values())} attempts")  # noqa: T201
    same_numbers_as_undisturbed(command, tmp_path)


def workers_at(home: Path) -> Iterator[tuple[Path, int]]:
    """Yield the logs of trials that have begun and not ended, and the processes that have them."""
    for log in home.glob("artifacts/*/log.txt"):
        attempt = re.split("worker process ([0-9]+) on", log.read_text())
        ended = re.search("Z (done|crash)", attempt[-1])
        if len(attempt) > 2 and "begins at epoch" in attempt[-1] and not ended:
            yield log, int(attempt[-2])
