"""Where the variance of a difference of two losses comes from, and what it would be in another design.

With N patients and S seeds of either loss a difference has, as in :mod:`harness.statistics.crossed`::

    V(N, S) = case / N + (seed_a + seed_b) / S + (residual_a + residual_b) / (N S)

    case      variance over patients of what a patient adds to the difference, whatever the seed
    seed      variance over seeds of what a seed adds to a loss, whatever the patient
    residual  what neither of them explains

More patients shrink the first and the last term, more seeds the last two: each has a floor that the other
cannot lower. Satterthwaite's degrees of freedom follow from the same parts.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from harness.statistics.block import Unanswerable
from harness.statistics.crossed import NO_VARIANCE, Parts
from harness.statistics.moderation import MOST_DF

Values: TypeAlias = NDArray[np.float64]

UNLUCKY = 0.2
"""A pilot whose seeds happen to agree too well: one in five shows a seed variance this much too small."""


@dataclass(frozen=True)
class Components:
    """Variance components of some pairs of losses; one entry for each pair.

    Attributes:
        case: Of the difference between the losses, over patients.
        seed: Of the first and of the second loss, over seeds.
        residual: Of the first and of the second loss.
        seed_at_worst: ``seed`` if the seeds of the pilot agreed by luck, see :meth:`pessimistic`.
        prior_df: Degrees of freedom that the losses lend each other for their seed variances; 0 for none.
    """

    case: Values
    seed: tuple[Values, Values]
    residual: tuple[Values, Values]
    seed_at_worst: tuple[Values, Values]
    prior_df: float = 0.0

    def pessimistic(self) -> "Components":
        """Return them with seed variances that only one pilot in five would underestimate."""
        return replace(self, seed=self.seed_at_worst)

    def of(self, index: int | NDArray[np.int64]) -> "Components":
        """Return those of one pair, or of some."""

        def two(each: tuple[Values, Values]) -> tuple[Values, Values]:
            return np.asarray(each[0][index]), np.asarray(each[1][index])

        return Components(
            np.asarray(self.case[index]),
            two(self.seed),
            two(self.residual),
            two(self.seed_at_worst),
            self.prior_df,
        )

    def typical(self) -> "Components":
        """Return one pair: the medians over all."""

        def two(each: tuple[Values, Values]) -> tuple[Values, Values]:
            middle = np.atleast_1d(np.median(np.concatenate([np.ravel(part) for part in each])))
            return middle, middle

        return Components(
            np.atleast_1d(np.median(self.case)),
            two(self.seed),
            two(self.residual),
            two(self.seed_at_worst),
            self.prior_df,
        )


@dataclass(frozen=True)
class Precision:
    """Of the difference of two losses in some design.

    Attributes:
        error: Standard error.
        df: Degrees of freedom; infinite where there is no variance.
    """

    error: Values
    df: Values


def components_of(parts: Parts, first: NDArray[np.int64], second: NDArray[np.int64]) -> Components:
    """Return the components of pairs.

    Args:
        parts: Of the losses of a block.
        first: Index of one loss of each pair.
        second: Of the other.
    """
    n, e, moderated = parts.patients, parts.residual, parts.variances.moderated
    between = np.array(
        [(parts.case_means[a] - parts.case_means[b]).var(ddof=1) for a, b in zip(first, second, strict=True)]
    )
    per_seed = e / parts.seeds
    seed = np.maximum(0.0, moderated - e / n)
    worst = np.maximum(0.0, moderated * unlucky_factor(parts.variances.df) - e / n)
    return Components(
        np.maximum(0.0, between - per_seed[first] - per_seed[second]),
        (seed[first], seed[second]),
        (e[first], e[second]),
        (worst[first], worst[second]),
        parts.variances.prior.df,
    )


def unlucky_factor(df: Values | float) -> Values:
    """Return by how much a variance may be larger than its estimate: df / chi2_{0.2, df}."""
    return np.asarray(np.asarray(df) / stats.chi2.ppf(UNLUCKY, df))


def stated_components(case: float, seed: float, residual: float) -> Components:
    """Return the components of one pair before any pilot.

    Args:
        case: Standard deviation over patients of the difference of two losses.
        seed: Standard deviation over seeds of the mean score of one loss.
        residual: Standard deviation of what remains of one patient in one run.

    Raises:
        Unanswerable: if one is negative or not finite, or all are zero.
    """
    stated = {"case": case, "seed": seed, "residual": residual}
    for name, value in stated.items():
        if not (np.isfinite(value) and value >= 0):
            raise Unanswerable(f"the standard deviation {name!r} must be 0 or more (got {value})")
    if not any(stated.values()):
        raise Unanswerable("all standard deviations are 0: then any difference is found; state one above 0")
    of_seed, rest = np.array([seed**2]), np.array([residual**2])
    return Components(np.array([case**2]), (of_seed, of_seed), (rest, rest), (of_seed, of_seed))


def precision(
    components: Components, patients: ArrayLike, seeds: ArrayLike, other_seeds: ArrayLike | None = None
) -> Precision:
    """Return the precision of differences in a design; all arguments broadcast.

    Args:
        components: Of pairs.
        patients: Number of them, may be infinite.
        seeds: Of the first loss, may be infinite.
        other_seeds: Of the second loss; the same if absent.
    """
    n = np.asarray(patients, float)
    s = np.asarray(seeds, float), np.asarray(seeds if other_seeds is None else other_seeds, float)
    rest = [components.residual[side] / (n * s[side]) for side in (0, 1)]
    of_seeds = [components.seed[side] / s[side] + rest[side] for side in (0, 1)]
    of_cases = components.case / n + rest[0] + rest[1]
    variance = of_cases + of_seeds[0] + of_seeds[1] - rest[0] - rest[1]
    below = of_cases**2 / (n - 1)
    for side in (0, 1):
        below = below + of_seeds[side] ** 2 / np.minimum(components.prior_df + s[side] - 1, MOST_DF)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(below > 0, (of_cases + of_seeds[0] + of_seeds[1]) ** 2 / below, np.inf)
    nothing = variance <= NO_VARIANCE
    return Precision(
        np.where(nothing, 0.0, np.sqrt(np.maximum(variance, 0.0))), np.where(nothing, np.inf, df)
    )
