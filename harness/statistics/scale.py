"""The scale on which a metric is analysed, and the margin below which a difference is negligible there."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
Direction: TypeAlias = Literal["higher", "lower"]

SHARE_MARGIN = 0.01
"""Differences of DSC, NSD, F1 or IoU up to this are negligible, unless the study says otherwise."""

RATIO_MARGIN = 1.1
"""Distances that differ by up to this factor are negligible, unless the study says otherwise."""

EPS_MM = 0.5
"""Half the smallest pixel spacing where nobody tells it, in mm."""


@dataclass(frozen=True)
class Scale:
    """How raw values become scores: of any metric, higher scores are better.

    Attributes:
        direction: Whether ``higher`` or ``lower`` raw values are better.
        log: Whether scores are -log(x + eps): for distances, whose ratios count.
        eps: Half the smallest pixel spacing, in the unit of the metric.
    """

    direction: Direction = "higher"
    log: bool = False
    eps: float = EPS_MM

    def scores(self, raw: Values) -> Values:
        """Return scores of raw values, of any shape."""
        if self.log:
            return np.asarray(-np.log(raw + self.eps))
        return raw if self.direction == "higher" else -raw

    def raw(self, scores: Values | float) -> Values:
        """Return the raw values of scores; means of log scores become geometric means."""
        if self.log:
            return np.asarray(np.exp(-np.asarray(scores)) - self.eps)
        return np.asarray(scores) if self.direction == "higher" else -np.asarray(scores)

    def margin(self, stated: float | None = None) -> float:
        """Return the half-width of the region of negligible differences of scores.

        Args:
            stated: In raw units, or as a ratio (1.1) where scores are logarithms; the default if absent.
        """
        if self.log:
            return float(np.log(RATIO_MARGIN if stated is None else stated))
        return SHARE_MARGIN if stated is None else stated


_LOWER = frozenset({"hd", "hd95", "hd95_pooled", "assd", "volume_difference", "false_lesions"})
_MILLIMETRES = frozenset({"hd", "hd95", "hd95_pooled", "assd"})


def scale_of(
    metric: str, direction: Direction | None = None, unit: str | None = None, eps: float = EPS_MM
) -> Scale:
    """Return the scale of a metric: logarithms for millimetres, the values themselves for all others.

    Args:
        metric: Its name; tells direction and unit of well-known metrics where they are absent.
        direction: Which values are better.
        unit: ``mm`` for distances.
        eps: Half the smallest pixel spacing, in mm.
    """
    log = metric in _MILLIMETRES if unit is None else unit == "mm"
    better: Direction = direction or ("lower" if metric in _LOWER else "higher")
    return Scale(better, log and better == "lower", eps)
