"""Plan many trials in a process of its own: how long it takes, and what it keeps in memory."""

import multiprocessing
import os
import time
import tracemalloc
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from harness.bench.scheduling_runs import MadeUpStudy, scratch
from harness.bench.store_runs import fresh_file
from harness.scheduling.trial_forms import record_of
from harness.scheduling.trial_source import PlanSource
from harness.store.ownership import new_owner
from harness.store.trials import TrialStore

_STATUS = Path("/proc/self/statm")


@dataclass(frozen=True)
class Planned:
    """What planning took.

    Attributes:
        wall: Seconds.
        parts: Seconds of each step.
        resident: Bytes by which the process has grown, None where the system does not tell.
        kept: Bytes of Python objects that stay; 0 if they were not traced.
        peak: Most bytes of Python objects on the way; 0 if they were not traced.
    """

    wall: float
    parts: Mapping[str, float]
    resident: int | None
    kept: int = 0
    peak: int = 0


class PlannedStudy:
    """Work: plan a study as ``lossbench run`` does, into a new database.

    Args:
        process: One process that has done nothing yet, so that what it grows by is the plan.
        made_up: The study.
    """

    def __init__(self, process: ProcessPoolExecutor, made_up: MadeUpStudy) -> None:
        self._process, self._made_up = process, made_up
        self.first: Planned | None = None

    def __call__(self) -> float:
        """Plan it and return the seconds."""
        found = self._process.submit(plan, self._made_up, traced=False).result()
        self.first = self.first or found
        return found.wall

    def traced(self) -> Planned:
        """Plan it while Python's objects are counted, which takes longer."""
        return self._process.submit(plan, self._made_up, traced=True).result()


@contextmanager
def fresh_process() -> Iterator[ProcessPoolExecutor]:
    """Give a process that shares no memory with this one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        yield process


def plan(made_up: MadeUpStudy, traced: bool) -> Planned:
    """Make the trials of a study with their keys, register them, and look up what is known of them.

    Args:
        made_up: The study.
        traced: Whether Python's objects are counted.
    """
    with scratch() as folder, fresh_file(folder, "results.db") as database:
        store = TrialStore(database, new_owner())
        study_id = made_up.register(store)
        before = _resident()
        if traced:
            tracemalloc.start()
        clock = [time.perf_counter()]
        trials = made_up.plan()
        clock.append(time.perf_counter())
        store.register_trials(study_id, map(record_of, trials), restart=True)
        clock.append(time.perf_counter())
        source, known = PlanSource(trials), store.places(study_id)
        clock.append(time.perf_counter())
        after = _resident()
        kept, peak = tracemalloc.get_traced_memory() if traced else (0, 0)
        tracemalloc.stop()
        assert source.expected == len(known) == made_up.trials
    seconds = [end - start for start, end in pairwise(clock)]
    parts = dict(zip(("plan", "register", "look up"), seconds, strict=True))
    grown = None if before is None or after is None else after - before
    return Planned(clock[-1] - clock[0], parts, grown, kept, peak)


def _resident() -> int | None:
    """Return the memory of this process, in bytes."""
    if not _STATUS.exists():
        return None
    return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
