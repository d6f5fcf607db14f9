"""What the field usually prints, beside our own: case-only tests, and effect sizes that respect pairing.

A signed-rank test on patients, after averaging over seeds, takes the trained networks as given. Its p speaks
of these networks, not of the losses, and is only shown under :data:`HEADING`. Zeros are dropped, the normal
approximation is used without correction for continuity, and differences are rounded to 1e-12 first: it
equals ``scipy.stats.wilcoxon(d, method="asymptotic", correction=False, zero_method="wilcox")``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.statistics.block import Scores
from harness.statistics.multiplicity import holm
from harness.statistics.ranking import DIGITS

Values = NDArray[np.float64]

HEADING = "conditional on these seeds"
"""Stands above every p of this module."""


@dataclass(frozen=True)
class SignedRanks:
    """Wilcoxon's signed ranks of differences, one test per row.

    Attributes:
        plus: Sum of the ranks of positive differences.
        minus: Sum of the ranks of negative differences.
        z: Standardised; 0 where all differences are zero.
    """

    plus: Values
    minus: Values
    z: Values

    @property
    def p(self) -> Values:
        """Two-sided; 1 where all differences are zero."""
        return np.asarray(np.minimum(2 * stats.norm.sf(np.abs(self.z)), 1.0))

    @property
    def p_greater(self) -> Values:
        """One-sided: small where differences are positive."""
        return np.asarray(stats.norm.sf(self.z))

    @property
    def rank_biserial(self) -> Values:
        """Matched-pairs rank-biserial correlation, -1 to 1; 0 where all differences are zero."""
        total = self.plus + self.minus
        return np.asarray((self.plus - self.minus) / np.where(total > 0, total, 1.0))


@dataclass(frozen=True)
class CaseOnly:
    """Signed-rank tests of losses on patients, :data:`HEADING`.

    Attributes:
        losses: In order.
        p: ``(losses, losses)``, two-sided; 1 on the diagonal.
        adjusted: Holm's, over all pairs or over the comparisons with the reference.
        reference: NaN stands in all other rows and columns if there is one.
        heading: What p speaks about.
    """

    losses: tuple[str, ...]
    p: Values
    adjusted: Values
    reference: str | None = None
    heading: str = HEADING


@dataclass(frozen=True)
class EffectSizes:
    """How loss a differs from loss b on the same patients.

    Attributes:
        difference: Of means, in score.
        rank_biserial: Of the patients' means over seeds, -1 to 1.
        superiority: Probability that a run of a beats a run of b on a patient; equal ones count half.
        hodges_lehmann: Median of the averages of all pairs of patients' differences, in score.
        harmed: Share of patients that a makes worse by more than the margin.
        helped: Share of patients that a makes better by more than the margin.
        patients: Their number.
    """

    difference: float
    rank_biserial: float
    superiority: float
    hodges_lehmann: float
    harmed: float
    helped: float
    patients: int


def signed_ranks(differences: Values) -> SignedRanks:
    """Return the signed ranks along the last axis.

    The variance of the sum of signs times ranks r is the sum of r^2, which holds with ties, too.

    Args:
        differences: ``(..., patients)``, finite.

    Raises:
        ValueError: if a difference is not finite.
    """
    if not np.isfinite(differences).all():
        raise ValueError("differences must be finite; give undefined scores a value first")
    rounded = np.round(differences, DIGITS)
    if not rounded.shape[-1]:
        nothing = np.zeros(rounded.shape[:-1])
        return SignedRanks(nothing, nothing, nothing)
    zeros = (rounded == 0).sum(axis=-1, keepdims=True)
    ranks = np.asarray(stats.rankdata(np.abs(rounded), axis=-1), float) - zeros
    plus = np.where(rounded > 0, ranks, 0.0).sum(axis=-1)
    minus = np.where(rounded < 0, ranks, 0.0).sum(axis=-1)
    variance = np.where(rounded != 0, ranks**2, 0.0).sum(axis=-1)
    z = (plus - minus) / np.sqrt(np.where(variance > 0, variance, 1.0))
    return SignedRanks(np.asarray(plus), np.asarray(minus), np.asarray(z))


def all_signed_ranks(case_means: Scores) -> SignedRanks:
    """Return the signed ranks of all pairs, row minus column.

    Args:
        case_means: Means over seeds, ``(losses, patients)``.
    """
    count = len(case_means)
    plus, minus, z = (np.zeros((count, count)) for _ in range(3))
    for i in range(count - 1):
        found = signed_ranks(case_means[i] - case_means[i + 1 :])
        plus[i, i + 1 :], minus[i, i + 1 :], z[i, i + 1 :] = found.plus, found.minus, found.z
    return SignedRanks(plus + minus.T, minus + plus.T, z - z.T)


def case_only(losses: Sequence[str], case_means: Scores, reference: str | None = None) -> CaseOnly:
    """Return signed-rank tests of all pairs of losses, or of all losses with one.

    Args:
        losses: Their names.
        case_means: Means over seeds, ``(losses, patients)``; one seed is enough.
        reference: The loss to compare with; all pairs if absent.

    Raises:
        ValueError: if the reference is no loss, or a score is not finite.
    """
    names = tuple(losses)
    count = len(names)
    if reference is None:
        p = all_signed_ranks(case_means).p
        above = np.triu_indices(count, 1)
        adjusted = np.ones((count, count))
        adjusted[above] = holm(p[above])
        adjusted.T[above] = adjusted[above]
        return CaseOnly(names, p, adjusted)
    if reference not in names:
        raise ValueError(f"the reference {reference!r} is none of the losses {', '.join(names)}")
    at = names.index(reference)
    others = np.delete(np.arange(count), at)
    p, adjusted = (np.full((count, count), np.nan) for _ in range(2))
    found = signed_ranks(case_means[others] - case_means[at]).p
    for table, values in ((p, found), (adjusted, holm(found))):
        table[others, at] = table[at, others] = values
        table[at, at] = 1.0
    return CaseOnly(names, p, adjusted, reference)


def effect_sizes(a: Scores, b: Scores, margin: float) -> EffectSizes:
    """Return effect sizes of a minus b.

    There is no d over a pooled standard deviation among them: it ignores that patients are paired.

    Args:
        a: Scores ``(patients, seeds)``.
        b: Of the same patients; the number of seeds may differ.
        margin: Half-width of the region of negligible differences, in score.

    Raises:
        ValueError: if there are no patients, they differ in number, or a score is not finite.
    """
    if len(a) != len(b) or not a.size or not b.size:
        raise ValueError(f"give scores of the same patients by seed (got shapes {a.shape}, {b.shape})")
    difference = np.round(a.mean(axis=1) - b.mean(axis=1), DIGITS)
    ranks = signed_ranks(difference)
    runs = np.sign(np.round(a[:, :, None] - b[:, None, :], DIGITS))
    return EffectSizes(
        difference=float(difference.mean()),
        rank_biserial=float(ranks.rank_biserial),
        superiority=float((1 + runs.mean()) / 2),
        hodges_lehmann=hodges_lehmann(difference),
        harmed=float((difference < -margin).mean()),
        helped=float((difference > margin).mean()),
        patients=len(a),
    )


def hodges_lehmann(differences: Values) -> float:
    """Return the median of (d_i + d_j) / 2 over all i <= j (Hodges and Lehmann 1963).

    Args:
        differences: ``(patients,)``, at least one; memory grows with the square of their number.
    """
    count = len(differences)
    sums = np.empty(count * (count + 1) // 2)
    end = 0
    for i in range(count):
        start, end = end, end + count - i
        np.add(differences[i:], differences[i], out=sums[start:end])
    return float(np.median(sums)) / 2
