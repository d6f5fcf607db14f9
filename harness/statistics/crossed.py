"""Difference of two losses over patients and seeds together: the crossed-variance t.

Patients and seeds are crossed: every network of every seed is tested on the same patients. A test over
patients alone takes the trained networks as given; a second training would give others. Here the variance
of the difference of means has a part for patients and a part for seeds (two-way random effects), and its
degrees of freedom come from Satterthwaite (1946).

Seed variances may be passed in from outside, for example moderated over all losses of a dataset; by
default every loss has its own, as in Welch's t.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Scores: TypeAlias = NDArray[np.float64]
"""Of one loss, ``(patients, seeds)``."""

LEVEL = 0.95
MIN_PATIENTS = 5
MIN_SEEDS = 2

Scope: TypeAlias = Literal["these losses", "these trained networks, not these losses"]
"""What a difference speaks about: with one seed of a loss, nothing can be said about the loss."""

_NOTHING = 1e-18
"""A variance below which there is none."""


@dataclass(frozen=True)
class SeedVariance:
    """Variance between seeds of the mean over the patients at hand.

    Attributes:
        value: s2, of one run.
        df: Its degrees of freedom, S - 1 or more if other losses lent strength.
    """

    value: float
    df: float


@dataclass(frozen=True)
class Difference:
    """Mean of loss a minus mean of loss b.

    Attributes:
        difference: In the unit of the scores.
        low: Lower end of the interval.
        high: Upper end of the interval.
        standard_error: Root of the variance of the difference.
        df: Degrees of freedom; infinite if there is no variance.
        p: Two-sided, of no difference.
        patients: Their number.
        seeds: Number of seeds of a and of b.
        scope: What it speaks about.
    """

    difference: float
    low: float
    high: float
    standard_error: float
    df: float
    p: float
    patients: int
    seeds: tuple[int, int]
    scope: Scope


def seed_variance(scores: Scores) -> SeedVariance:
    """Return the variance between seeds of the mean over patients, with S - 1 degrees of freedom.

    Raises:
        ValueError: with fewer than two seeds.
    """
    seeds = scores.shape[1]
    if seeds < MIN_SEEDS:
        raise ValueError(f"a variance between seeds needs at least {MIN_SEEDS} seeds (got {seeds})")
    return SeedVariance(float(scores.mean(axis=0).var(ddof=1)), seeds - 1)


def crossed_difference(
    a: Scores,
    b: Scores,
    *,
    seed_variances: tuple[SeedVariance, SeedVariance] | None = None,
    level: float = LEVEL,
) -> Difference:
    """Return the difference of two losses with its interval over patients and seeds.

    With c the means over seeds of a patient, s2 the seed variances, e the residual mean squares, N
    patients and S seeds::

        v_case = var_i(c_a - c_b) / N      v_seed = s2_a / S_a + s2_b / S_b
        v_dup  = e_a / (N S_a) + e_b / (N S_b)      in both of them
        V      = max(v_case + v_seed - v_dup, v_case, v_seed)

    and a t distribution with Satterthwaite's degrees of freedom. Without seed variance it is the paired t
    over patients, without patient variance Welch's t over seeds. Where a loss has one seed the interval is
    over patients only, and its scope says so: such a result must not be read as one about losses.

    Args:
        a: Scores of one loss, patients in the order of ``b``.
        b: Scores of the other; the number of seeds may differ.
        seed_variances: Of a and b, instead of :func:`seed_variance`.
        level: Confidence level of the interval, between 0 and 1.

    Raises:
        ValueError: if the patients differ in number, are fewer than five, or a score is not finite.
    """
    _check(a, b)
    patients = a.shape[0]
    seeds = a.shape[1], b.shape[1]
    difference = float(a.mean() - b.mean())
    case = float((a.mean(axis=1) - b.mean(axis=1)).var(ddof=1)) / patients
    if min(seeds) < MIN_SEEDS:
        found = _interval(difference, case, patients - 1, level)
        return Difference(difference, *found, patients, seeds, "these trained networks, not these losses")
    both = seed_variances or (seed_variance(a), seed_variance(b))
    parts = [one.value / number for one, number in zip(both, seeds, strict=True)]
    twice = sum(_residual(scores) / scores.size for scores in (a, b))
    seed = sum(parts)
    variance = max(case + seed - twice, case, seed)
    df_seed = _satterthwaite(parts, [one.df for one in both])
    df = _satterthwaite([case, seed], [patients - 1, df_seed])
    return Difference(
        difference, *_interval(difference, variance, df, level), patients, seeds, "these losses"
    )


def _check(a: Scores, b: Scores) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[0] or not min(a.shape[1], b.shape[1]):
        raise ValueError(f"give scores of the same patients by seed (got shapes {a.shape} and {b.shape})")
    if a.shape[0] < MIN_PATIENTS:
        raise ValueError(f"an interval needs at least {MIN_PATIENTS} patients (got {a.shape[0]})")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("scores must be finite; give undefined ones a value first")


def _residual(scores: Scores) -> float:
    """Return the mean square of what neither patient nor seed explains."""
    patients, seeds = scores.shape
    rest = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0, keepdims=True) + scores.mean()
    return float(np.square(rest).sum() / ((patients - 1) * (seeds - 1)))


def _satterthwaite(parts: list[float], df: list[float]) -> float:
    """Return the degrees of freedom of a sum of variances; infinite if there is no variance."""
    below = sum(part * part / freedom for part, freedom in zip(parts, df, strict=True) if part > 0)
    total = sum(parts)
    return total * total / below if below > 0 else float("inf")


def _interval(
    difference: float, variance: float, df: float, level: float
) -> tuple[float, float, float, float, float]:
    """Return low, high, standard error, degrees of freedom and p."""
    if variance <= _NOTHING:
        return difference, difference, 0.0, float("inf"), 1.0 if abs(difference) <= 1e-12 else 0.0
    error = float(np.sqrt(variance))
    half = float(stats.t.ppf((1 + level) / 2, df)) * error
    p = 2 * float(stats.t.sf(abs(difference) / error, df))
    return difference - half, difference + half, error, float(df), p
