"""The base class of every loss, the registry, and the checks that constructors share.

To add a loss, write one class in one file of this folder::

    @register
    class TopKCrossEntropy(Loss):
        '''Formula, shapes, defaults, paper and equation, what differs elsewhere.'''

        name = "topk_ce"
        family = "distribution"
        reference = "Wu et al., 2016"
        spaces: ClassVar[Spaces] = {"k": Real(1.0, 100.0, log=True)}

        def __init__(self, *, k: float = 10.0, ignore_label: int | None = None) -> None:
            super().__init__(ignore_label=ignore_label)
            self.k = between("k", k, 0.0, 100.0)

        def value(self, batch: Batch) -> Tensor:
            ...

The study files, the command line, the docs and the contract test then know it. Its parameters are the
keyword arguments of the constructor with their annotations (JSON types, ``Literal`` or tuples) and
defaults; ``name``, ``weight`` and ``on`` cannot be parameters, since a study file uses these words. A
constructor may hand ``**options`` on to its base class: the base's parameters then count as its own.

``spaces`` says what a study that tunes draws a parameter from (:mod:`harness.losses.search_space`). Give a
range to what changes how the loss weighs its pixels or terms, around the default, with ends that train;
leave out conventions such as ``reduce`` or ``eps``, which studies can add by hand. A subclass whose
parameters differ states all of its own spaces.
"""

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, get_args

import torch
from torch import Tensor, nn

from harness.losses.batch import Batch
from harness.losses.needs import Need
from harness.losses.search_space import Spaces
from harness.registry import Registry

Family: TypeAlias = Literal["distribution", "region", "boundary", "compound", "lesion"]

BELONGS_TO_THE_DATASET = "ignore_label"
"""The one constructor argument that is no parameter of a loss."""


@dataclass(frozen=True)
class Relation:
    """An edge of the family tree: what a loss has to do with another one.

    Attributes:
        kind: ``equals`` (the loss, with ``parameters``, is ``factor`` times the other one with
            ``other_parameters``; a test holds every such edge) or ``contains`` (the other one is a part
            of its formula).
        other: Name of the other loss.
        parameters: Of this loss.
        other_parameters: Of the other.
        factor: See ``kind``.
    """

    kind: Literal["equals", "contains"]
    other: str
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    other_parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    factor: float = 1.0


class Loss(nn.Module, ABC):
    """A segmentation loss, ``loss(logits, labels) -> scalar``, lower is better.

    Attributes:
        name: What study files call it.
        family: The kind of error it measures; reports group by it.
        needs: What it can take precomputed, as keyword arguments of the call. The caller may give
            them or not: what is not given is computed from the labels of the batch. Parameters may
            change what an instance needs.
        reference: Paper, and equation where there is one.
        relations: Its edges in the family tree.
        partner: Whether it is meant as a part of a sum, not alone.
        spaces: What a tuner draws parameters from, by name; the others keep their values.
        ignore_label: Label of the pixels that get no value and no gradient. It belongs to the
            dataset, not to the loss: it is not among :meth:`defaults`.
    """

    name: ClassVar[str]
    family: ClassVar[Family]
    needs: frozenset[Need] = frozenset()
    reference: ClassVar[str]
    relations: ClassVar[tuple[Relation, ...]] = ()
    partner: ClassVar[bool] = False
    spaces: ClassVar[Spaces] = MappingProxyType({})

    def __init__(self, *, ignore_label: int | None = None) -> None:
        super().__init__()
        self.ignore_label = ignore_label

    @property
    def alpha_weights(self) -> tuple[float, float] | None:
        """The weights (w_R, w_B) in force, if the loss moves any by itself; else None."""
        return None

    def forward(self, logits: Tensor, labels: Tensor, **needs: Tensor | None) -> Tensor:
        """Return the loss of a batch, in float32 (float64 logits stay float64), even under autocast.

        Args:
            logits: (B, C, H, W), any floating type, C >= 2 with the background as class 0.
            labels: (B, H, W), any integer type, in 0..C-1 or ``ignore_label``.
            **needs: What was computed in advance, by the names and in the shapes of
                :mod:`harness.losses.needs`. What the loss does not need is left aside.

        Raises:
            ValueError: if shapes, types or (on the CPU) labels do not fit.
        """
        with torch.autocast(logits.device.type, enabled=False):
            return self.value(Batch.of(logits, labels, self.ignore_label, shared=False, **needs))

    @abstractmethod
    def value(self, batch: Batch) -> Tensor:
        """Return the loss of a prepared batch; the one method that a loss has to write."""

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Hear that an epoch begins (of 0..epochs-1); most losses do not care."""

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the parameters with their default values, as JSON has them."""
        declared = constructor_parameters(cls)
        given = {name: one.default for name, one in declared.items() if one.default is not one.empty}
        values: dict[str, Any] = json.loads(json.dumps(given))
        return values

    def extra_repr(self) -> str:
        """Show the parameters."""
        names = [*constructor_parameters(type(self)), BELONGS_TO_THE_DATASET]
        return ", ".join(f"{name}={getattr(self, name)}" for name in names if hasattr(self, name))


LOSSES: Registry[type[Loss]] = Registry("loss")

SomeLoss = TypeVar("SomeLoss", bound=type[Loss])


def register(loss: SomeLoss) -> SomeLoss:
    """File a class in :data:`LOSSES` under its ``name``."""
    LOSSES.register(loss.name)(loss)
    return loss


def constructor_parameters(loss: type[nn.Module]) -> dict[str, inspect.Parameter]:
    """Return what the constructor takes by name, through the bases that ``**options`` go to."""
    found: dict[str, inspect.Parameter] = {}
    for base in inspect.getmro(loss):
        if "__init__" not in vars(base):
            continue
        own = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        for parameter in own:
            if parameter.kind in {parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
                found.setdefault(parameter.name, parameter)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own):
            break
    found.pop(BELONGS_TO_THE_DATASET, None)
    return found


def spaces_of(loss: type[nn.Module]) -> Spaces:
    """Return the search spaces that a class declares; one that is no :class:`Loss` may have none."""
    spaces: Spaces = getattr(loss, "spaces", {})
    return spaces


def at_least(name: str, value: float, low: float) -> float:
    """Return ``value``, which must be >= ``low``.

    Raises:
        ValueError: if it is not.
    """
    if not value >= low:
        raise ValueError(f"{name} must be >= {low:g} (got {value:g})")
    return value


def positive(name: str, value: float) -> float:
    """Return ``value``, which must be > 0.

    Raises:
        ValueError: if it is not.
    """
    if not value > 0:
        raise ValueError(f"{name} must be > 0 (got {value:g})")
    return value


def between(name: str, value: float, low: float, high: float) -> float:
    """Return ``value``, which must lie in ``low``..``high``.

    Raises:
        ValueError: if it does not.
    """
    if not low <= value <= high:
        raise ValueError(f"{name} must lie in {low:g}..{high:g} (got {value:g})")
    return value


Choice = TypeVar("Choice", bound=str | int)


def one_of(name: str, value: Choice, choices: Any) -> Choice:
    """Return ``value``, which must be one of the values of the ``Literal`` type ``choices``.

    Raises:
        ValueError: if it is not.
    """
    if value not in get_args(choices):
        raise ValueError(f"{name} must be one of {', '.join(map(str, get_args(choices)))} (got {value!r})")
    return value


def clamped_power(x: Tensor, exponent: float) -> Tensor:
    """Return x ** exponent; for a fractional exponent max(x, 1e-6) ** exponent, whose gradient is finite."""
    return x**exponent if float(exponent).is_integer() else x.clamp(min=1e-6) ** exponent


def inverse_frequency(f: Tensor, power: float = 1.0) -> Tensor:
    """Return f ** -power for every class that occurs, 0 for a class that does not."""
    return torch.where(f > 0, torch.where(f > 0, f, 1.0) ** -power, 0.0)
