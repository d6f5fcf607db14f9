"""Searches over trainings that do nothing, through driver, database and Optuna: the tuning is left."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from harness.bench.clocks import Times, Work
from harness.bench.made_up_trials import CASE, METRIC
from harness.bench.postgresql_server import Server
from harness.bench.scheduling_runs import MadeUpStudy, drive, scratch
from harness.bench.store_runs import fresh_file
from harness.scheduling.driver import Driver
from harness.scheduling.inline import InlineExecutor
from harness.scheduling.progress import Progress
from harness.scheduling.trial_forms import Folders
from harness.scheduling.trial_source import JoinedSources
from harness.store.database import Database, open_database
from harness.store.ownership import new_owner
from harness.store.trials import TrialStore
from harness.strict_yaml import validate
from harness.study.spec import Study
from harness.training.job import CaseScore, EpochRecord, Event, Finished, Started, TrainingJob
from harness.tuning.search import Search
from harness.tuning.search_plan import search_plans
from harness.tuning.storage import open_storage

EPOCHS = 10
"""Of every training."""

RANDOM: dict[str, Any] = {"sampler": "random"}
PRUNED: dict[str, Any] = {
    "sampler": {"name": "tpe", "startup": 5},
    "pruner": {"name": "median", "startup": 4},
}
"""Settings of the tuning block."""

_VALUE = 0.5


def flat(_job: TrainingJob) -> Iterator[Event]:
    """Give a curve without slope: every epoch is judged, and no configuration is ended early."""
    yield Started({}, 0)
    curve = tuple(EpochRecord(epoch, 0.5, _VALUE, 1e-3, None, None, 0.0) for epoch in range(EPOCHS))
    yield from curve
    scores = tuple(
        CaseScore(CASE, "validation", checkpoint, 1, METRIC, _VALUE, _VALUE, None)
        for checkpoint in ("best", "last")
    )
    yield Finished("done", None, None, False, 0, _VALUE, curve, scores, {}, "none", 0.0)


def tuned_study(configurations: int, settings: dict[str, Any], made_up: MadeUpStudy) -> Study:
    """Return a study that tunes a compound loss, its alpha schedule and the learning rate.

    Args:
        configurations: The budget.
        settings: Sampler and pruner.
        made_up: Has its dataset.
    """
    document = {
        "study": "made-up-tuned",
        "datasets": [each.name for each in made_up.study_datasets],
        "protocol": {"epochs": EPOCHS},
        "losses": [{"label": "GDL + BL", "loss": "gdl + boundary", "alpha": "tune"}],
        "tuning": {"configurations": configurations, **settings},
    }
    return validate(Study, document, "made-up-tuned")


@dataclass(frozen=True)
class SearchedTrials:
    """Work: one search, in this process, into a new database.

    Attributes:
        configurations: Its budget; each is one training.
        settings: Sampler and pruner.
        server: Where databases are made; None: in SQLite files.
    """

    configurations: int
    settings: dict[str, Any]
    server: Server | None = None

    def __call__(self) -> Times:
        """Run it and return the seconds of a configuration; the opening of the search is left out.

        Raises:
            RuntimeError: if not every configuration was trained.
        """
        made_up = MadeUpStudy(1, losses=1)
        study = tuned_study(self.configurations, self.settings, made_up)
        with scratch() as folder, _new_database(folder, self.server) as database:
            store = TrialStore(database, new_owner())
            made_up.register(store)
            study_id = store.register_study(study.study, "", study.model_dump(mode="json"))
            storage = open_storage(database)
            plans = search_plans(study, made_up.study_datasets)
            searches = JoinedSources([Search(plan, database, storage, winners=False) for plan in plans])
            prepared = {dataset.fingerprint: folder for dataset in made_up.study_datasets}
            folders = Folders(prepared, folder / "artifacts")
            driver = Driver(store, study_id, InlineExecutor(flat), searches, folders, Progress())
            with _silent_searches():
                wall, cpu = time.perf_counter(), time.process_time()
                summary = driver.run()
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            storage.engine.dispose()
        if summary.trained != self.configurations:
            raise RuntimeError(f"{self.configurations} configurations were to be trained: {summary}")
        return _each(cpu, wall, self.configurations, self.server)


@dataclass(frozen=True)
class PlainTrials:
    """Work: the same number of the same trainings as a plan, in this process, into a new database.

    Attributes:
        trials: How many.
        server: Where databases are made; None: in SQLite files.
    """

    trials: int
    server: Server | None = None

    def __call__(self) -> Times:
        """Run them and return the seconds of one."""
        with scratch() as folder, _new_database(folder, self.server) as database:
            made_up = MadeUpStudy(self.trials, losses=1)
            driven = drive(made_up, InlineExecutor(flat), database, folder, Progress())
        return _each(driven.cpu, driven.wall, self.trials, self.server)


class ToldTimes:
    """Times work that returns its times."""

    def time(self, work: Work, repetitions: int) -> Times:
        """Return the sum of what ``repetitions`` calls tell."""
        told = [cast("Times", work()) for _ in range(repetitions)]
        return Times(sum(each.busy for each in told), sum(each.wall for each in told))


def _each(cpu: float, wall: float, trials: int, server: Server | None) -> Times:
    """Return the time of one; with a server waiting is work, as its time is not ours."""
    return Times((cpu if server is None else wall) / trials, wall / trials)


@contextmanager
def _silent_searches() -> Iterator[None]:
    """Do not tell what was found."""
    logger = logging.getLogger("harness.tuning")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _new_database(folder: Path, server: Server | None) -> Iterator[Database]:
    if server is None:
        with fresh_file(folder, "results.db") as database:
            yield database
        return
    with server.fresh() as url:
        database = open_database(url, create=True)
        try:
            yield database
        finally:
            database.close()
