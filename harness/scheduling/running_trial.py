"""What the driver knows of a trial while a worker trains it."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from harness.scheduling.executor import Failure, FailureKind
from harness.store.trials import Beat
from harness.study.plan import PlannedTrial
from harness.training.job import EpochRecord

MOST_RETRIES: Mapping[FailureKind, int] = MappingProxyType({"crash": 2, "hung": 2, "memory": 2, "node": 20})
"""How often a trial is tried again after each kind of failure; machines come and go, whatever it does."""

_MOST_RETRIES_ON_GPU = MappingProxyType({**MOST_RETRIES, "memory": 1})
"""What did not fit beside others is tried once alone."""

Rows = list[dict[str, Any]]


@dataclass
class Curve:
    """The epochs of one attempt, some of which the database has already."""

    since: int
    records: list[EpochRecord] = field(default_factory=list)
    written: int = 0
    is_cut: bool = False

    def beat(self) -> tuple[Beat, int]:
        """Return what the database does not have, and how many epochs it has after that."""
        records = self.records[self.written :]
        epochs, scores = rows_of(records)
        epoch = self.since + self.written + len(records)
        beat = Beat(epoch, epochs, scores, since=None if self.is_cut else self.since)
        return beat, self.written + len(records)

    def note(self, written: int) -> None:
        """Remember what has been written."""
        self.written, self.is_cut = written, True


@dataclass
class RunningTrial:
    """A trial that a worker has, and all its places in the study.

    Attributes:
        planned: Its places; two labels may stand for one trial.
        failures: So far, by kind.
        environment: What the worker told of its machine.
        curve: Of the present attempt; None until it has begun.
        heard: When its worker was last heard of.
        alone: Whether it has a GPU for itself.
        judged: Whether its worker waits for an answer after every epoch.
    """

    planned: list[PlannedTrial]
    failures: Counter[FailureKind] = field(default_factory=Counter)
    environment: Mapping[str, str] = field(default_factory=dict)
    curve: Curve | None = None
    heard: float = field(default_factory=time.monotonic)
    alone: bool = False
    judged: bool = False

    @property
    def first(self) -> PlannedTrial:
        """The place that asked for it first."""
        return self.planned[0]

    @property
    def epoch(self) -> int:
        """The epoch that it trains now, from 0."""
        return self.curve.since + len(self.curve.records) if self.curve else 0

    def may_try_again(self, failure: Failure, on_gpu: bool) -> bool:
        """Count a failure, and say whether the trial deserves another attempt."""
        self.failures[failure.kind] += 1
        most = _MOST_RETRIES_ON_GPU if on_gpu else MOST_RETRIES
        return self.failures[failure.kind] <= most.get(failure.kind, 0)


def rows_of(records: Iterable[EpochRecord]) -> tuple[Rows, Rows]:
    """Return rows of ``epoch`` and of ``epoch_score``."""
    epochs = [asdict(record) for record in records]
    scores = [{"epoch": epoch["epoch"], **score} for epoch in epochs for score in epoch.pop("scores")]
    return epochs, scores
