"""Alpha schedules: how the weight inside a compound loss moves during the training.

A compound L = w_R L_R + w_B L_B gets (w_R, w_B) from alpha by one of two forms: ``add`` = (1, alpha) and
``mix`` = (alpha, 1 - alpha). A schedule is a frozen model and a pure function of the epoch: nothing is
accumulated, so a resumed training continues with the very same weights. Epochs count from 0.

To add a schedule, write one class here, file it with ``@ALPHA_SCHEDULES.register`` and name it in
:data:`Alpha`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from harness.registry import Registry
from harness.strict_yaml import StrictModel

Form: TypeAlias = Literal["add", "mix"]
NonNegative: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Fraction: TypeAlias = Annotated[float, Field(gt=0, le=1)]


class Schedule(StrictModel):
    """Base of the schedules; ``schedule`` is the word that study files choose one by."""

    schedule: str
    form: Form

    def alpha(self, epoch: int, epochs: int) -> float:
        """Return alpha in an epoch of 0..epochs-1."""
        raise NotImplementedError

    def weights(self, epoch: int, epochs: int) -> tuple[float, float]:
        """Return (w_R, w_B) in an epoch of 0..epochs-1.

        Raises:
            ValueError: if the epoch is not one of the training's.
        """
        if not 0 <= epoch < epochs:
            raise ValueError(f"epoch must lie in 0..{epochs - 1} (got {epoch})")
        alpha = self.alpha(epoch, epochs)
        return (1.0, alpha) if self.form == "add" else (alpha, 1.0 - alpha)

    def goal(self) -> tuple[str, float] | None:
        """Return the key and value that alpha should end at, or None where it has no end."""
        return None

    @model_validator(mode="after")
    def _mix_is_a_share(self) -> "Schedule":
        for key in ("start", "end", "cap", "floor"):
            value = getattr(self, key, None)
            if self.form == "mix" and value is not None and value > 1:
                raise ValueError(f"{key} must be <= 1 in the mix form (got {value:g})")
        return self


ALPHA_SCHEDULES: Registry[type[Schedule]] = Registry("alpha schedule")


@ALPHA_SCHEDULES.register("constant")
class Constant(Schedule):
    """alpha(e) = start; by default L_R + 0.01 L_B (Kervadec et al., Medical Image Analysis 2021)."""

    schedule: Literal["constant"] = "constant"
    form: Form = "add"
    start: NonNegative = 0.01

    def alpha(self, epoch: int, epochs: int) -> float:
        """Return start."""
        return self.start


@ALPHA_SCHEDULES.register("increase")
class Increase(Schedule):
    """alpha(e) = min(cap, start + step e); by default L_R + alpha L_B, without cap.

    With ``over`` alpha goes in a straight line from ``start`` to ``end`` during that fraction of the
    training, then stays. Kervadec et al., Medical Image Analysis 2021 (their code: from 0.01 or
    from 1, 0.01 more each epoch).
    """

    schedule: Literal["increase"] = "increase"
    form: Form = "add"
    start: NonNegative = 0.01
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    cap: NonNegative | None = None
    end: NonNegative | None = None
    over: Fraction | None = None

    @model_validator(mode="before")
    @classmethod
    def _default_step(cls, given: Any) -> Any:
        return _with_step(given, 0.01)

    @model_validator(mode="after")
    def _one_way_to_grow(self) -> "Increase":
        _step_or_over(self.step, self.over)
        if (self.over is None) != (self.end is None):
            raise ValueError(
                "over and end go together: alpha reaches end after that fraction of the training"
            )
        if self.over is not None and self.cap is not None:
            raise ValueError("cap goes with step; with over, end is the cap")
        if self.form == "mix" and self.cap is None and self.end is None:
            raise ValueError("the mix form needs a cap or an end, or alpha would pass 1")
        last = self.goal()
        if last is not None and last[1] < self.start:
            raise ValueError(f"{last[0]} must be >= start (got {last[1]:g} < {self.start:g})")
        return self

    def alpha(self, epoch: int, epochs: int) -> float:
        """Return min(cap, start + step e), or the point of the line to end."""
        if self.over is not None and self.end is not None:
            return self.start + (self.end - self.start) * progress(epoch, epochs, self.over)
        grown = self.start + (self.step or 0.0) * epoch
        return grown if self.cap is None else min(self.cap, grown)

    def goal(self) -> tuple[str, float] | None:
        """Return cap or end, if there is one."""
        if self.end is not None:
            return "end", self.end
        return None if self.cap is None else ("cap", self.cap)


@ALPHA_SCHEDULES.register("rebalance")
class Rebalance(Schedule):
    """alpha(e) = max(floor, start + step e); by default alpha L_R + (1 - alpha) L_B, from 1 to 0.01.

    With ``over`` alpha goes in a straight line from ``start`` to ``floor`` during that fraction of the
    training, then stays. Kervadec et al., MIDL 2019, p. 291.

    ``published_code`` gives what the released scheduler does instead: w_R = max(0.1, 1 - 0.01 e),
    w_B = 0.01 + 0.01 e. Its weights do not sum to one and the second grows without bound.
    """

    schedule: Literal["rebalance"] = "rebalance"
    form: Form = "mix"
    start: Share = 1.0
    step: Annotated[float, Field(ge=-1, lt=0)] | None = None
    floor: Share = 0.01
    over: Fraction | None = None
    published_code: bool = False

    @model_validator(mode="before")
    @classmethod
    def _default_step(cls, given: Any) -> Any:
        return _with_step(given, -0.01)

    @model_validator(mode="after")
    def _one_way_to_fall(self) -> "Rebalance":
        _step_or_over(self.step, self.over)
        if self.floor > self.start:
            raise ValueError(f"floor must be <= start (got {self.floor:g} > {self.start:g})")
        own = (self.form, self.start, self.step, self.floor)
        if self.published_code and own != ("mix", 1.0, -0.01, 0.01):
            raise ValueError("published_code fixes the schedule and takes no other key")
        return self

    def alpha(self, epoch: int, epochs: int) -> float:
        """Return max(floor, start + step e), or the point of the line to floor."""
        if self.over is not None:
            return self.start + (self.floor - self.start) * progress(epoch, epochs, self.over)
        return max(self._lowest(), self.start + (self.step or 0.0) * epoch)

    def weights(self, epoch: int, epochs: int) -> tuple[float, float]:
        """Return (w_R, w_B), those of the released code if asked for."""
        weights = super().weights(epoch, epochs)
        return (weights[0], 0.01 + 0.01 * epoch) if self.published_code else weights

    def goal(self) -> tuple[str, float]:
        """Return floor."""
        return "floor", self._lowest()

    def _lowest(self) -> float:
        return 0.1 if self.published_code else self.floor


Alpha: TypeAlias = Annotated[Constant | Increase | Rebalance, Field(discriminator="schedule")]
"""Any schedule, for the fields of models that are read from files."""


def progress(epoch: int, epochs: int, over: float) -> float:
    """Return how much of a line that lasts a fraction ``over`` of the training is done, 0..1.

    The training lasts from epoch 0 to epoch epochs-1; with one epoch only, nothing is done.
    """
    return 0.0 if epochs <= 1 else min(1.0, epoch / (over * (epochs - 1)))


def unfinished(alpha: Schedule, epochs: int) -> str | None:
    """Return a sentence of warning if the schedule cannot reach its end within the epochs."""
    goal = alpha.goal()
    if goal is None:
        return None
    (key, value), last = goal, alpha.alpha(epochs - 1, epochs)
    if abs(last - value) < 1e-9:
        return None
    return (
        f"alpha schedule {alpha.schedule!r} stops at {last:g} after {_count(epochs)} and never reaches its "
        f"{key} {value:g}; train longer or give 'over', a fraction of the training, in place of 'step'"
    )


def _count(epochs: int) -> str:
    return "1 epoch" if epochs == 1 else f"{epochs} epochs"


def _with_step(given: Any, step: float) -> Any:
    """Fill in the default step where neither step nor over is given, so that equal spellings are equal."""
    if isinstance(given, Mapping) and given.get("step") is None and given.get("over") is None:
        return {**given, "step": step}
    return given


def _step_or_over(step: float | None, over: float | None) -> None:
    if step is not None and over is not None:
        raise ValueError("step and over exclude each other: give the change per epoch or the fraction")
