"""Differences of losses over patients and seeds together: the crossed-variance t.

Patients and seeds are crossed: every network of every seed is tested on the same patients. A test over
patients alone takes the trained networks as given; a second training would give others. Here the variance
of a difference of means has a part for patients and a part for seeds (two-way random effects), and its
degrees of freedom come from Satterthwaite (1946). With c the means over seeds of a patient, s2 the seed
variances, e the residual mean squares, N patients and S seeds::

    v_case = var_i(c_a - c_b) / N      v_seed = s2_a / S_a + s2_b / S_b
    v_dup  = e_a / (N S_a) + e_b / (N S_b)      in both of them
    V      = max(v_case + v_seed - v_dup, v_case, v_seed)

Without seed variance it is the paired t over patients, without patient variance Welch's t over seeds. Seeds
count as independent between losses, which is conservative where they go up and down together. All of it is
written for any linear combination of losses; a difference has the weights 1 and -1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.statistics.block import MIN_PATIENTS, MIN_SEEDS, Block, Scores, Unanswerable, seed_variances
from harness.statistics.moderation import Prior, SeedVariances, moderate

LEVEL = 0.95

Scope: TypeAlias = Literal["these losses", "these trained networks, not these losses"]
"""What a difference speaks about: with one seed of a loss, nothing can be said about the loss."""

NO_VARIANCE = 1e-18
"""A variance below which there is none."""

SAME = 1e-12
"""Means closer than this are equal."""


@dataclass(frozen=True)
class Parts:
    """Of the losses of a block, all that their differences need.

    Attributes:
        case_means: ``(losses, patients)``.
        means: ``(losses,)``.
        seeds: Number of seeds, ``(losses,)``.
        residual: e, residual mean squares, ``(losses,)``.
        variances: Between seeds; NaN in ``own`` for a loss with one seed.
    """

    case_means: Scores
    means: NDArray[np.float64]
    seeds: NDArray[np.int64]
    residual: NDArray[np.float64]
    variances: SeedVariances

    @property
    def patients(self) -> int:
        """Their number."""
        return int(self.case_means.shape[1])

    @property
    def seed_parts(self) -> NDArray[np.float64]:
        """Variance of the mean of each loss that comes from its seeds."""
        return np.asarray(self.variances.moderated / self.seeds)

    @property
    def doubled(self) -> NDArray[np.float64]:
        """What both the patients' and the seeds' part of a variance contain."""
        return np.asarray(self.residual / (self.patients * self.seeds))


@dataclass(frozen=True)
class Difference:
    """Mean of loss a minus mean of loss b, or another linear combination.

    Attributes:
        difference: In the unit of the scores.
        low: Lower end of the interval.
        high: Upper end of the interval.
        standard_error: Root of the variance of the difference.
        df: Degrees of freedom; infinite if there is no variance.
        p: Two-sided, of no difference.
        patients: Their number.
        seeds: Number of seeds of every loss in it.
        scope: What it speaks about.
        v_case: Part of the variance that comes from patients.
        v_seed: Part that comes from seeds.
    """

    difference: float
    low: float
    high: float
    standard_error: float
    df: float
    p: float
    patients: int
    seeds: tuple[int, ...]
    scope: Scope = "these losses"
    v_case: float = 0.0
    v_seed: float = 0.0

    def equivalence_p(self, margin: float) -> float:
        """Return the larger p of the two one-sided tests of a difference beyond the margin (TOST)."""
        return float(
            equivalence_p(np.array(self.difference), np.array(self.standard_error), np.array(self.df), margin)
        )


@dataclass(frozen=True)
class Pairs:
    """All pairs of the losses of a block, as ``(losses, losses)``: row minus column.

    Attributes:
        losses: In order.
        difference: Of means.
        v_case: From patients.
        v_seed: From seeds.
        error: Standard error.
        df: Degrees of freedom; infinite where there is no variance.
        p: Two-sided; 1 on the diagonal.
    """

    losses: tuple[str, ...]
    difference: NDArray[np.float64]
    v_case: NDArray[np.float64]
    v_seed: NDArray[np.float64]
    error: NDArray[np.float64]
    df: NDArray[np.float64]
    p: NDArray[np.float64]

    def half_width(self, tail: float) -> NDArray[np.float64]:
        """Return t_{1 - tail, df} times the standard error, element by element."""
        return half_width(self.error, self.df, tail)

    def equivalence_p(self, margin: float) -> NDArray[np.float64]:
        """Return the larger p of the two one-sided tests at the margin, of every pair (TOST)."""
        return equivalence_p(self.difference, self.error, self.df, margin)


def parts_of(scores: Sequence[Scores], prior: Prior | None = None) -> Parts:
    """Return what differences need of arrays of the same patients.

    Args:
        scores: One array ``(patients, seeds)`` for each loss; numbers of seeds may differ.
        prior: Of seed variances, from other losses; estimated if absent, see :func:`moderate`.

    Raises:
        Unanswerable: with fewer than two seeds of a loss or five patients.
        ValueError: if the arrays do not fit each other, or a score is not finite.
    """
    _check(scores)
    least = min(each.shape[1] for each in scores)
    if least < MIN_SEEDS:
        raise Unanswerable(
            f"a variance between seeds needs at least {MIN_SEEDS} seeds of every loss (got {least})"
        )
    seeds = np.array([each.shape[1] for each in scores], np.int64)
    return Parts(
        np.array([each.mean(axis=1) for each in scores]),
        np.array([each.mean() for each in scores]),
        seeds,
        np.array([_residual(each) for each in scores]),
        moderate(seed_variances(scores), (seeds - 1).astype(np.float64), prior),
    )


def parts_of_block(block: Block, prior: Prior | None = None) -> Parts:
    """Return the same for the compared losses of a block."""
    return parts_of(block.scores, block.prior if prior is None else prior)


def all_pairs(losses: Sequence[str], parts: Parts) -> Pairs:
    """Return the differences of all pairs."""
    means, count = parts.means, len(parts.means)
    difference = means[:, None] - means[None, :]
    v_case = np.array([(own - parts.case_means).var(axis=1, ddof=1) for own in parts.case_means]).reshape(
        count, count
    )
    v_case /= parts.patients
    each, doubled = parts.seed_parts, parts.doubled
    v_seed = each[:, None] + each[None, :]
    np.fill_diagonal(v_seed, 0.0)
    total = np.maximum.reduce([v_case + v_seed - doubled[:, None] - doubled[None, :], v_case, v_seed])
    squares = each**2 / parts.variances.df
    with np.errstate(divide="ignore", invalid="ignore"):
        below = v_case**2 / (parts.patients - 1) + squares[:, None] + squares[None, :]
        df = np.where(below > 0, (v_case + v_seed) ** 2 / below, np.inf)
    np.fill_diagonal(total, 0.0)
    nothing = total <= NO_VARIANCE
    error = np.where(nothing, 0.0, np.sqrt(np.where(nothing, 1.0, total)))
    df = np.where(nothing, np.inf, df)
    return Pairs(tuple(losses), difference, v_case, v_seed, error, df, two_sided_p(difference, error, df))


def combination(
    parts: Parts, weights: Sequence[float] | NDArray[np.float64], level: float = LEVEL
) -> Difference:
    """Return a linear combination of the means of losses with its interval over patients and seeds.

    Args:
        parts: Of the losses.
        weights: One for each; those of a contrast sum to zero, a single 1 gives the mean of a loss.
        level: Confidence level of the interval, between 0 and 1.
    """
    w = np.asarray(weights, float)
    used = np.flatnonzero(w)
    value = float(w @ parts.means)
    v_case = float((w @ parts.case_means).var(ddof=1)) / parts.patients
    each = w[used] ** 2 * parts.seed_parts[used]
    v_seed = float(each.sum())
    v_dup = float((w[used] ** 2 * parts.doubled[used]).sum())
    total = max(v_case + v_seed - v_dup, v_case, v_seed)
    df_seed = satterthwaite(list(each), list(parts.variances.df[used]))
    df = satterthwaite([v_case, v_seed], [parts.patients - 1, df_seed])
    found = _interval(value, total, df, level)
    return Difference(
        value,
        *found,
        parts.patients,
        tuple(int(s) for s in parts.seeds[used]),
        "these losses",
        v_case,
        v_seed,
    )


def crossed_difference(
    a: Scores, b: Scores, *, prior: Prior | None = None, level: float = LEVEL
) -> Difference:
    """Return the difference of two losses with its interval.

    Where a loss has one seed the interval is over patients only, and its scope says so: such a result must
    not be read as one about losses.

    Args:
        a: Scores of one loss, patients in the order of ``b``.
        b: Scores of the other; the number of seeds may differ.
        prior: Of seed variances, from all losses of the dataset; each has its own variance if absent.
        level: Confidence level of the interval, between 0 and 1.

    Raises:
        Unanswerable: if the patients are fewer than five.
        ValueError: if they differ in number, or a score is not finite.
    """
    _check((a, b))
    if min(a.shape[1], b.shape[1]) < MIN_SEEDS:
        return of_these_networks(a, b, level)
    return combination(parts_of((a, b), prior), (1.0, -1.0), level)


def of_these_networks(a: Scores, b: Scores, level: float = LEVEL) -> Difference:
    """Return the difference over patients only, of the networks at hand: the paired t test."""
    _check((a, b))
    patients = a.shape[0]
    v_case = float((a.mean(axis=1) - b.mean(axis=1)).var(ddof=1)) / patients
    value = float(a.mean() - b.mean())
    found = _interval(value, v_case, patients - 1, level)
    seeds = a.shape[1], b.shape[1]
    return Difference(value, *found, patients, seeds, "these trained networks, not these losses", v_case)


def two_sided_p(
    difference: NDArray[np.float64], error: NDArray[np.float64], df: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the p of no difference; without variance 1 for equal means, else 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t.sf(np.abs(difference) / np.where(error > 0, error, 1.0), df)
    return np.asarray(np.where(error > 0, p, np.where(np.abs(difference) <= SAME, 1.0, 0.0)))


def equivalence_p(
    difference: NDArray[np.float64], error: NDArray[np.float64], df: NDArray[np.float64], margin: float
) -> NDArray[np.float64]:
    """Return the larger p of the one-sided tests of ``difference <= -margin`` and ``>= margin``."""
    room = margin - np.abs(difference)
    p = stats.t.sf(room / np.where(error > 0, error, 1.0), df)
    return np.asarray(np.where(error > 0, p, np.where(room > 0, 0.0, 1.0)))


def half_width(error: NDArray[np.float64], df: NDArray[np.float64], tail: float) -> NDArray[np.float64]:
    """Return t_{1 - tail, df} times the standard error."""
    return np.asarray(stats.t.isf(tail, df) * error)


def satterthwaite(parts: Sequence[float], df: Sequence[float]) -> float:
    """Return the degrees of freedom of a sum of variances; infinite if there is no variance."""
    below = sum(part * part / freedom for part, freedom in zip(parts, df, strict=True) if part > 0)
    total = sum(parts)
    return total * total / below if below > 0 else float("inf")


def _check(scores: Sequence[Scores]) -> None:
    shapes = [each.shape for each in scores]
    if any(len(shape) != 2 or not shape[1] or shape[0] != shapes[0][0] for shape in shapes):
        raise ValueError(
            f"give scores of the same patients by seed (got shapes {', '.join(map(str, shapes))})"
        )
    if shapes[0][0] < MIN_PATIENTS:
        raise Unanswerable(f"an interval needs at least {MIN_PATIENTS} patients (got {shapes[0][0]})")
    if not all(np.isfinite(each).all() for each in scores):
        raise ValueError("scores must be finite; give undefined ones a value first")


def _residual(scores: Scores) -> float:
    """Return the mean square of what neither patient nor seed explains."""
    patients, seeds = scores.shape
    rest = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0, keepdims=True) + scores.mean()
    return float(np.square(rest).sum() / ((patients - 1) * (seeds - 1)))


def _interval(
    value: float, variance: float, df: float, level: float
) -> tuple[float, float, float, float, float]:
    """Return low, high, standard error, degrees of freedom and p."""
    if variance <= NO_VARIANCE:
        return value, value, 0.0, float("inf"), 1.0 if abs(value) <= SAME else 0.0
    error = float(np.sqrt(variance))
    half = float(stats.t.isf((1 - level) / 2, df)) * error
    return value - half, value + half, error, float(df), 2 * float(stats.t.sf(abs(value) / error, df))
