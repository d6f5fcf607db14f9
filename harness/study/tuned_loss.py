"""What is searched for a tuned loss: the dimensions of its space, and what a point of it trains."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.errors import InputError, nearest
from harness.losses import ALPHA_SCHEDULES, LossSpec, parse_loss
from harness.losses.base import spaces_of
from harness.losses.plugins import find_loss
from harness.losses.search_space import Choice, Real, Scalar, Space
from harness.study.loss_entry import LossEntry
from harness.study.tuning_spec import FIXED, Overrides, Tuning
from harness.study.wrong_space import (
    WEIGHT,
    WrongSpace,
    changed,
    first_line,
    is_number,
    refuse_changes,
    takes_whole,
)

if TYPE_CHECKING:
    from harness.study.spec import Study

LEARNING_RATE = "learning_rate"
WEIGHT_SPACE = Real(0.1, 10.0, log=True)
"""Factor on the weight of every term of a sum but the first, where no alpha moves them."""

_WARM_START = "warm_start"
_STRUCTURE = {"schedule", "then"}
"""Keys of schedules that are no parameters: the kinds that are tried say them."""

_ALPHA_KEY = re.compile(r"alpha(?:\.(then)\.)?(?:\.?(\w+))?:")

Point: TypeAlias = Mapping[str, Scalar]
"""Values by dimension, of those dimensions whose condition holds."""


@dataclass(frozen=True)
class Dimension:
    """One thing that is drawn.

    Attributes:
        name: ``learning_rate``, ``focal.gamma``, ``focal.weight``, ``alpha.schedule``,
            ``alpha.rebalance.floor``, and so on.
        space: From what.
        when: Name and value of the dimension that must have this value; None: always.
    """

    name: str
    space: Space
    when: tuple[str, Scalar] | None = None


@dataclass(frozen=True)
class Configuration:
    """What a point of a search space trains.

    Attributes:
        loss: The loss with its alpha.
        learning_rate: In the place of the protocol's; None: the protocol's.
    """

    loss: LossSpec
    learning_rate: float | None


@dataclass(frozen=True)
class _Alpha:
    """How the alpha schedule is drawn: the kinds, and by kind the values that are fixed."""

    kinds: tuple[str, ...]
    fixed: Mapping[str, Mapping[str, Scalar]]


class SearchSpace:
    """The space of one tuned loss.

    Args:
        entry: The loss.
        tuning: With the study's changes to the declared spaces.
        learning_rate: The optimiser's own range.
        epochs: Of the training, which a schedule must fit.

    Raises:
        WrongSpace: if a change names something unknown or leads to a loss that cannot be built.
    """

    def __init__(self, entry: LossEntry, tuning: Tuning, learning_rate: Real, epochs: int) -> None:
        self._entry, self._tuning, self._epochs = entry, tuning, epochs
        self._spec = entry.like()
        self._terms = _term_names(self._spec)
        self._fixed_terms: dict[str, dict[str, Scalar]] = {}
        self._fixed_rate: float | None = None
        self._alpha: _Alpha | None = None
        self.dimensions = (
            *self._learning_rate(learning_rate),
            *self._parameters(),
            *(self._alpha_dimensions() if self._searches_alpha else ()),
        )
        self._check()

    @property
    def _searches_alpha(self) -> bool:
        has_own = (
            self._entry.alpha is not None and self._entry.tuned_in is None and self._entry.transfer is None
        )
        if self._entry.tuned and self._tuning.alpha == FIXED:
            raise WrongSpace(
                ("alpha",), f"loss {self._entry.label!r} has no schedule to keep; name kinds to try"
            )
        return has_own and self._tuning.alpha != FIXED

    @property
    def choices(self) -> tuple[str, ...]:
        """Names of the dimensions that are no numbers; without them nothing is conditional."""
        return tuple(each.name for each in self.dimensions if isinstance(each.space, Choice))

    def active(self, values: Point) -> Iterator[Dimension]:
        """Yield dimensions one by one while their values are filled in: those whose condition holds."""
        for dimension in self.dimensions:
            if dimension.when is None or values.get(dimension.when[0]) == dimension.when[1]:
                yield dimension

    def configuration(self, values: Point) -> Configuration:
        """Return what a point trains.

        Args:
            values: Of all active dimensions.

        Raises:
            InputError: if that is no loss.
        """
        rate = values.get(LEARNING_RATE, self._fixed_rate)
        # What alpha moves comes last: the second of two that have the same name.
        places = sorted(range(len(self._terms)), key=lambda place: place == self._spec.on)
        terms = [self._term(place, values) for place in places]
        loss = parse_loss(terms, self._drawn_alpha(values))
        return Configuration(loss, None if rate is None else float(rate))

    def alpha(self, values: Point) -> dict[str, Any] | None:
        """Return the alpha schedule of a point as a study file has it, None if there is none."""
        drawn = self._drawn_alpha(values)
        return drawn and {key: value for key, value in drawn.items() if key != "on"}

    # Dimensions

    def _learning_rate(self, own: Real) -> Iterator[Dimension]:
        change = self._tuning.learning_rate
        changes: Overrides = {} if change is None else {LEARNING_RATE: change}
        spaces, fixed = changed({LEARNING_RATE: own}, changes, {}, ())
        rates = [*(space.ends for space in spaces.values()), *([value] for value in fixed.values())]
        for rate in (each for ends in rates for each in ends):
            if not is_number(rate) or not rate > 0:
                raise WrongSpace(("learning_rate",), f"a learning rate must be a number > 0 (got {rate!r})")
        if fixed:
            self._fixed_rate = float(fixed[LEARNING_RATE])
        yield from (Dimension(name, space) for name, space in spaces.items())

    def _parameters(self) -> Iterator[Dimension]:
        for place, (name, term) in enumerate(zip(self._terms, self._spec.terms, strict=True)):
            declared: dict[str, Space] = dict(spaces_of(find_loss(term.name)[1]))
            if place and self._entry.alpha is None:
                declared[WEIGHT] = WEIGHT_SPACE
            changes = self._tuning.spaces.get(term.name, {})
            known = {*term.parameters, WEIGHT}
            for parameter in changes.keys() - known:
                hint = nearest(parameter, known) or f"; it has {', '.join(sorted(known))}"
                raise WrongSpace(
                    ("spaces", term.name, parameter),
                    f"loss {term.name!r} has no parameter {parameter!r}{hint}",
                )
            whole = {key: type(value) is int for key, value in term.parameters.items()}
            spaces, self._fixed_terms[name] = changed(declared, changes, whole, ("spaces", term.name))
            refuse_changes(term, spaces, self._fixed_terms[name])
            yield from (Dimension(f"{name}.{key}", space) for key, space in spaces.items())

    def _alpha_dimensions(self) -> Iterator[Dimension]:
        changes = self._tuning.alpha_changes
        for kind in changes:
            if kind not in ALPHA_SCHEDULES:
                raise WrongSpace(
                    ("alpha",), f"unknown alpha schedule {kind!r}{nearest(kind, ALPHA_SCHEDULES)}"
                )
        kinds = tuple(kind for kind in changes if kind != _WARM_START)
        if not kinds:
            raise WrongSpace(("alpha",), "a warm start leads to another schedule: name at least one more")
        spaces, fixed = {}, {}
        for kind in changes:
            fields = ALPHA_SCHEDULES[kind].model_fields
            known = [key for key in fields if key not in _STRUCTURE]
            for key in changes[kind].keys() - known:
                hint = nearest(key, known) or f"; it has {', '.join(known)}"
                raise WrongSpace(
                    ("alpha", kind, key), f"alpha schedule {kind!r} has no key {key!r} to draw{hint}"
                )
            whole = {key: takes_whole(fields[key].annotation) for key in known}
            spaces[kind], fixed[kind] = changed(
                ALPHA_SCHEDULES[kind].spaces, changes[kind], whole, ("alpha", kind)
            )
        self._alpha = _Alpha(kinds, fixed)
        if _WARM_START in changes:
            yield Dimension(f"alpha.{_WARM_START}", Choice((False, True)))
            warm = (f"alpha.{_WARM_START}", True)
            yield from (
                Dimension(f"alpha.{_WARM_START}.{key}", space, warm)
                for key, space in spaces[_WARM_START].items()
            )
        if len(kinds) > 1:
            yield Dimension("alpha.schedule", Choice(kinds))
        for kind in kinds:
            when = ("alpha.schedule", kind) if len(kinds) > 1 else None
            yield from (Dimension(f"alpha.{kind}.{key}", space, when) for key, space in spaces[kind].items())

    # Points

    def _term(self, place: int, values: Point) -> dict[str, Any]:
        name, term = self._terms[place], self._spec.terms[place]
        given = {**self._fixed_terms[name], **_below(f"{name}.", values)}
        weight = term.weight * float(given.pop(WEIGHT, 1.0))
        return {**term.parameters, **given, "weight": weight, "name": term.name}

    def _drawn_alpha(self, values: Point) -> dict[str, Any] | None:
        if self._spec.alpha is None or self._spec.on is None:
            return None
        moved = self._spec.terms[self._spec.on].name
        names = [term.name for term in self._spec.terms]
        on = {"on": moved} if names.count(moved) == 1 else {}
        if self._alpha is None:
            return self._spec.alpha.model_dump(exclude_none=True) | on
        kind = str(values.get("alpha.schedule", self._alpha.kinds[0]))
        drawn: dict[str, Any] = {
            "schedule": kind,
            **self._alpha.fixed[kind],
            **_below(f"alpha.{kind}.", values),
        }
        if values.get(f"alpha.{_WARM_START}"):
            over = {**self._alpha.fixed[_WARM_START], **_below(f"alpha.{_WARM_START}.", values)}
            drawn = {"schedule": _WARM_START, **over, "then": drawn}
        return drawn | on

    # Check

    def _check(self) -> None:
        """Build both ends of every dimension, the others at the first of theirs, and at the last."""
        if not self.dimensions:
            raise WrongSpace(
                (),
                f"nothing is left to tune for loss {self._entry.label!r}; leave it out of losses, "
                "or do not fix its learning rate",
            )
        twins = {name.partition("#")[0] for name in self._terms if "#" in name}
        for twin in twins if self._spec.alpha is not None else ():
            if any(each.name.startswith(f"{twin}.") for each in self.dimensions):
                raise WrongSpace(
                    ("spaces", twin),
                    f"loss {self._entry.label!r} has {twin!r} twice and alpha between them, and a draw could "
                    f"make both the same; write 'fixed' for every parameter of {twin!r} in spaces",
                )
        for others in (0, -1):
            self._check_point(None, {}, others)
            for dimension in self.dimensions:
                for end in dimension.space.ends:
                    values = {dimension.name: end}
                    if dimension.when is not None:
                        values[dimension.when[0]] = dimension.when[1]
                    self._check_point(dimension, values, others)

    def _check_point(self, dimension: Dimension | None, values: dict[str, Scalar], others: int) -> None:
        for each in self.active(values):
            values.setdefault(each.name, each.space.ends[others])
        told = self._fault(values)
        if told is not None:
            given = "" if dimension is None else f"{dimension.name} = {values[dimension.name]}: "
            raise WrongSpace(self._place(dimension, told, values), given + told)

    def _fault(self, values: Point) -> str | None:
        """Return why a point cannot be trained."""
        try:
            alpha = self.configuration(values).loss.alpha
        except InputError as error:
            return first_line(error)
        try:
            if alpha is not None and self._alpha is not None:  # a declared one is checked where it stands
                alpha.check(self._epochs)
        except ValueError as error:
            return f"alpha: {error}"
        return None

    def _place(self, dimension: Dimension | None, told: str, values: Point) -> tuple[str, ...]:
        """Return the keys below ``tuning`` where a study says what a point is refused for."""
        name = "" if dimension is None else dimension.name
        for each, term in zip(self._terms, self._spec.terms, strict=True):
            if name.startswith(f"{each}."):
                return "spaces", term.name, name.removeprefix(f"{each}.")
        own = tuple(name.split(".")) if name else ()
        found = _ALPHA_KEY.match(told)
        if found is None or self._alpha is None or len(own) > 2:
            return own
        warm = bool(values.get(f"alpha.{_WARM_START}")) and not found[1]
        kind = _WARM_START if warm else str(values.get("alpha.schedule", self._alpha.kinds[0]))
        return ("alpha", kind, found[2]) if found[2] else ("alpha", kind)


@dataclass(frozen=True)
class TunedLoss:
    """A loss that is tuned.

    Attributes:
        label: Of the tuned arm, which the winner is trained under.
        default: Label of the arm that the study declares, None if it declares none.
        entry: The loss as declared.
        space: What is searched.
    """

    label: str
    default: str | None
    entry: LossEntry
    space: SearchSpace


def tuned_losses(study: "Study") -> tuple[TunedLoss, ...]:
    """Return the losses that a study tunes, in its order.

    Raises:
        WrongSpace: see :class:`SearchSpace`.
    """
    own, epochs = study.protocol.optimizer.lr_space, study.protocol.epochs
    return tuple(
        TunedLoss(
            tuned_label(entry),
            _default_of(entry, study.losses),
            entry,
            SearchSpace(entry, study.tuning, own, epochs),
        )
        for entry in tuned_entries(study.losses, study.tuning)
    )


def tuned_entries(losses: Sequence[LossEntry], tuning: Tuning) -> list[LossEntry]:
    """Return the entries that are tuned."""
    return [
        entry for entry in losses if entry.tuned or tuning.losses == "all" or entry.label in tuning.losses
    ]


def tuned_label(entry: LossEntry) -> str:
    """Return the label of an entry's tuned arm: its own, if it has no other arm.

    >>> tuned_label(LossEntry(loss="ce", label="CE"))
    'CE (tuned)'
    """
    return entry.label if entry.tuned else f"{entry.label} (tuned)"


def _default_of(entry: LossEntry, losses: Iterable[LossEntry]) -> str | None:
    """Return the label of the default arm: the entry, or the one other with the same terms and a schedule."""
    if not entry.tuned:
        return entry.label
    terms = entry.like().terms
    same = [
        each.label
        for each in losses
        if not each.tuned and each.alpha is not None and each.like().terms == terms
    ]
    return same[0] if len(same) == 1 else None


def _term_names(spec: LossSpec) -> tuple[str, ...]:
    """Return a name for every term; a loss that stands twice is counted: ``tversky``, ``tversky#2``."""
    seen: Counter[str] = Counter()
    names = []
    for term in spec.terms:
        seen[term.name] += 1
        names.append(term.name if seen[term.name] == 1 else f"{term.name}#{seen[term.name]}")
    return tuple(names)


def _below(prefix: str, values: Point) -> dict[str, Scalar]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
