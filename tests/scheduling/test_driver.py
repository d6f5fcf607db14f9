"""The driver: trains once, retries crashes, records failures, drains, and shares a database."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from harness.scheduling import heart
from harness.scheduling.driver import Driver
from harness.scheduling.executor import Failure, Stopped
from harness.scheduling.inline import InlineExecutor
from harness.scheduling.progress import Progress
from harness.scheduling.running_trial import MOST_RETRIES
from harness.scheduling.trial_forms import DriverOptions, Folders
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
SILENCE = object()
DONE = Finished("done", None, None, False, 0, 0.6, (RECORD,), (), {}, "float32", 1.0)


@dataclass
class ScriptedExecutor:
    """Plays given events instead of training; ``script`` maps attempts of a job to its last event."""

    places: int = 2
    script: dict[str, list[object]] = field(default_factory=dict)
    submitted: list[TrainingJob] = field(default_factory=list)
    cancelled: bool = False
    abandoned: list[str] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)

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
        self.alone += [job.key] if alone else []
        endings = self.script.get(str(job.loss.expression), [])
        self._queue += [
            (job.key, Started({"device": "cpu"}, 0, {"cores": "2"})),
            (job.key, RECORD),
            (job.key, endings.pop(0) if endings else DONE),
        ]

    def answer(self, key, goes_on):
        raise AssertionError("nobody judges a plan")

    def wait(self, seconds):
        told = [self._queue.pop(0)] if self._queue else []
        if told and told[0][1] is SILENCE:
            self._queue.append(told[0])  # and nothing else ever comes of it
            return []
        return told

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


def test_draining_starts_nothing_new_and_gives_back_what_runs(make_driver, database):
    class DrainAfterFirst(Progress):
        stops = 0

        def finished(self, planned, state, best_val_dsc, seconds):
            driver.draining = True

        def stopped(self, planned, epoch):
            type(self).stops += 1

    executor = ScriptedExecutor()
    driver = make_driver(executor, progress=DrainAfterFirst())
    summary = driver.run()
    assert summary.left > 0
    assert summary.trained + summary.left + summary.reused == 9
    assert DrainAfterFirst.stops == len(executor.submitted) - 1
    assert {row["state"] for row in trial_counts(database)} == {"done", "waiting"}
    assert make_driver(ScriptedExecutor()).run().left == 0


class Notes(Progress):
    def __init__(self):
        self.heard = []

    def note(self, sentence):
        self.heard.append(sentence)


def test_a_full_disk_stops_the_run_and_fails_no_trial(make_driver, database):
    executor = ScriptedExecutor(script={"dice": [Failure("disk", "No space left on device", "")]})
    notes = Notes()
    summary = make_driver(executor, progress=notes).run()
    assert (summary.failed, summary.left > 0) == (0, True)
    assert [note for note in notes.heard if "no space is left on the disk" in note]
    assert "failed" not in {row["state"] for row in trial_counts(database)}
    assert make_driver(ScriptedExecutor()).run().left == 0


@pytest.mark.parametrize(("device", "tries", "alone"), [("cpu", 3, 0), ("cuda", 2, 1)])
def test_what_is_refused_memory_is_tried_again_and_on_a_gpu_alone(
    make_driver, database, device, tries, alone
):
    refused = Failure("memory", "OutOfMemory: out of memory", "")
    executor = ScriptedExecutor(places=1, script={"dice": [refused] * 9})
    summary = make_driver(executor, options=DriverOptions(device=device)).run()
    assert summary.failed == 3
    dice = [job.key for job in executor.submitted if str(job.loss.expression) == "dice"]
    assert len(dice) == 3 * tries
    assert len(executor.alone) == 3 * alone
    with database.read() as connection:
        attempts = connection.scalars(select(TrialRow.attempts).where(TrialRow.key.in_(dice))).all()
    assert attempts == [tries] * 3


def test_a_worker_that_tells_nothing_is_ended_and_its_trial_tried_again(make_driver, database):
    executor = ScriptedExecutor(script={"dice": [SILENCE]})
    summary = make_driver(executor, options=DriverOptions(stall_seconds=0.3)).run()
    assert len(executor.abandoned) == 1
    assert (summary.failed, summary.left) == (0, 0)
    assert failures(database) == []


def test_a_trial_that_another_driver_has_taken_over_is_left_to_it(make_driver, database, monkeypatch):
    monkeypatch.setattr(heart, "BEAT_SECONDS", 0.1)
    executor = ScriptedExecutor(places=1, script={"dice": [SILENCE]})
    other = TrialStore(database, new_owner())

    class TakenOver(Notes):
        def started(self, planned, resumed_at):
            if planned.label == "Dice" and not self.heard:
                with database.write() as connection:
                    connection.execute(
                        update(TrialRow)
                        .where(TrialRow.key == planned.trial.key)
                        .values(lease_expires=datetime(2020, 1, 1, tzinfo=UTC))
                    )
                assert other.claim([planned.trial.key])[planned.trial.key].taken
                self.taken = planned.trial.key

        def note(self, sentence):
            super().note(sentence)
            other.release([self.taken])

    notes = TakenOver()
    summary = make_driver(executor, progress=notes).run()
    assert executor.abandoned == [notes.taken]
    assert "another driver has taken over 1" in notes.heard[0]
    assert (summary.failed, summary.left) == (0, 0)


def test_a_database_that_does_not_answer_is_asked_again_and_nothing_is_lost(make_driver, database):
    notes = Notes()
    driver = make_driver(ScriptedExecutor(), progress=notes)
    finish, away = driver.store.finish, iter([True, True, False, False, True])

    def unreliable(key, outcome):
        if next(away, False):
            raise OperationalError("INSERT", {}, Gone("the connection is lost"), connection_invalidated=True)
        return finish(key, outcome)

    driver.store.finish = unreliable
    assert driver.run().left == 0
    assert [note.partition(":")[0] for note in notes.heard] == [
        "the database does not answer",
        "the database can be written again",
    ] * 2
    assert {row["state"] for row in trial_counts(database)} == {"done"}


class Gone(Exception):
    pass


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
