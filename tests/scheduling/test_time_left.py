"""The time left: the truth lies inside the range, and the range is of use."""

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from harness.scheduling.time_left import Durations, Range, TimeLeft, Underway, Workload, time_left

EPOCHS = 10
CELLS, TRIALS = 6, 10


@dataclass(frozen=True)
class Simulated:
    """A study in virtual time.

    ``spread`` is that of the cells' mean durations and ``within`` that of the trials of a cell, relative to
    their mean. ``longest_first`` needs ``known``: earlier runs, three times as slow, told the proportions.
    """

    workers: int
    spread: float
    within: float
    known: bool = False
    longest_first: bool = False


@dataclass(frozen=True)
class Asked:
    """What was said at a moment, and what was true."""

    finished: float
    said: Range
    true: float

    @property
    def inside(self) -> bool:
        return self.said.low <= self.true <= self.said.high


def simulate(study: Simulated, seed: int) -> list[Asked]:
    """Run a study and ask at 40 moments how long it will still take."""
    chance = random.Random(seed)
    means = [100 * math.exp(chance.gauss(0, study.spread)) for _ in range(CELLS)]
    sigma = math.sqrt(math.log(1 + study.within**2))
    tasks = [
        (cell, means[cell] * math.exp(chance.gauss(-(sigma**2) / 2, sigma)))
        for _ in range(TRIALS)
        for cell in range(CELLS)
    ]
    if study.longest_first:
        tasks.sort(key=lambda task: -means[task[0]])
    expected = {cell: 3 * means[cell] * math.exp(chance.gauss(0, 0.1)) for cell in range(CELLS)}
    now = 0.0
    left = TimeLeft(expected if study.known else None, lambda: now)
    left.begin(dict.fromkeys(range(CELLS), TRIALS), study.workers)
    events = sorted(timeline(tasks, study.workers))
    end = events[-1][0]
    finished, asked = 0, []
    for now, what, cell, key in sorted([*events, *((end * k / 41, "ask", 0, 0) for k in range(1, 41))]):
        if what == "start":
            left.started(cell, str(key))
        elif what.startswith("epoch"):
            left.epoch(str(key), int(what[6:]) / EPOCHS)
        elif what == "finish":
            left.finished(cell, str(key), 0.0)
            finished += 1
        elif (said := left.left()) is not None:
            asked.append(Asked(finished / len(tasks), said, end - now))
    return asked


def timeline(tasks: list[tuple[int, float]], workers: int) -> Iterator[tuple[float, str, int, int]]:
    """Yield the events of trials on workers, each of which takes the next task when it is free."""
    free = [0.0] * workers
    for key, (cell, duration) in enumerate(tasks):
        start = heapq.heappop(free)
        heapq.heappush(free, start + duration)
        yield start, "start", cell, key
        for epoch in range(1, EPOCHS + 1):
            yield start + duration * (epoch - 0.5) / EPOCHS, f"epoch {epoch - 1}", cell, key
        yield start + duration, "finish", cell, key


STUDIES = [
    Simulated(workers, spread, within, known, longest_first)
    for workers in (1, 4, 16)
    for spread, within in ((0.3, 0.1), (0.5, 0.3), (0.0, 0.3))
    for known, longest_first in ((False, False), (True, True))
]


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_the_truth_lies_inside_the_range_in_four_of_five_cases(workers):
    for study in (study for study in STUDIES if study.workers == workers):
        asked = [one for seed in range(5) for one in simulate(study, seed)]
        assert len(asked) > 150
        assert sum(one.inside for one in asked) / len(asked) >= 0.8, study


def test_after_a_third_of_the_trials_the_range_is_narrow():
    for study in STUDIES:
        # Near the end a range of 5 to 20 s is of use, too.
        ratios = [
            one.said.high / one.said.low
            for seed in range(5)
            for one in simulate(study, seed)
            if 1 / 3 <= one.finished <= 0.9
        ]
        assert sorted(ratios)[int(0.9 * len(ratios))] <= 3, study


def test_nothing_is_said_before_anything_is_measured():
    left = TimeLeft(clock=lambda: 0.0)
    assert left.left() is None
    left.begin({"a": 3}, 2)
    left.reused("a")
    left.started("a", "k")
    assert left.left() is None
    assert left.per_hour() is None


def test_epochs_of_a_running_trial_are_measured_too():
    now = 0.0
    left = TimeLeft(clock=lambda: now)
    left.begin({"a": 1}, 1)
    left.started("a", "k")
    now = 100.0
    left.epoch("k", 0.25)
    found = left.left()
    assert found.low < 300 < found.high
    now = 300.0  # no epoch since
    assert left.left().high < found.high


def test_trials_that_are_in_the_database_take_no_time():
    now = 0.0
    left = TimeLeft(clock=lambda: now)
    left.begin({"a": 1000, "b": 1}, 1)
    for _ in range(1000):
        left.reused("a")
    left.started("b", "k")
    now = 60.0
    left.finished("b", "k", 60.0)
    assert left.left() == Range(0.0, 0.0)
    assert left.per_hour() == pytest.approx(60)


def test_a_trial_that_went_on_in_the_middle_counts_for_its_whole_length():
    now = 0.0
    left = TimeLeft(clock=lambda: now)
    left.begin({"a": 2}, 1)
    left.started("a", "k", share=0.9)
    now = 10.0
    left.finished("a", "k", 100.0)
    found = left.left()
    assert found.low < 100 < found.high


def test_earlier_runs_tell_how_cells_compare_not_how_fast_this_machine_is():
    work = Workload({"long": 10}, [], 1, {"short": Durations(8, 80.0, 800.0)}, {"short": 1.0, "long": 5.0})
    found = time_left(work)
    assert found.low < 500 < found.high
    assert found.low > 100


def test_more_workers_take_less_time_but_the_last_trials_are_not_divided():
    measured = {"a": Durations(4, 400.0, 40_000.0)}
    four, hundred = (time_left(Workload({"a": 8}, [], workers, measured)) for workers in (4, 100))
    assert four.low < 200 < four.high
    assert 50 < hundred.low < 110
    assert time_left(Workload({"a": 8}, [], 0, measured)) is None


def test_a_trial_that_is_overdue_is_not_over():
    measured = {"a": Durations(5, 500.0, 50_000.0)}
    found = time_left(Workload({}, [Underway("a", elapsed=250.0)], 1, measured))
    assert found.high > 10


def test_trials_of_no_length_do_not_break_it():
    work = Workload({"a": 3, "b": 1}, [Underway("b", 0.0, 1.0)], 2, {"a": Durations(2)}, {"a": 0.0})
    assert time_left(work).low == 0.0


def test_failed_and_stopped_trials_measure_nothing():
    now = 0.0
    left = TimeLeft(clock=lambda: now)
    left.begin({"a": 3}, 1)
    left.started("a", "k")
    left.failed("a", "k", will_retry=True)
    left.started("a", "k")
    left.stopped("k")
    assert left.left() is None
    left.started("a", "k")
    now = 100.0
    left.finished("a", "k", 100.0)
    assert left.left().low < 200 < left.left().high
    left.started("a", "l")
    left.failed("a", "l", will_retry=False)
    assert left.left().low < 100 < left.left().high
