"""The alpha schedules that stand alone: how the weight inside a compound loss moves.

What a schedule is and how to add one stands in :mod:`harness.losses.schedule`. Lengths in epochs are the
published form; each has a twin that ends in ``over``, the same length as a fraction of the training, so
that a short study means the same as a long one.
"""

from math import cos, pi
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from harness.losses.schedule import (
    ALPHA_SCHEDULES,
    Form,
    Fraction,
    NonNegative,
    ProperFraction,
    Schedule,
    Share,
    between,
    not_both,
    progress,
    whole_epochs,
    with_default,
)
from harness.losses.search_space import Real, Spaces

_CHANGE = "the change per epoch"


@ALPHA_SCHEDULES.register("constant")
class Constant(Schedule):
    """alpha(e) = start; by default L_R + 0.01 L_B (Kervadec et al., Medical Image Analysis 2021)."""

    reference: ClassVar[str] = "Kervadec et al., Medical Image Analysis 2021"
    spaces: ClassVar[Spaces] = {"start": Real(1e-3, 1.0, log=True)}

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

    reference: ClassVar[str] = "Kervadec et al., Medical Image Analysis 2021"
    spaces: ClassVar[Spaces] = {
        "start": Real(1e-3, 1e-1, log=True),
        "end": Real(1e-1, 2.0, log=True),
        "over": Real(0.25, 1.0),
    }

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
        return with_default(given, "step", 0.01)

    @model_validator(mode="after")
    def _one_way_to_grow(self) -> "Increase":
        not_both(self, "step", meaning=_CHANGE)
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

    reference: ClassVar[str] = "Kervadec et al., MIDL 2019"
    spaces: ClassVar[Spaces] = {"floor": Real(0.01, 0.5), "over": Real(0.25, 1.0)}

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
        return with_default(given, "step", -0.01)

    @model_validator(mode="after")
    def _one_way_to_fall(self) -> "Rebalance":
        not_both(self, "step", meaning=_CHANGE)
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


class _FromStartToEnd(Schedule):
    """What linear, cosine and step share: the ends."""

    reference: ClassVar[str] = "Celaya, Riviere and Fuentes, arXiv 2302.03868"

    form: Form = "mix"
    start: NonNegative = 1.0
    end: NonNegative = 0.0

    def goal(self) -> tuple[str, float]:
        """Return end."""
        return "end", self.end


@ALPHA_SCHEDULES.register("linear")
class Linear(_FromStartToEnd):
    """A straight line to the last epoch, after a pause; by default alpha L_R + (1 - alpha) L_B, 1 to 0.

    ::

        alpha(e) = start                                                   for e <= pause
                   start + (end - start) (e - pause) / (E - 1 - pause)     after it

    ``pause`` is 5 epochs by default and must be less than E - 1; ``pause_over`` is the pause as a
    fraction of the training, pause = pause_over (E - 1). Celaya, Riviere and Fuentes, arXiv 2302.03868,
    eqs. 14-16, and their code.
    """

    spaces: ClassVar[Spaces] = {"end": Real(0.0, 0.5), "pause_over": Real(0.01, 0.5)}

    schedule: Literal["linear"] = "linear"
    pause: Annotated[int, Field(ge=0)] | None = None
    pause_over: ProperFraction | None = None

    @model_validator(mode="before")
    @classmethod
    def _default_pause(cls, given: Any) -> Any:
        return with_default(given, "pause", 5, "pause_over")

    @model_validator(mode="after")
    def _one_pause(self) -> "Linear":
        not_both(self, "pause", "pause_over")
        return self

    def check(self, epochs: int) -> None:
        """Refuse a pause that leaves no epoch for the line."""
        if epochs > 1 and self.pause is not None and self.pause >= epochs - 1:
            raise ValueError(
                f"pause must be < {epochs - 1}, the last of {epochs} epochs (got {self.pause}); shorten it, "
                "train longer, or give pause_over, a fraction of the training"
            )

    def alpha(self, epoch: int, epochs: int) -> float:
        """Return start during the pause, then the point of the line to end."""
        last = epochs - 1
        pause = (self.pause or 0) if self.pause_over is None else self.pause_over * last
        if epoch <= pause:
            return self.start
        return between(self.start, self.end, (epoch - pause) / (last - pause))


@ALPHA_SCHEDULES.register("cosine")
class Cosine(_FromStartToEnd):
    """alpha(e) = end + (start - end) (1 + cos(pi e / (E - 1))) / 2; by default mixed, from 1 to 0.

    Celaya, Riviere and Fuentes, arXiv 2302.03868, eqs. 14-16, and their code.
    """

    spaces: ClassVar[Spaces] = {"end": Real(0.0, 0.5)}

    schedule: Literal["cosine"] = "cosine"

    def alpha(self, epoch: int, epochs: int) -> float:
        """Return the point of half a cosine wave from start to end."""
        return between(self.start, self.end, (1 - cos(pi * progress(epoch, epochs, 1.0))) / 2)


@ALPHA_SCHEDULES.register("step")
class Step(_FromStartToEnd):
    """Equal steps of h epochs each, the last h at the end; by default mixed, from 1 to 0.

    ::

        alpha(e) = end                                                           for e >= E - h
                   start + (end - start) floor(e / h) / floor((E - h) / h)       before

    ``hold`` is h, 5 epochs by default, and needs E >= 2h; ``hold_over`` is h as a fraction of the
    training, rounded down to whole epochs but at least one. Celaya, Riviere and Fuentes,
    arXiv 2302.03868, eqs. 14-16, and their code.
    """

    spaces: ClassVar[Spaces] = {"end": Real(0.0, 0.5), "hold_over": Real(0.02, 0.25)}

    schedule: Literal["step"] = "step"
    hold: PositiveInt | None = None
    hold_over: Annotated[float, Field(gt=0, le=0.5)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _default_hold(cls, given: Any) -> Any:
        return with_default(given, "hold", 5, "hold_over")

    @model_validator(mode="after")
    def _one_hold(self) -> "Step":
        not_both(self, "hold", "hold_over")
        return self

    def check(self, epochs: int) -> None:
        """Refuse a training with no time for two steps."""
        if epochs > 1 and self.hold is not None and epochs < 2 * self.hold:
            raise ValueError(
                f"hold must be at most half of {epochs} epochs (got {self.hold}); shorten it, train longer, "
                "or give hold_over, a fraction of the training"
            )

    def alpha(self, epoch: int, epochs: int) -> float:
        """Return the height of the step that the epoch is on."""
        if epochs == 1:
            return self.start
        h = self.hold or whole_epochs(self.hold_over or 0.0, epochs)
        if epoch >= epochs - h:
            return self.end
        return between(self.start, self.end, (epoch // h) / ((epochs - h) // h))
