"""Ranks of losses over datasets: what the field draws, with what so few datasets can show at best.

Friedman and Nemenyi as in Demsar (2006, Journal of Machine Learning Research 7, 1-30). A rank forgets by how
much a loss is ahead, Nemenyi's verdict on two losses depends on which others were compared, and with few
datasets no ranks whatever reach significance; so they stand beside the comparisons, not in their place.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.statistics.meta import Values
from harness.statistics.several_datasets import Several


@dataclass(frozen=True)
class DatasetRanks:
    """Ranks of the losses on the datasets, 1 is the best; ties share the mean of their ranks.

    Attributes:
        losses: In order.
        ranks: ``(datasets, losses)``.
        mean: Over datasets, ``(losses,)``.
        friedman: Friedman's chi-square, corrected for ties; None for fewer than three losses.
        p: Of equal ranks of all losses, by the chi-square distribution; None likewise.
        critical_difference: Nemenyi's, of two mean ranks.
        smallest_nemenyi_p: That of two losses which are first and last on every dataset.
        smallest_signed_rank_p: Two-sided, exact, of a signed-rank or sign test over the datasets.
    """

    losses: tuple[str, ...]
    ranks: Values
    mean: Values
    friedman: float | None
    p: float | None
    critical_difference: float
    smallest_nemenyi_p: float
    smallest_signed_rank_p: float


def rank_datasets(several: Several, alpha: float = 0.05) -> DatasetRanks:
    """Return the ranks of the losses over the datasets and what such ranks can show.

    Args:
        several: The losses on the datasets.
        alpha: Error rate of the critical difference, between 0 and 1.
    """
    # Mean scores less that of the first loss; equal ones must not differ by rounding.
    ranks = stats.rankdata(-np.round(several.differences[:, :, 0], 12), axis=1)
    count, losses = ranks.shape
    # Studentised: a range of two ranks in units of this has Tukey's distribution with infinite df.
    unit = float(np.sqrt(losses * (losses + 1) / (12 * count)))
    friedman, p = _friedman(ranks)
    return DatasetRanks(
        losses=several.losses,
        ranks=ranks,
        mean=np.asarray(ranks.mean(axis=0)),
        friedman=friedman,
        p=p,
        critical_difference=unit * float(stats.studentized_range.isf(alpha, losses, np.inf)),
        smallest_nemenyi_p=float(stats.studentized_range.sf((losses - 1) / unit, losses, np.inf)),
        smallest_signed_rank_p=2.0 ** (1 - count),
    )


def _friedman(ranks: Values) -> tuple[float | None, float | None]:
    if ranks.shape[1] < 3:
        return None, None
    if (ranks == ranks[:, :1]).all():
        return 0.0, 1.0  # all losses tie everywhere: the formula divides zero by zero
    found = stats.friedmanchisquare(*ranks.T)
    return float(found.statistic), float(found.pvalue)
