"""Read searches: what was asked, what came of it, and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import optuna
from optuna.trial import FrozenTrial, TrialState

from harness.losses.search_space import Scalar
from harness.store.database import Database
from harness.tuning import record
from harness.tuning.configurations import Configurations
from harness.tuning.names import search_prefix
from harness.tuning.record import SearchFacts
from harness.tuning.storage import has_storage, open_storage

State: TypeAlias = Literal["complete", "pruned", "failed", "running"]

_STATES: Mapping[TrialState, State] = MappingProxyType(
    {
        TrialState.COMPLETE: "complete",
        TrialState.PRUNED: "pruned",
        TrialState.FAIL: "failed",
        TrialState.RUNNING: "running",
        TrialState.WAITING: "running",
    }
)


@dataclass(frozen=True)
class Tried:
    """One configuration.

    Attributes:
        number: Order of asking, from 0.
        parameters: What was drawn, by dimension.
        loss: The loss for people.
        alpha: Its schedule as a study file has it, None without one.
        state: ``complete`` if it was trained to the end.
        value: Objective, None unless complete.
        curve: Validation DSC by step (place of the inner seed x epochs + epoch); only of searches that prune.
        epochs: Trained, over all inner seeds; 0 while it runs.
        seconds: Of one worker; 0 while it runs.
        keys: Of its trials.
    """

    number: int
    parameters: Mapping[str, Scalar]
    loss: str
    alpha: Mapping[str, Any] | None
    state: State
    value: float | None
    curve: Mapping[int, float]
    epochs: int
    seconds: float
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SearchHistory(SearchFacts):
    """One search: what it is about, and what came of it.

    Attributes:
        study: Name of the study.
        tried: Configurations in the order of asking.
        finished: Whether the budget is spent and every configuration has its result.
    """

    study: str
    tried: tuple[Tried, ...]
    finished: bool

    @property
    def best(self) -> Tried | None:
        """The best configuration that was trained to the end, the first of equals; None if there is none."""
        sign = -1.0 if self.higher_is_better else 1.0
        complete = [each for each in self.tried if each.value is not None]
        return min(complete, key=lambda each: (sign * (each.value or 0.0), each.number), default=None)

    @property
    def unpruned_random(self) -> bool:
        """Whether configurations are independent draws, all trained to the end, as bands need them."""
        return self.sampler == "random" and self.pruner == "none"

    @property
    def place(self) -> str:
        """Where the search is, for people and for ``tuned_in``."""
        return f"{self.study} / {self.dataset} / fold {self.fold} / {self.label}"

    def count(self, state: State) -> int:
        """Return how many configurations are in a state."""
        return sum(each.state == state for each in self.tried)


def load_searches(database: Database, study: str) -> list[SearchHistory]:
    """Return the searches of a study: of each (dataset, loss, fold) the one that was opened last.

    Nothing is written.

    Args:
        database: Open results database.
        study: Name of the study.

    Returns:
        In the order in which they were made, none if there is none.
    """
    if not has_storage(database):
        return []
    storage = open_storage(database)
    try:
        newest: dict[tuple[str, int, str], tuple[SearchFacts, optuna.Study]] = {}
        summaries = optuna.get_all_study_summaries(storage, include_best_trial=False)
        for summary in summaries:
            if (
                not summary.study_name.startswith(search_prefix(study))
                or record.FACTS not in summary.user_attrs
            ):
                continue
            facts = SearchFacts.from_record(summary.user_attrs[record.FACTS])
            place = facts.dataset, facts.fold, facts.label
            if place not in newest or facts.opened > newest[place][0].opened:
                newest[place] = facts, optuna.load_study(study_name=summary.study_name, storage=storage)
        return [_history(study, facts, found) for facts, found in newest.values()]
    finally:
        storage.engine.dispose()


def _history(study: str, facts: SearchFacts, found: optuna.Study) -> SearchHistory:
    configurations = Configurations(found, facts.budget())
    tried = tuple(map(_tried, configurations.counted()))
    return SearchHistory(study=study, tried=tried, finished=configurations.is_over(), **vars(facts))


def _tried(trial: FrozenTrial) -> Tried:
    drawn, spent = record.Drawn.of(trial.user_attrs), record.Spent.of(trial.user_attrs)
    return Tried(
        number=trial.number,
        parameters=dict(trial.params),
        loss=drawn.loss,
        alpha=drawn.alpha,
        state=_STATES[trial.state],
        value=trial.value if trial.state == TrialState.COMPLETE else None,
        curve=dict(trial.intermediate_values),
        epochs=spent.epochs,
        seconds=spent.seconds,
        keys=drawn.trials,
    )
