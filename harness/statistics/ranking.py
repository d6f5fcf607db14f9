"""Ranks and their agreement: who comes first, and how alike two rankings are.

Values are rounded to 1e-12 before anything is ranked, so that the noise of floating point breaks no tie.
Higher values are better.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]

DIGITS = 12
"""Decimals that count."""


def ranks_of(values: Values) -> NDArray[np.int64]:
    """Return ranks along the last axis: 1 is best, equal values share the smaller rank.

    Args:
        values: Of any shape, higher is better, finite.
    """
    if not values.shape[-1]:
        return np.zeros(values.shape, np.int64)
    turned = -np.round(values, DIGITS)
    return np.asarray(stats.rankdata(turned, method="min", axis=-1), np.int64)


def leaders_of(losses: tuple[str, ...], values: Values) -> tuple[str, ...]:
    """Return the losses with the highest value; several if they are equal, none if there are none.

    Args:
        losses: Names.
        values: One for each, NaN for a loss that is not ranked.
    """
    known = np.isfinite(values)
    if not known.any():
        return ()
    rounded = np.round(values, DIGITS)
    best = rounded == rounded[known].max()
    return tuple(loss for loss, first in zip(losses, best, strict=True) if first)


def tau_matrix(values: Values) -> Values:
    """Return Kendall's tau-b of all pairs of rankings, each pair over the losses that both rank.

    Args:
        values: ``(rankings, losses)``, NaN where a ranking lacks a loss.

    Returns:
        ``(rankings, rankings)``; NaN where one of the two ranks all losses equal or fewer than two.
    """
    rounded = np.round(np.atleast_2d(values), DIGITS)
    first, second = np.triu_indices(rounded.shape[1], 1)
    difference = rounded[:, first] - rounded[:, second]
    known = np.isfinite(difference).astype(float)
    signs = np.sign(np.where(known > 0, difference, 0.0))
    untied = np.square(signs)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = signs @ signs.T / np.sqrt((untied @ known.T) * (known @ untied.T))
    return np.asarray(np.clip(np.where(np.isfinite(tau), tau, np.nan), -1, 1))


def tau_with(reference: Values, values: Values) -> Values:
    """Return Kendall's tau-b of many rankings with one.

    Args:
        reference: ``(losses,)``.
        values: ``(rankings, losses)``.

    Returns:
        ``(rankings,)``; NaN where a ranking or the reference is constant.
    """
    order = np.argsort(-np.round(reference, DIGITS), kind="stable")
    steps = ranks_of(reference[None, order])[0]
    ranks = np.ascontiguousarray(ranks_of(values)[:, order].T.astype(np.int16))
    ties = bool((ranks.sum(axis=0, dtype=np.int64) < len(ranks) * (len(ranks) + 1) // 2).any())
    agreement, untied = np.zeros(ranks.shape[1]), np.zeros(ranks.shape[1])
    untied_reference = 0
    for i in range(len(ranks) - 1):
        rest = ranks[i + 1 :]
        worse = rest > ranks[i]
        better = rest < ranks[i] if ties else ~worse
        untied += np.count_nonzero(worse, axis=0) + np.count_nonzero(better, axis=0)
        apart = steps[i + 1 :] > steps[i]
        untied_reference += int(apart.sum())
        agreement += np.count_nonzero(worse[apart], axis=0)
        agreement -= np.count_nonzero(better[apart], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = agreement / np.sqrt(untied * untied_reference)
    return np.asarray(np.where(np.isfinite(tau), tau, np.nan))
