"""Change declared search spaces as a study says, and refuse what cannot be where it stands."""

import math
import re
from collections.abc import Mapping
from typing import Any, TypeGuard, get_args

from harness.errors import InputError
from harness.losses import parse_loss
from harness.losses.expression import Term
from harness.losses.search_space import Scalar, Space
from harness.study.tuning_spec import Overrides, overridden

WEIGHT = "weight"
"""Name of the factor on the weight of a term."""

_SUM_AS_JSON = re.compile(r"^loss '\[.*\]': ")


class WrongSpace(ValueError):
    """A study changes a space in a way that cannot be.

    Attributes:
        place: Keys below ``tuning`` where it says so.
    """

    def __init__(self, place: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.place = place


def changed(
    declared: Mapping[str, Space], changes: Overrides, whole: Mapping[str, bool], place: tuple[str, ...]
) -> tuple[dict[str, Space], dict[str, Scalar]]:
    """Return what :func:`harness.study.tuning_spec.overridden` returns.

    Args:
        declared: Spaces by parameter.
        changes: By parameter.
        whole: Whether a parameter is a whole number.
        place: Keys below ``tuning`` where the changes stand.

    Raises:
        WrongSpace: at the parameter whose change is none.
    """
    spaces, fixed = dict(declared), dict[str, Scalar]()
    for name, change in changes.items():
        try:
            spaces, value = overridden(spaces, {name: change}, whole)
        except ValueError as error:
            raise WrongSpace((*place, name), str(error)) from None
        fixed |= value
    return spaces, fixed


def refuse_changes(term: Term, spaces: Mapping[str, Space], fixed: Mapping[str, Scalar]) -> None:
    """Refuse weights that are no weights, and values and ends of ranges that a loss refuses.

    Raises:
        WrongSpace: at the parameter that the loss names.
    """
    weights = [*spaces[WEIGHT].ends] if WEIGHT in spaces else [fixed[WEIGHT]] if WEIGHT in fixed else []
    for weight in weights:
        if not is_number(weight) or weight < 0:
            raise WrongSpace(
                ("spaces", term.name, WEIGHT), f"a weight must be a number >= 0 (got {weight!r})"
            )
    ends = [(key, end) for key, space in spaces.items() if key != WEIGHT for end in space.ends]
    first = {key: space.ends[0] for key, space in spaces.items()}
    for changes in ({}, *({key: end} for key, end in ends)):
        given = {key: value for key, value in {**fixed, **first, **changes}.items() if key != WEIGHT}
        try:
            parse_loss({**term.parameters, **given, "name": term.name})
        except InputError as error:
            told = first_line(error)
            key = [key for key in (*changes, *given) if re.search(rf"\b{key}\b", told)][:1]
            raise WrongSpace(("spaces", term.name, *key), told) from None


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a finite number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def takes_whole(annotation: Any) -> bool:
    """Whether a field of this type is a whole number, or None."""
    return annotation is int or any(map(takes_whole, get_args(annotation)))


def first_line(error: Exception) -> str:
    """Return what is wrong, without the sum as we wrote it."""
    return _SUM_AS_JSON.sub("", str(error).splitlines()[0])
