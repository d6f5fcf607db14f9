"""Multiple comparisons with the best: which losses may be the best, which are not, which are safe to take.

Hsu (1981, Ann. Statist. 9; 1996, *Multiple Comparisons*), with the crossed t of every pair and Bonferroni
over the L - 1 comparisons with the true best, whichever that is. Both claims, "the best is among these" and
"this one is within the margin of the best", involve only those comparisons, so each is wrong with
probability alpha at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.statistics.crossed import Pairs

Standing: TypeAlias = Literal["safe", "possibly best", "inferior", "inferior beyond the margin", "collapsed"]
"""``safe`` implies possibly best or within the margin of it; ``collapsed`` stands outside the comparisons."""


@dataclass(frozen=True)
class Best:
    """Every loss against the best of the others.

    Attributes:
        losses: In order.
        lower: Lower bound of theta_j - max over the others of theta_i; infinite for a single loss.
        upper: Upper bound of it.
        possibly_best: upper > 0.
        inferior: upper <= 0.
        inferior_beyond: upper < -margin.
        safe: lower > -margin, and no run collapsed.
        margin: Half-width of the region of negligible differences.
        alpha: Probability of a false claim of either kind, at most.
    """

    losses: tuple[str, ...]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    possibly_best: NDArray[np.bool_]
    inferior: NDArray[np.bool_]
    inferior_beyond: NDArray[np.bool_]
    safe: NDArray[np.bool_]
    margin: float
    alpha: float

    def names(self, which: NDArray[np.bool_]) -> tuple[str, ...]:
        """Return the losses of a set."""
        return tuple(loss for loss, inside in zip(self.losses, which, strict=True) if inside)

    def standing(self, loss: str) -> Standing:
        """Return the class of a loss; ``collapsed`` if it is not among those compared."""
        if loss not in self.losses:
            return "collapsed"
        at = self.losses.index(loss)
        if self.safe[at]:
            return "safe"
        if self.possibly_best[at]:
            return "possibly best"
        return "inferior beyond the margin" if self.inferior_beyond[at] else "inferior"


def compare_with_best(
    pairs: Pairs, margin: float, alpha: float, useless: Sequence[int] | NDArray[np.int64]
) -> Best:
    """Return every loss against the best of the others.

    Args:
        pairs: All pairs.
        margin: On the scale of the scores.
        alpha: Probability of a false claim of either kind, at most.
        useless: Number of collapsed or diverged runs of each loss: a loss with any is not called safe.
    """
    count = len(pairs.losses)
    if count < 2:
        lower, upper = np.full(count, np.inf), np.full(count, np.inf)
    else:
        half = pairs.half_width(alpha / (count - 1))
        off = ~np.eye(count, dtype=bool)
        lower = np.where(off, pairs.difference - half, np.inf).min(axis=1)
        upper = np.where(off, pairs.difference + half, np.inf).min(axis=1)
    # Two equal losses without any variance: neither is proven worse than the other.
    possibly = (upper > 0) | ((upper == 0) & (lower == 0))
    return Best(
        pairs.losses,
        lower,
        upper,
        possibly_best=possibly,
        inferior=~possibly,
        inferior_beyond=upper < -margin,
        safe=(lower > -margin) & (np.asarray(useless) == 0),
        margin=margin,
        alpha=alpha,
    )


def difference_to_best(pairs: Pairs) -> NDArray[np.float64]:
    """Return the score of every loss minus that of the best of the others; it lies between its bounds."""
    others = np.where(np.eye(len(pairs.losses), dtype=bool), np.inf, pairs.difference)
    return np.asarray(others.min(axis=1))
