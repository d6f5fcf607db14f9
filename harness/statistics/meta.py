"""A difference on several datasets, and what it says about a new one: random effects.

True differences vary between datasets with variance tau^2. It is estimated as Paule and Mandel (1982, Journal
of Research of the National Bureau of Standards 87, 377-385) do, the interval is that of Hartung and Knapp
(2001, Statistics in Medicine 20, 3875-3889), the prediction interval that of Higgins, Thompson and
Spiegelhalter (2009, Journal of the Royal Statistical Society A 172, 137-159)::

    w_d     = 1 / (se_d^2 + tau^2)       mean = sum(w_d y_d) / sum(w_d)
    tau^2   : sum(w_d (y_d - mean)^2) = K - 1, or 0 where the sum is smaller at 0 already
    factor  = sum(w_d (y_d - mean)^2) / (K - 1)
    mean    +- t_{K-1} sqrt(factor / sum(w_d))
    new     : mean +- t_{K-1} sqrt(tau^2 + factor / sum(w_d))

The same as ``rma(method="PM", test="knha")`` of metafor. Where datasets agree more than chance would have it,
``factor`` is below 1 and the interval is narrow: with few datasets such agreement may be luck. The interval
covers the mean nearly as often as it says (93 to 95 %); the prediction interval covers a new dataset in 82 to
92 % instead of 95 % where datasets differ about as much as their errors (simulated, 3 to 20 datasets).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.statistics.block import Unanswerable
from harness.statistics.crossed import LEVEL, NO_VARIANCE, two_sided_p

Values: TypeAlias = NDArray[np.float64]

MIN_DATASETS = 3
"""Fewer tell nothing about how much datasets differ."""

FEW_DATASETS = 6
"""With fewer, what is said about a new dataset is weak."""

_HALVINGS = 100


@dataclass(frozen=True)
class RandomEffects:
    """Mean difference over all datasets that there might be; arrays of one shape, one element per question.

    Attributes:
        mean: In the unit of the differences.
        low: Lower end of the interval of the mean.
        high: Upper end of it.
        error: Standard error of the mean.
        p: Two-sided, of a mean of zero.
        tau: Standard deviation of true differences between datasets.
        new_low: Lower end of the prediction interval of the true difference on a new dataset.
        new_high: Upper end of it.
        factor: That the variance of the mean was multiplied by; 1 wherever ``tau`` is above zero, below 1
            where datasets agree more than chance would have it.
        datasets: K, their number; the degrees of freedom are K - 1.
    """

    mean: Values
    low: Values
    high: Values
    error: Values
    p: Values
    tau: Values
    new_low: Values
    new_high: Values
    factor: Values
    datasets: int

    @property
    def weak(self) -> bool:
        """Whether the datasets are too few for more than a hint."""
        return self.datasets < FEW_DATASETS


def random_effects(
    differences: Values | Sequence[float], errors: Values | Sequence[float], level: float = LEVEL
) -> RandomEffects:
    """Return the mean over all datasets, and what to expect of a new one.

    Args:
        differences: Of each dataset, ``(datasets, ...)``; any further axes are questions of their own.
        errors: Their standard errors, of the same shape.
        level: Confidence level of the intervals, between 0 and 1.

    Raises:
        Unanswerable: with fewer than three datasets.
        ValueError: if shapes differ, a value is not finite or an error is negative.
    """
    y, variances = checked(differences, errors)
    count = len(y)
    if count < MIN_DATASETS:
        raise Unanswerable(
            f"a statement about a new dataset needs at least {MIN_DATASETS} datasets (got {count}); "
            "run the study on more of them"
        )
    tau2 = paule_mandel(y, variances)
    mean, total, spread = _weighted(y, variances, tau2)
    factor = np.where(tau2 > 0, 1.0, spread / (count - 1))
    error = np.sqrt(factor / total)
    t = float(stats.t.isf((1 - level) / 2, count - 1))
    half, new = t * error, t * np.sqrt(tau2 + error**2)
    return RandomEffects(
        mean=mean,
        low=mean - half,
        high=mean + half,
        error=error,
        p=two_sided_p(mean, error, np.full_like(mean, count - 1)),
        tau=np.sqrt(tau2),
        new_low=mean - new,
        new_high=mean + new,
        factor=factor,
        datasets=count,
    )


def paule_mandel(y: Values, variances: Values) -> Values:
    """Return tau^2, the variance of true differences between datasets.

    Args:
        y: Differences, ``(datasets, ...)``.
        variances: Squares of their standard errors, above zero, of the same shape.

    Returns:
        Zero or more, without the first axis; exact to about 30 digits of the variance of ``y``.
    """
    target = len(y) - 1
    low = np.zeros(y.shape[1:])
    # Beyond the plain variance the sum is below its target: the weights are smaller than 1 / variance.
    high = np.asarray(y.var(axis=0, ddof=1))
    none = _weighted(y, variances, low)[2] <= target
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = _weighted(y, variances, middle)[2] > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(none, 0.0, (low + high) / 2)


def checked(differences: Values | Sequence[float], errors: Values | Sequence[float]) -> tuple[Values, Values]:
    """Return differences and variances; no variance becomes a tiny one.

    Raises:
        ValueError: if shapes differ, a value is not finite or an error is negative.
    """
    y, each = np.asarray(differences, float), np.asarray(errors, float)
    if y.shape != each.shape or not y.ndim:
        raise ValueError(
            f"give a difference and a standard error for every dataset (got {y.shape}, {each.shape})"
        )
    if not (np.isfinite(y).all() and np.isfinite(each).all() and (each >= 0).all()):
        raise ValueError("differences and standard errors must be finite, and errors not negative")
    return y, np.maximum(each**2, NO_VARIANCE)


def _weighted(y: Values, variances: Values, tau2: Values) -> tuple[Values, Values, Values]:
    """Return weighted mean, sum of weights and weighted sum of squares around the mean."""
    weights = 1 / (variances + tau2)
    total = weights.sum(axis=0)
    mean = (weights * y).sum(axis=0) / total
    return mean, total, (weights * (y - mean) ** 2).sum(axis=0)
