"""A study whose workers are killed at random, and what is left of it afterwards."""

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from harness.bench.made_up_trials import EPOCHS, PROCESS, number_of
from harness.bench.scheduling_runs import Driven, MadeUpStudy, Slots, drive
from harness.bench.store_runs import fresh_file
from harness.scheduling.executor import Executor, Failure, Message, Stopped
from harness.scheduling.progress import Progress
from harness.scheduling.running_trial import MOST_RETRIES
from harness.store.database import Database
from harness.store.schema import EpochRow, ScoreRow, TrialRow
from harness.study.plan import PlannedTrial
from harness.training.job import Finished, Started


@dataclass(frozen=True)
class Soaked:
    """What became of the trials.

    Attributes:
        driven: Time and statements.
        kills: Workers killed.
        retries: Trials that were begun again.
        attempts: Begun, as the database counts them.
        lost: Trials without a result.
        double: Trials that ended twice.
        wrong: Trials with another number than theirs, or with one too many or too few.
    """

    driven: Driven
    kills: int
    retries: int
    attempts: int
    lost: int
    double: int
    wrong: int

    @property
    def faults(self) -> int:
        """What must be 0; an attempt that was not counted is one."""
        miscounted = self.attempts != self.driven.trials + self.retries
        return self.lost + self.double + self.wrong + miscounted


class Chaos:
    """Kills processes in which a trial runs, at random moments; those of one pool only, which tell their ids.

    While a trial would be given up after one more crash, nobody is killed: who is hit is known only later.

    Args:
        kills: How many at most.
        every: Seconds between two, on average.
        seed: Of the moments and the victims.
    """

    def __init__(self, kills: int, every: float, seed: int = 0) -> None:
        self._most, self._every = kills, every
        self._random = random.Random(seed)
        self._running: dict[str, int] = {}
        self._crashes: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.kills = 0

    def hear(self, message: Message) -> None:
        """Note which process runs a trial, and that it no longer does."""
        key, happened = message
        with self._lock:
            if isinstance(happened, Started):
                self._running[key] = int(happened.hardware[PROCESS])
            elif isinstance(happened, Finished | Failure | Stopped):
                self._running.pop(key, None)
                if isinstance(happened, Failure):
                    self._crashes[key] += 1
                else:
                    self._crashes.pop(key, None)

    @contextmanager
    def unleashed(self) -> Iterator[None]:
        """Kill meanwhile."""
        thread = threading.Thread(target=self._kill, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _kill(self) -> None:
        while self.kills < self._most and not self._over.wait(self._random.expovariate(1 / self._every)):
            with self._lock:
                if not self._running or max(self._crashes.values(), default=0) >= MOST_RETRIES["crash"]:
                    continue
                key = self._random.choice(sorted(self._running))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._running.pop(key), signal.SIGKILL)
                    self.kills += 1


class _Counted(Progress):
    """Counts how often trials end and are begun again."""

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self.retries = 0

    def finished(self, planned: PlannedTrial, state: str, best_val_dsc: float | None, seconds: float) -> None:
        """Count a result."""
        self.ended[planned.trial.key] += 1

    def failed(self, planned: PlannedTrial, reason: str, will_retry: bool) -> None:
        """Count another attempt."""
        self.retries += will_retry


def soak(pool: Executor, made_up: MadeUpStudy, seconds: float, chaos: Chaos, folder: Path) -> Soaked:
    """Run a study whose workers are killed, and look for every trial in the database.

    Args:
        pool: Idle; its entry is :func:`harness.bench.made_up_trials.numbered`.
        made_up: The study.
        seconds: How long each trial takes.
        chaos: Kills the workers.
        folder: For the database and the files of trials.

    Raises:
        RuntimeError: if not every trial was trained.
    """
    progress = _Counted()
    executor = Slots(pool, pool.workers, {"seconds": seconds}, chaos.hear)
    with fresh_file(folder, "results.db") as database:
        with chaos.unleashed():
            driven = drive(made_up, executor, database, folder, progress)
        keys = [planned.trial.key for planned in made_up.plan()]
        lost, attempts = _counted(database, keys)
        return Soaked(
            driven=driven,
            kills=chaos.kills,
            retries=progress.retries,
            attempts=attempts,
            lost=lost,
            double=sum(times > 1 for times in progress.ended.values()),
            wrong=wrong_trials(database, keys),
        )


def _counted(database: Database, keys: list[str]) -> tuple[int, int]:
    """Return how many trials are not done, and all attempts."""
    with database.read() as connection:
        done = set(connection.execute(select(TrialRow.key).where(TrialRow.state == "done")).scalars())
        attempts = connection.execute(select(func.sum(TrialRow.attempts))).scalar_one()
    return len(set(keys) - done), int(attempts or 0)


def wrong_trials(database: Database, keys: list[str]) -> int:
    """Return how many trials do not have exactly the numbers that follow from their keys."""
    curves: dict[str, list[float]] = {key: [] for key in keys}
    scores: dict[str, list[float | None]] = {key: [] for key in keys}
    points = select(TrialRow.key, EpochRow.val_dsc).join(EpochRow, EpochRow.trial_id == TrialRow.id)
    values = select(TrialRow.key, ScoreRow.value).join(ScoreRow, ScoreRow.trial_id == TrialRow.id)
    with database.read() as connection:
        for key, value in connection.execute(points.order_by(EpochRow.trial_id, EpochRow.epoch)):
            curves[key].append(value)
        for key, score in connection.execute(values):
            scores[key].append(score)
        trials = connection.execute(select(TrialRow.key, TrialRow.best_val_dsc))
        best = {trial.key: trial.best_val_dsc for trial in trials}
    wrong = 0
    for key in keys:
        curve = [number_of(key, epoch) for epoch in range(EPOCHS)]
        right = (curves[key], scores[key], best[key]) == (curve, [number_of(key, EPOCHS)] * 2, max(curve))
        wrong += not right
    return wrong
