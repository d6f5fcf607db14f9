"""What the driver tells while it works; the command line draws it."""

from collections.abc import Mapping
from typing import NamedTuple

from harness.study.plan import PlannedTrial
from harness.training.job import EpochRecord


class Cell(NamedTuple):
    """A row of the table that a user watches.

    Attributes:
        dataset: Name of the dataset.
        label: Label of the loss.
        purpose: ``study``, or ``search`` for trials that tune it.
    """

    dataset: str
    label: str
    purpose: str = "study"


def cell_of(planned: PlannedTrial) -> Cell:
    """Return the cell that a trial is counted in."""
    return Cell(planned.dataset, planned.label, planned.trial.purpose)


class Progress:
    """Hears of everything that happens to trials, and draws nothing: views override what they show."""

    def begin(self, cells: Mapping[Cell, int], workers: int) -> None:
        """The study has so many trials per cell, and so many can run at a time."""

    def cells(self, cells: Mapping[Cell, int]) -> None:
        """The study has so many trials per cell after all: a search has learned what its budget allows."""

    def workers(self, number: int) -> None:
        """So many trials can run at a time from now on: nodes came or went."""

    def reused(self, planned: PlannedTrial, state: str) -> None:
        """The database already had the trial, in this state."""

    def started(self, planned: PlannedTrial, resumed_at: int) -> None:
        """A worker trains it, from this epoch on."""

    def epoch(self, planned: PlannedTrial, record: EpochRecord) -> None:
        """An epoch is over."""

    def finished(self, planned: PlannedTrial, state: str, best_val_dsc: float | None, seconds: float) -> None:
        """Its result is in the database, or how far it came: ``done``, ``diverged`` or ``pruned``."""

    def failed(self, planned: PlannedTrial, reason: str, will_retry: bool) -> None:
        """It ended without a result."""

    def stopped(self, planned: PlannedTrial, epoch: int) -> None:
        """It was asked to stop and did, before this epoch; the next run goes on from there."""

    def note(self, sentence: str) -> None:
        """Something about the run as a whole: the database does not answer, a node was lost."""
