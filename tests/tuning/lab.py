"""Searches with a made-up training: the real driver, the real database, an objective that is a formula."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.storages import RDBStorage

from harness.data.splits import HoldoutSplit, KFoldSplit
from harness.metrics import METRICS
from harness.scheduling.driver import Driver, Summary
from harness.scheduling.executor import Message
from harness.scheduling.progress import Progress
from harness.scheduling.trial_forms import DriverOptions, Folders
from harness.scheduling.trial_source import JoinedSources, PlanSource, TakingTurns
from harness.scheduling.worker import run_job
from harness.store.database import Database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.ownership import new_owner
from harness.store.trials import TrialStore
from harness.strict_yaml import validate
from harness.study.plan import StudyDataset, fixed_trials
from harness.study.spec import Study
from harness.training.job import CaseScore, EpochRecord, Event, Finished, Started, TrainingJob
from harness.tuning.history import SearchHistory, load_searches
from harness.tuning.search import Search
from harness.tuning.search_plan import search_plans
from harness.tuning.storage import open_storage

FINGERPRINT = "f" * 64
CASES = (
    ("p1", "c1", None, (1, 4, 4), (1.0, 1.0, 1.0), (10, 6)),
    ("p2", "c2", None, (1, 4, 4), (1.0, 1.0, 1.0), (10, 6)),
)
Objective = Callable[[TrainingJob, int], float]
"""Validation DSC of a job after an epoch."""


class Killed(BaseException):
    """Stands for ``kill -9``: nothing that catches exceptions sees it."""


def rate_of(job: TrainingJob) -> float:
    """Return the learning rate that a job has."""
    rate: float = job.protocol.optimizer.lr
    return rate


def study_of(**changes: Any) -> Study:
    """Return a small study that tunes CE."""
    document: dict[str, Any] = {
        "study": "demo",
        "datasets": ["msd_hippocampus"],
        "seeds": 2,
        "protocol": {"epochs": 5},
        "losses": [{"label": "CE", "loss": "ce"}],
        "tuning": {"losses": "all", "configurations": 6},
    }
    return validate(Study, {**document, **changes}, "demo.yaml")


@dataclass
class Workers:
    """Several workers that take turns at random, each of which trains by a generator.

    Attributes:
        train: Runs a job.
        workers: How many.
        order: Who goes next.
        killed_after: Epochs after which everything ends at once; None: never.
    """

    train: Callable[[TrainingJob], Iterator[Event]]
    workers: int = 1
    order: random.Random = field(default_factory=lambda: random.Random(0))
    killed_after: int | None = None
    epochs: int = 0
    most_running: int = 0

    def __post_init__(self) -> None:
        self._running: dict[str, Iterator[Any]] = {}
        self._asked: dict[str, bool | None] = {}

    @property
    def free(self) -> int:
        return self.workers - len(self._running)

    def submit(self, job: TrainingJob, alone: bool = False) -> None:
        goes_on = (lambda: self._asked.pop(job.key) is not False) if job.judged else None
        self._running[job.key] = run_job(
            job, self.train, lambda: False, capture_output=False, goes_on=goes_on
        )
        self.most_running = max(self.most_running, len(self._running))

    def answer(self, key: str, goes_on: bool) -> None:
        self._asked[key] = goes_on

    def wait(self, seconds: float) -> list[Message]:
        able = [key for key in self._running if self._asked.get(key, True) is not None]
        if not able:
            return []
        key = self.order.choice(sorted(able))
        happening = next(self._running[key])
        if isinstance(happening, EpochRecord):
            self.epochs += 1
            if self.killed_after is not None and self.epochs > self.killed_after:
                raise Killed
        if not isinstance(happening, Started | EpochRecord):
            del self._running[key]
        return [(key, happening)]

    def notes(self) -> list[str]:
        return []

    def stop(self) -> None:
        pass

    def abandon(self, key: str) -> None:
        self._running.pop(key, None)

    def cancel(self) -> None:
        self._running.clear()

    def close(self) -> None:
        pass


class Lab:
    """A database in which studies are tuned.

    Args:
        database: Open and empty.
        folder: For artifacts.
        objective: What trainings give.
    """

    def __init__(self, database: Database, folder: Path, objective: Objective) -> None:
        self.database, self.folder, self.objective = database, folder, objective
        self.jobs: list[TrainingJob] = []
        self._storages: list[RDBStorage] = []
        register_dataset(database, DatasetRecord(FINGERPRINT, "demo", "", ("background", "a"), CASES))

    def searches(self, study: Study, winners: bool = True) -> list[Search]:
        storage = open_storage(self.database)
        self._storages.append(storage)
        return [
            Search(plan, self.database, storage, winners)
            for plan in search_plans(study, self._datasets(study))
        ]

    def close(self) -> None:
        """Close every connection, so that a SQLite file is whole."""
        for storage in self._storages:
            storage.engine.dispose()
        self.database.close()

    def run(self, study: Study, executor: Workers | None = None, winners: bool = True) -> Summary:
        """Run a study as the command line does."""
        store = TrialStore(self.database, new_owner())
        store.register_metrics(metric.facts() for metric in METRICS.values())
        study_id = store.register_study(study.study, "", study.model_dump(mode="json"))
        planned = fixed_trials(study, self._datasets(study)) if winners else []
        source = JoinedSources([TakingTurns(self.searches(study, winners)), PlanSource(planned)])
        folders = Folders({FINGERPRINT: self.folder}, self.folder / "artifacts")
        driver = Driver(
            store, study_id, executor or Workers(self.train), source, folders, Progress(), DriverOptions()
        )
        return driver.run()

    def killed(self, study: Study, after: int, workers: int = 1) -> None:
        """Run a study until its driver is killed: its leases stay, and belong to nobody."""
        executor = Workers(self.train, workers, killed_after=after)
        try:
            self.run(study, executor)
        except Killed:
            return
        raise AssertionError("it was over before it was killed")

    def histories(self, study: Study) -> list[SearchHistory]:
        return load_searches(self.database, study.study)

    def history(self, study: Study, label: str = "CE (tuned)", fold: int = 0) -> SearchHistory:
        (found,) = [each for each in self.histories(study) if (each.label, each.fold) == (label, fold)]
        return found

    def train(self, job: TrainingJob) -> Iterator[Event]:
        """Give the objective's curve, and scores of two cases."""
        self.jobs.append(job)
        yield Started({"device": "cpu"}, 0)
        records = []
        for epoch in range(job.protocol.epochs):
            value = self.objective(job, epoch)
            records.append(EpochRecord(epoch, 1.0, value, 1e-3, None, None, 1.0))
            yield records[-1]
        best = max(records, key=lambda record: record.val_dsc)
        reason = f"validation DSC {best.val_dsc:.3f} is below 0.05" if best.val_dsc < 0.05 else None
        yield Finished(
            "done",
            reason,
            best.epoch if reason else None,
            reason is not None,
            best.epoch,
            best.val_dsc,
            tuple(records),
            tuple(self._scores(job, best.val_dsc)),
            {},
            "float32",
            float(len(records)),
        )

    def _scores(self, job: TrainingJob, value: float) -> Iterator[CaseScore]:
        for case, part in (("c1", "validation"), ("c2", "test")):
            if part == "test" and not job.score_test:
                continue
            for checkpoint in ("best", "last"):
                far = 100.0 * (1 - value)
                yield CaseScore(case, part, checkpoint, 1, "dsc", value, value, None)
                yield CaseScore(case, part, checkpoint, 1, "hd95", far, far, None)

    @staticmethod
    def _datasets(study: Study) -> list[StudyDataset]:
        split = study.dataset_entries[0].split
        return [StudyDataset("demo", FINGERPRINT, split if isinstance(split, KFoldSplit) else HoldoutSplit())]


def parameters_of(histories: list[SearchHistory]) -> list[Mapping[str, Any]]:
    """Return all that was drawn, in order."""
    return [each.parameters for history in histories for each in history.tried]
