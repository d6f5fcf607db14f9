"""Does the better loss depend on the patient? Exploratory advice such as "for small lesions, rather ...".

The difference of a loss from the reference, averaged over seeds, is regressed on one descriptor of the
ground truth at a time: its logarithm, centred and standardised within the dataset. There is one row for each
patient, so that patients are the clusters; errors are HC3 (MacKinnon and White 1985), t with N - K - 1
degrees of freedom for K datasets; q values are Benjamini and Hochberg's over losses and descriptors.

Descriptors come from the ground truth only. Predicted quality must not stand among them: patients chosen for
a bad prediction are better next time whatever is done (regression to the mean). Nothing is read from
differences *between* datasets (the ecological fallacy): each has its own intercept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from harness.statistics.block import MIN_PATIENTS, Block, Unanswerable
from harness.statistics.crossed import LEVEL, NO_VARIANCE, crossed_difference, two_sided_p
from harness.statistics.moderation import Prior
from harness.statistics.multiplicity import benjamini_hochberg

Values = NDArray[np.float64]

FALSE_DISCOVERY = 0.1
"""Interactions with q below this are shown."""

_NOTHING = 1e-12


@dataclass(frozen=True)
class Interaction:
    """How the difference of a loss from the reference changes with a descriptor.

    Attributes:
        loss: The loss.
        descriptor: Its name.
        slope: Change of the difference with one standard deviation more of the descriptor's logarithm.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p: Two-sided; NaN where there is no such regression: a constant descriptor, too few patients.
        q: Adjusted over losses and descriptors; NaN with p.
        patients: Their number.
    """

    loss: str
    descriptor: str
    slope: float
    low: float
    high: float
    p: float
    q: float
    patients: int

    @property
    def found(self) -> bool:
        """Whether it survives the correction; exploratory all the same."""
        return bool(self.q < FALSE_DISCOVERY)


@dataclass(frozen=True)
class Tertile:
    """The difference of a loss from the reference on a third of the patients.

    Attributes:
        low: Smallest value of the descriptor.
        high: Largest.
        patients: Their number.
        difference: Mean, in score.
        interval: Its 95 % interval over seeds and patients; NaN with fewer than five patients.
    """

    low: float
    high: float
    patients: int
    difference: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class ConditionalRegret:
    """What advice by a descriptor would have cost on datasets it had not seen.

    Attributes:
        fixed: Mean regret of choosing one loss for all patients, in score.
        conditional: Mean regret of choosing by the descriptor; below zero where it beats either loss.
        datasets: Their number.
    """

    fixed: float
    conditional: float
    datasets: int

    @property
    def lower(self) -> bool:
        """Whether advice may be printed: the conditional choice cost less."""
        return self.conditional < self.fixed


def standardised(values: Values, datasets: NDArray[np.int64]) -> Values:
    """Return logarithms, centred and scaled to a standard deviation of 1 within each dataset.

    Zeros become half the smallest positive value first; a descriptor with negative values has no logarithms
    and stays as it is.

    Args:
        values: Of each patient; NaN where unknown.
        datasets: Number of the dataset of each.

    Returns:
        As many; 0 throughout a dataset in which the descriptor is constant, NaN where unknown.
    """
    values = np.where(np.isfinite(values), values, np.nan)
    positive = values[values > 0]
    if len(positive) and not (values < 0).any():
        values = np.log(np.where(values == 0, positive.min() / 2, values))
    found = np.full(len(values), np.nan)
    for dataset in np.unique(datasets):
        own = (datasets == dataset) & np.isfinite(values)
        if own.any():
            centred = values[own] - values[own].mean()
            spread = centred.std(ddof=1) if own.sum() > 1 else 0.0
            found[own] = centred / spread if spread > _NOTHING else 0.0
    return found


def slopes(
    differences: Values, descriptor: Values, datasets: NDArray[np.int64]
) -> tuple[Values, Values, float]:
    """Return slopes with HC3 standard errors, by least squares with an intercept for each dataset.

    Args:
        differences: ``(losses, patients)``.
        descriptor: ``(patients,)``.
        datasets: Number of the dataset of each patient.

    Returns:
        Slopes, standard errors, degrees of freedom. NaN where there is no estimate: the descriptor is
        constant within datasets, one patient alone makes the slope, or nothing is left to estimate an error.
    """
    _, group, size = np.unique(datasets, return_inverse=True, return_counts=True)

    def centred(values: Values) -> Values:
        sums = np.array([np.bincount(group, row, len(size)) for row in np.atleast_2d(values)])
        return np.asarray(values - (sums / size)[:, group].reshape(values.shape))

    x, y = centred(descriptor), centred(differences)
    square = float(x @ x)
    df = len(descriptor) - len(size) - 1.0
    nowhere = np.full(len(differences), np.nan)
    if square <= _NOTHING or df < 1:
        return nowhere, nowhere, df
    slope = y @ x / square
    rest = y - slope[:, None] * x
    free = 1 - 1 / size[group] - x**2 / square
    alone = free < 1e-9
    if (alone & (np.abs(x) > _NOTHING)).any():
        return nowhere, nowhere, df
    weighted = np.where(alone, 0.0, x * rest / np.where(alone, 1.0, free))
    return slope, np.asarray(np.sqrt(np.square(weighted).sum(axis=1)) / square), df


def interactions(
    blocks: Sequence[Block],
    descriptors: pd.DataFrame,
    reference: str,
    margins: Sequence[float] | None = None,
) -> tuple[Interaction, ...]:
    """Return how the difference of every loss from the reference depends on every descriptor.

    Args:
        blocks: Of one metric, one or more datasets.
        descriptors: Columns dataset, patient and one for each descriptor; of the ground truth only.
        reference: The loss to compare with.
        margins: Of the datasets, in score: differences are divided by them. Not divided if absent.

    Returns:
        Losses compared on all datasets, in the order of the first, by descriptor. Patients without a
        descriptor are left out of its regressions.

    Raises:
        Unanswerable: if the reference is not compared on every dataset.
    """
    losses, differences, datasets, table = _rows(blocks, descriptors, reference, margins)
    found: list[Interaction] = []
    for name in table.columns:
        x = standardised(table[name].to_numpy(float, na_value=np.nan), datasets)
        known = np.isfinite(x)
        slope, error, df = slopes(differences[:, known], x[known], datasets[known])
        error = np.where(error**2 <= NO_VARIANCE, 0.0, error)
        p = np.where(np.isfinite(error), two_sided_p(slope, error, np.full(len(slope), df)), np.nan)
        half = stats.t.isf((1 - LEVEL) / 2, df) * error
        for j, loss in enumerate(losses):
            own, reach = float(slope[j]), float(half[j])
            told = Interaction(
                loss, str(name), own, own - reach, own + reach, float(p[j]), float("nan"), int(known.sum())
            )
            found.append(told)
    return _adjusted(found)


def tertiles(
    block: Block, descriptor: Values, loss: str, reference: str, prior: Prior | None = None
) -> tuple[Tertile, ...]:
    """Return the difference of a loss from the reference in thirds of the patients by a descriptor.

    Patients with equal values stay together, so that thirds may differ in size, or be fewer than three.

    Args:
        block: Of one dataset and metric.
        descriptor: Of each of the block's patients; NaN where unknown.
        loss: A compared loss.
        reference: Another.
        prior: Of the seed variances, from all losses of the dataset.
    """
    known = np.flatnonzero(np.isfinite(descriptor))
    a, b = (block.scores[block.losses.index(name)] for name in (loss, reference))
    if not len(known):
        return ()
    place = (stats.rankdata(descriptor[known], method="min") - 1) * 3 // len(known)
    found = []
    for third in np.unique(place):
        at = known[place == third]
        difference = float(a[at].mean() - b[at].mean())
        interval = float("nan"), float("nan")
        if len(at) >= MIN_PATIENTS:
            told = crossed_difference(a[at], b[at], prior=prior)
            interval = told.low, told.high
        own = descriptor[at]
        found.append(Tertile(float(own.min()), float(own.max()), len(at), difference, interval))
    return tuple(found)


def transfer(
    blocks: Sequence[Block],
    descriptors: pd.DataFrame,
    loss: str,
    reference: str,
    name: str,
    margins: Sequence[float] | None = None,
) -> ConditionalRegret | None:
    """Return whether choosing between two losses by a descriptor pays on datasets that were left out.

    On all datasets but one the difference is regressed on the standardised descriptor. On the one left out,
    each patient gets the loss that the line prefers; the fixed choice is the loss that the mean prefers. The
    regret is against the better of the two losses on that dataset.

    Args:
        blocks: Of one metric, one for each dataset.
        descriptors: As for :func:`interactions`.
        loss: A compared loss.
        reference: Another.
        name: The descriptor.
        margins: Of the datasets, in score.

    Returns:
        None with fewer than two datasets: nothing is known of transfer then.
    """
    losses, differences, datasets, table = _rows(blocks, descriptors, reference, margins)
    y = differences[losses.index(loss)]
    x = standardised(table[name].to_numpy(float, na_value=np.nan), datasets)
    x = np.where(np.isfinite(x), x, 0.0)
    numbers = np.unique(datasets)
    if len(numbers) < 2:
        return None
    fixed, conditional = [], []
    for left in numbers:
        seen, own = datasets != left, datasets == left
        level = float(np.mean([y[datasets == number].mean() for number in numbers if number != left]))
        slope = float(np.nan_to_num(slopes(y[None, seen], x[seen], datasets[seen])[0])[0])
        best = max(float(y[own].mean()), 0.0)
        fixed.append(best - (float(y[own].mean()) if level > 0 else 0.0))
        conditional.append(best - float(np.where(level + slope * x[own] > 0, y[own], 0.0).mean()))
    return ConditionalRegret(float(np.mean(fixed)), float(np.mean(conditional)), len(numbers))


def _rows(
    blocks: Sequence[Block], descriptors: pd.DataFrame, reference: str, margins: Sequence[float] | None
) -> tuple[tuple[str, ...], Values, NDArray[np.int64], pd.DataFrame]:
    """Return losses, differences ``(losses, patients)``, the dataset of each patient, and descriptors."""
    for block in blocks:
        if reference not in block.losses:
            raise Unanswerable(
                f"dataset {block.dataset!r}: the reference {reference!r} has fewer than two runs that did "
                "not collapse; choose another reference"
            )
    losses = tuple(
        loss
        for loss in blocks[0].losses
        if loss != reference and all(loss in block.losses for block in blocks)
    )
    differences, wanted = [], []
    for block, margin in zip(blocks, margins or [1.0] * len(blocks), strict=True):
        place: Mapping[str, int] = {each: j for j, each in enumerate(block.losses)}
        own = block.case_means[[place[loss] for loss in losses]] - block.case_means[place[reference]]
        differences.append(own / margin)
        wanted += [(block.dataset, patient) for patient in block.patients]
    datasets = np.repeat(np.arange(len(blocks)), [len(block.patients) for block in blocks])
    keyed = descriptors.assign(
        dataset=descriptors["dataset"].astype(str), patient=descriptors["patient"].astype(str)
    ).drop_duplicates(["dataset", "patient"])
    table = keyed.set_index(["dataset", "patient"]).reindex(pd.MultiIndex.from_tuples(wanted))
    numeric = table.select_dtypes("number")
    return losses, np.concatenate(differences, axis=1), datasets, numeric


def _adjusted(found: Sequence[Interaction]) -> tuple[Interaction, ...]:
    p = np.array([each.p for each in found])
    q = np.full(len(p), np.nan)
    known = np.isfinite(p)
    q[known] = benjamini_hochberg(p[known])
    return tuple(replace(each, q=float(own)) for each, own in zip(found, q, strict=True))
