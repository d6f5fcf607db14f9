"""How long a search goes on: by configurations, by epochs, or by hours.

A budget decides from what has been asked so far, in the order of asking. So a driver that takes over decides
as the first one would have, and parallel workers are counted with all that they may still spend.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

_MOST_WITHOUT_TIMES = 3
"""Configurations that may fail one after another before a budget of hours is given up."""


@dataclass(frozen=True)
class Asked:
    """A configuration as a budget sees it.

    Attributes:
        is_over: Whether it has its result.
        epochs: Trained by it, if it is over.
        seconds: Of workers, if it is over.
        allowance: Epochs that it may train; None: all.
        failed: Whether it is over without a result.
    """

    is_over: bool
    epochs: int = 0
    seconds: float = 0.0
    allowance: int | None = None
    failed: bool = False


class Budget(ABC):
    """The budget of one search."""

    @abstractmethod
    def allowance(self, asked: Sequence[Asked]) -> int | None:
        """Return how many epochs the next configuration may train; 0: there shall be none now.

        None stands for no limit.
        """

    @abstractmethod
    def is_spent(self, asked: Sequence[Asked]) -> bool:
        """Whether there will be no further configuration, provided that all asked are over."""

    @abstractmethod
    def left(self, asked: Sequence[Asked]) -> int:
        """Return about how many configurations are still to be asked."""


@dataclass(frozen=True)
class ConfigurationBudget(Budget):
    """A number of configurations, all of them trained to the end.

    Attributes:
        configurations: That number.
    """

    configurations: int

    def allowance(self, asked: Sequence[Asked]) -> int | None:
        """No limit, up to the number of configurations."""
        return None if self.left(asked) else 0

    def is_spent(self, asked: Sequence[Asked]) -> bool:
        """Whether all have been asked."""
        return not self.left(asked)

    def left(self, asked: Sequence[Asked]) -> int:
        """Return the number of configurations less those that were asked."""
        return max(0, self.configurations - len(asked))


@dataclass(frozen=True)
class EpochBudget(Budget):
    """A number of epochs, spent to the last one: what is ended early leaves its rest to others.

    Attributes:
        epochs: In all.
        whole: Epochs of a configuration that is trained to the end.
    """

    epochs: int
    whole: int

    def allowance(self, asked: Sequence[Asked]) -> int | None:
        """Return the epochs of one configuration, or what nobody has been promised."""
        return min(self.whole, self._free(asked))

    def is_spent(self, asked: Sequence[Asked]) -> bool:
        """Whether no epoch is left."""
        return not self._free(asked)

    def left(self, asked: Sequence[Asked]) -> int:
        """Return how many configurations fit in what is left, the last one perhaps in part."""
        return -(-self._free(asked) // self.whole)

    def _free(self, asked: Sequence[Asked]) -> int:
        return max(0, self.epochs - sum(map(self._taken, asked)))

    def _taken(self, each: Asked) -> int:
        """Return what a configuration takes: all, if it failed, or a loss that always fails never ends."""
        if each.is_over and not each.failed:
            return each.epochs
        return self.whole if each.allowance is None else each.allowance


@dataclass(frozen=True)
class HourBudget(Budget):
    """Hours of one worker: no configuration begins that is expected to end beyond them, but the first.

    The longest configuration so far says how long the next one may take; until the first is over, no second
    one begins.

    Attributes:
        hours: In all.
    """

    hours: float

    def allowance(self, asked: Sequence[Asked]) -> int | None:
        """No limit, while another configuration is expected to fit."""
        return None if self.left(asked) else 0

    def is_spent(self, asked: Sequence[Asked]) -> bool:
        """Whether no other configuration is expected to fit."""
        return not self.left(asked)

    def left(self, asked: Sequence[Asked]) -> int:
        """Return how many configurations are expected to fit."""
        longest = max((each.seconds for each in asked if each.is_over), default=0.0)
        running = sum(not each.is_over for each in asked)
        if not longest:
            return 0 if running or len(asked) >= _MOST_WITHOUT_TIMES else 1
        spent = sum(each.seconds for each in asked if each.is_over) + running * longest
        return max(0, int((self.hours * 3600 - spent) // longest))


def budget_of(configurations: int | None, hours: float | None, whole: int, prunes: bool) -> Budget:
    """Return the rule of a study's budget.

    Args:
        configurations: Number of configurations, None if hours are given.
        hours: Hours of one worker, or None.
        whole: Epochs of a configuration that is trained to the end, all inner seeds together.
        prunes: Whether configurations may be ended early: their number then buys epochs.
    """
    if configurations is None:
        return HourBudget(hours or 0.0)
    return EpochBudget(configurations * whole, whole) if prunes else ConfigurationBudget(configurations)
