"""Types of keys in words: ``whole number > 0``, ``list of text``, ``one of a, b``."""

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from harness.cli.loss_docs.parameters import as_yaml

Naming: TypeAlias = Callable[[type[BaseModel]], str]
"""What stands for a model in the words of a type: a link to its section."""

_PLAIN: Mapping[Any, str] = types.MappingProxyType(
    {
        float: "number",
        int: "whole number",
        bool: "`true` or `false`",
        str: "text",
        type(None): "`null`",
        Any: "anything",
    }
)
_SCALARS = {bool, int, float, str}
_LIMITS = (
    (annotated_types.Gt, "gt", ">"),
    (annotated_types.Ge, "ge", ">="),
    (annotated_types.Lt, "lt", "<"),
    (annotated_types.Le, "le", "<="),
)


def in_words(hint: Any, metadata: Iterable[Any], naming: Naming) -> str:
    """Return what a key may hold.

    Args:
        hint: Its annotation.
        metadata: What pydantic keeps beside the annotation: limits, patterns.
        naming: For models inside.
    """
    words = _words(hint, naming)
    limits = _limits(_flat(metadata))
    return f"{words} {limits}" if limits else words


def models_in(hint: Any) -> list[type[BaseModel]]:
    """Return the models of an annotation, at any depth, in the order written."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return [hint]
    found: list[type[BaseModel]] = []
    for part in typing.get_args(hint):
        found += [each for each in models_in(part) if each not in found]
    return found


def _words(hint: Any, naming: Naming) -> str:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in _WORDS_OF:
        return _WORDS_OF[origin](inner, naming)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return naming(hint)
    return _PLAIN.get(hint, getattr(hint, "__name__", str(hint)))


def _annotated(inner: tuple[Any, ...], naming: Naming) -> str:
    return in_words(inner[0], inner[1:], naming)


def _choice(inner: tuple[Any, ...], naming: Naming) -> str:
    return " or ".join(f"`{as_yaml(choice)}`" for choice in inner)


def _union(inner: tuple[Any, ...], naming: Naming) -> str:
    """Return the alternatives but ``null``: a key that may be left out shows that by its default."""
    if set(inner) == _SCALARS:
        return "a value"
    parts = [part for part in inner if part is not type(None)]
    return " or ".join(dict.fromkeys(_words(part, naming) for part in parts))


def _sequence(inner: tuple[Any, ...], naming: Naming) -> str:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return f"list of {_grouped(inner[0], naming)}"
    return f"[{', '.join(_words(part, naming) for part in inner)}]"


def _mapping(inner: tuple[Any, ...], naming: Naming) -> str:
    return f"mapping of {_grouped(inner[0], naming)} to {_grouped(inner[1], naming)}"


def _grouped(hint: Any, naming: Naming) -> str:
    """Return words that can stand inside others."""
    words = _words(hint, naming)
    return f"({words})" if " or " in words else words


def _flat(metadata: Iterable[Any]) -> list[Any]:
    """Return limits that stand alone and those inside a pydantic ``Field``."""
    flat: list[Any] = []
    for each in metadata:
        flat += each.metadata if isinstance(each, FieldInfo) else [each]
    return flat


def _limits(metadata: list[Any]) -> str:
    """Return ``> 0 and <= 1``, lower limits first."""
    return " and ".join(
        f"{sign} {getattr(each, key):g}"
        for kind, key, sign in _LIMITS
        for each in metadata
        if isinstance(each, kind)
    )


_WORDS_OF: Mapping[Any, Callable[[tuple[Any, ...], Naming], str]] = types.MappingProxyType(
    {
        Annotated: _annotated,
        Literal: _choice,
        typing.Union: _union,
        types.UnionType: _union,
        tuple: _sequence,
        dict: _mapping,
        Mapping: _mapping,
    }
)
"""How each kind of annotation is said, by its origin."""
