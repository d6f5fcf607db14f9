"""What a resolved study trained, as the methods section of a paper says it.

The words stand at what is declared: networks, optimisers, schedules and augmentations have an attribute
``words``, a format of their own fields. What has none, or is unknown here, goes by its name.
"""

from collections.abc import Callable, Iterator, Mapping
from string import Formatter
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.data.augment import AugmentationEntry
from harness.errors import InputError
from harness.models import find_model
from harness.strict_yaml import StrictModel
from harness.training.protocol import PRECISION_WORDS, LearningRateSchedule, Optimizer


def network_words(model: Mapping[str, Any]) -> str:
    """Return what a study's network is: ``a 2D U-Net (8 base channels)``."""
    name, options = str(model.get("name", "network")), _without(model, "name")
    try:
        words = getattr(find_model(name), "words", None)
    except (InputError, ValueError):  # a plug-in that is not installed here
        words = None
    return _with(f"a {words}" if words else name, options)


def optimizer_words(optimizer: Mapping[str, Any]) -> str:
    """Return what an optimiser is, without its learning rate: ``Adam``."""
    known = _declared(Optimizer, optimizer)
    if known is None:
        return _with(_plain(str(optimizer.get("name"))), _without(optimizer, "name", "lr"))
    usual = {"betas": [0.9, 0.999], "weight_decay": 0.0}
    rest = _without(_unsaid(known), "lr", "momentum", "nesterov")
    return _with(_said(known), {key: value for key, value in rest.items() if usual.get(key) != value})


def schedule_words(schedule: Mapping[str, Any]) -> str:
    """Return what becomes of the learning rate: ``stays constant``."""
    known = _declared(LearningRateSchedule, schedule)
    return _said(known) if known is not None else f"follows the schedule {schedule.get('name')}"


def augmentation_words(entry: str | Mapping[str, Any]) -> str:
    """Return what an augmentation does: ``horizontal flips (probability 0.5)``.

    Args:
        entry: As the study resolved it; a bare name where augmentations had no parameters yet.
    """
    given = {"name": entry} if isinstance(entry, str) else entry
    known = _declared(AugmentationEntry, given)
    if known is None or (isinstance(entry, str) and _fields(known)):
        return _with(_plain(str(given["name"])), _without(given, "name"))
    return _said(known) if isinstance(entry, str) else _with(_said(known), _unsaid(known))


def precision_words(precision: str) -> str:
    """Return what a precision is called: ``mixed precision (bfloat16)``."""
    return PRECISION_WORDS.get(precision, precision)


def variant_words(variant: Mapping[str, Any]) -> str:
    """Return what a variant changes of the network or the protocol."""
    model, protocol = dict(variant.get("model") or {}), dict(variant.get("protocol") or {})
    told = [network_words(model)] if "name" in model else [_options(model)]
    told += [_CHANGES.get(key, _option_of(key))(value) for key, value in protocol.items()]
    return ", ".join(filter(None, told))


def _augment_words(entries: list[Any]) -> str:
    return f"augmentation: {' and '.join(map(augmentation_words, entries)) or 'none'}"


def _option_of(key: str) -> Callable[[Any], str]:
    return lambda value: _option(key, value)


_CHANGES: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "optimizer": lambda given: f"{optimizer_words(given)}{_rate(given)}",
        "lr_schedule": lambda given: f"a learning rate that {schedule_words(given)}",
        "precision": precision_words,
        "augment": _augment_words,
    }
)
"""Keys of a protocol that have words of their own."""


def _rate(optimizer: Mapping[str, Any]) -> str:
    return f" with a learning rate of {optimizer['lr']:g}" if "lr" in optimizer else ""


def _declared(kind: Any, given: Mapping[str, Any]) -> StrictModel | None:
    """Return the declaration with all its defaults; None where this version does not know it."""
    try:
        found: StrictModel = TypeAdapter(kind).validate_python(dict(given))
    except ValidationError:
        return None
    return found


def _said(known: StrictModel) -> str:
    words, values = getattr(known, "words", ""), known.model_dump()
    return str(words).format(**values) if words else _plain(str(values["name"]))


def _fields(known: StrictModel) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(getattr(known, "words", "")) if field}


def _unsaid(known: StrictModel) -> dict[str, Any]:
    return _without(known.model_dump(mode="json"), "name", *_fields(known))


def _without(given: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in keys}


def _with(words: str, options: Mapping[str, Any]) -> str:
    rest = _options(options)
    return f"{words} ({rest})" if rest else words


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(_told(options))


def _told(options: Mapping[str, Any]) -> Iterator[str]:
    for key, value in options.items():
        if value is not None:
            yield _option(key, value)


def _option(key: str, value: Any) -> str:
    """Return an option in words: ``8 base channels``, ``instance norm``, ``depth 4``, ``no norm``."""
    words = _plain(key)
    if isinstance(value, bool) or value == "none":
        return words if value is True else f"no {words}"
    if isinstance(value, str):
        return f"{_plain(value)} {words}"
    if isinstance(value, int):
        return f"{value} {words}" if words.endswith("s") else f"{words} {value}"
    if isinstance(value, list | tuple):
        return f"{words} {' and '.join(map(str, value)) or 'none'}"
    return f"{words} {value:g}" if isinstance(value, float) else f"{words} {value}"


def _plain(name: str) -> str:
    return name.replace("_", " ")
