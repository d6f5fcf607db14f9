"""The configurations of one search as Optuna has them, in the order of asking, against the budget."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from optuna import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from harness.study.tuned_loss import Point
from harness.tuning import record
from harness.tuning.budget import Asked, Budget

_ASKING = timedelta(seconds=60)
"""For how long a configuration without trials may be one that another driver is just asking for."""


def point_of(configuration: FrozenTrial) -> Point:
    """Return what was drawn."""
    return dict(configuration.params)


class Configurations:
    """Reads a search; all drivers that share it see the same.

    Args:
        study: Optuna's study.
        budget: Of the search.
    """

    def __init__(self, study: Study, budget: Budget) -> None:
        self._study, self._budget = study, budget

    def counted(self) -> list[FrozenTrial]:
        """Return the configurations; one whose asking was cut short, or that came too late, is none."""
        return [each for each in self._all() if _is_drawn(each)]

    def running(self) -> list[FrozenTrial]:
        """Return those without a result."""
        return [each for each in self.counted() if each.state == TrialState.RUNNING]

    def cut_short(self) -> list[int]:
        """Return the numbers of what was being asked when its driver ended, or fell asleep."""
        return [
            each.number
            for each in self._all()
            if each.state == TrialState.RUNNING and not (_is_drawn(each) or _is_being_asked(each))
        ]

    def next_number(self) -> int | None:
        """Return how often something was asked before; None if nothing shall be asked now."""
        asked = self._all()
        return None if self._budget.allowance(self._asked(asked)) == 0 else len(asked)

    def admit(self, number: int) -> int | None:
        """Return how many epochs a configuration may train that was just asked; None: all, 0: none.

        Only those with smaller numbers count, so that of several drivers each comes to the same answer.
        """
        return self._budget.allowance(self._asked(self._all()[:number]))

    def is_over(self) -> bool:
        """Whether the budget is spent and every configuration has its result."""
        asked = self._asked(self._all())
        return all(each.is_over for each in asked) and self._budget.is_spent(asked)

    def left(self) -> int:
        """Return about how many are still to be asked."""
        return self._budget.left(self._asked(self._all()))

    def best(self) -> FrozenTrial | None:
        """Return the best one that was trained to the end, the first of equals; None if there is none."""
        complete = [each for each in self.counted() if each.state == TrialState.COMPLETE]
        sign = -1.0 if self._study.direction == StudyDirection.MAXIMIZE else 1.0
        return min(complete, key=lambda each: (sign * (each.value or 0.0), each.number), default=None)

    def _all(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _asked(self, trials: Sequence[FrozenTrial]) -> list[Asked]:
        return [_as_asked(each) for each in trials if _is_drawn(each) or _is_being_asked(each)]


def _is_drawn(trial: FrozenTrial) -> bool:
    return record.CONFIGURATION in trial.user_attrs


def _as_asked(trial: FrozenTrial) -> Asked:
    spent = record.Spent.of(trial.user_attrs)
    return Asked(
        is_over=trial.state.is_finished(),
        epochs=spent.epochs,
        seconds=spent.seconds,
        allowance=record.Drawn.of(trial.user_attrs).allowance if _is_drawn(trial) else None,
        failed=trial.state == TrialState.FAIL,
    )


def _is_being_asked(trial: FrozenTrial) -> bool:
    began = trial.datetime_start
    return trial.state == TrialState.RUNNING and began is not None and datetime.now() - began < _ASKING
