"""What a metric is, and the registry of all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from harness.metrics.comparison import Comparison
from harness.metrics.policy import NOTHING_TO_FIND, Direction, Extent, Reason, Unit, perfect, worst
from harness.registry import Registry

Formula: TypeAlias = Callable[[Comparison], float | None]
"""The value of a comparison, or ``None`` where the formula gives none."""


@dataclass(frozen=True)
class Metric:
    """What a metric is, for tables and figures, and how it is computed.

    Attributes:
        name: Key in the registry, the database and the study file.
        title: Name in figures and tables.
        unit: ``mm``, ``ml``, ``%``, ``per case``, or ``""`` for shares. It also chooses what counts as
            the worst value; see :mod:`~.policy`.
        direction: Whether ``higher`` or ``lower`` values are better.
        version: Raised whenever the numbers of the same masks change.
        description: One sentence with the convention, for captions and methods sections.
        compute: The formula.
        undefined: Why the formula gives no value, where it is not that a mask is empty.
    """

    name: str
    title: str
    unit: Unit
    direction: Direction
    version: int
    description: str
    compute: Formula
    undefined: Literal["no lesion of this size"] | None = None

    def facts(self) -> dict[str, str | int]:
        """Return what a table of metrics holds of it: everything but the formula."""
        columns = ("name", "version", "title", "unit", "direction", "description")
        return {column: getattr(self, column) for column in columns}

    def perfect(self) -> float:
        """Return the value of a prediction that equals the truth."""
        return perfect(self.direction)

    def worst(self, extent: Extent) -> float:
        """Return the value that stands for a failure in an image of this extent."""
        return worst(self.unit, self.direction, extent)

    def score(self, class_index: int, comparison: Comparison) -> "Score":
        """Compute the metric and apply the policy."""
        value = self.compute(comparison)
        if value is not None:
            return Score(class_index, self.name, value, value, comparison.reason)
        return self.without_value(class_index, comparison.extent, self.undefined or comparison.reason)

    def without_value(self, class_index: int, extent: Extent, reason: Reason | None) -> "Score":
        """Return what counts where the formula gives no value.

        Raises:
            ValueError: if there is no reason for it (a mistake in the metric).
        """
        if reason is None:
            raise ValueError(f"metric {self.name!r} gives no value of two masks that are not empty")
        imputed = self.perfect() if reason in NOTHING_TO_FIND else self.worst(extent)
        return Score(class_index, self.name, None, imputed, reason)


@dataclass(frozen=True)
class Score:
    """One metric of one class of one case.

    Attributes:
        class_index: Class, from 1.
        metric: Name of the metric.
        value: What the formula gives; ``None`` where it gives nothing.
        imputed: The value under the policy; equals ``value`` where there is one.
        reason: What is unusual (a mask is empty or missing, say), ``None`` for an ordinary comparison.
    """

    class_index: int
    metric: str
    value: float | None
    imputed: float
    reason: Reason | None


METRICS: Registry[Metric] = Registry("metric")
"""Every metric by name."""


def file(metric: Metric) -> None:
    """Enter a metric in the registry."""
    METRICS.register(metric.name)(metric)
