"""Alpha, any schedule of the weight inside a compound loss, and the one that is made of another.

The schedules that stand alone are in :mod:`harness.losses.alpha_schedules`; what a schedule is and how to
add one stands in :mod:`harness.losses.schedule`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args

from pydantic import Field, PositiveInt, field_validator, model_validator

from harness.losses.alpha_schedules import Constant, Cosine, Increase, Linear, Rebalance, Step
from harness.losses.schedule import (
    ALPHA_SCHEDULES,
    Form,
    ProperFraction,
    Schedule,
    count,
    not_both,
    whole_epochs,
    with_default,
)
from harness.losses.search_space import Real, Spaces

__all__ = [
    "ALPHA_SCHEDULES",
    "Alpha",
    "Constant",
    "Cosine",
    "Increase",
    "Linear",
    "Rebalance",
    "Schedule",
    "Step",
    "WarmStart",
    "unfinished",
]

_Single: TypeAlias = Constant | Increase | Rebalance | Linear | Cosine | Step
"""The schedules that a warm start can lead to."""


@ALPHA_SCHEDULES.register("warm_start")
class WarmStart(Schedule):
    """L_R alone for n epochs, then another schedule as if the training began there.

    ::

        (w_R, w_B)(e) = (1, 0)                            for e < n
                        weights of then at (e - n, E - n) after them

    ``epochs`` is n, 50 by default, and must be less than E; ``over`` is n as a fraction of the
    training, rounded down to whole epochs but at least one. ``then`` is L_R + L_B by default, and any
    schedule but another warm start. ``form`` is the form of ``then`` and may be given in either place.

    Ours, after the advice of the author of SegLoss (github.com/JunMa11/SegLoss) to fine-tune with a
    boundary loss from a network that was trained with Dice.
    """

    reference: ClassVar[str] = "ours, after the advice of SegLoss's author"
    # Its own length only; what comes after it has the spaces of its kind.
    spaces: ClassVar[Spaces] = {"over": Real(0.05, 0.5)}

    schedule: Literal["warm_start"] = "warm_start"
    form: Form = "add"
    epochs: PositiveInt | None = None
    over: ProperFraction | None = None
    then: Annotated[_Single, Field(discriminator="schedule")] = Constant(start=1.0)

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, given: Any) -> Any:
        given = with_default(given, "epochs", 50)
        if not isinstance(given, Mapping) or given.get("form") not in get_args(Form):
            return given
        then = given.get("then", {"schedule": "constant", "start": 1.0})
        if isinstance(then, Mapping) and "form" not in then:
            return {**given, "then": {**then, "form": given["form"]}}
        return given

    @field_validator("then", mode="before")
    @classmethod
    def _one_warm_start(cls, then: Any) -> Any:
        kind = then.get("schedule") if isinstance(then, Mapping) else getattr(then, "schedule", None)
        if kind == "warm_start":
            raise ValueError("a warm start cannot follow a warm start; give one with all the epochs of both")
        return then

    @model_validator(mode="after")
    def _one_length_and_form(self) -> "WarmStart":
        not_both(self, "epochs")
        if "form" in self.model_fields_set and self.form != self.then.form:
            raise ValueError(f"form is that of then, {self.then.form} (got {self.form}); give it only once")
        object.__setattr__(self, "form", self.then.form)
        return self

    def check(self, epochs: int) -> None:
        """Refuse a training with no epoch left for then, or too few."""
        if epochs == 1:
            return
        n = self._first(epochs)
        if n >= epochs:
            raise ValueError(
                f"epochs must be < {epochs}, the epochs of the training (got {n}); shorten the warm start, "
                "train longer, or give over, a fraction of the training"
            )
        try:
            self.then.check(epochs - n)
        except ValueError as error:
            raise ValueError(f"then, with the {count(epochs - n)} after the warm start: {error}") from None

    def alpha(self, epoch: int, epochs: int) -> float:
        """Return what gives (1, 0) during the warm start, then the alpha of then."""
        n = self._first(epochs)
        if epoch < n:
            return 0.0 if self.form == "add" else 1.0
        return self.then.alpha(epoch - n, epochs - n)

    def weights(self, epoch: int, epochs: int) -> tuple[float, float]:
        """Return (1, 0) during the warm start, then the weights of then."""
        weights, n = super().weights(epoch, epochs), self._first(epochs)
        return weights if epoch < n else self.then.weights(epoch - n, epochs - n)

    def unfinished(self, epochs: int) -> str | None:
        """Return the warning of then, or one that it never begins."""
        left = epochs - self._first(epochs)
        if left < 1:
            return f"alpha schedule 'warm_start' ends with {count(epochs)}, before then begins; train longer"
        warning = self.then.unfinished(left)
        return warning and f"after the warm start, {warning}"

    def _first(self, epochs: int) -> int:
        if self.over is None:
            return self.epochs or 0
        # Rounding must not take the last epoch away from then.
        return min(whole_epochs(self.over, epochs), max(1, epochs - 1))


Alpha: TypeAlias = Annotated[_Single | WarmStart, Field(discriminator="schedule")]
"""Any schedule, for the fields of models that are read from files."""


def unfinished(alpha: Schedule, epochs: int) -> str | None:
    """Return a sentence of warning if the schedule does not fit the epochs, or cannot reach its end."""
    try:
        alpha.check(epochs)
    except ValueError as error:
        return f"alpha schedule {alpha.schedule!r}: {error}"
    return alpha.unfinished(epochs)
