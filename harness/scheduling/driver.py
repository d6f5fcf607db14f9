"""The driver: gives trials to workers and is the only writer of their results."""

import shutil
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.scheduling.executor import Executor, Failure, Message
from harness.scheduling.progress import Progress
from harness.scheduling.trial_source import TrialResult, TrialSource
from harness.store.artifacts import digest_of_file, folder_of
from harness.store.privacy import without_secrets
from harness.store.provenance import code_facts, plugin_facts
from harness.store.schema import FINAL_STATES
from harness.store.trials import LEASE_SECONDS, ArtifactRecord, Outcome, TrialRecord, TrialStore
from harness.study.plan import PlannedTrial
from harness.training import checkpoint
from harness.training.job import EpochRecord, Event, Finished, Started, Storage, TrainingJob

MAX_CRASHES = 2
"""A trial whose worker dies more often than this is recorded as failed."""

HEARTBEAT_SECONDS = LEASE_SECONDS / 4


@dataclass(frozen=True)
class Folders:
    """Where trials read and write: prepared datasets by fingerprint, and one folder for artifacts."""

    prepared: Mapping[str, Path]
    artifacts: Path


@dataclass(frozen=True)
class DriverOptions:
    """How to run.

    Attributes:
        device: ``cpu`` or ``cuda``.
        threads: Torch threads on the CPU.
        retry_failed: Whether failed trials are tried again.
        storage: Where the training slices lie.
        keep_models: Whether the reported weights of every trial are kept.
    """

    device: str = "cpu"
    threads: int = 1
    retry_failed: bool = False
    storage: Storage = "auto"
    keep_models: bool = True


@dataclass(frozen=True)
class Summary:
    """What a run of the driver did, in trials."""

    trained: int
    reused: int
    failed: int
    left: int
    "Not started because the run was stopped, or held by another driver."


@dataclass
class _Running:
    """A trial that a worker trains, and all its places in the study."""

    planned: list[PlannedTrial]
    crashes: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    epoch: int = 0


class Driver:
    """Runs the trials of a source until none is left.

    Args:
        store: Results database.
        study_id: The study that the trials belong to.
        executor: Runs the jobs.
        source: Gives the trials.
        folders: Where trials read and write.
        progress: Hears what happens.
        options: How to run.
    """

    def __init__(
        self,
        store: TrialStore,
        study_id: int,
        executor: Executor,
        source: TrialSource,
        folders: Folders,
        progress: Progress,
        options: DriverOptions = DriverOptions(),
    ) -> None:
        self.store = store
        self.study_id = study_id
        self.executor = executor
        self.source = source
        self.folders = folders
        self.progress = progress
        self.options = options
        self.draining = False
        # Asked now, while the files on disk are those that were imported.
        self._code = code_facts()
        self._running: dict[str, _Running] = {}
        self._postponed: deque[PlannedTrial] = deque()
        self._counts = {"trained": 0, "reused": 0, "failed": 0}

    def run(self) -> Summary:
        """Run until the source is exhausted, or drained after :attr:`draining` was set.

        An exception (a second Ctrl-C among them) stops the workers and gives the leases back.
        """
        self.progress.begin(self.source.expected)
        stopped = threading.Event()
        heart = threading.Thread(target=self._beat, args=(stopped,), daemon=True)
        heart.start()
        try:
            while True:
                if not self.draining:
                    self._fill()
                if not self._running and (self.draining or self._at_end()):
                    break
                for message in self.executor.wait(seconds=1.0):
                    self._handle(message)
        except BaseException:
            self.executor.cancel()
            for key in self._running:
                self.store.release(key)
            raise
        finally:
            stopped.set()
            heart.join()
        handled = sum(self._counts.values())
        return Summary(**self._counts, left=max(0, self.source.expected - handled))

    def _at_end(self) -> bool:
        return self.source.exhausted and not self._postponed

    def _fill(self) -> None:
        """Give every free worker a trial, if there is one."""
        postponed = len(self._postponed)
        while self.executor.free:
            planned = self.source.take()
            if planned is None and postponed:
                planned, postponed = self._postponed.popleft(), postponed - 1
            if planned is None:
                break
            self._dispatch(planned)
        if not self._running and self._postponed:
            time.sleep(1.0)  # all that is left is held by another driver

    def _dispatch(self, planned: PlannedTrial) -> None:
        key = planned.trial.key
        if key in self._running:  # two labels, one trial
            self.store.register_trials(self.study_id, [record_of(planned)])
            self._running[key].planned.append(planned)
            return
        self.store.register_trials(self.study_id, [record_of(planned)])
        state, best_val_dsc = self.store.result(key)
        if state in FINAL_STATES or (state == "failed" and not self.options.retry_failed):
            self._counts["failed" if state == "failed" else "reused"] += 1
            self.progress.reused(planned, state)
            self.source.report(planned, TrialResult(state, best_val_dsc))
        elif self.store.claim(key, self.options.retry_failed):
            self._running[key] = _Running([planned])
            self.executor.submit(self._job(planned))
        else:
            self._postponed.append(planned)

    def _job(self, planned: PlannedTrial) -> TrainingJob:
        trial = planned.trial
        return TrainingJob(
            key=trial.key,
            prepared=self.folders.prepared[trial.fingerprint],
            split=trial.split,
            fold=trial.fold,
            seed=trial.seed,
            loss=trial.loss_spec(),
            model=trial.model.name,
            model_options=trial.model.options,
            protocol=trial.protocol,
            score_test=trial.purpose == "study",
            folder=self.folders.artifacts / folder_of(trial.key),
            device=self.options.device,
            threads=self.options.threads,
            storage=self.options.storage,
            keep_model=self.options.keep_models and trial.purpose == "study",
        )

    def _handle(self, message: Message) -> None:
        key, event = message
        running = self._running.get(key)
        if running is None:
            return
        if isinstance(event, Failure):
            self._failed(key, running, event)
        else:
            self._advanced(key, running, event)

    def _advanced(self, key: str, running: _Running, event: Event) -> None:
        first = running.planned[0]
        if isinstance(event, Started):
            running.environment = {**event.hardware, **event.numerics}
            self.progress.started(first, event.resumed_at)
        elif isinstance(event, EpochRecord):
            running.epoch = event.epoch + 1
            self.progress.epoch(first, event)
        elif isinstance(event, Finished):
            self.store.finish(key, self._outcome(key, running, event))
            checkpoint.remove(self.folders.artifacts / folder_of(key))  # only now is it of no use
            self._close(key, TrialResult(event.state, event.best_val_dsc), "trained")
            for planned in running.planned:
                self.progress.finished(planned, event.state, event.best_val_dsc, event.seconds)

    def _failed(self, key: str, running: _Running, failure: Failure) -> None:
        running.crashes += failure.kind == "crash"
        retry = failure.kind == "crash" and running.crashes <= MAX_CRASHES
        for planned in running.planned:
            self.progress.failed(planned, without_secrets(failure.reason), retry)
        if retry:
            self.executor.submit(self._job(running.planned[0]))
            return
        shutil.rmtree(self.folders.artifacts / folder_of(key), ignore_errors=True)
        self.store.fail(key, failure.reason, failure.traceback, self._environment(running))
        self._close(key, TrialResult("failed", None), "failed")

    def _close(self, key: str, result: TrialResult, count: str) -> None:
        for planned in self._running.pop(key).planned:
            self._counts[count] += 1
            self.source.report(planned, result)

    def _outcome(self, key: str, running: _Running, event: Finished) -> Outcome:
        curve = [asdict(record) for record in event.epochs]
        scores = [{"epoch": record["epoch"], **score} for record in curve for score in record.pop("scores")]
        return Outcome(
            state=event.state,
            collapsed=event.collapsed,
            reason=event.reason,
            best_epoch=event.best_epoch,
            best_val_dsc=event.best_val_dsc,
            seconds=event.seconds,
            epochs=curve,
            epoch_scores=scores,
            scores=[asdict(score) for score in event.scores],
            artifacts=[self._artifact(key, kind, name) for kind, name in event.artifacts.items()],
            environment=self._environment(running),
            reason_epoch=event.reason_epoch,
            numerics=event.numerics,
        )

    def _environment(self, running: _Running) -> dict[str, str]:
        """Return what the trial was made with: our code and its own, and what the worker has told."""
        plugins = plugin_facts(running.planned[0].trial.plugin_modules())
        return {**self._code, **plugins, **running.environment}

    def _artifact(self, key: str, kind: str, name: str) -> ArtifactRecord:
        path = Path(folder_of(key)) / name
        file = self.folders.artifacts / path
        return ArtifactRecord(kind, path.as_posix(), digest_of_file(file), file.stat().st_size)

    def _beat(self, stopped: threading.Event) -> None:
        """Extend the leases while the main thread waits, which in-process training can make long."""
        while not stopped.wait(HEARTBEAT_SECONDS):
            self.store.heartbeat({key: running.epoch for key, running in list(self._running.items())})


def record_of(planned: PlannedTrial) -> TrialRecord:
    """Return a planned trial as the database keeps it."""
    trial = planned.trial
    loss = trial.loss_spec()
    return TrialRecord(
        key=trial.key,
        fingerprint=trial.fingerprint,
        dataset=planned.dataset,
        label=planned.label,
        loss_expression=loss.expression,
        loss_family=loss.family,
        loss_canonical=trial.loss,
        seed=trial.seed,
        fold=trial.fold,
        purpose=trial.purpose,
        canonical=trial.canonical(),
    )
