"""Variance components from a pilot whose patients differ from seed to seed.

The validation patients of a study are drawn anew for every seed, though in the same way for every loss.
Means over seeds and patients then do not exist, but squared differences between two cells (a patient in a
run) still tell everything. Of the difference of two losses, half of their mean is::

    same seed, other patient     case + residual
    same patient, other seed     seed + residual
    both others                  case + seed + residual

which three equations solve; on a complete block this is the usual analysis of variance. What patients and
seeds do to all losses alike cancels out, so seeds that move all losses together count for nothing here,
while the test of losses counts them: with such seeds a plan is a little too hopeful.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from harness.statistics.block import MIN_SEEDS, Unanswerable
from harness.statistics.moderation import MIN_LOSSES, MOST_DF, Prior, fit_prior
from harness.statistics.variance_components import Components, Values, unlucky_factor

OUTLIER = 0.001
"""Level at which the seeds of a loss vary too much to say anything of the others."""

MIN_CELLS = 4
"""Patients in runs, below which nothing is estimated."""


@dataclass(frozen=True)
class Pilot:
    """What a pilot says of the pairs of its losses, each pair once, in the order of ``triu_indices``.

    Attributes:
        losses: Those with at least two seeds in common.
        left_out: Losses with too few of them.
        apart: Losses whose seeds vary so much more that they say nothing of the others.
        first: Index of one loss of each pair.
        second: Of the other.
        components: Of each pair.
        means: Of each loss, over the cells that all have.
        noise: Variance of each pair's difference of means, in the pilot itself.
        seeds: That the losses have in common.
        patients: All different ones.
    """

    losses: tuple[str, ...]
    left_out: tuple[str, ...]
    apart: tuple[str, ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    components: Components
    means: Values
    noise: Values
    seeds: int
    patients: int

    @property
    def differences(self) -> Values:
        """First minus second, of every pair."""
        return np.asarray(self.means[self.first] - self.means[self.second])


def pilot_of(values: pd.DataFrame, order: Sequence[str] | None = None) -> Pilot:
    """Return what a pilot says.

    Args:
        values: Columns loss, seed, patient, score (higher is better): one row for every patient of every
            run. Patients may differ between seeds.
        order: Losses in the order wanted; as they come if absent.

    Raises:
        Unanswerable: with fewer than two losses or two seeds, or too few patients.
    """
    losses = list(order or dict.fromkeys(map(str, values["loss"])))
    there = values[values["loss"].isin(losses)]
    table = there.pivot_table(index=["seed", "patient"], columns="loss", values="score", observed=True)
    table = table.reindex(columns=losses)
    kept = _with_common_seeds(table)
    if len(kept) < 2:
        raise Unanswerable(
            f"a pilot needs at least {MIN_SEEDS} seeds of two losses that did not collapse; train them "
            "first, or state standard deviations"
        )
    cells = table[kept].dropna()
    if len(cells) < MIN_CELLS:
        raise Unanswerable(f"the pilot has only {len(cells)} scores of each loss; train more seeds")
    seed = pd.factorize(cells.index.get_level_values("seed"))[0]
    patient = pd.factorize(cells.index.get_level_values("patient"))[0]
    scores = cells.to_numpy(float).T
    left_out = tuple(loss for loss in losses if loss not in kept)
    return _pilot(tuple(kept), left_out, scores, seed.astype(np.int64), patient.astype(np.int64))


def _with_common_seeds(table: pd.DataFrame) -> list[str]:
    """Return losses with at least two seeds in common, leaving out those with the fewest scores."""
    kept = [str(loss) for loss in table.columns if table[loss].notna().any()]
    while len(kept) > 1:
        if table[kept].dropna().index.get_level_values("seed").nunique() >= MIN_SEEDS:
            return kept
        kept.remove(min(reversed(kept), key=lambda loss: len(table[loss].dropna())))
    return []


def _pilot(
    losses: tuple[str, ...],
    left_out: tuple[str, ...],
    scores: Values,
    seed: NDArray[np.int64],
    patient: NDArray[np.int64],
) -> Pilot:
    first, second = np.triu_indices(len(losses), 1)
    case, of_seed, residual = _of_pairs(scores, seed, patient, first, second)
    counts, cells = np.bincount(seed), len(seed)
    noise = (
        case * float((np.bincount(patient) ** 2).sum()) / cells**2
        + of_seed * float((counts**2).sum()) / cells**2
        + residual / cells
    )
    spread = _seed_variances(scores, seed)
    apart = _apart(spread, len(counts) - 1)
    prior = _prior(spread[~apart], len(counts) - 1)
    rest_each = np.maximum(0.0, _of_losses(residual, first, second, len(losses)))
    seed_each = _upwards(_of_losses(of_seed, first, second, len(losses)), apart, prior, len(counts) - 1)
    of_seed = np.maximum(0.0, of_seed)
    factor = unlucky_factor(min(prior.df + len(counts) - 1, MOST_DF))
    worst = seed_each * factor + (factor - 1) * rest_each / counts.mean()
    return Pilot(
        losses,
        left_out,
        tuple(loss for loss, alone in zip(losses, apart, strict=True) if alone),
        first.astype(np.int64),
        second.astype(np.int64),
        Components(
            case,
            (seed_each[first], seed_each[second]),
            (rest_each[first], rest_each[second]),
            (worst[first], worst[second]),
            prior.df,
        ),
        scores.mean(axis=1),
        noise,
        len(counts),
        int(patient.max()) + 1,
    )


def _of_pairs(
    scores: Values,
    seed: NDArray[np.int64],
    patient: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
) -> tuple[Values, Values, Values]:
    """Return case, seed and residual components of every pair; those of seeds may come out below zero."""
    whole, of_all = _squares(scores, np.zeros_like(seed))
    in_seed, of_seed = _squares(scores, seed)
    in_patient, of_patient = _squares(scores, patient)
    rest, others = whole - in_seed - in_patient, of_all - of_seed - of_patient
    if not of_seed or not others:
        raise Unanswerable(
            "every seed of the pilot has scores of one patient; it needs at least two patients in a seed"
        )

    def of_difference(squares: Values, number: float) -> Values:
        own = np.diag(squares)
        return np.asarray((own[first] + own[second] - 2 * squares[first, second]) / number)

    same_seed, both_others = of_difference(in_seed, of_seed), of_difference(rest, others)
    seeds = both_others - same_seed
    # Is no patient in two seeds, the residual stays with what a patient adds, as if no seed averaged it.
    same_patient = of_difference(in_patient, of_patient) if of_patient else np.maximum(0.0, seeds)
    case = np.clip(both_others - same_patient, 0.0, same_seed)
    return case, seeds, same_seed - case


def _squares(scores: Values, group: NDArray[np.int64]) -> tuple[Values, float]:
    """Return half the sums of products of differences between cells of a group, and the number of such pairs.

    ``(losses, losses)``; each pair of cells counts twice in both.
    """
    size = np.bincount(group).astype(float)
    sums = np.array([np.bincount(group, own) for own in scores])
    return (scores * size[group]) @ scores.T - sums @ sums.T, float((size * (size - 1)).sum())


def _of_losses(pairs: Values, first: NDArray[np.int64], second: NDArray[np.int64], losses: int) -> Values:
    """Return each loss's share in components of pairs that are sums, by least squares (Shukla 1972)."""
    if losses == 2:
        return np.repeat(pairs / 2, 2)
    sums = np.bincount(first, pairs, losses) + np.bincount(second, pairs, losses)
    return np.asarray((sums - pairs.sum() / (losses - 1)) / (losses - 2))


def _upwards(seed: Values, apart: NDArray[np.bool_], prior: Prior, df: int) -> Values:
    """Return seed components, none below the mean of the losses: few seeds say little of one.

    Losses that stand apart keep their own, and do not count in the mean.
    """
    mean = max(0.0, float(seed[~apart].mean()))
    found = np.full_like(seed, mean)
    if 0 < prior.df < np.inf:
        found = np.maximum(mean, (prior.df * mean + df * seed) / (prior.df + df))
    return np.asarray(np.where(apart, np.maximum(mean, seed), found))


def _seed_variances(scores: Values, seed: NDArray[np.int64]) -> Values:
    """Return the variance between the means of seeds, of each loss beside what most have in common."""
    size = np.bincount(seed)
    means = np.array([np.bincount(seed, own) for own in scores - np.median(scores, axis=0)]) / size
    return np.asarray(means.var(axis=1, ddof=1))


def _apart(variances: Values, df: int) -> NDArray[np.bool_]:
    """Return which losses vary far more between seeds than the others: one that nearly collapsed once.

    One at a time, the largest against the mean of the rest, by the F test; never more than a quarter.
    """
    found = np.zeros(len(variances), bool)
    if len(variances) < MIN_LOSSES:
        return found
    for largest in np.argsort(-variances)[: len(variances) // 4]:
        rest = ~found
        rest[largest] = False
        if variances[largest] <= stats.f.isf(OUTLIER, df, df * rest.sum()) * variances[rest].mean():
            break
        found[largest] = True
    return found


def _prior(variances: Values, df: int) -> Prior:
    """Return what the losses lend each other."""
    if len(variances) < MIN_LOSSES:
        return Prior(0.0, 0.0)
    return fit_prior(variances, np.full(len(variances), float(df)))
