"""One attempt at a job as its worker has heard it, to sum it up if the driver ends it early."""

import time
from contextlib import suppress
from typing import Any

from harness.training.job import EpochRecord, Event, Finished, Started


class Ended(Exception):
    """Raised in a training, after an epoch, that shall end there and leave no checkpoint."""


class Attempt:
    """Hears the events of a training, and ends it.

    Args:
        job: What is trained.
    """

    def __init__(self, job: Any) -> None:
        self._job = job
        self._began = time.perf_counter()
        self._started = Started({}, 0)
        self._other_seconds = 0.0
        self._records: list[EpochRecord] = []
        self._earlier: list[EpochRecord] = []
        self._history: list[tuple[int, str]] = []

    def hear(self, event: Event | object) -> None:
        """Keep what is needed."""
        if isinstance(event, Started):
            self._started, self._other_seconds = event, time.perf_counter() - self._began
        elif isinstance(event, EpochRecord):
            self._records.append(event)

    def end(self, events: Any) -> None:
        """End the training, a generator that has just yielded an epoch."""
        self._look_back()  # now: a job in a scratch folder leaves nothing there
        with suppress(Ended, StopIteration):
            events.throw(Ended())
        events.close()

    def pruned(self) -> Finished:
        """Return how far the trial came, with the epochs of earlier attempts."""
        from harness.training.determinism import numerics_class

        numerics = numerics_class(self._started.numerics)
        if not self._history or self._history[-1][1] != numerics:
            self._history.append((self._started.resumed_at, numerics))
        (_, first), *later = self._history
        records = (*self._earlier, *self._records)
        best = max(records, key=lambda record: record.val_dsc)  # the first of equals
        return Finished(
            state="pruned",
            reason=None,
            reason_epoch=None,
            collapsed=False,
            best_epoch=best.epoch,
            best_val_dsc=best.val_dsc,
            epochs=records,
            scores=(),
            artifacts={},
            numerics="; ".join([first, *(f"from epoch {epoch}: {found}" for epoch, found in later)]),
            seconds=sum(record.seconds for record in records) + self._other_seconds,
        )

    def _look_back(self) -> None:
        """Take the epochs that this attempt did not train, and where they were, from the last checkpoint."""
        resumed_at = self._started.resumed_at
        if resumed_at == 0:
            return
        from harness.training import checkpoint

        progress, _ = checkpoint.load(self._job.folder, self._job.key) or (checkpoint.Progress(), None)
        self._earlier = progress.epochs[:resumed_at]
        self._history = [(epoch, numerics) for epoch, numerics in progress.numerics if epoch < resumed_at]
