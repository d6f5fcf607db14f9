"""The executor that trains in this process."""

from collections.abc import Iterator

from harness.scheduling.executor import Failure, Happening, Message, Stopped
from harness.scheduling.worker import Train, run_job
from harness.training.job import EpochRecord, Finished, TrainingJob


class InlineExecutor:
    """Runs one job at a time in this process (``--local``).

    Args:
        train: Trains a job; the trainer if absent.
    """

    workers = 1

    def __init__(self, train: Train | None = None) -> None:
        self._train = train or _trainer()
        self._stopping = False
        self._running: tuple[TrainingJob, Iterator[Happening]] | None = None
        self._answer: bool | None = None
        self._asked = False

    @property
    def free(self) -> int:
        """One if no job is running."""
        return 1 if self._running is None else 0

    def submit(self, job: TrainingJob, alone: bool = False) -> None:
        """Take a job; it runs inside :meth:`wait`, and is always alone."""
        goes_on = self._take_answer if job.judged else None
        happenings = run_job(job, self._train, lambda: self._stopping, capture_output=False, goes_on=goes_on)
        self._running, self._answer, self._asked = (job, happenings), None, False

    def answer(self, key: str, goes_on: bool) -> None:
        """Note it for the next :meth:`wait`."""
        self._answer = goes_on

    def wait(self, seconds: float) -> list[Message]:
        """Run the job up to its next event, however long that takes; a judged one not before the answer."""
        if self._running is None or (self._asked and self._answer is None and not self._stopping):
            return []
        job, happenings = self._running
        self._asked = False
        happening = next(happenings, None)
        if happening is None:
            self._running = None
            return []
        if isinstance(happening, Finished | Failure | Stopped):
            self._running = None
        self._asked = job.judged and isinstance(happening, EpochRecord)
        return [(job.key, happening)]

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

    def _take_answer(self) -> bool:
        found, self._answer = self._answer, None
        return found is not False


def _trainer() -> Train:
    from harness.training.trainer import train

    return train
