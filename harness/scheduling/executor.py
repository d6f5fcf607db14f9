"""What runs jobs: the protocol, and the executor that runs them in this process."""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.training.job import Event, TrainingJob
from harness.training.trainer import train


@dataclass(frozen=True)
class Failure:
    """A job ended without a result.

    Attributes:
        kind: ``crash`` if the worker died (worth another try), ``error`` if the code raised.
        reason: One line.
        traceback: All of it, for ``lossbench status``.
    """

    kind: Literal["crash", "error"]
    reason: str
    traceback: str


Message = tuple[str, Event | Failure]
"""Key of a job and what happened to it."""


class Executor(Protocol):
    """Runs jobs and reports their events."""

    @property
    def free(self) -> int:
        """How many jobs can be submitted now."""

    def submit(self, job: TrainingJob) -> None:
        """Start a job; there must be a free place."""

    def wait(self, seconds: float) -> list[Message]:
        """Return what has happened, waiting up to ``seconds`` for something."""

    def cancel(self) -> None:
        """Stop all jobs without waiting for them."""

    def close(self) -> None:
        """Give all resources back."""


class InlineExecutor:
    """Runs one job at a time in this process (``--local``)."""

    def __init__(self) -> None:
        self._running: tuple[str, Iterator[Event]] | None = None

    @property
    def free(self) -> int:
        """One if no job is running."""
        return 1 if self._running is None else 0

    def submit(self, job: TrainingJob) -> None:
        """Take a job; it runs inside :meth:`wait`."""
        self._running = (job.key, train(job))

    def wait(self, seconds: float) -> list[Message]:
        """Run the job up to its next event, however long that takes."""
        if self._running is None:
            return []
        key, events = self._running
        try:
            return [(key, next(events))]
        except StopIteration:
            self._running = None
            return []
        except Exception as error:
            self._running = None
            return [(key, Failure("error", describe(error), traceback.format_exc()))]

    def cancel(self) -> None:
        """Drop the job."""
        self._running = None

    def close(self) -> None:
        """Nothing to give back."""


def describe(error: BaseException) -> str:
    """Return an exception as one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
