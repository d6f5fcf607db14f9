"""Finding a loss class by what a study file calls it: registered, by entry point, or by import path."""

import inspect
import logging
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import get_args

from torch import nn

from harness.errors import InputError, nearest
from harness.losses.aliases import ALIASES
from harness.losses.base import LOSSES, Family, Loss, constructor_parameters, spaces_of
from harness.losses.needs import Need
from harness.losses.search_space import Space
from harness.registry import imported

GROUP = "lossbench.losses"
"""The entry-point group in which installed packages announce their losses."""

logger = logging.getLogger(__name__)


def find_loss(name: str) -> tuple[str, type[nn.Module]]:
    """Return the canonical name and the class of a loss.

    ``package.module:Class`` is imported; a class that is also registered goes by its registered name.
    Of the entry points, only the one that is asked for is loaded.

    Raises:
        InputError: if there is no such loss, or what is found is none.
    """
    if ":" in name:
        loss = _checked(imported("loss", name, inspect.isclass), name)
        return next((known for known in LOSSES if LOSSES[known] is loss), name), loss
    if name not in LOSSES:
        announced = _announced()
        if name not in announced:
            raise InputError(f"unknown loss {name!r}{_hint(name, announced)}")
        _load(announced[name])
    return name, LOSSES[name]


def load_entry_points() -> None:
    """File every announced loss in the registry, for listings; a broken one is logged and left out."""
    for name, announced in _announced().items():
        if name in LOSSES:
            continue
        try:
            _load(announced)
        except InputError as error:
            logger.warning("%s", error)


def _hint(name: str, announced: dict[str, EntryPoint]) -> str:
    known = sorted({*LOSSES, *ALIASES, *announced})
    return nearest(name, known) or f"; known: {', '.join(known)}"


def _announced() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(entry: EntryPoint) -> None:
    source = f"{entry.name} (entry point {entry.value})"
    try:
        loss = entry.load()
    except Exception as error:  # code of somebody else: anything may come
        raise InputError(f"loss {source!r}: cannot be loaded: {type(error).__name__}: {error}") from error
    loss = _checked(loss, source)
    if not issubclass(loss, Loss):
        raise InputError(f"loss {source!r}: an entry point must be a subclass of harness.losses.Loss")
    if entry.name not in LOSSES:  # importing it may have registered it
        LOSSES.register(entry.name)(loss)


def _checked(loss: object, source: str) -> type[nn.Module]:
    """Return ``loss`` if it has what every loss has."""
    if not (inspect.isclass(loss) and issubclass(loss, nn.Module)):
        raise InputError(f"loss {source!r}: must be a subclass of torch.nn.Module")
    attributes = ("name", "family", "needs", "reference")
    missing = [attribute for attribute in attributes if not hasattr(loss, attribute)]
    if missing:
        raise InputError(f"loss {source!r}: the class has no attribute {', '.join(map(repr, missing))}")
    family, needs = getattr(loss, "family"), getattr(loss, "needs")  # noqa: B009 -- not attributes of Module
    if family not in get_args(Family):
        raise InputError(
            f"loss {source!r}: family must be one of {', '.join(get_args(Family))} (got {family!r})"
        )
    unknown = sorted(set(needs) - set(get_args(Need)))
    if unknown:
        raise InputError(
            f"loss {source!r}: needs must be among {', '.join(get_args(Need))} (got {unknown[0]!r})"
        )
    _check_spaces(loss, source)
    return loss


def _check_spaces(loss: type[nn.Module], source: str) -> None:
    spaces, parameters = spaces_of(loss), constructor_parameters(loss)
    if not (isinstance(spaces, Mapping) and all(isinstance(each, Space) for each in spaces.values())):
        raise InputError(
            f"loss {source!r}: spaces must map names of parameters to Real, Whole or Choice of harness.losses"
        )
    for name in spaces:
        if name not in parameters:
            raise InputError(
                f"loss {source!r}: spaces has {name!r}, which is no parameter of the constructor"
                f"{nearest(name, parameters)}"
            )
