"""Trials that train nothing as work to be timed: through driver and pool of a study, and through Ray Tune.

Times are those of the clock on the wall, waiting included: a scheduler is there so that nobody waits.
"""

import contextlib
import io
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import event

from harness.bench.made_up_trials import CASE, METRIC, TORCH
from harness.bench.store_runs import fresh_file
from harness.data.splits import HoldoutSplit, KFoldSplit, folds
from harness.losses import LOSSES
from harness.scheduling.cluster.pool import RayExecutor
from harness.scheduling.driver import Driver
from harness.scheduling.executor import Executor, Failure, Message, Stopped
from harness.scheduling.progress import Progress
from harness.scheduling.trial_forms import Folders, record_of
from harness.scheduling.trial_source import PlanSource
from harness.store.database import Database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.ownership import new_owner
from harness.store.trials import TrialStore
from harness.study.loss_entry import LossEntry
from harness.study.plan import PlannedTrial, StudyDataset, fixed_trials
from harness.study.spec import Study
from harness.training.job import Finished, Started, TrainingJob

_SECONDS_OF_WARMING = 0.5
"""Long enough that no worker gets two of the trials that warm the pool."""

Hear = Callable[[Message], None]


@dataclass(frozen=True)
class MadeUpStudy:
    """A study of so many trials, on datasets that are not there.

    Attributes:
        trials: How many; a multiple of losses, datasets and folds is used up evenly.
        losses: Under how many labels.
        datasets: Of one case each.
        folds: Of each dataset; 1 is a hold-out split.
    """

    trials: int
    losses: int = 10
    datasets: int = 1
    folds: int = 1

    @cached_property
    def study(self) -> Study:
        """The study as its file would declare it."""
        return Study(
            study="made-up",
            datasets=tuple(each.name for each in self.study_datasets),
            losses=tuple(LossEntry(loss=name) for name in sorted(LOSSES)[: self.losses]),
            seeds=-(-self.trials // (self.losses * self.datasets * self.folds)),
        )

    @cached_property
    def study_datasets(self) -> list[StudyDataset]:
        """Its datasets."""
        split = HoldoutSplit() if self.folds == 1 else KFoldSplit(k=self.folds)
        assert len(folds(split)) == self.folds
        return [StudyDataset(f"set{n}", f"{n:064x}", split) for n in range(self.datasets)]

    def plan(self) -> list[PlannedTrial]:
        """Return its trials."""
        return fixed_trials(self.study, self.study_datasets)[: self.trials]

    def register(self, store: TrialStore) -> int:
        """Write study, datasets and metric, but no trials; return the study's id."""
        for dataset in self.study_datasets:
            case = ("patient000", CASE, None, (1, 8, 8), (1.0, 1.0, 1.0), (32, 32))
            classes = ("background", "lesion")
            register_dataset(
                store.database, DatasetRecord(dataset.fingerprint, dataset.name, "", classes, (case,))
            )
        metric = {"name": METRIC, "version": 1, "title": "DSC", "unit": "", "direction": "higher"}
        store.register_metrics([{**metric, "description": ""}])
        return store.register_study(self.study.study, "", self.study.model_dump(mode="json"))


class Slots:
    """Some of a pool's workers, whose trials are told how long to sleep.

    Args:
        pool: Idle.
        workers: How many of its workers take trials.
        options: Of the model of every trial.
        hear: Told of everything that happens.
    """

    def __init__(
        self, pool: Executor, workers: int, options: Mapping[str, Any], hear: Hear = lambda message: None
    ) -> None:
        self._pool, self._workers, self._options, self._hear = pool, workers, options, hear
        self._keys: set[str] = set()

    @property
    def workers(self) -> int:
        """How many trials run at a time."""
        return min(self._pool.workers, self._workers)

    @property
    def free(self) -> int:
        """How many trials can be submitted now."""
        return max(0, min(self._pool.free, self._workers - len(self._keys)))

    def submit(self, job: TrainingJob, alone: bool = False) -> None:
        """Start a trial."""
        self._keys.add(job.key)
        self._pool.submit(replace(job, model_options=dict(self._options)), alone)

    def answer(self, key: str, goes_on: bool) -> None:
        """Let a judged trial go on or end."""
        self._pool.answer(key, goes_on)

    def wait(self, seconds: float) -> list[Message]:
        """Return what has happened."""
        messages = self._pool.wait(seconds)
        for message in messages:
            if isinstance(message[1], Finished | Failure | Stopped):
                self._keys.discard(message[0])
            self._hear(message)
        return messages

    def notes(self) -> list[str]:
        """Return what the pool has to say."""
        return self._pool.notes()

    def stop(self) -> None:
        """Ask every trial to stop."""
        self._pool.stop()

    def abandon(self, key: str) -> None:
        """Stop one trial now."""
        self._keys.discard(key)
        self._pool.abandon(key)

    def cancel(self) -> None:
        """Stop all trials now."""
        self._keys.clear()
        self._pool.cancel()

    def close(self) -> None:
        """Leave the pool to whoever made it."""


@dataclass(frozen=True)
class Driven:
    """One run of the driver over all trials of a study.

    Attributes:
        trials: How many.
        wall: Seconds from the driver's start to its end.
        cpu: CPU seconds of all threads of the driver's process.
        statements: Sent to the database.
        transactions: Committed.
    """

    trials: int
    wall: float
    cpu: float
    statements: int
    transactions: int


def drive(
    made_up: MadeUpStudy, executor: Executor, database: Database, folder: Path, progress: Progress
) -> Driven:
    """Run all trials of a study.

    Args:
        made_up: The study.
        executor: Idle.
        database: Without these trials.
        folder: For the files of trials.
        progress: Hears what happens.

    Raises:
        RuntimeError: if not every trial was trained.
    """
    store = TrialStore(database, new_owner())
    study_id = made_up.register(store)
    planned = made_up.plan()
    prepared = {dataset.fingerprint: folder for dataset in made_up.study_datasets}
    store.register_trials(study_id, map(record_of, planned), restart=True)
    driver = Driver(
        store, study_id, executor, PlanSource(planned), Folders(prepared, folder / "artifacts"), progress
    )
    with _counted(database) as counts:
        wall, cpu = time.perf_counter(), time.process_time()
        summary = driver.run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if summary.trained != made_up.trials:
        raise RuntimeError(f"{made_up.trials} trials were given out: {summary}")
    return Driven(summary.trained, wall, cpu, counts["statements"], counts["transactions"])


@contextmanager
def _counted(database: Database) -> Iterator[dict[str, int]]:
    """Count what is asked of a database meanwhile."""
    counts = {"statements": 0, "transactions": 0}

    def statement(*_: object) -> None:
        counts["statements"] += 1

    def transaction(*_: object) -> None:
        counts["transactions"] += 1

    heard = (("before_cursor_execute", statement), ("commit", transaction))
    for name, listener in heard:
        event.listen(database.engine, name, listener)
    try:
        yield counts
    finally:
        for name, listener in heard:
            event.remove(database.engine, name, listener)


class DrivenTrials:
    """Work: all trials of a study through the driver, on some workers of a pool, into a new database.

    Args:
        pool: Idle; the first call warms all its workers up.
        slots: How many of them take trials.
        trials: How many there are.
        seconds: How long each sleeps.
        told: What of a run is the time.
    """

    def __init__(
        self, pool: RayExecutor, slots: int, trials: int, seconds: float, told: Callable[[Driven], float]
    ) -> None:
        self._pool, self._slots, self._trials, self._seconds, self._told = pool, slots, trials, seconds, told
        self._warm = False
        self.last: Driven | None = None

    def __call__(self) -> float:
        """Run them and return what is told.

        Raises:
            RuntimeError: if a trial was not trained, or a worker has imported torch.
        """
        if self._warm:
            self.last = self._run(self._trials, self._slots, self._seconds)
        else:
            self._pool.warm_up()
            self._warm, workers = True, self._pool.workers
            self.last = self._run(workers, workers, min(self._seconds, _SECONDS_OF_WARMING))
        return self._told(self.last)

    def _run(self, trials: int, slots: int, seconds: float) -> Driven:
        executor = Slots(self._pool, slots, {"seconds": seconds}, refuse_torch)
        with scratch() as folder, fresh_file(folder, "results.db") as database:
            return drive(MadeUpStudy(trials), executor, database, folder, Progress())


def refuse_torch(message: Message) -> None:
    """Take notice of a worker that is larger than it ought to be.

    Raises:
        RuntimeError: if a trial tells that its worker has imported torch.
    """
    happened = message[1]
    if isinstance(happened, Started) and happened.hardware.get(TORCH) == "yes":
        raise RuntimeError("a worker has imported torch for a trial that needs none")


class TunedTrials:
    """Work: sleeping trials through Ray Tune, on the cluster that the pool has started.

    Its trials reserve memory, of which there is plenty, instead of cores: those belong to the pool, which
    idles meanwhile.

    Args:
        slots: How many trials run at a time.
        trials: How many there are.
        seconds: How long each sleeps.
        reuse_actors: Whether a trial may have the process of one that has ended, as ours do; Tune's default
            is a process per trial.
    """

    def __init__(self, slots: int, trials: int, seconds: float, reuse_actors: bool) -> None:
        self._slots, self._trials, self._seconds, self._reuse = slots, trials, seconds, reuse_actors
        self._warm = False

    def __call__(self) -> float:
        """Run them and return the seconds that a slot took for each of its trials; the first call warms up.

        Raises:
            RuntimeError: if a result is missing.
        """
        trials, seconds = (
            (self._trials, self._seconds)
            if self._warm
            else (self._slots, min(self._seconds, _SECONDS_OF_WARMING))
        )
        self._warm = True
        return self._fit(trials, seconds) * self._slots / trials

    def _fit(self, trials: int, seconds: float) -> float:
        from ray import tune

        from harness.bench.made_up_trials import tuned

        with scratch() as folder, _silent_tune():
            tuner = tune.Tuner(
                tune.with_resources(tuned, tune.PlacementGroupFactory([{"memory": 1.0}])),
                param_space={"number": tune.grid_search(list(range(trials))), "seconds": seconds},
                tune_config=tune.TuneConfig(max_concurrent_trials=self._slots, reuse_actors=self._reuse),
                run_config=tune.RunConfig(storage_path=str(folder), name="bench", verbose=0),
            )
            began = time.perf_counter()
            results = tuner.fit()
            wall = time.perf_counter() - began
        given = [results[index].metrics or {} for index in range(len(results))]
        found = sorted(metrics.get("number", -1) for metrics in given)
        if results.errors or found != list(range(trials)):
            raise RuntimeError(f"Ray Tune gave {len(found)} results of {trials}")
        return wall


@contextmanager
def _silent_tune() -> Iterator[None]:
    """Take Ray Tune's table of the experiment away, and its log."""
    logger = logging.getLogger("ray.tune")
    level, output = logger.level, os.environ.get("RAY_AIR_NEW_OUTPUT")
    logger.setLevel(logging.ERROR)
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
        if output is None:
            del os.environ["RAY_AIR_NEW_OUTPUT"]
        else:
            os.environ["RAY_AIR_NEW_OUTPUT"] = output


def per_slot(slots: int) -> Callable[[Driven], float]:
    """Return what tells the seconds that each of so many slots took for a trial."""
    return lambda found: found.wall * slots / found.trials


def per_trial(found: Driven) -> float:
    """Return wall time over trials."""
    return found.wall / found.trials


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="lossbench-bench-") as name:
        yield Path(name)
