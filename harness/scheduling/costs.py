"""What the trials of a study are expected to cost, and where the figures come from."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Literal, Self, TypeAlias

from harness.store.database import Database
from harness.store.timings import TimeKey, Timing, time_key, timings
from harness.study.plan import PlannedTrial

Origin: TypeAlias = Literal["same loss", "same dataset and model", "probe"]
"""``same loss``: earlier trials of the same dataset, model, protocol and loss; ``same dataset and model``:
those of other losses; ``probe``: measured for the purpose."""


@dataclass(frozen=True)
class Cost:
    """What one trial of a kind is expected to take.

    Attributes:
        epoch_seconds: Of an epoch, validation included.
        other_seconds: Beside the epochs: set-up and scoring.
        peak_bytes: Most memory, None if nobody knows: on the GPU, else resident of the process.
        origin: Where the figures come from.
        trials: How many earlier trials they are the median of; 0 for a probe.
    """

    epoch_seconds: float
    other_seconds: float
    peak_bytes: int | None
    origin: Origin
    trials: int = 0


class Costs:
    """The expected cost of the trials of one study on one device.

    The nearest source that knows wins: earlier trials of the same loss, a probe, earlier trials of other
    losses. Nothing is carried over from another dataset, model, split, protocol or device: the database does
    not know how many slices of which size an epoch has there.

    Args:
        known: Costs of earlier trials; those of other devices are left out.
        device: As trials name it.
    """

    def __init__(self, known: Iterable[Timing] = (), device: str = "") -> None:
        here = [timing for timing in known if timing.device == device]
        self._by_loss = {timing.key: _cost(timing) for timing in here}
        cells: dict[tuple[str, str], list[Cost]] = {}
        for timing in here:
            cells.setdefault((timing.key.dataset, timing.key.work), []).append(self._by_loss[timing.key])
        self._by_work = {work: _over_losses(found) for work, found in cells.items()}
        self._probed: dict[TimeKey, Cost] = {}
        self._keys: dict[tuple[str, str], TimeKey] = {}

    @classmethod
    def from_database(cls, database: Database | None, fingerprints: Collection[str], device: str) -> Self:
        """Return what the database knows of some datasets.

        Args:
            database: Results; None where there is no database yet.
            fingerprints: Of the study's prepared datasets.
            device: As trials name it, from :func:`harness.training.determinism.device_name`.
        """
        return cls(timings(database, fingerprints) if database else (), device)

    def add_probe(self, planned: PlannedTrial, cost: Cost) -> None:
        """Note what was measured for all trials of the same kind as ``planned``."""
        self._probed[self._key(planned)] = cost

    def of(self, planned: PlannedTrial) -> Cost | None:
        """Return the cost of a trial, None if nothing like it was ever measured."""
        key = self._key(planned)
        return self._by_loss.get(key) or self._probed.get(key) or self._by_work.get((key.dataset, key.work))

    def seconds(self, planned: PlannedTrial) -> float | None:
        """Return the expected seconds of a whole trial."""
        cost = self.of(planned)
        return (
            None if cost is None else cost.epoch_seconds * planned.trial.protocol.epochs + cost.other_seconds
        )

    def peak_bytes(self, planned: PlannedTrial) -> int | None:
        """Return the most memory that a trial is expected to take."""
        cost = self.of(planned)
        return None if cost is None else cost.peak_bytes

    def _key(self, planned: PlannedTrial) -> TimeKey:
        cell = planned.dataset, planned.label  # within a study, the seeds and folds of a cell cost the same
        if cell not in self._keys:
            self._keys[cell] = time_key(planned.trial.canonical())
        return self._keys[cell]


def _cost(timing: Timing) -> Cost:
    return Cost(
        timing.epoch_seconds, timing.other_seconds or 0.0, timing.peak_bytes, "same loss", timing.trials
    )


def _over_losses(costs: list[Cost]) -> Cost:
    peaks = [cost.peak_bytes for cost in costs if cost.peak_bytes is not None]
    return Cost(
        epoch_seconds=median(cost.epoch_seconds for cost in costs),
        other_seconds=median(cost.other_seconds for cost in costs),
        peak_bytes=max(peaks, default=None),
        origin="same dataset and model",
        trials=sum(cost.trials for cost in costs),
    )
