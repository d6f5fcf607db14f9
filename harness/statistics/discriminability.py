"""Whether a dataset can tell losses apart at all, and what blurs their differences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.crossed import Pairs
from harness.statistics.variance_components import Components, Values

ENOUGH = 0.5
"""Below, more of the spread of the losses' means is noise than differences."""


@dataclass(frozen=True)
class Discriminability:
    """G: the share of true differences in the spread of the losses' means (a generalisability coefficient).

    It is the correlation to expect between these means and those of a repetition with new patients and seeds.

    Attributes:
        value: 0..1; NaN where the means neither differ nor vary.
        between: Variance of the true means of the losses, as estimated.
        noise: Variance of the mean of one loss beside what moves all losses alike.
    """

    value: float
    between: float
    noise: float

    @property
    def enough(self) -> bool:
        """Whether the dataset can rank these losses."""
        return self.value >= ENOUGH


def discriminability(means: Values, noise: Values, planned: Values | None = None) -> Discriminability:
    """Return how well a dataset tells losses apart.

    The noise of a loss is half the variance of a difference: patients that are hard for all losses do not
    blur their order. The variance of the means is then free of it on average.

    Args:
        means: Score of each loss, at least two.
        noise: Variance of the difference of every pair, of the data that gave the means.
        planned: The same in another design; G is then that of the design.
    """
    own = float(np.mean(noise)) / 2
    between = max(0.0, float(np.var(means, ddof=1)) - own)
    blur = own if planned is None else float(np.mean(planned)) / 2
    total = between + blur
    return Discriminability(between / total if total > 0 else float("nan"), between, blur)


def discriminability_of(means: Values, pairs: Pairs) -> Discriminability:
    """Return the same for the losses of a block."""
    first, second = np.triu_indices(len(pairs.losses), 1)
    return discriminability(means, pairs.error[first, second] ** 2)


def variance_shares(
    names: Sequence[tuple[str, str]],
    components: Components,
    patients: int,
    seeds: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> pd.DataFrame:
    """Return where the variance of the difference of each pair comes from.

    Args:
        names: Of the losses of each pair.
        components: Of the pairs.
        patients: Their number.
        seeds: Of the first and of the second loss of each pair.

    Returns:
        Columns loss_a, loss_b, source (``patients``, ``seeds``, ``residual``), variance, share (0..1; NaN
        without variance): three rows for each pair.
    """
    sources = {
        "patients": components.case / patients,
        "seeds": components.seed[0] / seeds[0] + components.seed[1] / seeds[1],
        "residual": (components.residual[0] / seeds[0] + components.residual[1] / seeds[1]) / patients,
    }
    variance = np.array(list(sources.values())).T
    total = variance.sum(axis=1, keepdims=True)
    share = np.divide(variance, total, out=np.full_like(variance, np.nan), where=total > 0)
    return pd.DataFrame(
        {
            "loss_a": np.repeat([a for a, _ in names], len(sources)),
            "loss_b": np.repeat([b for _, b in names], len(sources)),
            "source": list(sources) * len(names),
            "variance": variance.ravel(),
            "share": share.ravel(),
        }
    )
