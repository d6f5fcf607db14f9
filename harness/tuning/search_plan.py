"""What a search would ask and train, before and beside Optuna: its name, its facts, its trials."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna
from optuna.storages import RDBStorage

from harness.data.splits import folds
from harness.metrics import METRICS
from harness.study.plan import (
    PlannedTrial,
    StudyDataset,
    cell_trials,
    chosen_folds,
    inner_seeds,
    plan_trial,
)
from harness.study.spec import Study
from harness.study.tuned_loss import Point, TunedLoss, tuned_losses
from harness.tuning.configurations import Configurations
from harness.tuning.names import search_name
from harness.tuning.record import SearchFacts


@dataclass(frozen=True)
class SearchPlan:
    """One search: a tuned loss on one fold of one dataset.

    Attributes:
        study: The study, whose ``tuning`` says how.
        dataset: Where to tune.
        tuned: The loss and its space.
        fold: Fold whose training and validation patients are used; its test patients never are.
    """

    study: Study
    dataset: StudyDataset
    tuned: TunedLoss
    fold: int

    @cached_property
    def name(self) -> str:
        """Of the search in Optuna's tables."""
        probe = self.configuration_trials(self.some_point())[0]
        return search_name(self.study.study, probe, self.tuned.space.dimensions, self.study.tuning)

    @property
    def steps(self) -> int:
        """Epochs of a configuration that is trained to the end."""
        return self.study.tuning.inner_seeds * self.study.protocol.epochs

    def some_point(self) -> Point:
        """Return a point of the space: every dimension at the first of its ends."""
        point: dict[str, Any] = {}
        for dimension in self.tuned.space.active(point):
            point[dimension.name] = dimension.space.ends[0]
        return point

    def configuration_trials(self, point: Point) -> list[PlannedTrial]:
        """Return the trials of a configuration, one for each inner seed."""
        drawn = self.tuned.space.configuration(point)
        return [
            plan_trial(
                self.study,
                self.dataset,
                self.tuned.label,
                drawn.loss,
                seed,
                self.fold,
                purpose="search",
                learning_rate=drawn.learning_rate,
            )
            for seed in inner_seeds(self.study)
        ]

    def winner_trials(self, point: Point) -> list[PlannedTrial]:
        """Return the study's trials with a configuration: all seeds of the study, none of the search."""
        drawn = self.tuned.space.configuration(point)
        return cell_trials(
            self.study, self.dataset, self.tuned.label, drawn.loss, self.fold, drawn.learning_rate
        )

    def facts(self) -> SearchFacts:
        """Return what is written beside the search, as of now."""
        tuning = self.study.tuning
        return SearchFacts(
            dataset=self.dataset.name,
            fold=self.fold,
            folds=len(folds(self.dataset.split)),
            label=self.tuned.label,
            default=self.tuned.default,
            metric=tuning.metric,
            higher_is_better=METRICS[tuning.metric].direction == "higher",
            sampler=tuning.sampler.name,
            pruner=tuning.pruner.name,
            inner_seeds=tuning.inner_seeds,
            epochs=self.study.protocol.epochs,
            configurations=tuning.configurations,
            hours=tuning.hours,
            dimensions=self.tuned.space.dimensions,
            opened=time.time(),
            parts=tuple(term.name for term in self.tuned.entry.like().terms),
        )

    def stored(self, storage: RDBStorage) -> Configurations | None:
        """Return what was asked so far, None if the search has not begun; nothing is written."""
        try:
            found = optuna.load_study(study_name=self.name, storage=storage)
        except KeyError:
            return None
        return Configurations(found, self.facts().budget())


def search_plans(study: Study, datasets: list[StudyDataset]) -> Iterator[SearchPlan]:
    """Yield every search of a study: datasets x tuned losses x folds that are trained."""
    tuned = tuned_losses(study)
    for dataset in datasets:
        for each in tuned:
            for fold in chosen_folds(study, dataset.split):
                yield SearchPlan(study, dataset, each, fold)
