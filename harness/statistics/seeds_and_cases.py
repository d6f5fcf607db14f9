"""How many seeds or patients a comparison needs, what no number of them gives, and the cheapest design."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from harness.statistics.block import MIN_PATIENTS, MIN_SEEDS
from harness.statistics.power import Aim, detectable
from harness.statistics.variance_components import Components, Values

MOST_SEEDS = 200
"""More are not considered."""

MOST_PATIENTS = 100_000


@dataclass(frozen=True)
class There:
    """What a pair of losses has, or is planned to have.

    Attributes:
        patients: Their number.
        seeds: Of the first and of the second loss, of every pair.
    """

    patients: int
    seeds: tuple[NDArray[np.int64], NDArray[np.int64]]

    def seeds_with(self, seeds: Values) -> tuple[Values, Values]:
        """Return the seeds of both losses once each has at least so many."""
        return np.maximum(self.seeds[0], seeds), np.maximum(self.seeds[1], seeds)


@dataclass(frozen=True)
class Floors:
    """The smallest detectable differences that one kind of effort alone can reach.

    Attributes:
        patients: With the seeds there, however many patients.
        seeds: With the patients there, however many seeds.
    """

    patients: Values
    seeds: Values


@dataclass(frozen=True)
class Prices:
    """What more evidence costs, in hours.

    Attributes:
        runs: Of one run of the first and of the second loss, of every pair or the same for all.
        patient: Of one more patient: collecting, annotating.
    """

    runs: tuple[Values | float, Values | float]
    patient: float


@dataclass(frozen=True)
class Cheapest:
    """The cheapest design that reaches an aim.

    Attributes:
        patients: In all.
        seeds: In all, of a loss that has fewer.
        hours: Of what is not there yet.
    """

    patients: int
    seeds: int
    hours: float


def fewest_seeds(
    components: Components, patients: int, target: Values | float, aim: Aim, there: There | None = None
) -> Values:
    """Return the smallest number of seeds in all that reaches the target; NaN if 200 do not.

    Args:
        components: Of pairs.
        patients: Their number, as it stays.
        target: Difference to be found, of scores, or half-width of the interval for equivalence.
        aim: How surely.
        there: Seeds that a loss has already: it keeps those beyond the number found.
    """

    def reached(seeds: Values) -> Values:
        both = (seeds, seeds) if there is None else there.seeds_with(seeds)
        return detectable(components, patients, both[0], aim, both[1])

    return _fewest(reached, _ladder(MIN_SEEDS, MOST_SEEDS, 1.1), target)


def fewest_patients(
    components: Components,
    seeds: ArrayLike,
    target: Values | float,
    aim: Aim,
    other_seeds: ArrayLike | None = None,
    least: int = MIN_PATIENTS,
) -> Values:
    """Return the smallest number of patients that reaches the target; NaN if 100 000 do not.

    Args:
        components: Of pairs.
        seeds: Of the first loss, as it stays.
        target: Difference to be found, of scores, or half-width of the interval for equivalence.
        aim: How surely.
        other_seeds: Of the second loss; the same if absent.
        least: Fewer are not considered.
    """
    return _fewest(
        lambda patients: detectable(components, patients, seeds, aim, other_seeds),
        _ladder(least, max(least, MOST_PATIENTS), 1.25),
        target,
    )


def floors(components: Components, there: There, aim: Aim) -> Floors:
    """Return what patients alone and seeds alone can reach at most."""
    first, second = there.seeds
    return Floors(
        patients=detectable(components, np.inf, first, aim, second),
        seeds=detectable(components, there.patients, np.inf, aim),
    )


def cheapest(
    components: Components, there: There, prices: Prices, target: Values | float, aim: Aim
) -> list[Cheapest | None]:
    """Return the cheapest design of each pair that reaches its target, None where none does.

    Numbers of seeds above 40 go in steps of five per cent.

    Args:
        components: Of pairs.
        there: What is paid already; 0 patients and seeds before anything was bought.
        prices: Of the rest.
        target: Difference to be found, of scores.
        aim: How surely.
    """
    count = len(there.seeds[0])
    each = components.of(np.arange(count)[:, None])
    own = There(there.patients, (there.seeds[0][:, None], there.seeds[1][:, None]))
    first, second = own.seeds_with(_ladder(MIN_SEEDS, MOST_SEEDS, 1.05))
    wanted = np.broadcast_to(np.asarray(target, float), count)[:, None]
    patients = fewest_patients(each, first, wanted, aim, second, max(there.patients, MIN_PATIENTS))
    hours = (
        (first - own.seeds[0]) * np.reshape(prices.runs[0], (-1, 1))
        + (second - own.seeds[1]) * np.reshape(prices.runs[1], (-1, 1))
        + (patients - there.patients) * prices.patient
    )
    best = np.where(np.isnan(hours), np.inf, hours).argmin(axis=1)
    return [
        None
        if np.isnan(hours[pair, at])
        else Cheapest(
            int(patients[pair, at]), int(min(first[pair, at], second[pair, at])), float(hours[pair, at])
        )
        for pair, at in enumerate(best)
    ]


def planning_grid(
    components: Components, patients: NDArray[np.int64], seeds: NDArray[np.int64], aim: Aim
) -> pd.DataFrame:
    """Return the smallest detectable difference of a typical pair over a grid of designs.

    Args:
        components: Of pairs; the medians count.
        patients: Numbers of them.
        seeds: Numbers of them, at least two.
        aim: What is to be shown, how surely.

    Returns:
        Columns patients, seeds, detectable: one row for each design, seeds within patients.
    """
    n, s = np.meshgrid(patients, seeds, indexing="ij")
    found = detectable(components.typical(), n.ravel(), s.ravel(), aim)
    return pd.DataFrame({"patients": n.ravel(), "seeds": s.ravel(), "detectable": found})


def _ladder(least: int, most: int, ratio: float) -> Values:
    """Return numbers from least to most, all of the small ones, then each some per cent above the last."""
    steps = [least]
    while steps[-1] < most:
        steps.append(min(most, max(steps[-1] + 1, int(steps[-1] * ratio))))
    return np.array(steps, float)


def _fewest(reached: Callable[[Values], Values], ladder: Values, target: Values | float) -> Values:
    """Return the smallest whole number at which a falling function reaches a target, NaN if none does.

    It need not fall everywhere: with more patients, few seeds may leave fewer degrees of freedom.
    """
    found = np.array([np.atleast_1d(reached(np.asarray(step)) <= target) for step in ladder])
    there, at = found.any(axis=0), found.argmax(axis=0)
    high, low = ladder[at], np.where(at > 0, ladder[np.maximum(at - 1, 0)], ladder[0] - 1)
    while ((high - low) > 1).any():
        middle = np.floor((high + low) / 2)
        between, enough = high - low > 1, reached(middle) <= target
        high = np.where(between & enough, middle, high)
        low = np.where(between & ~enough, middle, low)
    return np.asarray(np.where(there, high, np.nan))
