"""The one way of comparing: interleaved rounds, median of the ratios within a round, an A/A pair.

A round takes one sample of every piece of work, the subject first *and* last::

    subject, other 1, other 2, ..., subject again

A ratio is the mean of both samples of the subject over the sample of the other, within the round: a
machine that slows down steadily moves both alike. The subject against itself, last over first, is the
A/A pair; where its median leaves 1 +- 5 % the comparison is repeated with longer samples and, in the
end, void.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from harness.bench.clocks import Clock, Times, Work

AA_TOLERANCE = 0.05
_MOST_REPETITIONS = 4**8
_SUBJECT = ""


@dataclass(frozen=True)
class Settings:
    """How hard to measure.

    Attributes:
        rounds: Rounds per comparison.
        sample_seconds: What one sample should last at least: short ones measure the clock.
        retries: How often to begin again, with samples twice as long, when the A/A pair is off.
    """

    rounds: int = 9
    sample_seconds: float = 0.05
    retries: int = 2


@dataclass(frozen=True)
class Ratio:
    """A ratio of times, below 1 where the subject is faster."""

    busy: float
    wall: float


@dataclass(frozen=True)
class Comparison:
    """One piece of work against others.

    Attributes:
        seconds: Of one call of the subject: the median over the rounds.
        aa: The subject against itself.
        against: The subject against each other piece of work, by its name.
    """

    seconds: Times
    aa: Ratio
    against: Mapping[str, Ratio]

    @property
    def void(self) -> bool:
        """Whether the A/A pair says that nothing can be concluded."""
        return off(self.aa.busy)

    @property
    def wall_void(self) -> bool:
        """Whether the A/A pair says so of the wall times alone: another process was running."""
        return off(self.aa.wall)


def off(aa: float) -> bool:
    """Return whether an A/A ratio leaves 1 +- 5 %."""
    return not 1 - AA_TOLERANCE <= aa <= 1 + AA_TOLERANCE


def compare(subject: Work, others: Mapping[str, Work], clock: Clock, settings: Settings) -> Comparison:
    """Time a piece of work against others; see the module for how.

    Args:
        subject: What the ratios are about.
        others: What it is compared with, by name.
        clock: Times them.
        settings: How hard to measure.
    """
    works = {_SUBJECT: subject, **others}
    one_call = {name: seconds_per_call(work, clock, settings.sample_seconds) for name, work in works.items()}
    for attempt in range(settings.retries + 1):
        target = settings.sample_seconds * 2**attempt
        # Slow work is not repeated: one call of two seconds is as good a sample as there is.
        repetitions = {
            name: max(1, math.ceil(target / max(seconds, 1e-9))) for name, seconds in one_call.items()
        }
        rounds = [_round(works, repetitions, clock, turn) for turn in range(settings.rounds)]
        comparison = _summary(rounds, others)
        if not comparison.void:
            break
    return comparison


def seconds_per_call(work: Work, clock: Clock, sample_seconds: float) -> float:
    """Warm up, then return about how long a call is busy; it looks for as many as can be measured."""
    work()
    repetitions = 1
    while True:
        busy = clock.time(work, repetitions).busy
        if busy >= sample_seconds / 4 or repetitions >= _MOST_REPETITIONS:
            return busy / repetitions
        repetitions *= 4


@dataclass(frozen=True)
class _Round:
    first: Times
    others: Mapping[str, Times]
    last: Times

    @property
    def subject(self) -> Times:
        """Mean of both samples of the subject."""
        return Times((self.first.busy + self.last.busy) / 2, (self.first.wall + self.last.wall) / 2)


def _round(works: Mapping[str, Work], repetitions: Mapping[str, int], clock: Clock, turn: int) -> _Round:
    """Sample everything once, per call; the others in turn from the front and from the back."""

    def sample(name: str) -> Times:
        if repetitions[name] > 1:
            works[name]()  # untimed: what ran before left the caches and the allocator in its own state
        times = clock.time(works[name], repetitions[name])
        return Times(times.busy / repetitions[name], times.wall / repetitions[name])

    others = [name for name in works if name != _SUBJECT]
    first = sample(_SUBJECT)
    between = {name: sample(name) for name in (others if turn % 2 == 0 else reversed(others))}
    return _Round(first, between, sample(_SUBJECT))


def _summary(rounds: Sequence[_Round], others: Iterable[str]) -> Comparison:
    return Comparison(
        seconds=Times(median(r.subject.busy for r in rounds), median(r.subject.wall for r in rounds)),
        aa=_median_ratio((r.last, r.first) for r in rounds),
        against={name: _median_ratio((r.subject, r.others[name]) for r in rounds) for name in others},
    )


def _median_ratio(pairs: Iterable[tuple[Times, Times]]) -> Ratio:
    ratios = [(_over(a.busy, b.busy), _over(a.wall, b.wall)) for a, b in pairs]
    return Ratio(median(busy for busy, _ in ratios), median(wall for _, wall in ratios))


def _over(a: float, b: float) -> float:
    return a / b if b > 0 else math.nan
