"""How long a study will still take: a range, from trials that were measured.

Nothing here knows what a trial is: cells are whatever groups trials of about equal length. Only modules
of the standard library are imported, for ``lossbench status`` answers at once.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import erfc, exp, pi, sqrt

HOUR = 3600.0
_TENTH = 0.1
"""A running trial counts as measured from this share of its epochs on."""

_WITHIN, _WITHIN_WEIGHT = 0.3, 3.0
"""Spread of durations in a cell relative to their mean, until more trials than this number tell better."""

_BETWEEN, _RATIOS, _BETWEEN_WEIGHT = 0.5, 0.3, 2.0
"""The same between the means of cells, and between how much faster they are than in earlier runs."""

_MARGIN = 2.0
"""Standard deviations between the estimate and the ends of the range."""

_OVERDUE = 1.2
"""How much longer than so far a trial may take that already takes longer than its cell's mean."""


@dataclass(frozen=True)
class Range:
    """Between how many seconds and how many."""

    low: float
    high: float


@dataclass(frozen=True)
class Durations:
    """Sums over the trials of a cell that have ended with a result.

    Attributes:
        count: How many.
        total: Their seconds.
        squares: Sum of the squares of their seconds.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        """Seconds per trial; there must be one."""
        return self.total / self.count

    @property
    def scatter(self) -> float:
        """Sum of squared deviations from the mean, relative to the squared mean."""
        return max(0.0, self.squares / self.mean**2 - self.count) if self.total else 0.0

    def plus(self, seconds: float) -> "Durations":
        """Return the sums with one more trial."""
        return self.and_those(Durations(1, seconds, seconds**2))

    def and_those(self, other: "Durations") -> "Durations":
        """Return the sums over the trials of both."""
        return Durations(self.count + other.count, self.total + other.total, self.squares + other.squares)


@dataclass(frozen=True)
class Underway:
    """A running trial.

    Attributes:
        cell: Its cell.
        elapsed: Seconds since it began, or went on, at ``since``.
        share: Of its epochs that are over, 0..1.
        since: Share that an earlier attempt had done.
        unheard: Seconds of ``elapsed`` since ``share`` was reached.
        pace: Seconds per trial of the epochs but the first, which has to load data; None if not known.
    """

    cell: Hashable
    elapsed: float
    share: float = 0.0
    since: float = 0.0
    unheard: float = 0.0
    pace: float | None = None

    @property
    def heard(self) -> float:
        """Seconds until ``share`` was reached."""
        return self.elapsed - self.unheard

    @property
    def speed(self) -> float | None:
        """Seconds per trial at the speed so far; None if too little is done to tell."""
        done = self.share - self.since
        if done < _TENTH:
            return None
        return self.heard / done if self.pace is None else self.pace

    @property
    def duration(self) -> float | None:
        """Seconds of the whole trial, as if it had not been interrupted; None if too little is done."""
        return None if self.speed is None else self.heard + (1 - self.share + self.since) * self.speed


@dataclass(frozen=True)
class Workload:
    """What is left, and what was measured.

    Attributes:
        waiting: Number of trials that have not begun, by cell.
        running: The trials that have.
        workers: How many run at a time.
        measured: Trials of this run, by cell.
        expected: Seconds of a trial as earlier runs had it, by cell; only their proportions are believed.
    """

    waiting: Mapping[Hashable, int]
    running: Sequence[Underway]
    workers: int
    measured: Mapping[Hashable, Durations]
    expected: Mapping[Hashable, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Guess:
    """A number of seconds and how far it may be off (one standard deviation)."""

    mean: float
    error: float

    def below(self, deviations: float) -> float:
        """Return as many times less as so many deviations are more; never less than nothing."""
        return self.mean**2 / (self.mean + deviations * self.error) if self.mean else 0.0


def time_left(work: Workload) -> Range | None:
    """Return the seconds to the end: in about four of five cases the truth lies inside.

    Trials of a cell take about equally long. A cell without a measured trial is expected to be as much
    slower or faster than in earlier runs as the measured cells are; without earlier runs, to be like the
    measured cells, with a wider range. The last trials cannot be divided among workers: some workers wait.

    Returns:
        None if nothing was measured or nobody works.
    """
    cells = _Cells(work)
    if work.workers < 1 or not cells.seen:
        return None
    running = [cells.rest(each) for each in work.running]
    waiting = {cell: number for cell, number in work.waiting.items() if number > 0}
    if len(running) + sum(waiting.values()) <= work.workers:
        every = [*running, *(cells.single(cell) for cell, number in waiting.items() for _ in range(number))]
        return Range(_longest(every), _slowest(every))
    total = _sum([*running, *_waiting(waiting, cells)])
    alone = (work.workers - 1) / work.workers  # one worker has no tail
    lengths = [cells.guess(cell).mean for cell in waiting] or [guess.mean for guess in running]
    low = total.below(_MARGIN) / work.workers + 0.2 * alone * min(lengths)
    high = (total.mean + _MARGIN * total.error) / work.workers + alone * max(lengths)
    return Range(max(low, _longest(running)), max(high, _slowest(running)))


class TimeLeft:
    """Follows a run as :class:`~harness.scheduling.progress.Progress` hears of it.

    Args:
        expected: Seconds of a trial by cell, from earlier runs.
        clock: Seconds from any moment on.
    """

    def __init__(
        self, expected: Mapping[Hashable, float] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._expected = dict(expected or {})
        self._clock = clock
        self._workers = 0
        self._left: dict[Hashable, int] = {}
        self._running: dict[str, _Attempt] = {}
        self._measured: dict[Hashable, Durations] = {}
        self._began: float | None = None
        self._ends: deque[float] = deque()

    def begin(self, cells: Mapping[Hashable, int], workers: int) -> None:
        """So many trials per cell are asked for, and so many can run at a time."""
        self._left = dict(cells)
        self._workers = workers

    def more(self, cell: Hashable, number: int) -> None:
        """So many more trials of a cell are asked for, or fewer."""
        self._left[cell] = self._left.get(cell, 0) + number

    def workers(self, number: int) -> None:
        """So many can run at a time from now on."""
        self._workers = number

    def reused(self, cell: Hashable) -> None:
        """A trial was there already: it takes no time and measures nothing."""
        self._end(cell)

    def started(self, cell: Hashable, key: str, share: float = 0.0) -> None:
        """A trial runs from now on; an earlier attempt did ``share`` of its epochs, 0..1."""
        now = self._clock()
        self._began = now if self._began is None else self._began
        self._running[key] = _Attempt(cell, now, now, share, share)

    def epoch(self, key: str, share: float) -> None:
        """A running trial has done so much of its epochs."""
        if key in self._running:
            self._running[key] = self._running[key].at(self._clock(), share)

    def finished(self, cell: Hashable, key: str, seconds: float) -> None:
        """A trial has a result.

        Args:
            cell: Its cell.
            key: Identifies it.
            seconds: What it took in all, where it was not seen to start.
        """
        now = self._clock()
        attempt = self._running.pop(key, None)
        took = seconds
        if attempt is not None and attempt.since < 1:
            took = (now - attempt.began) / (1 - attempt.since)
        self._measured[cell] = self._measured.get(cell, Durations()).plus(took)
        self._ends.append(now)
        self._end(cell)

    def failed(self, cell: Hashable, key: str, will_retry: bool) -> None:
        """A trial ended without a result; it tells nothing of how long others take."""
        self._running.pop(key, None)
        if not will_retry:
            self._end(cell)

    def stopped(self, key: str) -> None:
        """A trial waits again."""
        self._running.pop(key, None)

    def per_hour(self) -> float | None:
        """Return the trials with a result per hour, over the last hour; None before the first."""
        now = self._clock()
        while self._ends and self._ends[0] < now - HOUR:
            self._ends.popleft()
        if not self._ends or self._began is None:
            return None
        return len(self._ends) / max(min(now - self._began, HOUR), 1e-3) * HOUR

    def left(self) -> Range | None:
        """Return the time left, see :func:`time_left`."""
        waiting = dict(self._left)
        for each in self._running.values():
            waiting[each.cell] = waiting.get(each.cell, 0) - 1
        now = self._clock()
        running = [each.underway(now) for each in self._running.values()]
        return time_left(Workload(waiting, running, self._workers, self._measured, self._expected))

    def _end(self, cell: Hashable) -> None:
        self._left[cell] = self._left.get(cell, 0) - 1


@dataclass(frozen=True)
class _Attempt:
    """A trial on a worker: when it began and was last heard of, its share of epochs then and before.

    ``first`` is the moment and the share of the first epoch that was heard of.
    """

    cell: Hashable
    began: float
    heard: float
    share: float
    since: float
    first: tuple[float, float] | None = None

    def at(self, now: float, share: float) -> "_Attempt":
        return replace(self, heard=now, share=share, first=self.first or (now, share))

    def underway(self, now: float) -> Underway:
        pace = None
        if self.first is not None and self.share > self.first[1]:
            pace = (self.heard - self.first[0]) / (self.share - self.first[1])
        return Underway(self.cell, now - self.began, self.share, self.since, now - self.heard, pace)


class _Cells:
    """What is known of the length of trials, cell by cell."""

    def __init__(self, work: Workload) -> None:
        self.seen: dict[Hashable, Durations] = {cell: one for cell, one in work.measured.items() if one.count}
        for each in work.running:
            if each.duration is not None:
                self.seen[each.cell] = self.seen.get(each.cell, Durations()).plus(each.duration)
        self._expected = work.expected
        self._longest: dict[Hashable, float] = {}
        for each in work.running:
            self._longest[each.cell] = max(each.elapsed, self._longest.get(each.cell, 0.0))
        for each in work.running:
            one = self.seen.get(each.cell)
            if each.duration is None and one is not None and each.elapsed > one.mean:
                # Only the short trials of a cell have ended yet.
                self.seen[each.cell] = one.plus(_OVERDUE * each.elapsed)
        if self.seen:
            self._compare()

    def _compare(self) -> None:
        """Compare trials with their cell's mean, cells with each other and with what was expected."""
        extra = sum(one.count - 1 for one in self.seen.values())
        scatter = sum(one.scatter for one in self.seen.values())
        self.within = sqrt((scatter + _WITHIN_WEIGHT * _WITHIN**2) / (extra + _WITHIN_WEIGHT))
        self._pooled = _pooled([one.mean for one in self.seen.values()], _BETWEEN)
        ratios = [
            one.mean / self._expected[cell] for cell, one in self.seen.items() if self._expected.get(cell)
        ]
        self._ratio = _pooled(ratios, _RATIOS) if ratios else None

    def guess(self, cell: Hashable) -> _Guess:
        """Return the mean length of a cell's trials."""
        one = self.seen.get(cell)
        if one is not None:
            return _Guess(one.mean, self.within * one.mean / sqrt(one.count))
        known = self._expected.get(cell)
        like = self._pooled
        if known and self._ratio is not None:
            like = _Guess(self._ratio.mean * known, self._ratio.error * known)
        return _Guess(max(like.mean, 1.1 * self._longest.get(cell, 0.0)), like.error)

    def single(self, cell: Hashable) -> _Guess:
        """Return the length of one trial."""
        mean = self.guess(cell)
        return _Guess(mean.mean, sqrt(mean.error**2 + (self.within * mean.mean) ** 2))

    def rest(self, trial: Underway) -> _Guess:
        """Return what is left of a running trial."""
        own, whole = trial.speed, self.single(trial.cell)
        if own is not None:  # its own speed tells more than other trials do
            left = max(0.0, (1 - trial.share) * own - trial.unheard)
            return _Guess(left, (0.3 if trial.pace is None else 0.15) * left + 0.03 * own)
        todo = 1 - trial.since
        return _longer_than(trial.elapsed, _Guess(todo * whole.mean, todo * whole.error))


def _longer_than(elapsed: float, whole: _Guess) -> _Guess:
    """Return what is left of something that is known to last longer than ``elapsed``."""
    if whole.error <= 0:
        return _Guess(max(0.0, whole.mean - elapsed), 0.0)
    overdue = min((elapsed - whole.mean) / whole.error, 3.0)  # beyond, a normal distribution has no say
    more = exp(-(overdue**2) / 2) / sqrt(2 * pi) / _normal(-overdue)
    error = whole.error * sqrt(max(0.05, 1 + overdue * more - more**2))
    return _Guess(whole.error * (more - overdue), error)


def _pooled(means: Sequence[float], between: float) -> _Guess:
    """Return what another cell may be like; the error is that of one cell."""
    mean = sum(means) / len(means)
    scatter = sum((each / mean - 1) ** 2 for each in means) if mean else 0.0
    spread = sqrt((scatter + _BETWEEN_WEIGHT * between**2) / (len(means) - 1 + _BETWEEN_WEIGHT))
    return _Guess(mean, spread * mean * sqrt(1 + 1 / len(means)))


def _waiting(waiting: Mapping[Hashable, int], cells: _Cells) -> list[_Guess]:
    found = []
    for cell, number in waiting.items():
        mean = cells.guess(cell)
        # The mean is wrong for all trials of the cell at once, chance differs from one to the other.
        error = sqrt((number * mean.error) ** 2 + number * (cells.within * mean.mean) ** 2)
        found.append(_Guess(number * mean.mean, error))
    return found


def _normal(deviation: float) -> float:
    """Return the chance that a normal error is below so many standard deviations."""
    return erfc(-deviation / sqrt(2)) / 2


def _sum(parts: Sequence[_Guess]) -> _Guess:
    return _Guess(sum(part.mean for part in parts), sqrt(sum(part.error**2 for part in parts)))


def _longest(parts: Sequence[_Guess]) -> float:
    """Return seconds before which the last has hardly ended, whether their errors are independent or one."""
    return max((part.below(_MARGIN / 2) for part in parts), default=0.0)


def _slowest(parts: Sequence[_Guess]) -> float:
    """Return the seconds after which all have ended in nine of ten cases, if they are independent."""
    low, high = 0.0, max((part.mean + 5 * part.error for part in parts), default=0.0)
    for _ in range(20):
        middle = (low + high) / 2
        chance = 1.0
        for part in parts:
            if part.error > 0:
                chance *= _normal((middle - part.mean) / part.error)
            elif part.mean > middle:
                chance = 0.0
        low, high = (middle, high) if chance < 0.9 else (low, middle)
    return high
