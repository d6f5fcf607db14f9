"""The searches of one tuned loss on one dataset, its folds together."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.statistics.expected_validation import (
    Values,
    best_so_far,
    confidence_band,
    expected_best,
    mean_curve,
    on_grid,
)
from reports.results import ListedLoss, StudyResults

if TYPE_CHECKING:
    from harness.tuning.history import SearchHistory, Tried

_HOUR = 3600.0


@dataclass(frozen=True)
class LossSearch:
    """Every search of one tuned loss on one dataset.

    Attributes:
        dataset: Where.
        loss: The tuned arm.
        default: Label of the default arm, None if there is none.
        folds: Its searches, one per fold.
        support: Smallest and largest possible value of the objective.
    """

    dataset: str
    loss: ListedLoss
    default: str | None
    folds: "tuple[SearchHistory, ...]"
    support: tuple[float, float]

    @property
    def label(self) -> str:
        """Of the tuned arm."""
        return self.loss.label

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger objective is better."""
        return self.folds[0].higher_is_better

    @property
    def independent(self) -> bool:
        """Whether all configurations were drawn independently and trained to the end."""
        return all(history.unpruned_random for history in self.folds)

    @property
    def finished(self) -> bool:
        """Whether the budget of every fold is spent."""
        return all(history.finished for history in self.folds)

    @property
    def tried(self) -> "list[Tried]":
        """The configurations of all folds."""
        return [each for history in self.folds for each in history.tried]

    def count(self, state: str) -> int:
        """Return how many configurations are in a state."""
        return sum(each.state == state for each in self.tried)

    @property
    def epochs(self) -> int:
        """Epochs spent, all folds together."""
        return sum(each.epochs for each in self.tried)

    @property
    def hours(self) -> float:
        """Hours of workers spent, all folds together."""
        return sum(each.seconds for each in self.tried) / _HOUR

    @cached_property
    def samples(self) -> list[list[float]]:
        """Values of the configurations that have one, by fold; folds without any are left out."""
        by_fold = [values_of(history.tried) for history in self.folds]
        return [values for values in by_fold if values]

    @cached_property
    def expected(self) -> Values:
        """Expected best of n = 1.. configurations, the mean over folds as far as the shortest."""
        return mean_curve(
            [expected_best(each, higher_is_better=self.higher_is_better) for each in self.samples]
        )

    @cached_property
    def band(self) -> tuple[Values, Values] | None:
        """Simultaneous limits of :attr:`expected`; only of independent configurations on one fold."""
        if not self.independent or len(self.folds) > 1 or not self.samples:
            return None
        return confidence_band(self.samples[0], support=self.support, higher_is_better=self.higher_is_better)

    @property
    def hours_per_configuration(self) -> float:
        """Mean cost of a configuration that was trained to the end, in hours of one worker."""
        costs = [each.seconds for each in self.tried if each.state == "complete"]
        return float(np.mean(costs)) / _HOUR if costs else 0.0

    def best_so_far(self, in_hours: bool = False) -> tuple[Values, Values]:
        """Return budget spent per fold, in epochs or hours, and the best value known by then.

        Several folds: the mean, from where all have a value to where the first has spent its budget.
        """
        courses = []
        for history in self.folds:
            over = [each for each in history.tried if each.state != "running"]
            if values_of(over):
                costs = [each.seconds / _HOUR if in_hours else float(each.epochs) for each in over]
                values = [each.value if each.state == "complete" else None for each in over]
                best = best_so_far(values, higher_is_better=self.higher_is_better)
                courses.append((np.cumsum(costs), best))
        if not courses:
            return np.empty(0), np.empty(0)
        last = min(spent[-1] for spent, _ in courses)
        grid = np.unique(np.concatenate([spent[spent <= last] for spent, _ in courses]))
        mean = np.mean([on_grid(grid, spent, best) for spent, best in courses], axis=0)
        known = np.isfinite(mean)
        return grid[known], mean[known]


def values_of(tried: "Iterable[Tried]") -> list[float]:
    """Return the values of the configurations that have one, in the order in which they were asked."""
    return [each.value for each in tried if each.state == "complete" and each.value is not None]


def loss_searches(results: StudyResults, dataset: str | None = None) -> list[LossSearch]:
    """Return the tuned losses of a study, or of one of its datasets, in the order of tables and figures."""
    listed = {loss.label: loss for loss in results.losses}
    groups: dict[tuple[str, str], list[SearchHistory]] = {}
    for history in results.searches:
        groups.setdefault((history.dataset, history.label), []).append(history)
    found = []
    for (where, label), histories in groups.items():
        folds = tuple(sorted(histories, key=lambda history: history.fold))
        default = folds[0].default
        loss = listed.get(label) or replace(
            listed.get(default or "", ListedLoss(label, "other", "")), label=label, tuned_from=default
        )
        found.append(LossSearch(where, loss, default, folds, _support(results, folds[0])))
    places = {name: place for place, name in enumerate(results.datasets)}
    order = {label: place for place, label in enumerate(results.labels)}
    found.sort(key=lambda each: (places.get(each.dataset, len(places)), order.get(each.label, len(order))))
    return [each for each in found if dataset in {None, each.dataset}]


def tuned_losses(searches: Iterable[LossSearch]) -> list[ListedLoss]:
    """Return the losses of searches, each once."""
    return list({each.label: each.loss for each in searches}.values())


def searched_datasets(results: StudyResults) -> list[str]:
    """Return the datasets that have a search, in order."""
    return list(dict.fromkeys(each.dataset for each in loss_searches(results)))


def objective(results: StudyResults, metric: str) -> str:
    """Return the title of an objective with its unit, as in ``HD95 (mm)``."""
    known = {str(row.name): (str(row.title), str(row.unit or "")) for row in _metrics(results)}
    title, unit = known.get(metric, (metric, ""))
    return f"{title} ({unit})" if unit else title


def _metrics(results: StudyResults) -> "Iterable[Any]":
    return results.metrics[["name", "title", "unit"]].itertuples(index=False)


def _support(results: StudyResults, history: "SearchHistory") -> tuple[float, float]:
    """Shares lie within 0 and 1; distances have no largest value."""
    units = {str(row.name): bool(row.unit) for row in _metrics(results)}
    distance = units.get(history.metric, not history.higher_is_better)
    values = [value for value in values_of(history.tried) if value > 1.0]
    return (0.0, inf) if distance or values else (0.0, 1.0)
