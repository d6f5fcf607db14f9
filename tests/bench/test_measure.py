"""The measuring, with a clock that a test winds: no time passes."""

import math
from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest

from harness.bench.clocks import CpuClock, Times
from harness.bench.measure import Settings, compare, off, seconds_per_call


class FakeClock:
    """Work costs what it returns; ``speed`` stretches one sample after the other."""

    def __init__(self, speed: Iterator[float] | None = None) -> None:
        self.speed = speed or repeat(1.0)
        self.samples: list[tuple[float, int]] = []

    def time(self, work: Callable[[], object], repetitions: int) -> Times:
        cost = work()
        self.samples.append((cost, repetitions))
        busy = cost * repetitions * next(self.speed)
        return Times(busy, 2 * busy)


def takes(seconds: float) -> Callable[[], float]:
    return lambda: seconds


SETTINGS = Settings(rounds=9, sample_seconds=0.05, retries=2)


def test_ratio_is_subject_over_other():
    found = compare(takes(0.01), {"ce": takes(0.02), "peer": takes(0.005)}, FakeClock(), SETTINGS)
    assert found.against["ce"].busy == pytest.approx(0.5)
    assert found.against["peer"].busy == pytest.approx(2)
    assert found.seconds == pytest.approx((0.01, 0.02))
    assert found.aa.busy == pytest.approx(1)
    assert not found.void


def test_samples_are_interleaved_and_others_take_turns():
    clock = FakeClock()
    compare(takes(1.0), {"b": takes(2.0), "c": takes(3.0)}, clock, Settings(rounds=2))
    rounds = [cost for cost, _ in clock.samples[3:]]  # after one calibration each
    assert rounds == [1, 2, 3, 1, 1, 3, 2, 1]


def test_short_work_is_repeated_until_a_sample_is_long_enough_and_slow_work_is_not():
    clock = FakeClock()
    compare(takes(0.001), {"slow": takes(2.0)}, clock, Settings(rounds=1, sample_seconds=0.05))
    assert clock.samples[-3:] == [(0.001, 50), (2.0, 1), (0.001, 50)]


def test_steady_drift_moves_no_ratio():
    """The machine loses 1 % from sample to sample; both samples of the subject surround the other."""
    clock = FakeClock(1.01**step for step in range(10_000))
    found = compare(takes(0.05), {"b": takes(0.05)}, clock, SETTINGS)
    assert found.against["b"].busy == pytest.approx(1, abs=1e-3)


def test_median_forgives_a_round_that_was_disturbed():
    disturbed = chain(repeat(1.0, 3), [50.0], repeat(1.0))
    found = compare(takes(0.05), {"b": takes(0.1)}, FakeClock(disturbed), SETTINGS)
    assert found.against["b"].busy == pytest.approx(0.5)


def unsteady(last_over_first: float) -> Iterator[float]:
    """Speeds of calibration (2 samples), then of rounds of three samples."""
    return chain([1.0, 1.0], *repeat([1.0, 1.0, last_over_first], 1000))


@pytest.mark.parametrize(("aa", "void"), [(1.04, False), (0.96, False), (1.08, True), (0.9, True)])
def test_row_is_void_where_the_subject_differs_from_itself(aa, void):
    found = compare(takes(0.05), {"b": takes(0.05)}, FakeClock(unsteady(aa)), SETTINGS)
    assert found.aa.busy == pytest.approx(aa)
    assert found.void is void


def test_void_comparison_is_repeated_with_longer_samples_before_giving_up():
    clock = FakeClock(unsteady(1.08))
    compare(takes(0.05), {"slow": takes(2.0)}, clock, Settings(rounds=1, sample_seconds=0.05, retries=2))
    assert clock.samples[2::3] == [(0.05, 1), (0.05, 2), (0.05, 4)]
    assert {repetitions for cost, repetitions in clock.samples if cost == 2.0} == {1}


def test_a_repetition_that_is_steady_counts():
    first_attempt = [1.0, 1.0, *[1.0, 1.0, 1.2] * 9]
    found = compare(takes(0.05), {"b": takes(0.1)}, FakeClock(chain(first_attempt, repeat(1.0))), SETTINGS)
    assert not found.void
    assert found.against["b"].busy == pytest.approx(0.5)


def test_wall_time_has_an_aa_pair_of_its_own():
    class WallWobbles(FakeClock):
        def time(self, work, repetitions):
            busy, _ = super().time(work, repetitions)
            return Times(busy, busy * (2.0 if len(self.samples) % 3 == 2 else 1.0))

    found = compare(takes(0.05), {"b": takes(0.05)}, WallWobbles(), SETTINGS)
    assert not found.void
    assert found.wall_void


def test_nan_is_off():
    assert off(math.nan)


def test_work_too_short_to_measure_ends_the_calibration():
    assert seconds_per_call(takes(0.0), FakeClock(), 0.05) == 0.0


def test_warm_up_comes_before_the_first_sample():
    calls = []
    clock = FakeClock()

    def work() -> float:
        calls.append(len(clock.samples))
        return 1.0

    seconds_per_call(work, clock, 0.05)
    assert calls == [0, 0]  # the warm-up, then the call inside the first sample


def test_cpu_clock_calls_as_often_as_it_says():
    calls = []
    times = CpuClock().time(lambda: calls.append(1), 5)
    assert len(calls) == 5
    assert times.busy >= 0
    assert times.wall > 0
