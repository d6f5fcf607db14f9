"""The driver: trains once, retries crashes, records failures, drains, and shares a database."""

from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from harness.scheduling.driver import Driver
from harness.scheduling.executor import Failure, Stopped
from harness.scheduling.inline import InlineExecutor
from harness.scheduling.progress import Progress
from harness.scheduling.running_trial import MOST_RETRIES
from harness.scheduling.trial_forms import Folders
from harness.scheduling.trial_source import PlanSource
from harness.store.database import open_database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.ownership import new_owner
from harness.store.schema import EnvironmentRow, TrialRow
from harness.store.summaries import failures, trial_counts
from harness.store.trials import TrialStore
from harness.strict_yaml import read, validate
from harness.study.plan import StudyDataset, fixed_trials
from harness.study.spec import Study
from harness.training.job import EpochRecord, Finished, Started, TrainingJob

STUDY = """\
study: demo
datasets: [msd_hippocampus]
seeds: 3
losses: [{label: CE, loss: ce}, {label: CE again, loss: ce}, {label: Dice, loss: dice}]
"""
FINGERPRINT = "f" * 64
RECORD = EpochRecord(0, 0.5, 0.6, 1e-3, None, None, 1.0)
DONE = Finished("done", None, None, False, 0, 0.6, (RECORD,), (), {}, "float32", 1.0)


@dataclass
class ScriptedExecutor:
    """Plays given events instead of training; ``script`` maps attempts of a job to its last event."""

    places: int = 2
    script: dict[str, list[object]] = field(default_factory=dict)
    submitted: list[TrainingJob] = field(default_factory=list)
    cancelled: bool = False
    abandoned: list[str] = field(default_factory=list)

    def __post_init__(self):
        self._queue = []

    @property
    def workers(self):
        return self.places

    @property
    def free(self):
        return self.places - len({key for key, _ in self._queue})

    def submit(self, job, alone=False):
        self.submitted.append(job)
        endings = self.script.get(str(job.loss.expression), [])
        self._queue += [
            (job.key, Started({"device": "cpu"}, 0, {"cores": "2"})),
            (job.key, RECORD),
            (job.key, endings.pop(0) if endings else DONE),
        ]

    def wait(self, seconds):
        return [self._queue.pop(0)] if self._queue else []

    def notes(self):
        return []

    def stop(self):
        keys = dict.fromkeys(key for key, _ in self._queue)
        self._queue = [(key, Stopped()) for key in keys]

    def abandon(self, key):
        self.abandoned.append(key)
        self._queue = [message for message in self._queue if message[0] != key]

    def cancel(self):
        self.cancelled = True

    def close(self):
        pass


@pytest.fixture
def database(tmp_path):
    return open_database(f"sqlite:///{tmp_path / 'results.db'}", create=True)


@pytest.fixture
def make_driver(database, tmp_path):
    study = validate(Study, read(STUDY, "demo.yaml"), "demo.yaml")
    dataset = study.dataset_entries[0]

    def make(executor, **kwargs):
        from harness.data.splits import HoldoutSplit

        store = TrialStore(database, new_owner())
        study_id = store.register_study("demo", "", {})
        register_dataset(
            store.database, DatasetRecord(FINGERPRINT, dataset.dataset, "", ("background", "a"), ())
        )
        source = PlanSource(fixed_trials(study, [StudyDataset(dataset.dataset, FINGERPRINT, HoldoutSplit())]))
        folders = Folders({FINGERPRINT: tmp_path}, tmp_path / "artifacts")
        return Driver(
            store, study_id, executor, source, folders, kwargs.pop("progress", Progress()), **kwargs
        )

    return make


def test_equal_trials_under_two_labels_are_trained_once(make_driver, database):
    executor = ScriptedExecutor()
    summary = make_driver(executor).run()
    assert len(executor.submitted) == 6
    assert (summary.trained + summary.reused, summary.failed, summary.left) == (9, 0, 0)
    assert {row["loss"]: row["trials"] for row in trial_counts(database)} == {
        "CE": 3,
        "CE again": 3,
        "Dice": 3,
    }


def test_a_second_run_trains_nothing(make_driver):
    make_driver(ScriptedExecutor()).run()
    executor = ScriptedExecutor()
    summary = make_driver(executor).run()
    assert executor.submitted == []
    assert (summary.trained, summary.reused) == (0, 9)


def test_an_exception_fails_the_trial_and_the_study_goes_on(make_driver, database):
    executor = ScriptedExecutor(script={"dice": [Failure("error", "ValueError: no", "Traceback ...")]})
    summary = make_driver(executor).run()
    assert (summary.failed, summary.left) == (1, 0)
    assert failures(database)[0]["reason"] == "ValueError: no"


def test_code_and_the_workers_machine_are_kept_also_of_failures(make_driver, database):
    executor = ScriptedExecutor(script={"dice": [Failure("error", "ValueError: no", "Traceback ...")]})
    make_driver(executor).run()
    question = select(TrialRow.state, EnvironmentRow.facts).join(
        EnvironmentRow, EnvironmentRow.id == TrialRow.environment_id
    )
    with database.read() as connection:
        rows = connection.execute(question).all()
    assert sorted(row.state for row in rows) == ["done"] * 5 + ["failed"]
    assert {(row.facts["cores"], row.facts["device"], "torch" in row.facts) for row in rows} == {
        ("2", "cpu", True)
    }


def test_a_crashed_worker_is_tried_again_up_to_a_limit(make_driver, database):
    crash = Failure("crash", "the worker process died", "")
    executor = ScriptedExecutor(script={"dice": [crash]})
    assert make_driver(executor).run().failed == 0
    assert len(executor.submitted) == 7


def test_too_many_crashes_fail_the_trial(make_driver, database):
    crash = Failure("crash", "the worker process died", "")
    executor = ScriptedExecutor(places=1, script={"dice": [crash] * (MOST_RETRIES["crash"] + 1)})
    assert make_driver(executor).run().failed == 1
    assert failures(database)[0]["reason"] == "the worker process died"


def test_draining_starts_nothing_new_and_keeps_what_runs(make_driver):
    class DrainAfterFirst(Progress):
        def finished(self, planned, state, best_val_dsc, seconds):
            driver.draining = True

    executor = ScriptedExecutor()
    driver = make_driver(executor, progress=DrainAfterFirst())
    summary = driver.run()
    assert summary.left > 0
    assert summary.trained + summary.left + summary.reused == 9
    assert make_driver(ScriptedExecutor()).run().left == 0


def test_an_interrupt_gives_all_leases_back(make_driver, database):
    class Interrupt(Progress):
        def epoch(self, planned, record):
            raise KeyboardInterrupt

    executor = ScriptedExecutor()
    with pytest.raises(KeyboardInterrupt):
        make_driver(executor, progress=Interrupt()).run()
    assert executor.cancelled
    assert {row["state"] for row in trial_counts(database)} == {"waiting"}


def test_two_drivers_share_a_study_without_training_twice(make_driver):
    first, second = ScriptedExecutor(places=1), ScriptedExecutor()
    driver = make_driver(first)

    class OtherDriverMeanwhile(Progress):
        done = False

        def epoch(self, planned, record):
            if not self.done:
                type(self).done = True
                driver_two = make_driver(second)
                driver_two.source._waiting = type(driver_two.source._waiting)(
                    list(driver_two.source._waiting)[-2:]
                )
                driver_two.run()

    driver.progress = OtherDriverMeanwhile()
    driver.run()
    keys = [job.key for job in [*first.submitted, *second.submitted]]
    assert len(keys) == len(set(keys)) == 6


def test_inline_executor_reports_an_exception_as_failure(prepared_discs, tmp_path):
    from harness.data.splits import HoldoutSplit
    from harness.losses import parse_loss
    from harness.training.protocol import Protocol

    job = TrainingJob(
        "k", prepared_discs.folder, HoldoutSplit(test=7), 0, 0, parse_loss("ce"), "unet2d",
        {"base_channels": 4, "depth": 2}, Protocol(epochs=1), True, tmp_path,
    )  # fmt: skip
    executor = InlineExecutor()
    executor.submit(job)
    assert executor.free == 0
    [(key, failure)] = executor.wait(1.0)
    assert key == "k"
    assert failure.kind == "error"
    assert "the training set is empty" in failure.reason
    assert executor.free == 1
