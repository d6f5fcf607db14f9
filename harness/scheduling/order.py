"""In which order trials are given out, and how long a pool of workers needs for them."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from harness.study.plan import PlannedTrial

TRIALS_PER_WORKER = 3
"""A block has at least so many trials for every worker: enough short ones to fill its end."""


class KnowsSeconds(Protocol):
    """Says how long a trial is expected to take; :class:`harness.scheduling.costs.Costs` does."""

    def seconds(self, planned: PlannedTrial) -> float | None:
        """Return the expected seconds of a trial, None if nobody knows."""


def ordered(trials: Sequence[PlannedTrial], costs: KnowsSeconds, workers: int) -> list[PlannedTrial]:
    """Return the trials in the order in which they are given out: seed by seed, the longest first.

    Whole seeds form blocks of at least three trials for every worker; a short rest joins the last block.
    Inside a block the longest trial is first, so that short ones fill the end (Graham 1969: at most 4/3 of
    the best time for the block), and a study that is stopped has compared all losses with the seeds of the
    blocks that it got through. Trials of unknown length come before the others, in the order of the plan.

    Args:
        trials: In the order of the plan.
        costs: What each is expected to take.
        workers: How many run at a time, at least 1.
    """
    return [
        planned
        for block in _blocks(trials, TRIALS_PER_WORKER * workers)
        for planned in sorted(block, key=_longest_first(costs))
    ]


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Return how long workers need for trials that are given out in this order, each to the first free one.

    >>> makespan([3, 1, 1, 1], workers=2)
    3.0
    >>> makespan([1, 1, 1, 3], workers=2)
    4.0
    """
    free_at = [0.0] * workers
    for length in seconds:
        heapq.heapreplace(free_at, free_at[0] + length)
    return max(free_at)


def _blocks(trials: Sequence[PlannedTrial], least: int) -> list[list[PlannedTrial]]:
    """Group whole seeds, in the order in which the plan first names them."""
    seeds: dict[int, list[PlannedTrial]] = {}
    for planned in trials:
        seeds.setdefault(planned.trial.seed, []).append(planned)
    blocks: list[list[PlannedTrial]] = []
    for group in seeds.values():
        if blocks and len(blocks[-1]) < least:
            blocks[-1].extend(group)
        else:
            blocks.append(list(group))
    if len(blocks) > 1 and len(blocks[-1]) < least:
        rest = blocks.pop()
        blocks[-1].extend(rest)
    return blocks


def _longest_first(costs: KnowsSeconds) -> Callable[[PlannedTrial], float]:
    def key(planned: PlannedTrial) -> float:
        seconds = costs.seconds(planned)
        return float("-inf") if seconds is None else -seconds

    return key
