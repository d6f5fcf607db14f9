"""Search spaces of the alpha schedules.

Lengths are fractions of the training, so that a space means the same for short and long studies.
A schedule without a space is never suggested.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """A real parameter, drawn uniformly between ``low`` and ``high``, or so on a logarithmic scale."""

    low: float
    high: float
    log: bool = False


ALPHA_SPACES: Mapping[str, Mapping[str, Range]] = {
    "constant": {"start": Range(1e-3, 1.0, log=True)},
    "increase": {
        "start": Range(1e-3, 1e-1, log=True),
        "end": Range(1e-1, 2.0, log=True),
        "over": Range(0.25, 1.0),
    },
    "rebalance": {"floor": Range(0.01, 0.5), "over": Range(0.25, 1.0)},
}
