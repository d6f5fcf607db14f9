"""How alike the rankings of losses are, between studies and datasets."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics.ranking import ranks_of, tau_matrix
from reports.compare.side_by_side import Place, SideBySide


@dataclass(frozen=True)
class Agreement:
    """Rankings by mean score.

    Attributes:
        places: Studies and datasets, ``(places,)``.
        ranks: 1 is best, ``(places, losses)``; NaN where a place lacks a loss.
        tau: Kendall's tau-b, ``(places, places)``, each pair over the losses that both rank; NaN where it
            is not defined.
        shared: Number of losses behind each tau.
    """

    places: tuple[Place, ...]
    ranks: NDArray[np.float64]
    tau: NDArray[np.float64]
    shared: NDArray[np.int64]

    def pairs(self) -> Iterator[tuple[Place, Place, float, int]]:
        """Yield every pair of places of two studies, with their tau and the number of losses."""
        for i, first in enumerate(self.places):
            for j in range(i + 1, len(self.places)):
                if first.study != self.places[j].study:
                    yield first, self.places[j], float(self.tau[i, j]), int(self.shared[i, j])


def agreement(beside: SideBySide) -> Agreement:
    """Return the rankings of the shared losses and how they agree."""
    values = beside.ranking_values()
    known = np.isfinite(values)
    ranks = np.full(values.shape, np.nan)
    for place, own in enumerate(known):
        ranks[place, own] = ranks_of(values[place, own])
    counts = known.astype(np.int64)
    return Agreement(beside.places, ranks, tau_matrix(values), counts @ counts.T)
