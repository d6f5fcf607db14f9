"""The parameters of a loss: type, choices, default and description, from its constructors."""

import inspect
import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any, Literal

from torch import nn

from harness.cli.loss_docs.docstrings import markdown, read_docstring
from harness.losses.base import constructor_parameters, spaces_of
from harness.losses.search_space import Space

_SEE = re.compile(r"(?:^|[;,.] ?)[Ss]ee :class:`~?([\w.]+)`\.?$")
_WORDS: Mapping[Any, str] = types.MappingProxyType(
    {
        float: "number",
        int: "whole number",
        bool: "true or false",
        str: "text",
        type(None): "null",
        Any: "any",
    }
)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a loss.

    Attributes:
        name: As study files write it.
        type: In words: ``number or null``.
        choices: The allowed values, if they are few.
        default: As JSON has it; None too where the parameter is required.
        required: Whether there is no default.
        description: In Markdown.
        space: What a study that tunes draws it from; None if it keeps its value.
    """

    name: str
    type: str
    choices: tuple[Any, ...]
    default: Any
    required: bool
    description: str
    space: Space | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what other programs read."""
        facts: dict[str, Any] = {"type": self.type}
        if self.choices:
            facts["choices"] = list(self.choices)
        facts |= {"required": True} if self.required else {"default": self.default}
        facts |= {} if self.space is None else {"space": asdict(self.space)}
        return facts | {"description": self.description}

    @property
    def default_text(self) -> str:
        """The default as a study file writes it."""
        return "required" if self.required else as_yaml(self.default)

    @property
    def space_text(self) -> str:
        """The search space in words; empty if there is none."""
        return "" if self.space is None else str(self.space)


def parameters_of(loss: type[nn.Module]) -> tuple[Parameter, ...]:
    """Return the parameters in the order of the constructor, those of the bases last."""
    hints = _hints(loss)
    return tuple(
        _parameter(loss, name, hints.get(name, Any), declared)
        for name, declared in constructor_parameters(loss).items()
    )


def as_yaml(value: Any) -> str:
    """Return a value on one line as YAML: ``0.3``, ``1e-05``, ``true``, ``null``, ``[1, 2]``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        # YAML reads 1e-05 as a number only with strict 1.2 rules, which study files have.
        return f"{value:.6g}" if not value.is_integer() or abs(value) >= 1e6 else f"{value:.1f}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {as_yaml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(as_yaml(inner) for inner in value) + "]"
    return str(value)


def _parameter(loss: type[nn.Module], name: str, hint: Any, declared: inspect.Parameter) -> Parameter:
    required = declared.default is declared.empty
    return Parameter(
        name=name,
        type=_in_words(hint),
        choices=_choices(hint),
        default=None if required else declared.default,
        required=required,
        description=markdown(_described(loss, name)),
        space=spaces_of(loss).get(name),
    )


def _hints(loss: type[nn.Module]) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for base in reversed(loss.__mro__):
        if "__init__" in vars(base):
            try:
                hints |= typing.get_type_hints(vars(base)["__init__"])
            except NameError:  # somebody's annotation that is imported for type checkers only
                continue
    return hints


def _in_words(hint: Any) -> str:
    hint = _plain(hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(as_yaml(choice) for choice in inner)
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(_in_words(part) for part in inner)
    if origin in {tuple, list}:
        return f"list of {_plural(_in_words(inner[0]))}" if inner else "list"
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _plural(words: str) -> str:
    return f"{words}s" if words.endswith("number") else words


def _choices(hint: Any) -> tuple[Any, ...]:
    hint = _plain(hint)
    if typing.get_origin(hint) is Literal:
        return typing.get_args(hint)
    return (True, False) if hint is bool else ()


def _plain(hint: Any) -> Any:
    return hint.__origin__ if typing.get_origin(hint) is typing.Annotated else hint


def _described(loss: type, name: str) -> str:
    """Return the description in the nearest docstring that has one, a pointer to another class followed."""
    for base in loss.__mro__:
        text = read_docstring(base.__doc__).arguments.get(name)
        if text is None:
            continue
        pointer = _SEE.search(text)
        if pointer is None:
            return text
        other = _class(pointer[1], base)
        if other is None or other is base:
            return text
        own, theirs = text[: pointer.start()], _described(other, name)
        return ". ".join(part for part in (own, theirs) if part) or text
    return ""


def _class(path: str, near: type) -> type | None:
    """Return the class of a docstring's role, written from the module of ``near``."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module) if module else sys.modules[near.__module__], name, None)
    except (ImportError, KeyError):
        return None
    return found if inspect.isclass(found) else None
