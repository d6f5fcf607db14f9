"""From what a study file says about a loss to a canonical specification, and on to a module.

A loss is written as a name (``dice``), a sum (``0.8*dice + 0.2*ce``), an alias (``dice_ce``), a mapping
(``{name: focal, gamma: 3}``), a list of those (their sum), or the import path of somebody's class
(``my_package.module:MyLoss``). Equal losses give equal specifications, however they are written.
"""

import functools
import json
import math
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from torch import nn

from harness.errors import InputError, nearest
from harness.losses.aliases import ALIASES
from harness.losses.alpha import ALPHA_SCHEDULES, Alpha, Schedule
from harness.losses.base import BELONGS_TO_THE_DATASET, constructor_parameters
from harness.losses.combined import CombinedLoss
from harness.losses.plugins import find_loss
from harness.strict_yaml import StrictModel, validate

_TERM = re.compile(
    r"\s*(?:(?P<weight>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*\*\s*)?"
    r"(?P<name>[A-Za-z_][\w.]*(?::[A-Za-z_]\w*)?)\s*(?P<end>\+|$)"
)
_DISPLAY_ORDER = ("region", "distribution", "compound", "lesion", "boundary")


class _WithAlpha(StrictModel):
    """Around a schedule, so that messages begin with ``alpha``."""

    alpha: Alpha


class Term(StrictModel):
    """One part of a sum, with all its parameters."""

    weight: float = Field(gt=0, allow_inf_nan=False)
    name: str
    parameters: dict[str, Any]

    def __hash__(self) -> int:
        return hash((self.weight, *self.sort_key()))

    def sort_key(self) -> tuple[str, str]:
        """Return the place of the term among others."""
        return self.name, json.dumps(self.parameters, sort_keys=True)

    @property
    def family(self) -> str:
        """The family of the loss."""
        family: str = getattr(find_loss(self.name)[1], "family")  # noqa: B009 -- not one of Module's
        return family

    def build(self, ignore_label: int | None) -> nn.Module:
        """Return the module of the loss, without the weight."""
        return _constructed(self.name, self.parameters, ignore_label)

    def __str__(self) -> str:
        model = _parameter_model(self.name)
        usual = {key: field.default for key, field in model.model_fields.items()}
        shown = [
            f"{key}={_shown(value)}" for key, value in self.parameters.items() if value != usual.get(key)
        ]
        weight = "" if self.weight == 1 else f"{self.weight:.12g}*"
        return f"{weight}{self.name}" + (f"({', '.join(shown)})" if shown else "")


class LossSpec(StrictModel):
    """A loss in canonical form: the same for every way of writing it, hashable, JSON and back.

    Attributes:
        terms: The parts, sorted by name and parameters, each with every parameter.
        alpha: The schedule of the weights, if they move.
        on: Index of the term that alpha moves.
    """

    terms: tuple[Term, ...] = Field(min_length=1)
    alpha: Alpha | None = None
    on: int | None = None

    def canonical(self) -> dict[str, Any]:
        """Return what a trial's key hashes; ``LossSpec.model_validate`` reads it back."""
        return self.model_dump(mode="json")

    def __hash__(self) -> int:
        return hash(json.dumps(self.canonical(), sort_keys=True))

    @property
    def expression(self) -> str:
        """The sum for people, with the parameters that are not the default."""
        order = sorted(range(len(self.terms)), key=lambda index: (index == self.on, self._rank(index)))
        return " + ".join(str(self.terms[index]) for index in order)

    @property
    def family(self) -> str:
        """The family of a single loss, ``compound`` for a sum."""
        return self.terms[0].family if len(self.terms) == 1 else "compound"

    @property
    def needs(self) -> frozenset[str]:
        """What the parts, with their parameters, can take precomputed."""
        return self.build().needs

    @property
    def partner(self) -> bool:
        """Whether it is a single loss that is meant as a part of a sum."""
        return len(self.terms) == 1 and bool(getattr(find_loss(self.terms[0].name)[1], "partner", False))

    def build(self, ignore_label: int | None = None) -> CombinedLoss:
        """Return the loss as a module.

        Args:
            ignore_label: The dataset's label of pixels to leave out.
        """
        losses = [term.build(ignore_label) for term in self.terms]
        return CombinedLoss(losses, [term.weight for term in self.terms], alpha=self.alpha, on=self.on)

    def _rank(self, index: int) -> tuple[int, int]:
        return _DISPLAY_ORDER.index(self.terms[index].family), index


def parse_loss(form: Any, alpha: Mapping[str, Any] | Schedule | None = None) -> LossSpec:
    """Return the canonical specification of a loss as a study file gives it.

    Args:
        form: A string, a mapping with ``name``, or a list of those; see the module.
        alpha: A schedule, as a mapping with ``schedule`` and, where it is not clear, ``on``: the name
            of the term that it moves. Without ``on`` that is the boundary-family term of two, or the
            second of two as written.

    Raises:
        InputError: naming what is wrong with the loss or its alpha.
    """
    written = _merged(_terms(form))
    if not written:
        raise InputError(f"the weights of loss {_as_written(form)!r} sum to zero")
    order = sorted(range(len(written)), key=lambda index: written[index].sort_key())
    terms = tuple(written[index] for index in order)
    if alpha is None:
        return LossSpec(terms=terms)
    source = f"loss {_as_written(form)!r}"
    schedule, on = _schedule(alpha, source)
    return LossSpec.model_validate(
        {"terms": terms, "alpha": schedule, "on": order.index(_moved(written, on, source))}
    )


def _terms(form: Any) -> list[tuple[float, str, Mapping[str, Any]]]:
    """Return (weight, name, parameters as written) of every term, aliases resolved, as written."""
    if isinstance(form, str):
        return [(weight, name, {}) for weight, name in _read_sum(form)]
    if isinstance(form, Mapping):
        return _terms_of_mapping(form)
    if isinstance(form, Sequence) and form:
        return [term for part in form for term in _terms(part)]
    raise InputError(
        f"a loss is a name, a sum such as '0.8*dice + 0.2*ce', a mapping with 'name', or a list of those "
        f"(got {form!r})"
    )


def _terms_of_mapping(form: Mapping[str, Any]) -> list[tuple[float, str, Mapping[str, Any]]]:
    name, factor = form.get("name"), form.get("weight", 1.0)
    if not isinstance(name, str):
        raise InputError(
            f"a loss given as a mapping needs a 'name', one of the registered losses (got {name!r})"
        )
    number = isinstance(factor, int | float) and not isinstance(factor, bool)
    if not number or not (math.isfinite(factor) and factor >= 0):
        raise InputError(f"loss {name!r}: weight must be a number >= 0 (got {factor!r})")
    parameters = {key: value for key, value in form.items() if key not in {"name", "weight"}}
    parts = _read_sum(name)
    if parameters and len(parts) > 1:
        raise InputError(
            f"loss {name!r} is the sum {' + '.join(part for _, part in parts)} and has no parameters of its "
            f"own (got {next(iter(parameters))!r}); give a list of the parts instead"
        )
    return [(float(factor) * weight, part, parameters) for weight, part in parts]


def _read_sum(text: str) -> list[tuple[float, str]]:
    """Return (weight, name) of every term of a text, aliases resolved."""
    parts: list[tuple[float, str]] = []
    position = 0
    while True:
        match = _TERM.match(text, position)
        if match is None:
            raise InputError(
                f"cannot read the loss {text!r} from {text[position:].strip()!r} on; expected a name or a "
                "sum such as '0.8*dice + 0.2*ce'"
            )
        weight = float(match["weight"] or 1)
        if not math.isfinite(weight):
            raise InputError(f"loss {text!r}: a weight must be finite (got {match['weight']})")
        alias = ALIASES.get(match["name"])
        inner = _read_sum(alias.expression) if alias else [(1.0, match["name"])]
        parts += [(weight * factor, name) for factor, name in inner]
        position = match.end()
        if not match["end"]:
            return parts


def _merged(written: list[tuple[float, str, Mapping[str, Any]]]) -> list[Term]:
    """Check every term, add up equal ones, and drop those of weight zero; the order stays."""
    merged: dict[tuple[str, str], Term] = {}
    for weight, written_name, given in written:
        name = find_loss(written_name)[0]
        parameters = _checked_parameters(name, given)
        term = Term.model_construct(weight=weight, name=name, parameters=parameters)
        key = term.sort_key()
        merged[key] = (
            term.model_copy(update={"weight": merged[key].weight + weight}) if key in merged else term
        )
    return [term for term in merged.values() if term.weight > 0]


def _checked_parameters(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters as JSON has them, each of its declared type, defaults filled in."""
    if BELONGS_TO_THE_DATASET in given:
        raise InputError(
            f"loss {name!r}: {BELONGS_TO_THE_DATASET} is a property of the dataset, not of a loss"
        )
    values = validate(_parameter_model(name), dict(given), f"loss {name!r}").model_dump(mode="json")
    parameters = {key: value + 0.0 if isinstance(value, float) else value for key, value in values.items()}
    _constructed(name, parameters, None)
    return parameters


@functools.cache
def _parameter_model(name: str) -> type[BaseModel]:
    """Return a strict model with one field per parameter of the constructor."""
    loss = find_loss(name)[1]
    hints: dict[str, Any] = {}
    for base in reversed(loss.__mro__):
        if "__init__" in vars(base):
            hints |= typing.get_type_hints(vars(base)["__init__"], include_extras=True)
    fields: dict[str, Any] = {
        key: (hints.get(key, Any), ... if parameter.default is parameter.empty else parameter.default)
        for key, parameter in constructor_parameters(loss).items()
    }
    config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())
    return create_model(f"{loss.__name__}Parameters", __config__=config, **fields)


def _constructed(name: str, parameters: Mapping[str, Any], ignore_label: int | None) -> nn.Module:
    """Return the module; its constructor checks the ranges."""
    read = _parameter_model(name).model_validate_json(json.dumps(parameters), strict=True)
    arguments = {key: getattr(read, key) for key in type(read).model_fields}
    if ignore_label is not None:
        arguments[BELONGS_TO_THE_DATASET] = ignore_label
    try:
        return find_loss(name)[1](**arguments)
    except (ValueError, TypeError) as error:
        raise InputError(f"loss {name!r}: {error}") from None


def _schedule(alpha: Mapping[str, Any] | Schedule, source: str) -> tuple[Schedule, str | None]:
    """Return the schedule and the name that ``on`` gives."""
    if isinstance(alpha, Schedule):
        return alpha, None
    if not isinstance(alpha, Mapping):
        raise InputError(f"{source}: alpha must be a mapping such as {{schedule: rebalance}} (got {alpha!r})")
    on, kind = alpha.get("on"), alpha.get("schedule")
    if not isinstance(kind, str):
        known = ", ".join(ALPHA_SCHEDULES)
        raise InputError(f"{source}: alpha needs a 'schedule', one of {known} (got {kind!r})")
    if on is not None and not isinstance(on, str):
        raise InputError(f"{source}: alpha.on must be the name of a loss of the sum (got {on!r})")
    if kind not in ALPHA_SCHEDULES:
        raise InputError(f"{source}: unknown alpha schedule {kind!r}{nearest(kind, ALPHA_SCHEDULES)}")
    keys = {key: value for key, value in alpha.items() if key != "on"}
    return validate(_WithAlpha, {"alpha": keys}, source).alpha, on


def _moved(written: list[Term], on: str | None, source: str) -> int:
    """Return the index of the term that alpha moves."""
    names = ", ".join(term.name for term in written)
    if len(written) < 2:
        raise InputError(f"{source}: alpha needs a sum of at least two losses (got {names} alone)")
    if on is not None:
        found = [index for index, term in enumerate(written) if term.name == find_loss(on)[0]]
        if len(found) != 1:
            raise InputError(f"{source}: alpha.on must name exactly one loss of {names} (got {on!r})")
        return found[0]
    boundary = [index for index, term in enumerate(written) if term.family == "boundary"]
    if len(written) > 2 or len(boundary) > 1:
        raise InputError(f"{source}: alpha needs 'on: NAME', the loss that it moves, one of {names}")
    return boundary[0] if boundary else 1


def _as_written(form: Any) -> str:
    return form if isinstance(form, str) else json.dumps(form, default=str)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
