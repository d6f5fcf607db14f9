"""What is written beside Optuna's own columns, so that a search can be read without its study file."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from harness.losses.search_space import Choice, Real, Space, Whole
from harness.study.tuned_loss import Dimension
from harness.tuning.budget import Budget, budget_of

FACTS = "lossbench"
"""Attribute of a search."""

CONFIGURATION = "configuration"
"""Attribute of a configuration, written once all is drawn: what has none is none."""

SPENT = "spent"
"""Attribute of a configuration, written before its result."""

_KINDS: Mapping[str, Callable[[Mapping[str, Any]], Space]] = MappingProxyType(
    {
        "real": lambda record: Real(record["low"], record["high"], record["log"]),
        "whole": lambda record: Whole(record["low"], record["high"], record["log"]),
        "choice": lambda record: Choice(tuple(record["values"])),
    }
)


@dataclass(frozen=True)
class Drawn:
    """What stands in :data:`CONFIGURATION`.

    Attributes:
        trials: Keys of its trials.
        loss: For people.
        alpha: Its schedule as a study file has it, None without one.
        allowance: Epochs that it may train; None: all.
    """

    trials: tuple[str, ...]
    loss: str
    alpha: Mapping[str, Any] | None
    allowance: int | None

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> "Drawn":
        """Return it from the attributes of a configuration."""
        record = attributes[CONFIGURATION]
        return cls(**{**record, "trials": tuple(record["trials"])})


@dataclass(frozen=True)
class Spent:
    """What stands in :data:`SPENT`.

    Attributes:
        epochs: Trained, over all inner seeds.
        seconds: Of one worker.
    """

    epochs: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> "Spent":
        """Return it from the attributes of a configuration; nothing if it is not there yet."""
        return cls(**attributes.get(SPENT, {}))


@dataclass(frozen=True)
class SearchFacts:
    """What a search is about.

    Attributes:
        dataset: Name of the dataset.
        fold: Fold whose training and validation patients are used.
        folds: How many folds the dataset's split has.
        label: Of the tuned arm.
        default: Label of the default arm, None if the study has none.
        metric: Name of the metric.
        higher_is_better: Its direction.
        sampler: Who proposes.
        pruner: Who ends hopeless configurations.
        inner_seeds: Trainings per configuration.
        epochs: Per training.
        configurations: The budget, or None.
        hours: The budget, or None.
        dimensions: What is drawn.
        opened: When a driver last opened the search, seconds since 1970.
        parts: Names of the losses that are summed, sorted.
    """

    dataset: str
    fold: int
    folds: int
    label: str
    default: str | None
    metric: str
    higher_is_better: bool
    sampler: str
    pruner: str
    inner_seeds: int
    epochs: int
    configurations: int | None
    hours: float | None
    dimensions: tuple[Dimension, ...]
    opened: float
    parts: tuple[str, ...]

    @property
    def prunes(self) -> bool:
        """Whether configurations may be ended early."""
        return self.pruner != "none"

    def budget(self) -> Budget:
        """Return the budget as a rule."""
        return budget_of(self.configurations, self.hours, self.inner_seeds * self.epochs, self.prunes)

    def record(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        return {**asdict(self), "dimensions": [dimension_record(each) for each in self.dimensions]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "SearchFacts":
        """Return the facts of :meth:`record`."""
        dimensions = tuple(map(_dimension, record["dimensions"]))
        return cls(**{**record, "dimensions": dimensions, "parts": tuple(record["parts"])})


def dimension_record(dimension: Dimension) -> dict[str, Any]:
    """Return a dimension as JSON has it."""
    space = dimension.space
    return {
        "name": dimension.name,
        "kind": type(space).__name__.lower(),
        **asdict(space),
        "when": None if dimension.when is None else list(dimension.when),
    }


def _dimension(record: Mapping[str, Any]) -> Dimension:
    when = record["when"]
    return Dimension(
        record["name"], _KINDS[record["kind"]](record), None if when is None else (when[0], when[1])
    )
