"""One search: the parameters of one loss on one fold of one dataset."""

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, TypeVar

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from harness.losses.search_space import Real, Scalar, Space, Whole
from harness.scheduling.patience import patiently
from harness.scheduling.progress import Cell
from harness.scheduling.trial_source import TrialResult
from harness.store.database import Database
from harness.store.schema import FINAL_STATES
from harness.store.spending import spending
from harness.store.validation import validation_means
from harness.study.plan import PlannedTrial
from harness.tuning import record
from harness.tuning.configurations import Configurations, point_of
from harness.tuning.pruners import build_pruner
from harness.tuning.record import Drawn, Spent
from harness.tuning.samplers import build_sampler
from harness.tuning.search_plan import SearchPlan

logger = logging.getLogger(__name__)
T = TypeVar("T")

_WORST_DSC = 0.0
"""What a training counts that stopped being finite."""


@dataclass
class _Open:
    """A configuration that this driver has, and waits for.

    Attributes:
        trial_id: Of Optuna's table.
        number: Order of asking.
        allowance: Epochs that it may train; None: all.
        waiting: Trials that were not given out yet.
        given: Trials that were, by key.
        results: Those that are over.
        judged: The last step that this driver has judged, -1 before.
        ended: Whether it was found hopeless, or has trained all that it may.
    """

    trial_id: int
    number: int
    allowance: int | None
    waiting: deque[PlannedTrial]
    given: dict[str, PlannedTrial] = field(default_factory=dict)
    results: dict[str, TrialResult] = field(default_factory=dict)
    judged: int = -1
    ended: bool = False

    @property
    def is_over(self) -> bool:
        """Whether all its trials are, or one of them has settled its fate."""
        settled = any(result.state not in FINAL_STATES for result in self.results.values())
        return len(self.results) == len(self.given) and (settled or self.ended or not self.waiting)

    @property
    def is_complete(self) -> bool:
        """Whether every one of its trials has a result."""
        return not self.waiting and all(each.state in FINAL_STATES for each in self.results.values())


class Search:
    """Configurations of a tuned loss up to its budget, then the study's trials with the best one.

    A configuration is trained with the study's protocol and judged by its validation cases. A search goes
    on where it stopped: configurations without a result are given out again, finished ones are not.

    Args:
        plan: What is searched, and where.
        database: With the results of trials.
        storage: From :func:`harness.tuning.storage.open_storage`, in the same database.
        winners: Whether the trials of the winner follow.
    """

    def __init__(
        self, plan: SearchPlan, database: Database, storage: RDBStorage, winners: bool = True
    ) -> None:
        self.plan = plan
        self._database, self._storage, self._tuning = database, storage, plan.study.tuning
        self._facts = plan.facts()
        self._optuna = optuna.create_study(
            study_name=plan.name,
            storage=storage,
            direction="maximize" if self._facts.higher_is_better else "minimize",
            load_if_exists=True,
            pruner=build_pruner(self._tuning.pruner, self._facts.epochs, plan.steps),
        )
        self._optuna.set_user_attr(record.FACTS, self._facts.record())
        self._asked = Configurations(self._optuna, self._facts.budget())
        self._open: dict[int, _Open] = {}
        self._awaited: dict[str, list[_Open]] = {}
        self._asking: int | None = None
        self._given = 0
        self._winners: deque[PlannedTrial] | None = None
        self._wants_winners = winners
        self._gave_up = False
        self._take_over()

    @property
    def known(self) -> list[PlannedTrial]:
        """Trials that are known without further results: of finished configurations, and of the winner."""
        over = [each for each in self._asked.counted() if each.state.is_finished()]
        found = [trial for each in over for trial in self.plan.configuration_trials(point_of(each))]
        best = self._asked.best() if self._asked.is_over() else None
        return found if best is None else [*found, *self.plan.winner_trials(point_of(best))]

    @property
    def cells(self) -> Mapping[Cell, int]:
        """Trials of configurations that were given out or are expected, and those of the winner."""
        where = self._facts.dataset, self._facts.label
        waiting = sum(len(each.waiting) for each in self._open.values())
        to_ask = self._asked.left() * self._tuning.inner_seeds
        found = {Cell(*where, "search"): self._given + waiting + to_ask}
        if self._wants_winners and not self._gave_up:
            found[Cell(*where, "study")] = len(self.plan.study.chosen_seeds)
        return found

    @property
    def expected(self) -> int:
        """How many that are together."""
        return sum(self.cells.values())

    @property
    def exhausted(self) -> bool:
        """Whether the winner's trials have all been given out."""
        return self._gave_up or (self._winners is not None and not self._winners)

    @property
    def is_over(self) -> bool:
        """Whether every configuration has been judged, so that the winner is known if there is one."""
        return self._gave_up or self._winners is not None or (not self._open and self._asked.is_over())

    def take(self) -> PlannedTrial | None:
        """Return the next trial of a configuration, or of the winner once all configurations are judged."""
        return _patiently(self._take)

    def _take(self) -> PlannedTrial | None:
        if self._winners is None and not self._gave_up:
            planned = self._take_open() or self._take_new()
            if planned is not None:
                return planned
            self._take_over()
            planned = self._take_open()
            if planned is not None:
                return planned
            if not self._open and self._asked.is_over():
                self._freeze()
        return self._winners.popleft() if self._winners else None

    def report(self, planned: PlannedTrial, result: TrialResult) -> None:
        """Hear how a configuration's trial ended, and tell Optuna once all of them have."""
        for configuration in self._awaited.pop(planned.trial.key, []):
            configuration.results[planned.trial.key] = result
            if self.judges(planned) and configuration.waiting:
                _patiently(partial(self._judge_seed, configuration, planned))
            if configuration.is_over:
                _patiently(partial(self._tell, configuration))
                del self._open[configuration.number]

    def learns(self, planned: PlannedTrial) -> bool:
        """Whether it was a configuration's: its budget may now allow fewer or more of them."""
        return planned.trial.purpose == "search"

    def judges(self, planned: PlannedTrial) -> bool:
        """Whether configurations may be ended early, and this is one."""
        return self._facts.prunes and planned.trial.purpose == "search"

    def goes_on(self, planned: PlannedTrial, epoch: int, val_dsc: float) -> bool:
        """Tell Optuna the validation DSC of an epoch; return whether another one is worth it."""
        verdicts = [
            _patiently(partial(self._judge, configuration, planned, epoch, val_dsc))
            for configuration in self._awaited.get(planned.trial.key, [])
        ]
        return any(verdicts) or not verdicts

    # Give out

    def _take_open(self) -> PlannedTrial | None:
        for configuration in self._open.values():
            # A pruned configuration trains its seeds one after another: later ones may never be needed.
            busy = self._facts.prunes and len(configuration.results) < len(configuration.given)
            if configuration.waiting and not busy:
                planned = configuration.waiting.popleft()
                configuration.given[planned.trial.key] = planned
                self._awaited.setdefault(planned.trial.key, []).append(configuration)
                self._given += 1
                return planned
        return None

    def _take_new(self) -> PlannedTrial | None:
        if self._asking is not None:  # the database went away meanwhile
            self._give_up(self._asking)
            self._asking = None
        before = self._asked.next_number()
        if before is None:
            return None
        self._use_sampler(before)
        trial = self._optuna.ask()
        self._asking = trial.number
        if trial.number != before:  # another driver was quicker, and has drawn with the same seed
            self._use_sampler(trial.number)
            trial = optuna.Trial(self._optuna, trial._trial_id)
        with suppress(UpdateFinishedTrialError):  # it took so long that another driver gave it up
            self._draw(trial)
        self._asking = None
        return self._take_open()

    def _use_sampler(self, asked: int) -> None:
        self._optuna.sampler = build_sampler(self._tuning.sampler, self.plan.name, asked, self._tuning.seed)

    def _draw(self, trial: optuna.Trial) -> None:
        point: dict[str, Any] = {}
        for dimension in self.plan.tuned.space.active(point):
            point[dimension.name] = _suggest(trial, dimension.name, dimension.space)
        allowance = self._asked.admit(trial.number)
        if allowance == 0:  # another driver was quicker
            self._give_up(trial.number)
            return
        planned = self.plan.configuration_trials(point)
        drawn = Drawn(
            tuple(each.trial.key for each in planned),
            planned[0].trial.loss_spec().expression,
            self.plan.tuned.space.alpha(point),
            allowance,
        )
        trial.set_user_attr(record.CONFIGURATION, asdict(drawn))
        self._open[trial.number] = _Open(trial._trial_id, trial.number, allowance, deque(planned))

    def _give_up(self, number: int) -> None:
        """Write that a configuration is none."""
        with suppress(UpdateFinishedTrialError):
            self._optuna.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def _take_over(self) -> None:
        """Wait for what other drivers have asked, too, once nothing is left to ask: leases say who trains."""
        for number in self._asked.cut_short():
            self._give_up(number)
        for configuration in self._asked.running():
            if configuration.number not in self._open:
                self._adopt(configuration)

    def _adopt(self, configuration: FrozenTrial) -> None:
        planned = self.plan.configuration_trials(point_of(configuration))
        self._open[configuration.number] = _Open(
            configuration._trial_id,
            configuration.number,
            Drawn.of(configuration.user_attrs).allowance,
            deque(planned),
        )

    # Judge

    def _judge(self, configuration: _Open, planned: PlannedTrial, epoch: int, val_dsc: float) -> bool:
        step = self._first_step(configuration, planned) + epoch
        told = self._storage.get_trial(configuration.trial_id)
        if step not in told.intermediate_values:
            try:
                self._storage.set_trial_intermediate_value(configuration.trial_id, step, val_dsc)
            except UpdateFinishedTrialError:
                return False  # while this driver slept another one has trained it
            told.intermediate_values[step] = val_dsc
        return not self._ends(configuration, told, step)

    def _judge_seed(self, configuration: _Open, planned: PlannedTrial) -> None:
        """Ask whether the next seed is worth it, where nobody did: the trial was found in the database."""
        step = self._first_step(configuration, planned) + self._facts.epochs - 1
        if configuration.judged < step:
            self._ends(configuration, self._storage.get_trial(configuration.trial_id), step)

    def _first_step(self, configuration: _Open, planned: PlannedTrial) -> int:
        return list(configuration.given).index(planned.trial.key) * self._facts.epochs

    def _ends(self, configuration: _Open, told: FrozenTrial, step: int) -> bool:
        """Judge a configuration by its epochs up to a step: later ones were told before an interruption."""
        told.intermediate_values = {
            each: value for each, value in told.intermediate_values.items() if each <= step
        }
        spent = configuration.allowance is not None and step + 1 >= configuration.allowance
        configuration.judged = step
        configuration.ended = spent or self._optuna.pruner.prune(self._optuna, told)
        return configuration.ended

    def _tell(self, configuration: _Open) -> None:
        spent = spending(self._database, list(configuration.given)).values()
        seconds = round(sum(each.seconds for each in spent), 3)
        state, value = self._outcome(configuration)
        with suppress(UpdateFinishedTrialError):  # another driver was quicker, with the same results
            trial = optuna.Trial(self._optuna, configuration.trial_id)
            trial.set_user_attr(record.SPENT, asdict(Spent(sum(each.epochs for each in spent), seconds)))
            self._optuna.tell(configuration.number, value, state=state, skip_if_finished=True)

    def _outcome(self, configuration: _Open) -> tuple[TrialState, float | None]:
        if configuration.is_complete:
            value = self._objective(configuration)
            return (TrialState.FAIL if value is None else TrialState.COMPLETE), value
        failed = any(result.state == "failed" for result in configuration.results.values())
        return (TrialState.FAIL if failed else TrialState.PRUNED), None

    def _objective(self, configuration: _Open) -> float | None:
        """Return the mean over the inner seeds, None if one has no value of the metric."""
        if self._facts.metric == "dsc":
            values = [_dsc_of(result) for result in configuration.results.values()]
        else:
            found = validation_means(self._database, list(configuration.results), self._facts.metric)
            values = list(found.values())
        return sum(values) / len(values) if len(values) == len(configuration.results) else None

    # Freeze

    def _freeze(self) -> None:
        best = self._asked.best()
        if best is None:
            logger.warning("%s: every configuration failed, so its trials cannot be trained", self.plan.name)
            self._gave_up = True
            return
        point = point_of(best)
        found = json.dumps(point), self._facts.metric, best.value or 0.0
        logger.info("%s: chose %s, validation %s %.3f", self.plan.name, *found)
        self._winners = deque(self.plan.winner_trials(point) if self._wants_winners else ())


def _dsc_of(result: TrialResult) -> float:
    """Return what a training counts; what it reached before it stopped being finite is of no use."""
    return _WORST_DSC if result.state == "diverged" else result.best_val_dsc or _WORST_DSC


def _patiently(action: Callable[[], T]) -> T:
    """Repeat what failed because the database did not answer."""
    return patiently(action, logger.warning)[0]


def _suggest(trial: optuna.Trial, name: str, space: Space) -> Scalar:
    if isinstance(space, Real):
        return trial.suggest_float(name, space.low, space.high, log=space.log)
    if isinstance(space, Whole):
        return trial.suggest_int(name, space.low, space.high, log=space.log)
    chosen = trial.suggest_categorical(name, space.values)
    assert chosen is not None
    return chosen
