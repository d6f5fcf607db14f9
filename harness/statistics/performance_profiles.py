"""Performance profiles: the share of patients and runs that reach a score, over all thresholds.

A mean hides how it came about; the whole distribution does not. For a loss, the profile at tau is the share
of its (patient, run) values of at least tau (Dolan and Moré 2002, Mathematical Programming 91, 201; as
"score distributions" of runs in Agarwal et al. 2021, NeurIPS 34, 29304). The area between two profiles is
the difference of the means, and where profiles cross, which loss is ahead depends on the threshold.

Bands are pointwise percentile intervals of a bootstrap that draws patients *and* runs with replacement,
independently of one another, since the two are crossed. All losses share the draws of patients. With few
runs such bands are too narrow, by about sqrt((S - 1) / S) in the part that runs contribute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics.block import Scores

Values = NDArray[np.float64]

DRAWS = 1000
LEVEL = 0.95
POINTS = 61

_TAIL = 0.01
_DIGITS = 10


@dataclass(frozen=True)
class Profile:
    """The profile of one loss with its band.

    Attributes:
        share: Share of values of at least each threshold, 0 to 1, never rising.
        low: Lower end of the pointwise interval at each threshold.
        high: Upper end.
        runs: Number of runs; with one, the band covers patients only.
    """

    share: Values
    low: Values
    high: Values
    runs: int


def thresholds_of(scores: Sequence[Scores], points: int = POINTS) -> Values:
    """Return evenly spaced thresholds over the scores of all losses, but for their lowest hundredth.

    Args:
        scores: One array ``(patients, runs)`` for each loss, finite.
        points: Their number, at least 2.

    Returns:
        Rising; around the value if all scores are equal.
    """
    every = np.concatenate([each.ravel() for each in scores])
    low, high = float(np.quantile(every, _TAIL)), float(every.max())
    if high - low <= 1e-12:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, points)


def profile_share(scores: Scores, thresholds: Values) -> Values:
    """Return the share of values of at least each threshold.

    Args:
        scores: ``(patients, runs)``, higher is better.
        thresholds: On the same scale.
    """
    values = np.sort(np.round(scores.ravel(), _DIGITS))
    below = np.searchsorted(values, np.round(thresholds, _DIGITS), side="left")
    return np.asarray(1 - below / values.size)


def performance_profiles(
    scores: Mapping[str, Scores],
    thresholds: Values,
    *,
    entropy: Sequence[int] = (0,),
    draws: int = DRAWS,
    level: float = LEVEL,
) -> dict[str, Profile]:
    """Return the profile of every loss.

    Args:
        scores: ``(patients, runs)`` of each loss, of the same patients, higher is better; runs may differ in
            number.
        thresholds: On the same scale.
        entropy: Seed of the bootstrap: the same numbers give the same bands.
        draws: Of the bootstrap.
        level: Of the pointwise intervals, between 0 and 1.

    Raises:
        ValueError: if losses differ in the number of patients, or one has no values.
    """
    shapes = {loss: each.shape for loss, each in scores.items()}
    patients = {shape[0] for shape in shapes.values()}
    if len(patients) > 1 or any(not all(shape) for shape in shapes.values()):
        raise ValueError(f"give scores of the same patients by run (got shapes {shapes})")
    draw = np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(entropy))))
    count = patients.pop() if patients else 1
    weights = draw.multinomial(count, np.full(count, 1 / count), draws) / count
    tail = (1 - level) / 2
    found: dict[str, Profile] = {}
    for loss, own in scores.items():
        runs = own.shape[1]
        of_runs = draw.multinomial(runs, np.full(runs, 1 / runs), draws) / runs
        drawn = _drawn_shares(own, thresholds, weights, of_runs)
        low, high = np.round(np.quantile(drawn, [tail, 1 - tail], axis=0), _DIGITS)
        found[loss] = Profile(profile_share(own, thresholds), low, high, runs)
    return found


def _drawn_shares(scores: Scores, thresholds: Values, of_patients: Values, of_runs: Values) -> Values:
    """Return the weighted share at each threshold in each draw, ``(draws, thresholds)``."""
    reached = np.round(scores, _DIGITS)[:, :, None] >= np.round(thresholds, _DIGITS)
    patients, runs, points = reached.shape
    by_run = of_patients @ reached.reshape(patients, runs * points).astype(np.float64)
    return np.asarray(np.einsum("brt,br->bt", by_run.reshape(-1, runs, points), of_runs))
