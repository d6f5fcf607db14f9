"""What runs jobs: the protocol, and what comes back."""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from harness.training.job import Event, TrainingJob

FailureKind: TypeAlias = Literal["crash", "node", "hung", "memory", "disk", "error"]


@dataclass(frozen=True)
class Failure:
    """A job ended without a result.

    Attributes:
        kind: ``crash`` if the worker process died, ``node`` if its machine did, ``hung`` if it told nothing
            for too long, ``memory`` if it was refused memory, ``disk`` if the disk is full: all worth another
            try. ``error`` if the code raised.
        reason: One line.
        traceback: All of it.
    """

    kind: FailureKind
    reason: str
    traceback: str


@dataclass(frozen=True)
class Stopped:
    """A job was asked to stop and did after an epoch, whose checkpoint it left."""


@dataclass(frozen=True)
class Said:
    """Lines that a worker printed or logged since it was last heard of, for ``lossbench logs``."""

    text: str


@dataclass(frozen=True)
class Kept:
    """Files of a job on a machine that does not share the driver's folders, by name in the job's folder."""

    files: dict[str, bytes]


Happening: TypeAlias = Event | Said | Kept | Stopped | Failure
Message: TypeAlias = tuple[str, Happening]
"""Key of a job and what happened to it."""


class Executor(Protocol):
    """Runs jobs and reports their events."""

    @property
    def workers(self) -> int:
        """How many jobs can run at a time; changes when machines come and go."""

    @property
    def free(self) -> int:
        """How many jobs can be submitted now."""

    def submit(self, job: TrainingJob, alone: bool = False) -> None:
        """Start a job; there must be a free place.

        Args:
            job: What to run.
            alone: Whether it gets a GPU for itself, as soon as its neighbours there have ended.
        """

    def answer(self, key: str, goes_on: bool) -> None:
        """Let a judged job, which has told of an epoch, begin the next one, or end it as pruned.

        Until then it waits; one that was asked to stop does so after the answer.
        """

    def wait(self, seconds: float) -> list[Message]:
        """Return what has happened, waiting up to ``seconds`` for something."""

    def notes(self) -> list[str]:
        """Return what there is to say about machines since the last call, in sentences."""

    def stop(self) -> None:
        """Ask every job to stop after its epoch and to leave a checkpoint; each answers :class:`Stopped`."""

    def abandon(self, key: str) -> None:
        """Stop one job now; nothing more is heard of it."""

    def cancel(self) -> None:
        """Stop all jobs now."""

    def close(self) -> None:
        """Give all resources back."""
