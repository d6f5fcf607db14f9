"""Many tests at once: Holm, Benjamini-Hochberg, and confidence sets of ranks."""

import numpy as np
from numpy.typing import NDArray

from harness.statistics.crossed import Pairs


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p adjusted by Holm (1979, Scand. J. Statist. 6): family-wise error, any dependence.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    found = np.empty_like(p)
    found[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return found


def benjamini_hochberg(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return q values (Benjamini & Hochberg 1995, J. R. Statist. Soc. B 57): false discovery rate.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")[::-1]
    factors = len(p) / np.arange(len(p), 0, -1)
    found = np.empty_like(p)
    found[order] = np.minimum(1.0, np.minimum.accumulate(p[order] * factors))
    return found


def holm_of_pairs(pairs: Pairs) -> NDArray[np.float64]:
    """Return p of all pairs adjusted by Holm over L (L - 1) / 2, as a symmetric matrix; 1 on the diagonal."""
    count = len(pairs.losses)
    upper = np.triu_indices(count, 1)
    found = np.ones((count, count))
    found[upper] = holm(pairs.p[upper])
    return np.minimum(found, found.T)


def rank_sets(pairs: Pairs, alpha: float) -> list[tuple[int, int]]:
    """Return the ranks that each loss may have: 1 + losses proven better, to L - losses proven worse.

    Within the row of a loss p are adjusted by Holm; the set of one loss has level 1 - alpha (Mogstad et al.
    2024, Rev. Econ. Stud. 91, one-step marginal sets, here with the crossed t).

    Args:
        pairs: All of them.
        alpha: Of each set.
    """
    count = len(pairs.losses)
    found = []
    for own in range(count):
        others = np.arange(count) != own
        proven = holm(pairs.p[own, others]) <= alpha
        difference = pairs.difference[own, others]
        found.append(
            (1 + int((proven & (difference < 0)).sum()), count - int((proven & (difference > 0)).sum()))
        )
    return found
