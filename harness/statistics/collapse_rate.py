"""How often a loss collapses: a count of runs with its exact interval."""

from dataclasses import dataclass

from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class CollapseRate:
    """Collapsed and diverged runs of a loss.

    Attributes:
        useless: k, their number.
        runs: n, of all runs that count.
        low: Lower end of the interval of Clopper and Pearson (1934, Biometrika 26).
        high: Upper end of it.
        bound: One-sided upper bound of the same level: what may be without being seen.
    """

    useless: int
    runs: int
    low: float
    high: float
    bound: float


def collapse_rate(useless: int, runs: int, level: float = LEVEL) -> CollapseRate:
    """Return the rate with its limits.

    >>> round(collapse_rate(0, 5).bound, 2), round(collapse_rate(0, 25).bound, 2)
    (0.45, 0.11)
    """
    if not runs:
        return CollapseRate(0, 0, 0.0, 1.0, 1.0)
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, useless, runs - useless + 1)) if useless else 0.0
    high = float(stats.beta.isf(tail, useless + 1, runs - useless)) if useless < runs else 1.0
    bound = float(stats.beta.isf(1 - level, useless + 1, runs - useless)) if useless < runs else 1.0
    return CollapseRate(useless, runs, low, high, bound)
