"""A difference on several datasets in the words of probability: the Bayesian normal hierarchy.

The measured difference of a dataset is normal around its true one, true ones are normal around mu::

    y_d ~ N(theta_d, se_d^2)     theta_d ~ N(mu, tau^2)     mu flat     tau ~ HalfNormal(2 delta)

with delta the margin of negligible differences. Given tau, mu is normal in closed form, and the difference
on a new dataset, too; what is left is an integral over tau, a sum over a grid from 0 to 8 scales of the
prior. There is no chance in it: the same input gives the same digits. See Gelman et al., Bayesian Data
Analysis, 3rd edition, section 5.4; the regions are those of Benavoli et al. (2017, JMLR 18(77), 1-36).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from harness.statistics.block import Unanswerable
from harness.statistics.meta import Values, checked

GRID = 4001
"""Points of tau."""

SCALES = 8.0
"""The grid ends at this many scales of the prior; its mass beyond is 1e-15."""

SURE = 0.95
"""A region with this much probability is decided for."""

_AT_ONCE = 32
"""Questions worked on together: their grids stay in the processor's cache."""


@dataclass(frozen=True)
class Regions:
    """Probabilities that a difference lies below, within or above the margins; they sum to 1.

    Attributes:
        below: Less than -delta: practically worse.
        within: Between -delta and delta: practically the same.
        above: More than delta: practically better.
    """

    below: Values
    within: Values
    above: Values

    def decided(self, sure: float = SURE) -> NDArray[np.str_]:
        """Return ``below``, ``within``, ``above``, or ``open`` where none is probable enough.

        Args:
            sure: The least probability of a decision, above 0.5.
        """
        regions = {"below": self.below, "within": self.within, "above": self.above}
        return np.select([each >= sure for each in regions.values()], list(regions), "open")


@dataclass(frozen=True)
class Hierarchy:
    """What to believe about a difference; arrays of one shape, one element per question.

    Attributes:
        mean: Regions of mu, the mean over all datasets that there might be.
        new: Regions of the true difference on a new dataset.
        location: Posterior mean of mu.
        deviation: Posterior standard deviation of mu.
        tau: Posterior mean of the standard deviation between datasets.
    """

    mean: Regions
    new: Regions
    location: Values
    deviation: Values
    tau: Values


def hierarchy(
    differences: Values | Sequence[float], errors: Values | Sequence[float], margin: float
) -> Hierarchy:
    """Return the posterior of the mean over datasets and of a new dataset.

    Args:
        differences: Of each dataset, ``(datasets, ...)``; any further axes are questions of their own.
        errors: Their standard errors, of the same shape.
        margin: delta, in the same unit, above zero.

    Raises:
        Unanswerable: with fewer than two datasets.
        ValueError: if shapes differ, a value is not finite, an error is negative or the margin not positive.
    """
    if not margin > 0:
        raise ValueError(f"the margin of negligible differences must be above zero (got {margin})")
    y, variances = checked(differences, errors)
    if len(y) < 2:
        raise Unanswerable(
            "a statement about datasets needs at least 2 of them (got 1); run the study on more of them"
        )
    shape = y.shape[1:]
    y, variances = y.reshape(len(y), -1), variances.reshape(len(y), -1)
    starts = range(0, max(y.shape[1], 1), _AT_ONCE)
    some = [_posterior(y[:, i : i + _AT_ONCE], variances[:, i : i + _AT_ONCE], margin) for i in starts]
    columns = [each.reshape(shape) for each in np.concatenate(some, axis=1)]
    return Hierarchy(Regions(*columns[0:3]), Regions(*columns[3:6]), *columns[6:9])


def _posterior(y: Values, variances: Values, margin: float) -> Values:
    """Return the nine numbers of a few questions, ``(9, questions)``."""
    scale = 2 * margin
    tau = np.linspace(0.0, SCALES * scale, GRID)
    mean, variance, log_density = _given(y, variances, tau)
    log_density -= 0.5 * (tau / scale) ** 2
    weight = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    weight[:, [0, -1]] /= 2  # trapezoidal rule
    weight /= weight.sum(axis=1, keepdims=True)

    def over_tau(values: Values) -> Values:
        return np.asarray(np.einsum("qt,qt->q", weight, values))

    found = []
    for deviation in (np.sqrt(variance), np.sqrt(variance + tau**2)):
        below, above = (
            np.clip(over_tau(ndtr((-margin - sign * mean) / deviation)), 0.0, 1.0) for sign in (1.0, -1.0)
        )
        found += [below, np.clip(1 - below - above, 0.0, 1.0), above]
    location = over_tau(mean)
    squares = over_tau(variance + (mean - location[:, None]) ** 2)
    return np.array([*found, location, np.sqrt(squares), weight @ tau])


def _given(y: Values, variances: Values, tau: Values) -> tuple[Values, Values, Values]:
    """Return mean and variance of mu given tau, and the log density of the data given tau, mu integrated."""
    totals = [each[:, None] + tau**2 for each in variances]
    weights = [1 / each for each in totals]
    variance = 1 / np.sum(weights, axis=0)
    mean = variance * np.sum([w * each[:, None] for w, each in zip(weights, y, strict=True)], axis=0)
    spread = np.sum([w * (each[:, None] - mean) ** 2 for w, each in zip(weights, y, strict=True)], axis=0)
    logs = np.sum([np.log(each) for each in totals], axis=0)
    return mean, variance, 0.5 * (np.log(variance) - logs - spread)
