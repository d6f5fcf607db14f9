"""Trials as work to be timed: on a pool of warm workers, and as scripts in processes of their own.

Most of what a trial costs is spent in other processes, whose CPU time a clock here does not see. So each
piece of work tells the seconds of one trial itself, from the clock on the wall, and :class:`ToldClock` adds
them up: what is concluded holds for a quiet machine, and the A/A pair says whether it was one.
"""

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from statistics import mean
from typing import Any, cast

from harness.bench.clocks import Times, Work
from harness.bench.naive import SCRIPTS
from harness.scheduling.cluster.pool import PoolOptions, RayExecutor
from harness.scheduling.executor import Failure
from harness.training.job import EpochRecord, Finished, Started, TrainingJob

_THREADING = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "MKL_NUM_THREADS")
_MOST_SECONDS_WITHOUT_NEWS = 60.0


class ToldClock:
    """Times work that returns seconds: of one trial, on the wall."""

    def time(self, work: Work, repetitions: int) -> Times:
        """Return the sum of what ``repetitions`` calls tell, as both times."""
        told = sum(cast("float", work()) for _ in range(repetitions))
        return Times(told, told)


@dataclass(frozen=True)
class Pass:
    """One sample of ours: the same trial on every worker of the pool, side by side.

    Attributes:
        wall: Seconds from the first submission to the last result.
        started: Seconds from the submission of the first trial to its first event.
        epochs: Learning curve of every trial.
        finished: Outcome of every trial.
    """

    wall: float
    started: float
    epochs: tuple[tuple[EpochRecord, ...], ...]
    finished: tuple[Finished, ...]

    @property
    def trials(self) -> int:
        """How many there were."""
        return len(self.finished)


Told = Callable[[Pass], float]
"""Seconds of one trial, from a pass."""


def wall_per_trial(found: Pass) -> float:
    """Return wall time over trials."""
    return found.wall / found.trials


def training_per_trial(found: Pass) -> float:
    """Return the time of the training steps, without validation, over the trials that ran side by side."""
    steps = [sum(each.seconds - each.validation_seconds for each in curve) for curve in found.epochs]
    return mean(steps) / found.trials


def start(found: Pass) -> float:
    """Return the time from a trial's submission to its first event, after which its first step begins."""
    return found.started


def extrapolated(steps: int, steps_per_epoch: int) -> Told:
    """Return what tells the seconds of a trial of so many steps, validation included.

    The first epoch is left out: compiling is done once for many trials, and a long trial hardly feels it.
    """

    def told(found: Pass) -> float:
        epochs = [each.seconds for curve in found.epochs for each in curve[1:]]
        return steps / steps_per_epoch * mean(epochs) / found.trials

    return told


class PooledTrials:
    """Work: the same trial on so many workers at once.

    Args:
        pool: Idle, with at least as many workers.
        job: The trial; keys and folders are made up for each copy, below its own folder.
        trials: Side by side.
        told: What of a pass is the time.
    """

    def __init__(self, pool: RayExecutor, job: TrainingJob, trials: int, told: Told) -> None:
        self._pool, self._job, self._trials, self._told = pool, job, trials, told
        self._numbers = count()
        self.last: Pass | None = None

    def __call__(self) -> float:
        """Train them and return the seconds of one.

        Raises:
            RuntimeError: if a trial fails or diverges.
        """
        jobs = [self._copy() for _ in range(self._trials)]
        try:
            self.last = run_side_by_side(self._pool, jobs)
        finally:
            for job in jobs:
                shutil.rmtree(job.folder, ignore_errors=True)
        return self._told(self.last)

    def _copy(self) -> TrainingJob:
        number = next(self._numbers)
        return replace(self._job, key=f"{number:064x}", folder=self._job.folder / str(number))


def run_side_by_side(pool: RayExecutor, jobs: list[TrainingJob]) -> Pass:
    """Run trials on idle workers until all have finished.

    Raises:
        RuntimeError: if a trial fails or diverges.
    """
    idle = pool.free
    began = time.perf_counter()
    for job in jobs:
        pool.submit(job)
    started, wall = 0.0, 0.0
    curves: dict[str, list[EpochRecord]] = {job.key: [] for job in jobs}
    finished: dict[str, Finished] = {}
    while pool.free < idle:
        for key, event in pool.wait(_MOST_SECONDS_WITHOUT_NEWS):
            passed = time.perf_counter() - began
            match event:
                case Failure():
                    raise RuntimeError(event.reason)
                case Finished(state="diverged"):
                    raise RuntimeError(str(event.reason))
                case Finished():
                    finished[key], wall = event, passed
                case EpochRecord():
                    curves[key].append(event)
                case Started() if key == jobs[0].key:
                    started = passed
    return Pass(wall, started, tuple(map(tuple, curves.values())), tuple(finished[job.key] for job in jobs))


@contextmanager
def warm_pool(workers: int, trials_per_gpu: int = 0) -> Iterator[RayExecutor]:
    """Give a pool of workers; the first trial of each warms it up."""
    before = dict(os.environ)
    pool = RayExecutor(PoolOptions(workers, trials_per_gpu, cores=workers))
    pool.warm_up()
    # What the pool sets for its workers is part of ours: the scripts must not have it.
    os.environ.clear()
    os.environ.update(before)
    try:
        yield pool
    finally:
        pool.close()


class NaiveTrial:
    """Work: one trial of the naive harness, a process with default threads, start to end.

    Args:
        config: Of the script ``train``, as :class:`harness.bench.naive.train.Config` has it.
        scratch: Folder for its files.
    """

    def __init__(self, config: Mapping[str, Any], scratch: Path) -> None:
        self._config, self._scratch = config, scratch
        self._warm = False
        self.last: dict[str, Any] = {}

    def __call__(self) -> float:
        """Run it and return its wall time; the first call warms up with a single epoch.

        Raises:
            RuntimeError: if the script fails.
        """
        epochs = self._config["epochs"] if self._warm else 1
        self._warm = True
        began = time.perf_counter()
        text = json.dumps({**self._config, "epochs": epochs})
        self.last = run_script("train", text.encode(), self._scratch)
        self.last["wall"] = time.perf_counter() - began
        return float(self.last["wall"])


class EagerTraining:
    """Work: the training loop of the script ``eager``, a process with default threads.

    Args:
        job: What is trained.
        scratch: Folder for its files.
    """

    def __init__(self, job: TrainingJob, scratch: Path) -> None:
        self._job, self._scratch = job, scratch

    def __call__(self) -> float:
        """Return the seconds of its steps, as the script tells them.

        Raises:
            RuntimeError: if the script fails.
        """
        return float(run_script("eager", pickle.dumps(self._job), self._scratch)["seconds"])


def run_script(name: str, given: bytes, scratch: Path) -> dict[str, Any]:
    """Run a script of the naive harness in a process of its own and return what it wrote.

    Args:
        name: Of the script.
        given: Content of the file that it reads.
        scratch: Folder for both files.

    Raises:
        RuntimeError: if the script fails; with the last line that it wrote to stderr.
    """
    source, result = scratch / f"{name}.in", scratch / f"{name}.out"
    source.write_bytes(given)
    environment = {key: value for key, value in os.environ.items() if key not in _THREADING}
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / f"{name}.py"), str(source), str(result)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RuntimeError(f"the naive harness's {name}.py failed: {lines[-1]}")
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def naive_config(folder: Path, job: TrainingJob, sides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job of ours as the naive harness is told it.

    Args:
        folder: The dataset's folder.
        job: The trial.
        sides: ``train``, ``validation``, ``test``: names of cases; and ``n_classes``.
    """
    return {
        "folder": str(folder),
        **sides,
        "model_options": dict(job.model_options),
        "epochs": job.protocol.epochs,
        "batch_size": job.protocol.batch_size,
        "lr": job.protocol.optimizer.lr,
        "seed": job.seed,
        "device": job.device,
    }
