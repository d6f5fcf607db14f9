"""What a tuner may draw a parameter from.

Losses, alpha schedules and optimisers declare these beside their parameters, under ``spaces``; studies
narrow, fix or extend them. Nothing here draws: :mod:`harness.tuning` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str


@dataclass(frozen=True)
class Real:
    """A number between ``low`` and ``high``, both included, uniform or so on a logarithmic scale.

    Raises:
        ValueError: if the bounds are in the wrong order, infinite, or not above 0 on a logarithmic scale.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high, self.log)

    def __contains__(self, value: object) -> bool:
        return _is_number(value) and self.low <= value <= self.high  # type: ignore[operator]

    @property
    def ends(self) -> tuple[float, float]:
        """The values that must be possible if all between them are."""
        return self.low, self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (", logarithmic" if self.log else "")


@dataclass(frozen=True)
class Whole:
    """A whole number between ``low`` and ``high``, both included.

    Raises:
        ValueError: if the bounds are in the wrong order, infinite, or not above 0 on a logarithmic scale.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high, self.log)

    def __contains__(self, value: object) -> bool:
        return _is_number(value) and float(value).is_integer() and self.low <= value <= self.high  # type: ignore[arg-type, operator]

    @property
    def ends(self) -> tuple[int, int]:
        """The values that must be possible if all between them are."""
        return self.low, self.high

    def __str__(self) -> str:
        return f"{self.low} to {self.high}" + (", logarithmic" if self.log else "")


@dataclass(frozen=True)
class Choice:
    """One of some values, all equally likely.

    Raises:
        ValueError: if there are fewer than two, or one stands twice.
    """

    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2:
            raise ValueError("give at least two values to choose from, or a single value to fix it")
        if len({(isinstance(value, bool), value) for value in self.values}) < len(self.values):
            raise ValueError("a value stands twice")

    def __contains__(self, value: object) -> bool:
        # True == 1, but they are different values of a parameter.
        alike = [each for each in self.values if isinstance(each, bool) == isinstance(value, bool)]
        return value in alike

    @property
    def ends(self) -> tuple[Scalar, ...]:
        """The values that must be possible: all of them."""
        return self.values

    def __str__(self) -> str:
        *others, last = map(_in_words, self.values)
        return f"{', '.join(others)} or {last}"


Space: TypeAlias = Real | Whole | Choice
Spaces: TypeAlias = Mapping[str, Space]
"""By the name of the parameter."""


def _check_bounds(low: float, high: float, log: bool) -> None:
    if not (isfinite(low) and isfinite(high)):
        raise ValueError(f"low and high must be finite (got {low:g} and {high:g})")
    if not low < high:
        raise ValueError(f"low must be < high (got {low:g} and {high:g})")
    if log and low <= 0:
        raise ValueError(f"low must be > 0 on a logarithmic scale (got {low:g})")


def _in_words(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
