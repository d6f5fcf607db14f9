"""The executor that trains in this process."""

from collections.abc import Iterator

from harness.scheduling.executor import Failure, Happening, Message, Stopped
from harness.scheduling.worker import Train, run_job
from harness.training.job import Finished, TrainingJob


class InlineExecutor:
    """Runs one job at a time in this process (``--local``).

    Args:
        train: Trains a job; the trainer if absent.
    """

    workers = 1

    def __init__(self, train: Train | None = None) -> None:
        self._train = train or _trainer()
        self._stopping = False
        self._running: tuple[str, Iterator[Happening]] | None = None

    @property
    def free(self) -> int:
        """One if no job is running."""
        return 1 if self._running is None else 0

    def submit(self, job: TrainingJob, alone: bool = False) -> None:
        """Take a job; it runs inside :meth:`wait`, and is always alone."""
        self._running = (job.key, run_job(job, self._train, self._is_stopping, capture_output=False))

    def wait(self, seconds: float) -> list[Message]:
        """Run the job up to its next event, however long that takes."""
        if self._running is None:
            return []
        key, happenings = self._running
        happening = next(happenings, None)
        if happening is None:
            self._running = None
            return []
        if isinstance(happening, Finished | Failure | Stopped):
            self._running = None
        return [(key, happening)]

    def notes(self) -> list[str]:
        """Nothing happens to this machine."""
        return []

    def stop(self) -> None:
        """Stop the job after its epoch."""
        self._stopping = True

    def abandon(self, key: str) -> None:
        """Drop the job."""
        self._running = None

    def cancel(self) -> None:
        """Drop the job."""
        self._running = None

    def close(self) -> None:
        """Nothing to give back."""

    def _is_stopping(self) -> bool:
        return self._stopping


def _trainer() -> Train:
    from harness.training.trainer import train

    return train
