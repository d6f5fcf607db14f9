"""Search spaces of the alpha schedules.

Lengths are fractions of the training, so that a space means the same for short and long studies. A space
is flat, one range per key. So ``warm_start`` has none: what comes after it is a schedule of its own, and
its length would have to be tuned together with every choice of that schedule. Write it out in the study.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.errors import InputError, nearest


@dataclass(frozen=True)
class Range:
    """A real parameter, drawn uniformly between ``low`` and ``high``, or so on a logarithmic scale."""

    low: float
    high: float
    log: bool = False


Spaces = Mapping[str, Mapping[str, Range]]

_ALL: Spaces = {
    "constant": {"start": Range(1e-3, 1.0, log=True)},
    "increase": {
        "start": Range(1e-3, 1e-1, log=True),
        "end": Range(1e-1, 2.0, log=True),
        "over": Range(0.25, 1.0),
    },
    "rebalance": {"floor": Range(0.01, 0.5), "over": Range(0.25, 1.0)},
    "linear": {"end": Range(0.0, 0.5), "pause_over": Range(0.01, 0.5)},
    "cosine": {"end": Range(0.0, 0.5)},
    "step": {"end": Range(0.0, 0.5), "hold_over": Range(0.02, 0.25)},
}


def alpha_spaces(kinds: Iterable[str]) -> Spaces:
    """Return the spaces of some schedules, in an order that does not depend on how they were named.

    Args:
        kinds: Names of alpha schedules.

    Raises:
        InputError: if there is none, or one that cannot be tuned.
    """
    asked = set(kinds)
    if not asked:
        raise InputError(f"name at least one alpha schedule to tune, of {', '.join(_ALL)}")
    for kind in sorted(asked - set(_ALL)):
        hint = nearest(kind, _ALL) or f"; those that have one: {', '.join(_ALL)}"
        raise InputError(f"alpha schedule {kind!r} has no search space{hint}")
    return {kind: space for kind, space in _ALL.items() if kind in asked}


ALPHA_SPACES: Spaces = alpha_spaces(("constant", "increase", "rebalance"))
"""What ``alpha: tune`` draws from: the forms of the boundary loss's authors.

A search is named by a hash of its spaces, so one that has begun goes on only while this stays as it is.
"""
