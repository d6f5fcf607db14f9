"""Checks of a network's options: one sentence about the first that is wrong."""

from collections.abc import Sequence


def check_at_least(model: str, option: str, value: object, least: int) -> None:
    """Raise ``ValueError`` unless ``value`` is a whole number of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{model} option {option!r} must be a whole number (got {value!r})")
    if value < least:
        raise ValueError(f"{model} option {option!r} must be at least {least} (got {value})")


def check_one_of(model: str, option: str, value: object, choices: Sequence[object]) -> None:
    """Raise ``ValueError`` unless ``value`` is one of ``choices``."""
    if value not in choices:
        known = ", ".join(str(choice) for choice in choices)
        raise ValueError(f"{model} option {option!r} must be one of {known} (got {value!r})")


def check_flag(model: str, option: str, value: object) -> None:
    """Raise ``ValueError`` unless ``value`` is true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{model} option {option!r} must be true or false (got {value!r})")
