"""Losses compared on several datasets: on just these, and on a new one.

Every dataset brings its pairs, computed over its patients and seeds. Datasets whose margins of negligible
differences are unequal are brought to a common unit: a difference is divided by the margin of its dataset.
Then

* *on these datasets* every one counts the same (:func:`on_these_datasets`), which gives pairs again, for
  multiple comparisons with the best as on one dataset;
* *on a new dataset* (:func:`on_a_new_dataset`, :func:`regions`) they are a sample of datasets;
* ``dataset_ranks`` says what the field's ranks over datasets can show, ``transfer`` whether advice transfers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from harness.statistics.block import Unanswerable
from harness.statistics.crossed import LEVEL, Difference, Pairs, half_width, two_sided_p
from harness.statistics.hierarchy import Hierarchy, Regions, hierarchy
from harness.statistics.meta import RandomEffects, Values, random_effects


@dataclass(frozen=True)
class Several:
    """The losses that were compared on every dataset.

    Attributes:
        datasets: Names.
        losses: Those of all datasets, in the order of the first one.
        pairs: Of ``losses``, one of each dataset, in the common unit.
        margin: Half-width of the region of negligible differences, in the common unit.
        in_margins: Whether differences were divided by the margin of their dataset, which makes it 1.
        left_out: Losses that were compared on some of the datasets only.
    """

    datasets: tuple[str, ...]
    losses: tuple[str, ...]
    pairs: tuple[Pairs, ...]
    margin: float
    in_margins: bool = False
    left_out: tuple[str, ...] = ()

    @cached_property
    def differences(self) -> Values:
        """Row minus column, ``(datasets, losses, losses)``."""
        return np.array([each.difference for each in self.pairs])

    @cached_property
    def errors(self) -> Values:
        """Their standard errors, ``(datasets, losses, losses)``."""
        return np.array([each.error for each in self.pairs])

    @cached_property
    def behind(self) -> Values:
        """How far each loss is behind the best one of its dataset, 0 or more, ``(datasets, losses)``."""
        return np.asarray(self.differences.max(axis=1))

    def without(self, dataset: str) -> "Several":
        """Return the same without one dataset, in the same unit."""
        kept = [i for i, name in enumerate(self.datasets) if name != dataset]
        return replace(
            self,
            datasets=tuple(self.datasets[i] for i in kept),
            pairs=tuple(self.pairs[i] for i in kept),
        )


def bring_together(pairs: Mapping[str, Pairs], margins: Mapping[str, float]) -> Several:
    """Return the losses that were compared on every dataset, in a common unit.

    Args:
        pairs: Of each dataset, by its name, all of one metric.
        margins: Half-width of negligible differences of scores, by dataset, above zero.

    Raises:
        Unanswerable: with fewer than two datasets, or fewer than two losses on all of them.
        ValueError: if a margin is not above zero.
    """
    if len(pairs) < 2:
        raise Unanswerable(f"a statement over datasets needs at least 2 of them (got {len(pairs)})")
    for dataset in pairs:
        if not margins[dataset] > 0:
            raise ValueError(f"dataset {dataset!r}: the margin must be above zero (got {margins[dataset]})")
    every = list(dict.fromkeys(loss for each in pairs.values() for loss in each.losses))
    first = next(iter(pairs.values())).losses
    losses = tuple(loss for loss in first if all(loss in each.losses for each in pairs.values()))
    if len(losses) < 2:
        raise Unanswerable(
            f"only {len(losses)} of {len(every)} losses has two runs of use on each of "
            f"{', '.join(map(repr, pairs))}; run the same losses on all of them"
        )
    units = _units([margins[dataset] for dataset in pairs])
    return Several(
        tuple(pairs),
        losses,
        tuple(_chosen(each, losses, unit) for each, unit in zip(pairs.values(), units, strict=True)),
        margins[next(iter(pairs))] / units[0],
        in_margins=units != [1.0] * len(units),
        left_out=tuple(loss for loss in every if loss not in losses),
    )


def on_these_datasets(several: Several) -> Pairs:
    """Return the mean differences over just these datasets, each with the same weight."""

    def total(name: str, power: int) -> Values:
        return np.asarray(sum(getattr(each, name) for each in several.pairs) / len(several.pairs) ** power)

    difference = several.differences.mean(axis=0)
    error = _mean_error(several.errors)
    df = _mean_df(several.errors, np.array([each.df for each in several.pairs]))
    p = two_sided_p(difference, error, df)
    return Pairs(several.losses, difference, total("v_case", 2), total("v_seed", 2), error, df, p)


def mean_over_datasets(
    differences: Sequence[Difference], margins: Sequence[float], level: float = LEVEL
) -> Difference:
    """Return the mean of one difference or contrast over datasets, each with the same weight.

    Args:
        differences: Of each dataset.
        margins: Half-width of negligible differences on each; where they are unequal, the mean is in margins.
        level: Confidence level of the interval, between 0 and 1.

    Returns:
        Patients are counted over all datasets; the scope is the narrowest of any dataset.
    """
    units = np.array(_units(margins))
    values, errors, case, seed = (
        np.array([getattr(each, name) for each in differences])
        for name in ("difference", "standard_error", "v_case", "v_seed")
    )
    found = mean_interval(values / units, errors / units, np.array([each.df for each in differences]), level)
    return Difference(
        *found,
        sum(each.patients for each in differences),
        tuple(seeds for each in differences for seeds in each.seeds),
        next((each.scope for each in differences if each.scope != "these losses"), "these losses"),
        float((case / units**2).sum()) / len(units) ** 2,
        float((seed / units**2).sum()) / len(units) ** 2,
    )


def mean_interval(
    differences: Values, errors: Values, df: Values, level: float = LEVEL
) -> tuple[float, float, float, float, float, float]:
    """Return mean, low, high, standard error, degrees of freedom and p of a mean over datasets.

    Args:
        differences: ``(datasets,)``.
        errors: Their standard errors.
        df: Their degrees of freedom; infinite where there is no variance.
        level: Confidence level of the interval, between 0 and 1.
    """
    value, error = np.asarray(differences.mean()), _mean_error(errors)
    freedom = _mean_df(errors, df)
    half = float(half_width(error, freedom, (1 - level) / 2))
    p = float(two_sided_p(value, error, freedom))
    return float(value), float(value) - half, float(value) + half, float(error), float(freedom), p


def on_a_new_dataset(several: Several, level: float = LEVEL) -> RandomEffects:
    """Return random effects of every pair, as ``(losses, losses)``, row minus column.

    Raises:
        Unanswerable: with fewer than three datasets.
    """
    return random_effects(several.differences, several.errors, level)


def regions(several: Several, against: Sequence[str] | None = None) -> Hierarchy:
    """Return probabilities of below, within and above the margins, row minus column.

    Args:
        several: The losses on the datasets.
        against: Losses of the columns, in their order; all if absent. All pairs of 100 losses take seconds.

    Returns:
        Arrays ``(losses, columns)``.
    """
    if against is not None:
        columns = [several.losses.index(loss) for loss in against]
        return hierarchy(several.differences[:, :, columns], several.errors[:, :, columns], several.margin)
    rows, columns_of = np.triu_indices(len(several.losses))
    half = hierarchy(
        several.differences[:, rows, columns_of], several.errors[:, rows, columns_of], several.margin
    )

    def full(upper: Values, lower: Values) -> Values:
        square = np.empty((len(several.losses),) * 2)
        square[columns_of, rows] = lower
        square[rows, columns_of] = upper
        return square

    def both(some: Regions) -> Regions:
        return Regions(
            full(some.below, some.above), full(some.within, some.within), full(some.above, some.below)
        )

    return Hierarchy(
        both(half.mean),
        both(half.new),
        full(half.location, -half.location),
        full(half.deviation, half.deviation),
        full(half.tau, half.tau),
    )


def _units(margins: Sequence[float]) -> list[float]:
    """Return what to divide the differences of each dataset by: margins, or 1 where all are the same."""
    return [1.0] * len(margins) if len(set(margins)) == 1 else [float(each) for each in margins]


def _chosen(pairs: Pairs, losses: Sequence[str], unit: float) -> Pairs:
    """Return some losses of the pairs, in that order, divided by a unit."""
    at = np.ix_(*[[pairs.losses.index(loss) for loss in losses]] * 2)
    return Pairs(
        tuple(losses),
        pairs.difference[at] / unit,
        pairs.v_case[at] / unit**2,
        pairs.v_seed[at] / unit**2,
        pairs.error[at] / unit,
        pairs.df[at],
        pairs.p[at],
    )


def _mean_error(errors: Values) -> Values:
    """Return the standard error of a mean over datasets, the first axis."""
    return np.asarray(np.sqrt((errors**2).sum(axis=0)) / len(errors))


def _mean_df(errors: Values, df: Values) -> Values:
    """Return its degrees of freedom (Satterthwaite); infinite where there is no variance."""
    variances = errors**2
    below = (variances**2 / df).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, variances.sum(axis=0) ** 2 / below, np.inf)
