"""Where the driver's trials come from: a plan, or a search that makes them as results arrive."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.scheduling.progress import Cell, cell_of
from harness.study.plan import PlannedTrial


@dataclass(frozen=True)
class TrialResult:
    """What a source may learn of an ended trial: its state and validation DSC, never a test score."""

    state: str
    best_val_dsc: float | None


class TrialSource(Protocol):
    """Gives out trials and hears how they ended."""

    def take(self) -> PlannedTrial | None:
        """Return a trial that can run now, or None if there is none at the moment."""

    def judges(self, planned: PlannedTrial) -> bool:
        """Whether it wants a say after each epoch of this trial; to it, a pruned trial has then a result."""

    def goes_on(self, planned: PlannedTrial, epoch: int, val_dsc: float) -> bool:
        """Hear how a judged trial did in an epoch, and say whether it may train another one.

        Asked for every epoch that is trained, also when the answer changes nothing: after the last epoch, and
        where another place wants the trial to go on. After an interruption an epoch may be trained, and told,
        again, with the same value.

        Args:
            planned: The trial.
            epoch: From 0.
            val_dsc: Validation DSC after it, 0..1.
        """

    def report(self, planned: PlannedTrial, result: TrialResult) -> None:
        """Hear how a trial given out has ended."""

    def learns(self, planned: PlannedTrial) -> bool:
        """Whether the number of trials may be another one, now that it has heard of this one's end."""

    @property
    def exhausted(self) -> bool:
        """Whether no trial will come any more."""

    @property
    def cells(self) -> Mapping[Cell, int]:
        """How many trials of every cell it will have given out in the end, as far as it knows now."""

    @property
    def expected(self) -> int:
        """How many that are."""


class PlanSource:
    """Gives out a fixed list of trials."""

    def __init__(self, trials: Iterable[PlannedTrial]) -> None:
        self._waiting = deque(trials)
        self.cells: Mapping[Cell, int] = Counter(map(cell_of, self._waiting))
        self.expected = len(self._waiting)

    def take(self) -> PlannedTrial | None:
        """Return the next trial of the list."""
        return self._waiting.popleft() if self._waiting else None

    def judges(self, planned: PlannedTrial) -> bool:
        """A plan wants every trial trained to its end."""
        return False

    def goes_on(self, planned: PlannedTrial, epoch: int, val_dsc: float) -> bool:
        """So it does."""
        return True

    def report(self, planned: PlannedTrial, result: TrialResult) -> None:
        """A plan does not depend on results."""

    def learns(self, planned: PlannedTrial) -> bool:
        """So it learns nothing."""
        return False

    @property
    def exhausted(self) -> bool:
        """Whether all have been given out."""
        return not self._waiting


class JoinedSources:
    """Several sources as one; the first that has a trial gives it."""

    def __init__(self, sources: Sequence[TrialSource]) -> None:
        self._sources = sources
        self._origin: dict[tuple[str, str], TrialSource] = {}

    def take(self) -> PlannedTrial | None:
        """Return a trial of the first source that has one."""
        for source in self._sources:
            planned = self._take_from(source)
            if planned is not None:
                return planned
        return None

    def _take_from(self, source: TrialSource) -> PlannedTrial | None:
        planned = source.take()
        if planned is not None:
            self._origin[planned.label, planned.trial.key] = source
        return planned

    def judges(self, planned: PlannedTrial) -> bool:
        """Whether the source that gave the trial does."""
        return self._giver(planned).judges(planned)

    def goes_on(self, planned: PlannedTrial, epoch: int, val_dsc: float) -> bool:
        """Ask the source that gave the trial."""
        return self._giver(planned).goes_on(planned, epoch, val_dsc)

    def report(self, planned: PlannedTrial, result: TrialResult) -> None:
        """Tell the source that gave the trial."""
        self._giver(planned).report(planned, result)

    def learns(self, planned: PlannedTrial) -> bool:
        """Ask the source that gave the trial."""
        return self._giver(planned).learns(planned)

    def _giver(self, planned: PlannedTrial) -> TrialSource:
        return self._origin[planned.label, planned.trial.key]

    @property
    def exhausted(self) -> bool:
        """Whether every source is."""
        return all(source.exhausted for source in self._sources)

    @property
    def cells(self) -> Mapping[Cell, int]:
        """Those of all sources together."""
        found: Counter[Cell] = Counter()
        for source in self._sources:
            found.update(source.cells)
        return found

    @property
    def expected(self) -> int:
        """Sum over the sources."""
        return sum(source.expected for source in self._sources)


class TakingTurns(JoinedSources):
    """Several sources as one, of which each gives a trial in its turn, so that all come on alike."""

    def take(self) -> PlannedTrial | None:
        """Return a trial of the source that waited longest among those that have one."""
        for source in tuple(self._sources):
            planned = self._take_from(source)
            if planned is not None:
                rest = [each for each in self._sources if each is not source]
                self._sources = [*rest, source]
                return planned
        return None
