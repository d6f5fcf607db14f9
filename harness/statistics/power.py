"""What a design can find: power, and the smallest difference that it detects.

The difference to plan for is the smallest one that matters, the margin. Power for the difference that was
seen says nothing that its p value does not say already (Hoenig and Heisey 2001, The American Statistician
55, 19-24); it is given as a second line and called optimistic.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from harness.statistics.block import Unanswerable
from harness.statistics.variance_components import Components, Values, precision

Proves: TypeAlias = Literal["difference", "equivalence"]

POWER = 0.8

_NORMAL_DF = 1e5
"""Above so many degrees of freedom t is normal."""

_CERTAIN = 10.0
"""So many standard errors beyond the critical value nothing is left to chance."""


@dataclass(frozen=True)
class Aim:
    """What a comparison should achieve.

    Attributes:
        alpha: Of one comparison: two-sided for a difference, of either one-sided test for equivalence.
        power: Chance to find a difference that is there.
        proves: A ``difference``, or ``equivalence``: that the interval lies inside the margins.
    """

    alpha: float = 0.05
    power: float = POWER
    proves: Proves = "difference"

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            Unanswerable: naming what is out of range.
        """
        if not 0 < self.alpha < 0.5:
            raise Unanswerable(f"alpha must lie between 0 and 0.5 (got {self.alpha})")
        if not 0.5 <= self.power < 1:
            raise Unanswerable(f"power must be at least 0.5 and below 1 (got {self.power})")

    def multiple(self, df: Values) -> Values:
        """Return how many standard errors a difference must have, or lie inside the margin."""
        if self.proves == "equivalence":
            return np.asarray(-special.stdtrit(df, self.alpha))
        return np.asarray(special.stdtrit(df, self.power) - special.stdtrit(df, self.alpha / 2))

    def of_equivalence(self) -> "Aim":
        """Return the same aim, to prove equivalence."""
        return replace(self, proves="equivalence")


def aim_for(losses: int, alpha: float = 0.05, power: float = POWER) -> Aim:
    """Return the aim of each comparison with the best of some losses: alpha / (losses - 1).

    Two-sided, whereas multiple comparisons with the best are one-sided at this level: a little cautious.
    """
    return Aim(alpha / max(1, losses - 1), power)


def detectable(
    components: Components,
    patients: ArrayLike,
    seeds: ArrayLike,
    aim: Aim,
    other_seeds: ArrayLike | None = None,
) -> Values:
    """Return the smallest difference of scores that a design finds with the power of the aim.

    Of an aim of equivalence, it is the half-width of the interval. All arguments broadcast.

    Args:
        components: Of pairs.
        patients: May be infinite.
        seeds: Of the first loss, may be infinite.
        aim: What is to be shown, how surely.
        other_seeds: Of the second loss; the same if absent.
    """
    found = precision(components, patients, seeds, other_seeds)
    return np.asarray(aim.multiple(found.df) * found.error)


def power_of(
    components: Components,
    patients: ArrayLike,
    seeds: ArrayLike,
    difference: ArrayLike,
    alpha: float,
    other_seeds: ArrayLike | None = None,
) -> Values:
    """Return the chance that a two-sided test finds a difference, from the noncentral t.

    Args:
        components: Of pairs.
        patients: Their number.
        seeds: Of the first loss.
        difference: That is there, of scores.
        alpha: Two-sided, of one comparison.
        other_seeds: Of the second loss; the same if absent.
    """
    found = precision(components, patients, seeds, other_seeds)
    size = np.abs(np.asarray(difference, float))
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(found.error > 0, size / found.error, np.where(size > 0, np.inf, 0.0))
    shift, df = np.broadcast_arrays(shift, found.df)
    critical = -special.stdtrit(df, alpha / 2)
    normal = df > _NORMAL_DF
    certain = shift > critical + _CERTAIN * np.maximum(1.0, critical)
    t_df, t_shift = np.where(normal | certain, 10.0, df), np.where(normal | certain, 0.0, shift)
    t_power = stats.nct.sf(critical, t_df, t_shift) + stats.nct.cdf(-critical, t_df, t_shift)
    with np.errstate(invalid="ignore"):
        z_power = stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift)
    return np.asarray(np.where(certain, 1.0, np.where(normal, z_power, t_power)))
