"""One row of the comparison, as a study file writes it: a loss, its label, and what moves its alpha."""

from typing import Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, Tag, create_model, field_validator, model_validator

from harness.errors import InputError
from harness.losses import ALPHA_SCHEDULES, LossSpec, Schedule, parse_loss
from harness.strict_yaml import StrictModel

TUNE = "tune"
"""Value of ``alpha`` that asks for a tuned schedule."""

_ANY_ALPHA = {"schedule": "constant"}
"""Stands for a schedule that is not known yet."""

Index = Annotated[int, Field(ge=0)]


class FromStudy(StrictModel):
    """A schedule that a search of another study of the same database has found.

    Attributes:
        from_study: Name of that study.
        loss: Label of the tuned loss there; may be left out if only one fits.
        dataset: Name of the dataset there; may be left out if it was tuned on one only.
        fold: Fold there; may be left out if there is one only.
        on: Which loss of a longer sum alpha moves.
    """

    from_study: str
    loss: str | None = None
    dataset: str | None = None
    fold: Index | None = None
    on: str | None = None


# Each schedule with two keys more: which loss of a longer sum alpha moves, and the search that found it.
_SCHEDULE_ENTRIES = tuple(
    create_model(
        f"{schedule.__name__}Entry", __base__=schedule, on=(str | None, None), tuned_in=(str | None, None)
    )
    for schedule in ALPHA_SCHEDULES.values()
)
_ENTRY_KEYS = frozenset({"tuned_in"})
"""Keys of an alpha entry that are no property of the loss."""

AlphaEntry = Annotated[Union[_SCHEDULE_ENTRIES], Discriminator("schedule")]  # type: ignore[valid-type]  # noqa: UP007


def _form(value: Any) -> str:
    if isinstance(value, str):
        return "word"
    if isinstance(value, FromStudy) or (isinstance(value, dict) and "from_study" in value):
        return "a transfer"
    return "a schedule"


AlphaForm = Annotated[
    Annotated[Literal["tune"], Tag("word")]
    | Annotated[FromStudy, Tag("a transfer")]
    | Annotated[AlphaEntry, Tag("a schedule")],
    Discriminator(_form),
]


class LossEntry(StrictModel):
    """One row of the comparison.

    Attributes:
        loss: Name, expression such as ``gdl + boundary``, or name with parameters.
        label: Name in tables; made from the loss if absent.
        alpha: Schedule of a compound's weight; ``tune``; or ``{from_study: ...}``, a schedule that was tuned
            elsewhere.
    """

    loss: str | dict[str, Any] | tuple[str | dict[str, Any], ...]
    label: str = ""
    alpha: AlphaForm | None = None

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, value: Any) -> Any:
        try:
            parse_loss(value)
        except InputError as error:
            raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _parsable(self) -> "LossEntry":
        try:
            spec = parse_loss(self.loss, self._known_alpha() or self._unknown_alpha())
        except InputError as error:
            raise ValueError(str(error)) from None
        if not self.label:
            object.__setattr__(self, "label", spec.expression + self._label_suffix())
        return self

    @property
    def tuned(self) -> bool:
        """Whether its alpha schedule is to be found by tuning: it has no default arm of its own."""
        return isinstance(self.alpha, str)

    @property
    def transfer(self) -> FromStudy | None:
        """Whose schedule it takes, until that has been looked up."""
        return self.alpha if isinstance(self.alpha, FromStudy) else None

    @property
    def tuned_in(self) -> str | None:
        """The search of another study that found its schedule."""
        found: str | None = getattr(self.alpha, "tuned_in", None)
        return found

    @property
    def is_known(self) -> bool:
        """Whether the study file alone tells its loss."""
        return not self.tuned and self.transfer is None

    def spec(self) -> LossSpec:
        """Return the canonical loss of an entry that :attr:`is_known`."""
        return parse_loss(self.loss, self._known_alpha())

    def like(self) -> LossSpec:
        """Return a loss that costs the same: with any schedule in the place of an unknown one."""
        return parse_loss(self.loss, self._known_alpha() or self._unknown_alpha())

    def with_alpha(self, alpha: dict[str, Any]) -> "LossEntry":
        """Return the entry with a schedule."""
        return LossEntry.model_validate({"loss": self.loss, "label": self.label, "alpha": alpha})

    @property
    def on(self) -> str | None:
        """Which loss of a longer sum alpha moves, as the entry says."""
        found: str | None = getattr(self.alpha, "on", None)
        return found

    def too_long_for(self, epochs: int) -> str | None:
        """Return why the schedule does not fit into a training, or None."""
        schedule: Schedule | None = self.alpha if isinstance(self.alpha, Schedule) else None
        try:
            if schedule is not None:
                schedule.check(epochs)
        except ValueError as error:
            return str(error)
        return None

    def _known_alpha(self) -> dict[str, Any] | None:
        alpha: Any = self.alpha
        if not isinstance(alpha, Schedule):
            return None
        return alpha.model_dump(exclude_none=True, exclude=set(_ENTRY_KEYS))

    def _unknown_alpha(self) -> dict[str, Any] | None:
        if self.is_known:
            return None
        return _ANY_ALPHA if self.on is None else {**_ANY_ALPHA, "on": self.on}

    def _label_suffix(self) -> str:
        if self.transfer is not None:
            return f" (alpha from {self.transfer.from_study})"
        return " (tuned)" if self.tuned else ""
