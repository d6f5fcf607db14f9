"""YAML files checked against a pydantic model, with every error reported at its line.

YAML 1.2: ``1e-3`` is a number, ``no`` is a string, a duplicate key is an error. Values are never
coerced (``"5"`` is no number), unknown keys are refused.
"""

import json
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from harness.errors import InputError, nearest

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[int | str, ...]


class StrictModel(BaseModel):
    """Base of every model read from a user's file: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read(text: str, source: str) -> Any:
    """Parse YAML text and keep the position of every key.

    Args:
        text: The file's content.
        source: Its name, for messages.

    Raises:
        InputError: naming line and column of what is not YAML 1.2, duplicate keys included.
    """
    try:
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        problem = (error.problem or "not valid YAML").splitlines()[0]
        raise InputError(f"{where}: {problem}") from None
    if not isinstance(document, Mapping):
        raise InputError(f"{source}: expected a mapping of keys to values at the top level")
    return document


def validate(model: type[Model], document: Any, source: str) -> Model:
    """Return ``document`` as an instance of ``model``.

    Args:
        model: What the document should be.
        document: From :func:`read`, or any nest of plain mappings and sequences.
        source: File name, for messages.

    Raises:
        InputError: with one line per error, ``source:line:column: key: what is wrong``.
    """
    try:
        return model.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        problems = [problem for problem in error.errors() if not _follows_from_others(problem, error)]
        lines = [_describe(problem, model, document, source) for problem in problems]
        raise InputError("\n".join(dict.fromkeys(lines))) from None


def override(document: Any, text: str, short_forms: Mapping[str, str] | None = None) -> None:
    """Set one value of a document in place.

    Args:
        document: From :func:`read`.
        text: ``key.path=value``, as in ``protocol.epochs=3`` or ``datasets.0.simulate.cases=8``; the
            value is YAML.
        short_forms: Key at the top -> key that a plain string below it stands for, where entries may
            be written short: ``{"datasets": "dataset"}``.

    Raises:
        InputError: if the path leads nowhere or the value is not YAML.
    """
    path, equals, value_text = text.partition("=")
    if not equals or not path:
        raise InputError(f"--set {text!r}: expected key.path=value, for example protocol.epochs=3")
    value = read(f"value: {value_text}", f"--set {text}")["value"]
    keys = path.split(".")
    long_form = (short_forms or {}).get(keys[0])
    node = document
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        position: Any = key
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                raise InputError(f"--set {text!r}: {'.'.join(keys[:depth])!r} has no entry {key!r}")
            position = int(key)
        elif isinstance(node, dict):
            number = _integer_key(key, node)
            position = key if number is None else number
            if not last:
                node.setdefault(position, {})
        else:
            raise InputError(f"--set {text!r}: {'.'.join(keys[:depth])!r} is a value, not a mapping")
        if last:
            node[position] = value
        elif isinstance(node[position], str) and long_form:
            node[position] = {long_form: node[position]}
        node = node[position]


def _follows_from_others(problem: Any, error: ValidationError) -> bool:
    """Whether a list is called too short only because its entries are wrong."""
    depth = len(problem["loc"])
    inner = (other["loc"] for other in error.errors() if len(other["loc"]) > depth)
    return problem["type"] == "too_short" and any(where[:depth] == problem["loc"] for where in inner)


def _describe(problem: Any, model: type[BaseModel], document: Any, source: str) -> str:
    names_a_key = problem["type"] in {"missing", "extra_forbidden"}
    location = _real_location(problem["loc"], document, names_a_key)
    position = _position(document, location)
    where = f"{source}:{position[0]}:{position[1]}" if position else source
    key = ".".join(str(part) for part in location) or "(top level)"
    message = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message[:1].lower() + message[1:]
    if problem["type"] == "extra_forbidden":
        hint = nearest(str(location[-1]), _keys_at(model, location[:-1]))
        return f"{where}: {key}: unknown key{hint}"
    if problem["type"] == "missing":
        return f"{where}: {key}: required key is missing"
    if problem["type"] == "union_tag_invalid":
        context = problem["ctx"]
        known = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
        hint = nearest(context["tag"], known) or f"; known: {', '.join(known)}"
        word = context["discriminator"].strip("'()")  # a key, or the function that reads it
        return f"{where}: {key}: unknown {word} {context['tag']!r}{hint}"
    if problem["type"] == "union_tag_not_found":
        return f"{where}: {key}: required key {problem['ctx']['discriminator']} is missing"
    value = problem["input"]
    told = isinstance(value, str) and repr(value) in message
    got = f" (got {value!r})" if isinstance(value, str | int | float) and not told else ""
    return f"{where}: {key}: {message}{got}"


def _real_location(location: Location, document: Any, names_a_key: bool) -> Location:
    """Drop the parts that pydantic adds for union members and that stand nowhere in the file.

    The last part of an error that ``names_a_key`` is that key, in the file or not.
    """
    kept: list[int | str] = []
    node = document
    for depth, part in enumerate(location):
        if isinstance(node, Mapping):
            key = part if part in node else _integer_key(part, node)
            if key is not None:
                kept.append(key)
                node = node[key]
            elif names_a_key and depth == len(location) - 1:
                kept.append(part)
        elif isinstance(node, Sequence) and not isinstance(node, str) and isinstance(part, int):
            kept.append(part)
            node = node[part] if part < len(node) else None
    return tuple(kept)


def _integer_key(part: int | str, node: Mapping[Any, Any]) -> int | None:
    return int(part) if isinstance(part, str) and part.isdigit() and int(part) in node else None


def _position(document: Any, location: Location) -> tuple[int, int] | None:
    """Line and column (from 1) of the deepest key of ``location`` that stands in the file."""
    node, found = document, None
    for part in location:
        marks = getattr(node, "lc", None)
        try:
            if isinstance(node, Mapping):
                line, column = marks.key(part)  # type: ignore[union-attr]
            else:
                line, column = marks.item(part)  # type: ignore[union-attr]
            found = (line + 1, column + 1)
            node = node[part]
        except (KeyError, TypeError, AttributeError, IndexError):
            break
    return found


def _keys_at(model: type[BaseModel], location: Location) -> set[str]:
    """Keys that the model knows at ``location``, over all members of unions on the way."""
    models = {model}
    for part in location:
        if isinstance(part, int):
            continue
        inner: set[type[BaseModel]] = set()
        for candidate in models:
            field = candidate.model_fields.get(part)
            inner |= _models_in(field.annotation) if field else set()
        models = inner or models
    return {key for candidate in models for key in candidate.model_fields}


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    if get_origin(annotation) in {Union, types.UnionType, Annotated, list, tuple, dict}:
        return set().union(*(_models_in(argument) for argument in get_args(annotation)))
    return set()
