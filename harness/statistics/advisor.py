"""Which losses the next runs should go to, if only the best is wanted.

Chen, Lin, Yücesan and Chick (2000, Discrete Event Dynamic Systems 10, 251-270): the optimal computing budget
allocation. Losses close to the best and losses that vary get more runs; the best gets enough to be compared
with all of them. Whoever follows it has looked at the scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics.block import Unanswerable
from harness.statistics.crossed import Parts
from harness.statistics.variance_components import Values


@dataclass(frozen=True)
class NextRuns:
    """What the advisor says of one loss.

    Attributes:
        loss: Its label.
        seeds: That it has.
        share: Of all runs that it should have in the end, 0..1.
        more: Of the next runs, how many should be its.
    """

    loss: str
    seeds: int
    share: float
    more: int


def budget_shares(means: Values, deviations: Values, least_gap: float) -> Values:
    """Return the share of runs that each loss should have; they sum to one.

    Args:
        means: Score of each loss, at least two.
        deviations: Standard deviation over seeds of each.
        least_gap: Smaller gaps to the best count as this, above 0: no run is spent on telling apart what is
            as good as equal.
    """
    best = int(np.argmax(means))
    ratio = np.square(deviations / np.maximum(means[best] - means, least_gap))
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = np.where(deviations > 0, np.square(ratio / deviations), 0.0)
    squares[best] = 0.0
    ratio[best] = deviations[best] * np.sqrt(squares.sum())
    total = ratio.sum()
    return np.asarray(ratio / total if total > 0 else np.full(len(means), 1 / len(means)))


def next_runs(losses: Sequence[str], parts: Parts, runs: int, least_gap: float) -> tuple[NextRuns, ...]:
    """Return to which losses the next runs should go.

    Args:
        losses: Labels, at least two.
        parts: Of their scores.
        runs: How many can be trained, at least one.
        least_gap: The margin, above 0: see :func:`budget_shares`.

    Raises:
        Unanswerable: if there is nothing to share out.
    """
    if len(losses) < 2 or runs < 1 or not least_gap > 0:
        raise Unanswerable(
            f"the advisor needs two losses, one run and a margin above 0 (got {len(losses)} losses, {runs} "
            f"runs, margin {least_gap:g})"
        )
    share = budget_shares(parts.means, np.sqrt(parts.variances.moderated), least_gap)
    more: NDArray[np.int64] = np.zeros(len(losses), np.int64)
    wanted = share * (int(parts.seeds.sum()) + runs)
    for _ in range(runs):
        more[int(np.argmax(wanted - parts.seeds - more))] += 1
    return tuple(
        NextRuns(str(loss), int(parts.seeds[i]), float(share[i]), int(more[i]))
        for i, loss in enumerate(losses)
    )
