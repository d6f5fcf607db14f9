"""Seed variances that lend each other strength: empirical Bayes over the losses of a dataset.

Smyth (2004, Statistical Applications in Genetics and Molecular Biology 3, article 3), as in limma's
``fitFDist`` and ``squeezeVar``, but upward only: a loss whose seeds vary more than others' keeps its own
variance, one that varies suspiciously little gets the moderated one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

MOST_DF = 1000.0
"""Degrees of freedom are limited to this."""

MIN_LOSSES = 5
"""With fewer losses nothing can be said about how much variances differ: every loss keeps its own."""


@dataclass(frozen=True)
class Prior:
    """What the losses of a dataset have in common.

    Attributes:
        df: d0; infinite where variances differ no more than by chance, 0 where none was estimated.
        variance: s0^2, the common variance.
    """

    df: float
    variance: float


@dataclass(frozen=True)
class SeedVariances:
    """Variance between seeds of the mean over patients, of one run, for every loss.

    Attributes:
        own: s^2, as estimated from each loss alone.
        moderated: Never below ``own``.
        df: Degrees of freedom of ``moderated``.
        prior: Common to the losses.
    """

    own: NDArray[np.float64]
    moderated: NDArray[np.float64]
    df: NDArray[np.float64]
    prior: Prior


def inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value, by Newton steps on 1/trigamma, which is nearly linear."""
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    x = 0.5 + 1 / value
    for _ in range(50):
        tri = float(polygamma(1, x))
        step = tri * (1 - tri / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-12:
            break
    return float(x)


def fit_prior(variances: NDArray[np.float64], df: NDArray[np.float64]) -> Prior:
    """Return the scaled inverse chi-square prior of variances, by the moments of their logarithms.

    Args:
        variances: s^2 of each loss.
        df: Their degrees of freedom, at least 1.
    """
    floor = 1e-5 * float(np.median(variances))
    if not floor > 0:
        return Prior(0.0, 0.0)
    z = np.log(np.maximum(variances, floor))
    q = z - digamma(df / 2) + np.log(df / 2)
    excess = float(q.var(ddof=1) - polygamma(1, df / 2).mean())
    if excess <= 0:
        return Prior(float("inf"), float(np.mean(variances)))
    d0 = 2 * inverse_trigamma(excess)
    return Prior(d0, float(np.exp(q.mean() + digamma(d0 / 2) - np.log(d0 / 2))))


def moderate(
    variances: NDArray[np.float64], df: NDArray[np.float64], prior: Prior | None = None
) -> SeedVariances:
    """Return the variances moderated upwards.

    Args:
        variances: s^2 of each loss.
        df: Their degrees of freedom, S - 1.
        prior: From other losses; estimated from these if absent, given five or more of them.
    """
    variances, df = np.asarray(variances, float), np.asarray(df, float)
    if prior is None:
        prior = fit_prior(variances, df) if len(variances) >= MIN_LOSSES else Prior(0.0, 0.0)
    if np.isinf(prior.df):
        pooled = np.full_like(variances, prior.variance)
    else:
        pooled = (prior.df * prior.variance + df * variances) / (prior.df + df)
    return SeedVariances(
        own=variances,
        moderated=np.maximum(pooled, variances),
        df=np.minimum(prior.df + df, MOST_DF),
        prior=prior,
    )
