"""Do seeds go up and down together under different losses? And what if the comparison made use of it?

Losses share the initial weights, data order and augmentation of a seed. The crossed-variance t counts their
seed noise as independent all the same, which is conservative where it is positively correlated. The
correlation is printed, and the *paired* form is a sensitivity analysis. With r the means of runs over
patients, and D the scores of a minus those of b, seed by seed::

    v_seed = var_s(r_as - r_bs) / S      v_dup = e_D / (N S)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from harness.statistics.block import MIN_PATIENTS, MIN_SEEDS, Block, Scores, Unanswerable
from harness.statistics.crossed import NO_VARIANCE, Pairs, two_sided_p
from harness.statistics.moderation import moderate

Values = NDArray[np.float64]

FEWEST_SEEDS = 3
"""Common seeds from which two losses have a correlation worth printing."""


@dataclass(frozen=True)
class SeedCorrelation:
    """Correlation of the means of runs between losses, over the seeds that both have.

    Attributes:
        losses: In order.
        pairs: ``(losses, losses)``; NaN where fewer than three seeds are common or one has no variance.
        pooled: Sum of all covariances over the sum of the products of standard deviations; NaN if there
            are none.
        seeds: Number of common seeds, ``(losses, losses)``.
    """

    losses: tuple[str, ...]
    pairs: Values
    pooled: float
    seeds: NDArray[np.int64]


def seed_correlation(block: Block) -> SeedCorrelation:
    """Return how the means of runs of different losses go together over seeds.

    A single pair says little with few seeds; the pooled value is the one to read.
    """
    seeds = sorted({seed for loss in block.losses for seed in block.runs[loss].scored})
    means = np.zeros((len(block.losses), len(seeds)))
    known = np.zeros_like(means)
    for j, (loss, scores) in enumerate(zip(block.losses, block.scores, strict=True)):
        at = np.searchsorted(seeds, block.runs[loss].scored)
        run_means = scores.mean(axis=0)
        means[j, at], known[j, at] = run_means - run_means.mean(), 1.0
    number = known @ known.T
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = means @ known.T
        cross = means @ means.T - sums * sums.T / number
        own = means**2 @ known.T - sums**2 / number
    own = np.where(own > NO_VARIANCE, own, 0.0)
    scale = np.sqrt(own * own.T)
    usable = (number >= FEWEST_SEEDS) & (scale > 0)
    pairs = np.where(usable, np.clip(cross / np.where(usable, scale, 1.0), -1, 1), np.nan)
    pooling = usable & np.triu(np.ones_like(usable), 1)
    weight = float(scale[pooling].sum())
    pooled = float(cross[pooling].sum()) / weight if weight > 0 else float("nan")
    return SeedCorrelation(block.losses, pairs, pooled, number.astype(np.int64))


def paired_pairs(block: Block) -> Pairs:
    """Return the differences of all pairs with seeds paired, seed variances moderated over the pairs.

    Only seeds that both losses have are used; a pair with fewer than two has NaN everywhere.

    Raises:
        Unanswerable: with fewer than five patients.
    """
    count, patients = len(block.losses), len(block.patients)
    if patients < MIN_PATIENTS:
        raise Unanswerable(f"an interval needs at least {MIN_PATIENTS} patients (got {patients})")
    first, second = np.triu_indices(count, 1)
    rows = np.array([_paired(block, a, b) for a, b in combinations(range(count), 2)]).reshape(-1, 5)
    found = np.isfinite(rows[:, 0])
    difference, v_case, own, residual, seeds = rows[found].T
    variances = moderate(own, seeds - 1)
    v_seed = variances.moderated / seeds
    total = np.maximum.reduce([v_case + v_seed - residual / (patients * seeds), v_case, v_seed])
    with np.errstate(divide="ignore", invalid="ignore"):
        df = (v_case + v_seed) ** 2 / (v_case**2 / (patients - 1) + v_seed**2 / variances.df)
    nothing = total <= NO_VARIANCE
    error = np.where(nothing, 0.0, np.sqrt(total))
    df = np.where(nothing, np.inf, df)
    at = first[found], second[found]

    def square(values: Values, diagonal: float, sign: float = 1.0) -> Values:
        table = np.full((count, count), np.nan)
        table[at], table.T[at] = values, sign * values
        np.fill_diagonal(table, diagonal)
        return table

    return Pairs(
        block.losses,
        square(difference, 0.0, -1.0),
        square(v_case, 0.0),
        square(v_seed, 0.0),
        square(error, 0.0),
        square(df, np.inf),
        square(two_sided_p(difference, error, df), 1.0),
    )


def _paired(block: Block, a: int, b: int) -> Sequence[float]:
    """Return difference, v_case, variance over seeds, residual mean square and number of common seeds."""
    own, other = (block.runs[block.losses[j]].scored for j in (a, b))
    common = sorted(set(own) & set(other))
    if len(common) < MIN_SEEDS:
        return (np.nan,) * 5
    seeds, patients = len(common), len(block.patients)
    scores: Scores = (
        block.scores[a][:, [own.index(seed) for seed in common]]
        - block.scores[b][:, [other.index(seed) for seed in common]]
    )
    by_patient, by_seed, mean = scores.mean(axis=1), scores.mean(axis=0), float(scores.mean())
    rest = scores - by_patient[:, None] - by_seed[None, :] + mean
    residual = float(np.square(rest).sum()) / ((patients - 1) * (seeds - 1))
    v_case = float(by_patient.var(ddof=1)) / patients
    return mean, v_case, float(by_seed.var(ddof=1)), residual, float(seeds)
