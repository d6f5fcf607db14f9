"""The ``tuning`` block of a study: which losses are tuned, over what, and with which budget.

What these names do with Optuna stands in :mod:`harness.tuning`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    Tag,
    field_validator,
    model_validator,
)

from harness.errors import nearest
from harness.losses.search_space import Choice, Real, Scalar, Space, Whole
from harness.metrics import METRICS
from harness.strict_yaml import StrictModel
from harness.study.loss_entry import Index

FIXED = "fixed"
"""In the place of a space: leave the parameter as the study declares it."""

CONFIGURATIONS = 20
"""Budget of a study that gives none."""

ALPHA_KINDS = ("constant", "increase", "rebalance", "warm_start")
"""Of the schedules that are tried if a study names none: those of the boundary loss's authors, each with or
without a warm start."""

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Range(StrictModel):
    """A range in the place of a declared space: ``{low: 0.5, high: 3, log: true}``."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        self.space(whole=False)
        return self

    def space(self, whole: bool) -> Real | Whole:
        """Return it as a space, of whole numbers where the parameter has to be one."""
        if whole and self.low.is_integer() and self.high.is_integer():
            return Whole(int(self.low), int(self.high), self.log)
        return Real(self.low, self.high, self.log)


def _space_form(value: Any) -> str:
    if isinstance(value, dict | Range):
        return "a range"
    return "a list" if isinstance(value, list | tuple) else "a value"


SpaceEntry: TypeAlias = Annotated[
    Annotated[Range, Tag("a range")]
    | Annotated[tuple[bool | int | float | str, ...], Tag("a list")]
    | Annotated[bool | int | float | str, Tag("a value")],
    Discriminator(_space_form),
]
"""A range, a list to choose from, a value to fix, or the word ``fixed``."""

Overrides: TypeAlias = Mapping[str, SpaceEntry]


def overridden(
    declared: Mapping[str, Space], changes: Overrides, whole: Mapping[str, bool]
) -> tuple[dict[str, Space], dict[str, Scalar]]:
    """Return the spaces with a study's changes, and the parameters that it fixes at a value.

    Args:
        declared: By parameter.
        changes: By parameter; what is not declared is added.
        whole: Whether a parameter is a whole number.

    Raises:
        ValueError: if a list has less than two values, or one of them twice.
    """
    spaces, fixed = dict(declared), dict[str, Scalar]()
    for name, change in changes.items():
        spaces.pop(name, None)
        if isinstance(change, Range):
            spaces[name] = change.space(whole.get(name, False))
        elif isinstance(change, tuple):
            spaces[name] = Choice(change)
        elif change != FIXED:
            fixed[name] = change
    return spaces, fixed


def _named(value: Any) -> Any:
    """Let a bare name stand for ``{name: ...}``."""
    return {"name": value} if isinstance(value, str) else value


class RandomSearch(StrictModel):
    """Draw every configuration on its own (Bergstra and Bengio, JMLR 2012): its curves have bands."""

    name: Literal["random"] = "random"


class Tpe(StrictModel):
    """Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011) after ``startup`` random draws."""

    name: Literal["tpe"] = "tpe"
    startup: PositiveInt = 5


class CmaEs(StrictModel):
    """CMA-ES (Hansen and Ostermeier, 2001) after ``startup`` random draws; not for conditional spaces."""

    name: Literal["cmaes"] = "cmaes"
    startup: PositiveInt = 4


Sampler = Annotated[
    Annotated[RandomSearch | Tpe | CmaEs, Field(discriminator="name")], BeforeValidator(_named)
]


class NoPruning(StrictModel):
    """Train every configuration to the end."""

    name: Literal["none"] = "none"


class MedianPruning(StrictModel):
    """End what is worse than the median of earlier ones at the same epoch (Golovin et al., KDD 2017).

    Attributes:
        startup: Configurations that are trained to the end before any is ended.
        warmup: Part of the training in which none is ended.
    """

    name: Literal["median"] = "median"
    startup: PositiveInt = 4
    warmup: Fraction = 0.2


class PercentilePruning(StrictModel):
    """End what is not among the best ``keep`` per cent at the same epoch; 50 is the median."""

    name: Literal["percentile"] = "percentile"
    keep: Annotated[float, Field(gt=0, lt=100)] = 25.0
    startup: PositiveInt = 4
    warmup: Fraction = 0.2


class SuccessiveHalving(StrictModel):
    """Asynchronous successive halving (Li et al., MLSys 2020): one in ``factor`` passes a rung.

    Attributes:
        first: Epochs before the first rung.
        factor: How much longer each rung is than the one before it.
    """

    name: Literal["successive_halving"] = "successive_halving"
    first: PositiveInt = 1
    factor: Annotated[int, Field(ge=2)] = 3


class HyperbandPruning(StrictModel):
    """Hyperband (Li et al., JMLR 2018): successive halving with several first rungs."""

    name: Literal["hyperband"] = "hyperband"
    first: PositiveInt = 1
    factor: Annotated[int, Field(ge=2)] = 3


Pruner = Annotated[
    Annotated[
        NoPruning | MedianPruning | PercentilePruning | SuccessiveHalving | HyperbandPruning,
        Field(discriminator="name"),
    ],
    BeforeValidator(_named),
]

LossesOrAll = Annotated[
    Annotated[Literal["all"], Tag("word")] | Annotated[tuple[str, ...], Tag("labels")],
    Discriminator(lambda value: "word" if isinstance(value, str) else "labels"),
]


def _alpha_form(value: Any) -> str:
    if isinstance(value, str):
        return "word"
    return "spaces" if isinstance(value, Mapping) else "kinds"


AlphaSpaces = Annotated[
    Annotated[Literal["fixed"], Tag("word")]
    | Annotated[tuple[str, ...], Tag("kinds"), Field(min_length=1)]
    | Annotated[dict[str, dict[str, SpaceEntry] | None], Tag("spaces"), Field(min_length=1)],
    Discriminator(_alpha_form),
]


class Tuning(StrictModel):
    """How losses are tuned: every one with the same budget, on validation cases only.

    Attributes:
        losses: ``all``, or labels: these get a tuned arm beside the one that the study declares. Losses with
            ``alpha: tune`` are tuned in any case.
        configurations: Budget of every search (one loss on one fold of one dataset), 20 if no budget is
            given. With a pruner it buys epochs: as many as that number of whole configurations.
        hours: Budget of every search in hours of one worker instead: no configuration begins that is expected
            to end beyond it.
        inner_seeds: Trainings per configuration, whose mean counts; their seeds are never the study's.
        seed: Of the draws.
        metric: What is best, over the validation cases; ``dsc`` is the best validation DSC of the training,
            any other metric is taken from the checkpoint that the protocol reports.
        sampler: Who proposes configurations.
        pruner: Who ends hopeless ones.
        learning_rate: In the place of the optimiser's own range; ``fixed`` keeps the protocol's.
        alpha: Which alpha schedules are tried, with changes to their spaces; ``fixed`` keeps declared ones.
        spaces: By loss and parameter: ranges, lists, values, or ``fixed``. ``weight`` is the
            factor on a term's weight.
    """

    losses: LossesOrAll = ()
    configurations: PositiveInt | None = None
    hours: PositiveFloat | None = None
    inner_seeds: PositiveInt = 1
    seed: Index = 0
    metric: str = "dsc"
    sampler: Sampler = RandomSearch()
    pruner: Pruner = NoPruning()
    learning_rate: SpaceEntry | None = None
    alpha: AlphaSpaces = ALPHA_KINDS
    spaces: dict[str, dict[str, SpaceEntry]] = Field(default_factory=dict)

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, value: str) -> str:
        if value not in METRICS:
            raise ValueError(
                f"unknown metric {value!r}{nearest(value, METRICS) or '; known: ' + ', '.join(METRICS)}"
            )
        return value

    @model_validator(mode="after")
    def _one_budget(self) -> "Tuning":
        if self.configurations is None and self.hours is None:
            # Not before validation: the lists of the file would then be Python's, which are refused.
            object.__setattr__(self, "configurations", CONFIGURATIONS)
        if self.configurations is not None and self.hours is not None:
            raise ValueError("configurations and hours exclude each other: give one budget")
        if self.prunes and self.metric != "dsc":
            raise ValueError(
                f"pruner {self.pruner.name!r} judges by the validation DSC of every epoch and does not go "
                f"with metric {self.metric!r}"
            )
        return self

    @property
    def prunes(self) -> bool:
        """Whether configurations may be ended early."""
        return not isinstance(self.pruner, NoPruning)

    @property
    def alpha_changes(self) -> dict[str, Overrides]:
        """The kinds of schedules that are tried, with the changes to their spaces; none if alpha is fixed."""
        if isinstance(self.alpha, str):
            return {}
        if isinstance(self.alpha, tuple):
            return {kind: {} for kind in self.alpha}
        return {kind: changes or {} for kind, changes in self.alpha.items()}
