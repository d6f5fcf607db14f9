"""The driver: gives trials to workers and is the only writer of their results."""

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from harness.scheduling.cluster.scratch import write_kept
from harness.scheduling.executor import Executor, Failure, Kept, Message, Said, Stopped
from harness.scheduling.heart import Heart
from harness.scheduling.patience import patiently
from harness.scheduling.progress import Cell, Progress
from harness.scheduling.running_trial import Curve, RunningTrial
from harness.scheduling.trial_forms import DriverOptions, Folders, as_pruned, job_of, outcome_of
from harness.scheduling.trial_log import TrialLog
from harness.scheduling.trial_source import TrialResult, TrialSource
from harness.scheduling.waiting_trials import ASK_AGAIN_SECONDS, Taker, WaitingTrials
from harness.store.artifacts import folder_of
from harness.store.privacy import without_secrets
from harness.store.provenance import code_facts, plugin_facts
from harness.store.trials import Claim, TrialStore
from harness.study.plan import PlannedTrial
from harness.training import checkpoint
from harness.training.job import EpochRecord, Event, Finished, Started

_WAIT_SECONDS = 1.0
_PAUSE_SECONDS = 0.2
_DEFAULTS = DriverOptions()
_RELEASE_SECONDS = 3.0
"""How long a driver that is told to stop now waits for the database."""

T = TypeVar("T")


@dataclass(frozen=True)
class Summary:
    """What a run of the driver did, in trials."""

    trained: int
    reused: int
    failed: int
    left: int
    "Without a result: the run was stopped, or another driver has them."


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
        options: DriverOptions = _DEFAULTS,
    ) -> None:
        self.store = store
        self.study_id = study_id
        self.executor = executor
        self.source = source
        self.folders = folders
        self.progress = progress
        self.options = options
        self.draining = False
        """Set it to let running trials stop after their epoch, each with a checkpoint."""

        # Asked now, while the files on disk are those that were imported.
        self._code = code_facts()
        self._log = TrialLog(folders.artifacts)
        self._running: dict[str, RunningTrial] = {}
        self._heart = Heart(store, self._running)
        self._again: deque[str] = deque()
        taker = Taker(self._begin, self._join, self._reuse, self._patiently)
        self._waiting = WaitingTrials(store, study_id, source, options, folders, taker)
        self._cells: Mapping[Cell, int] = {}
        self._learned = False
        self._counts = {"trained": 0, "reused": 0, "failed": 0}
        self._workers = 0
        self._told_to_stop = False

    def run(self) -> Summary:
        """Run until the source is exhausted, or stopped after :attr:`draining` was set.

        An exception (a second Ctrl-C among them) stops the workers and gives the leases back.
        """
        self._workers = self.executor.workers
        self._cells = self.source.cells
        self.progress.begin(self._cells, self._workers)
        self._waiting.look_up()
        self._heart.start()
        try:
            while not self._is_over():
                self._step()
        except BaseException:
            self.executor.cancel()
            self._release_all()
            raise
        finally:
            self._heart.stop()
            self._log.close()
        self._count_again()
        handled = sum(self._counts.values())
        return Summary(**self._counts, left=max(0, self.source.expected - handled))

    def _is_over(self) -> bool:
        if self._running:
            return False
        return self.draining or (self.source.exhausted and not self._waiting.elsewhere)

    def _step(self) -> None:
        if self.draining:
            self._tell_to_stop()
        else:
            self._fill()
        idle = not self._running and self.executor.free
        if idle and not self._is_over():
            time.sleep(_PAUSE_SECONDS)  # a search waits for what another driver is just asking
        results: list[Message] = []
        for message in self.executor.wait(0.0 if idle else _WAIT_SECONDS):
            if isinstance(message[1], Finished):
                results.append(message)
            else:
                self._handle(message)
        if len(results) > 1 and not self.draining:
            self._fill()  # that many shall not wait for results to be written; a search waits for one
        for message in results:
            self._handle(message)
        self._log.flush_now_and_then()
        for sentence in self.executor.notes():
            self.progress.note(sentence)
        if self.executor.workers != self._workers:
            self._workers = self.executor.workers
            self.progress.workers(self._workers)
        self._give_up_lost()
        self._give_up_hung()
        if not self._running and self._waiting.elsewhere:
            time.sleep(ASK_AGAIN_SECONDS)  # another driver has all that is left

    # Give out

    def _fill(self) -> None:
        """Give every free worker a trial, if there is one."""
        while self._again and self.executor.free:
            key = self._again.popleft()
            self._submit(key, self._running[key])
        while (free := self.executor.free) and self._waiting.has_given(free):
            pass
        if self._learned:  # from what the source was told and asked: how many are left
            self._learned = False
            self._count_again()

    def _begin(self, key: str, planned: list[PlannedTrial]) -> None:
        self._running[key] = RunningTrial(planned)
        self._submit(key, self._running[key])

    def _join(self, key: str, planned: PlannedTrial) -> bool:
        """Add a place to a trial if that is running: two labels, one trial."""
        running = self._running.get(key)
        if running is None:
            return False
        running.planned.append(planned)
        if running.curve is not None and self.source.judges(planned):
            for record in running.curve.records:
                self.source.goes_on(planned, record.epoch, record.val_dsc)
        return True

    def _reuse(self, planned: PlannedTrial, found: Claim) -> None:
        self._counts["failed" if found.state == "failed" else "reused"] += 1
        self.progress.reused(planned, found.state)
        self._report(planned, TrialResult(found.state, found.best_val_dsc))

    def _submit(self, key: str, running: RunningTrial) -> None:
        running.heard = time.monotonic()
        judged = all(map(self.source.judges, running.planned))
        self.executor.submit(job_of(running.first, self.folders, self.options, judged), running.alone)
        running.judged = judged

    # Hear

    def _handle(self, message: Message) -> None:
        key, happening = message
        running = self._running.get(key)
        if running is None:
            return
        running.heard = time.monotonic()
        try:
            match happening:
                case Said():
                    self._log.write(key, happening.text)
                case Kept():
                    write_kept(self.folders.artifacts / folder_of(key), happening)
                case Stopped():
                    self._stopped(key, running)
                case Failure():
                    self._failed(key, running, happening)
                case _:
                    self._advanced(key, running, happening)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            self._failed(key, running, Failure("disk", f"{error.strerror}: {error.filename}", ""))

    def _advanced(self, key: str, running: RunningTrial, event: Event) -> None:
        first = running.first
        if isinstance(event, Started):
            running.environment = {**event.hardware, **event.numerics}
            running.curve = Curve(event.resumed_at)
            self._log.write(key, f"begins at epoch {event.resumed_at} of {first.trial.protocol.epochs}")
            self.progress.started(first, event.resumed_at)
        elif isinstance(event, EpochRecord):
            if running.curve is not None:
                running.curve.records.append(event)
            self._log.write(
                key,
                f"epoch {event.epoch}: train loss {event.train_loss:.5g}, "
                f"validation DSC {event.val_dsc:.4f}, {event.seconds:.1f} s",
            )
            self.progress.epoch(first, event)
            goes_on = self._goes_on(running, event)
            if running.judged:
                self.executor.answer(key, goes_on)
        else:
            self._finished(key, running, event)

    def _goes_on(self, running: RunningTrial, record: EpochRecord) -> bool:
        """Tell all places that judge the trial of an epoch, and return whether any wants another one."""
        wishes = [
            not self.source.judges(planned) or self.source.goes_on(planned, record.epoch, record.val_dsc)
            for planned in running.planned
        ]
        return any(wishes) or record.epoch + 1 == running.first.trial.protocol.epochs

    def _finished(self, key: str, running: RunningTrial, event: Finished) -> None:
        if event.state == "pruned":
            event = as_pruned(event, running.first)
        outcome = outcome_of(event, self.folders.artifacts / folder_of(key), self._environment(running))
        self._patiently(lambda: self.store.finish(key, outcome))
        checkpoint.remove(self.folders.artifacts / folder_of(key))  # only now is it of no use
        why = f" ({event.reason})" if event.reason else ""
        self._log.write(key, f"{event.state} after {event.seconds:.1f} s of training{why}")
        unended = [each for each in running.planned if not self._waiting.has_ended(each, event.state)]
        self._waiting.put_aside(unended)  # a plan wants a trial that was pruned trained to its end
        running.planned = [each for each in running.planned if each not in unended]
        self._close(key, TrialResult(event.state, event.best_val_dsc), "trained")
        for planned in running.planned:
            self.progress.finished(planned, event.state, event.best_val_dsc, event.seconds)
        for planned in unended:
            self.progress.stopped(planned, 0)

    def _stopped(self, key: str, running: RunningTrial) -> None:
        self._give_back(key, running)
        self._log.write(key, f"stopped before epoch {running.epoch} because the run was")
        self._log.flush(key)
        for planned in running.planned:
            self.progress.stopped(planned, running.epoch)

    def _failed(self, key: str, running: RunningTrial, failure: Failure) -> None:
        on_gpu = self.options.device != "cpu"
        again = running.may_try_again(failure, on_gpu) and not self.draining
        self._log.write(key, f"{failure.kind}: {failure.reason}\n{failure.traceback}")
        self._log.flush(key)
        if failure.kind == "disk":
            self._pause(key, running, failure)
            return
        if self.draining and failure.kind != "error":
            self._give_back(key, running)
            return
        for planned in running.planned:
            self.progress.failed(planned, without_secrets(failure.reason), again)
        if again:
            running.curve = None
            running.alone |= on_gpu and failure.kind == "memory"
            self._patiently(lambda: self.store.again(key))
            self._again.append(key)
            return
        self._log.clear_but_log(key)
        facts = self._environment(running)
        with suppress(DBAPIError):
            self._heart.beat()  # what it has cost counts against the budget of its search
        self._patiently(lambda: self.store.fail(key, failure.reason, failure.traceback, facts))
        self._close(key, TrialResult("failed", None), "failed")

    def _close(self, key: str, result: TrialResult, count: str) -> None:
        self._log.flush(key)
        for planned in self._running.pop(key).planned:
            self._counts[count] += 1
            self._report(planned, result)

    def _report(self, planned: PlannedTrial, result: TrialResult) -> None:
        self.source.report(planned, result)
        self._learned |= self.source.learns(planned)

    def _count_again(self) -> None:
        cells = self.source.cells
        if cells != self._cells:
            self._cells = cells
            self.progress.cells(cells)

    # Stop

    def _tell_to_stop(self) -> None:
        if not self._told_to_stop:
            self._told_to_stop = True
            self.executor.stop()
        while self._again:
            key = self._again.popleft()
            self._give_back(key, self._running[key])

    def _pause(self, key: str, running: RunningTrial, failure: Failure) -> None:
        """Stop the whole run: on a full disk every trial would fail."""
        if not self.draining:
            self.draining = True  # before the database is asked, which may be on the same disk
            self.progress.note(
                f"no space is left on the disk ({without_secrets(failure.reason)}): the run stops; free some "
                "and give the same command again"
            )
        self._give_back(key, running)
        for planned in running.planned:
            self.progress.stopped(planned, running.epoch)

    def _give_back(self, key: str, running: RunningTrial) -> None:
        """Write how far a trial has come, and let anybody take it."""
        with suppress(DBAPIError):
            self._heart.beat()
        self._patiently(lambda: self.store.release([key]))
        del self._running[key]

    def _release_all(self) -> None:
        def release(keys: list[str]) -> None:
            with suppress(DBAPIError):
                self.store.release(keys)

        # Where the database does not answer in time, leases end by themselves.
        releasing = threading.Thread(target=release, args=(list(self._running),), daemon=True)
        releasing.start()
        releasing.join(_RELEASE_SECONDS)

    def _give_up_lost(self) -> None:
        """Leave trials alone that another driver has taken over, because this one was silent for long."""
        lost = self._heart.lost() & self._running.keys()
        for key in lost:
            self.executor.abandon(key)
            self._waiting.put_aside(self._running.pop(key).planned)
            self._again = deque(each for each in self._again if each != key)
        if lost:
            self.progress.note(f"silent for too long: another driver has taken over {len(lost)} trials")

    def _give_up_hung(self) -> None:
        now, most = time.monotonic(), self.options.stall_seconds
        hung = [
            key
            for key, running in self._running.items()
            if now - running.heard > most and key not in self._again and (running.curve or not running.alone)
        ]
        for key in hung:
            self.executor.abandon(key)
            reason = f"its worker told nothing for {most / 60:.3g} minutes and was ended"
            self._failed(key, self._running[key], Failure("hung", reason, ""))

    def _environment(self, running: RunningTrial) -> dict[str, str]:
        """Return what the trial was made with: our code and its own, and what the worker has told."""
        plugins = plugin_facts(running.first.trial.plugin_modules())
        return {**self._code, **plugins, **running.environment}

    def _patiently(self, action: Callable[[], T]) -> T:
        """Ask the database until it answers; the time of waiting is not held against the workers."""
        result, waited = patiently(action, self.progress.note)
        if waited:
            for running in self._running.values():
                running.heard += waited
        return result
