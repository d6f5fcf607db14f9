"""What the driver tells while it works; the command line draws it."""

from harness.study.plan import PlannedTrial
from harness.training.job import EpochRecord


class Progress:
    """Hears of everything that happens to trials, and draws nothing: views override what they show."""

    def begin(self, expected: int) -> None:
        """The study has this many trials, searches included."""

    def reused(self, planned: PlannedTrial, state: str) -> None:
        """The database already had the trial."""

    def started(self, planned: PlannedTrial, resumed_at: int) -> None:
        """A worker trains it, from this epoch on."""

    def epoch(self, planned: PlannedTrial, record: EpochRecord) -> None:
        """An epoch is over."""

    def finished(self, planned: PlannedTrial, state: str, best_val_dsc: float | None, seconds: float) -> None:
        """Its result is in the database."""

    def failed(self, planned: PlannedTrial, reason: str, will_retry: bool) -> None:
        """It ended without a result."""
