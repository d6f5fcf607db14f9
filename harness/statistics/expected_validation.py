"""What a search with n configurations may be expected to find, and which loss leads at which n.

The expected validation curve is the mean best value of n configurations that are drawn independently from
one space (Dodge et al., EMNLP 2019). Of B tried configurations it is computed exactly over all subsets of
n: without replacement, which is unbiased for every n up to B, whereas drawing with replacement as in the
paper is biased downwards (Tang et al., ACL 2020). At n = B it is the best that was found.

Bands hold for all n at once (Lourie et al., NAACL 2024): a simultaneous confidence band of the
distribution function, of the ``opda`` package, gives one of the curve. Both need configurations that are
independent and trained to the end: none of a sampler that learns, none that was pruned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]

LEVEL = 0.95
"""Confidence level of the bands."""

BAND_METHOD = "ld_equal_tailed"
"""Of opda. Its equal-tailed bands are about as tight as its default, the ones of highest density, exist
from one configuration on and take a fraction of a second, without further processes."""

_ENTROPY = 20240616
"""Seed of the simulation by which opda calibrates a band: the same for all, so that two runs agree."""

_DIGITS = 12
"""Decimals to which values are rounded before they are ranked."""


@dataclass(frozen=True)
class Lead:
    """Who leads between two budgets.

    Attributes:
        first: Smallest number of configurations, from 1.
        last: Largest number of configurations.
        names: The leader; several where they are equal.
    """

    first: int
    last: int
    names: tuple[str, ...]


def expected_best(values: Sequence[float] | Values, *, higher_is_better: bool = True) -> Values:
    """Return the expected best of n = 1..B configurations.

    The i-th smallest of B values is the largest of a random subset of n with probability
    C(i-1, n-1) / C(B, n); the mean under these weights is the expectation over all subsets.

    Args:
        values: Of the B configurations that have a value, in any order.
        higher_is_better: Whether the best is the largest.

    Returns:
        B values; empty for none.

    Raises:
        ValueError: if a value is not finite.

    >>> expected_best([0.2, 0.8, 0.5]).round(3).tolist()
    [0.5, 0.7, 0.8]
    """
    ordered = _ordered(values, higher_is_better)
    total = len(ordered)
    n, i = np.arange(1, total + 1)[:, None], np.arange(1, total + 1)[None, :]
    # From the largest, n/B, down: each weight is (i - n + 1) / i times the one above. No factorials.
    steps = np.where(i < total, np.maximum(i - n + 1, 0) / i, n / max(total, 1))
    weights = np.cumprod(steps[:, ::-1], axis=1)[:, ::-1]
    return _sign(higher_is_better) * (weights @ ordered)


def confidence_band(
    values: Sequence[float] | Values,
    *,
    support: tuple[float, float] = (0.0, 1.0),
    higher_is_better: bool = True,
    level: float = LEVEL,
) -> tuple[Values, Values]:
    """Return the limits of the expected best of n = 1..B, which hold for all n together.

    With equal values the level is at least the stated one.

    Args:
        values: Of B independent configurations.
        support: Smallest and largest possible value; infinite if there is none. An infinite end makes the
            limit on its side infinite, since the band leaves some probability beyond all values.
        higher_is_better: Whether the best is the largest.
        level: Between 0 and 1.

    Returns:
        Lower and upper limits, B each; empty for no values.

    Raises:
        ValueError: if a value is not finite or outside the support.
    """
    ordered = _ordered(values, higher_is_better)
    if not len(ordered):
        return ordered, ordered
    sign = _sign(higher_is_better)
    least, most = sorted(sign * end for end in support)
    if ordered[0] < least or ordered[-1] > most:
        raise ValueError(f"values must lie within {support[0]:g} and {support[1]:g}")
    places = np.concatenate([[least], ordered, [most]])
    below, above = _distribution_band(len(ordered), level)
    # Where the distribution function is low, values are large: its lower limit gives the upper curve.
    worse, better = (sign * _expected_largest(places, mass) for mass in (above, below))
    return (worse, better) if higher_is_better else (better, worse)


def mean_curve(curves: Sequence[Values]) -> Values:
    """Return the mean of curves, as far as the shortest; empty for none."""
    shortest = min((len(curve) for curve in curves), default=0)
    if not shortest:
        return np.empty(0)
    return np.asarray(np.mean([curve[:shortest] for curve in curves], axis=0))


def best_so_far(values: Sequence[float | None], *, higher_is_better: bool = True) -> Values:
    """Return the best value after each configuration, in the order in which they were asked.

    Args:
        values: None or NaN for a configuration without a value: pruned or failed.
        higher_is_better: Whether the best is the largest.

    Returns:
        As many; NaN before the first value.

    >>> best_so_far([None, 0.5, 0.4, 0.6]).tolist()
    [nan, 0.5, 0.5, 0.6]
    """
    known = np.array([np.nan if value is None else value for value in values], float)
    best = np.fmax.accumulate(known) if higher_is_better else np.fmin.accumulate(known)
    return np.asarray(best, float)


def on_grid(grid: Values, spent: Values, best: Values) -> Values:
    """Return the best so far at other points of the budget: what was known when that much was spent.

    Args:
        grid: Points of the budget.
        spent: Budget spent after each configuration, in ascending order.
        best: From :func:`best_so_far`.

    Returns:
        As many as ``grid``; NaN where nothing was known.
    """
    places = np.searchsorted(spent, grid, side="right") - 1
    return (
        np.where(places >= 0, best[np.maximum(places, 0)], np.nan)
        if len(best)
        else np.full(len(grid), np.nan)
    )


def leaders(curves: Mapping[str, Values], *, higher_is_better: bool = True) -> list[Lead]:
    """Return which curve is best at which number of configurations, as intervals in ascending order.

    The curves cross between neighbouring intervals. Only numbers that all curves reach are compared;
    leading is a point estimate, not a test.

    Args:
        curves: Expected best of n = 1.. by name, in the order wanted where they are equal.
        higher_is_better: Whether the best is the largest.
    """
    length = min((len(curve) for curve in curves.values()), default=0)
    if not length:
        return []
    names = list(curves)
    table = _sign(higher_is_better) * np.round([curves[name][:length] for name in names], _DIGITS)
    at_best = table == table.max(axis=0)
    winners = [tuple(name for name, best in zip(names, column, strict=True) if best) for column in at_best.T]
    found: list[Lead] = []
    for who, run in groupby(enumerate(winners, 1), key=lambda pair: pair[1]):
        numbers = [number for number, _ in run]
        found.append(Lead(numbers[0], numbers[-1], who))
    return found


def _ordered(values: Sequence[float] | Values, higher_is_better: bool) -> Values:
    """Return values in ascending order, turned round where lower is better."""
    known = np.asarray(values, float).reshape(-1)
    if not np.isfinite(known).all():
        raise ValueError("values must be finite; leave out configurations that have none")
    return np.asarray(np.sort(_sign(higher_is_better) * known))


def _sign(higher_is_better: bool) -> float:
    return 1.0 if higher_is_better else -1.0


@lru_cache(maxsize=64)
def _distribution_band(number: int, level: float) -> tuple[Values, Values]:
    """Return lower and upper limit of a distribution function at its least value, B ordered ones, its most.

    The limits depend on ranks only, so that any B distinct values give them for all.
    """
    from opda.nonparametric import EmpiricalDistribution

    ranks = np.arange(1, number + 1) / (number + 1)
    lower, _, upper = EmpiricalDistribution.confidence_bands(
        ranks,
        level,
        a=0.0,
        b=1.0,
        generator=np.random.default_rng(_ENTROPY),
        method=BAND_METHOD,
        n_jobs=1,
    )
    below, above = (np.minimum(np.cumsum(limit.ws), 1.0) for limit in (lower, upper))
    return below, above


def _expected_largest(places: Values, cumulative: Values) -> Values:
    """Return the mean of the largest of n = 1..B draws from masses at ``places``."""
    n = np.arange(1, len(places) - 1)[:, None]
    powers = cumulative[None, :] ** n
    powers[:, -1] = 1.0  # exactly, so that no rounding leaves mass at an infinite end
    masses = np.diff(powers, axis=1, prepend=0.0)
    return np.asarray(np.where(masses > 0, masses * np.where(masses > 0, places, 0.0), 0.0).sum(axis=1))
