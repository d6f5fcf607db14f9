"""The order in which trials are given out: seed by seed in blocks, the longest first."""

from collections import Counter
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.scheduling.order import TRIALS_PER_WORKER, makespan, ordered


@dataclass(frozen=True)
class Piece:
    """A trial for this purpose: its seed, its number in the plan and its length."""

    seed: int
    number: int
    seconds: float | None

    @property
    def trial(self) -> Any:
        return SimpleNamespace(seed=self.seed)


class Known:
    """Costs that every piece carries itself."""

    def seconds(self, planned: Any) -> float | None:
        length: float | None = planned.seconds
        return length


def plan(lengths: list[list[float | None]]) -> list[Any]:
    """Return the pieces of a plan, one inner list per seed."""
    flat = [(seed, length) for seed, group in enumerate(lengths) for length in group]
    return [Piece(seed, number, length) for number, (seed, length) in enumerate(flat)]


def order(pieces: list[Any], workers: int) -> list[Any]:
    """Return the pieces as they are given out."""
    return list(ordered(pieces, Known(), workers))


LENGTHS = st.floats(0.1, 100.0)
PLANS = st.lists(st.lists(st.none() | LENGTHS, min_size=1, max_size=8), min_size=1, max_size=8)
KNOWN_PLANS = st.lists(st.lists(LENGTHS, min_size=1, max_size=8), min_size=1, max_size=8)
WORKERS = st.integers(1, 5)


@given(PLANS, WORKERS)
def test_no_trial_is_lost_or_doubled(lengths: list[list[float | None]], workers: int) -> None:
    pieces = plan(lengths)
    assert Counter(order(pieces, workers)) == Counter(pieces)


@given(KNOWN_PLANS, WORKERS)
def test_no_seed_of_a_later_block_comes_before_the_first_block_is_given_out(
    lengths: list[list[float]], workers: int
) -> None:
    pieces = plan([list(group) for group in lengths])
    least = TRIALS_PER_WORKER * workers
    found = order(pieces, workers)
    first_block: set[int] = set()
    size = 0
    for seed, group in enumerate(lengths):
        first_block.add(seed)
        size += len(group)
        if size >= least:
            break
    if len(pieces) - size >= least:
        assert {piece.seed for piece in found[:size]} == first_block


@given(KNOWN_PLANS, WORKERS)
def test_the_time_is_within_grahams_bound(lengths: list[list[float]], workers: int) -> None:
    found = order(plan([list(group) for group in lengths]), workers)
    seconds = [piece.seconds for piece in found]
    bound = sum(seconds) / workers + (1 - 1 / workers) * max(seconds)
    assert makespan(seconds, workers) <= bound * (1 + 1e-9)


@given(st.lists(LENGTHS, min_size=1, max_size=6), st.integers(1, 3))
def test_a_block_takes_at_most_four_thirds_of_the_best_and_of_the_plan(
    lengths: list[float], workers: int
) -> None:
    ours = makespan([piece.seconds for piece in order(plan([lengths]), workers)], workers)
    factor = (4 / 3 - 1 / (3 * workers)) * (1 + 1e-9)
    assert ours <= factor * best(lengths, workers)
    assert ours <= factor * makespan(lengths, workers)


def best(lengths: list[float], workers: int) -> float:
    """Return the shortest time of any assignment, by trying all."""
    return min(
        max(
            sum(length for length, place in zip(lengths, places, strict=True) if place == worker)
            for worker in range(workers)
        )
        for places in product(range(workers), repeat=len(lengths))
    )


def test_the_long_trial_at_the_end_of_the_plan_no_longer_makes_a_tail() -> None:
    pieces = plan([[1.0, 1.0, 1.0, 1.0, 4.0]])
    assert makespan([1.0, 1.0, 1.0, 1.0, 4.0], 2) == 6.0
    assert makespan([piece.seconds for piece in order(pieces, 2)], 2) == 4.0


def test_seeds_of_a_large_study_are_taken_in_turn() -> None:
    pieces = plan([[1.0, 5.0, 3.0] for _ in range(4)])
    found = order(pieces, 1)
    assert [piece.seed for piece in found] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [piece.seconds for piece in found[:3]] == [5.0, 3.0, 1.0]


def test_a_short_rest_joins_the_last_block() -> None:
    pieces = plan([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [9.0]])
    found = order(pieces, 1)
    assert [piece.seconds for piece in found] == [3.0, 2.0, 1.0, 9.0, 3.0, 2.0, 1.0]


def test_equal_and_unknown_lengths_keep_the_order_of_the_plan() -> None:
    pieces = plan([[2.0, None, 2.0, None]])
    assert [piece.number for piece in order(pieces, 1)] == [1, 3, 0, 2]


def test_an_empty_plan_takes_no_time() -> None:
    assert ordered([], Known(), 4) == []
    assert makespan([], 4) == 0.0
