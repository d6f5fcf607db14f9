"""What every alpha schedule is, the registry of them, and the checks that they share.

A compound L = w_R L_R + w_B L_B gets (w_R, w_B) from alpha by one of two forms: ``add`` = (1, alpha) and
``mix`` = (alpha, 1 - alpha). A schedule is a frozen model and a pure function of the epoch: nothing is
accumulated, so a resumed training continues with the very same weights. Epochs count from 0.

To add a schedule, write one class in :mod:`harness.losses.alpha_schedules`::

    @ALPHA_SCHEDULES.register("halving")
    class Halving(Schedule):
        '''alpha(e) = start 2^(-e / half_life); formula, defaults, paper.'''

        reference: ClassVar[str] = "Nobody et al., 2030"
        spaces: ClassVar[Spaces] = {"start": Real(0.5, 1.0)}

        schedule: Literal["halving"] = "halving"
        form: Form = "mix"
        start: NonNegative = 1.0
        half_life: PositiveInt = 20

        def alpha(self, epoch: int, epochs: int) -> float:
            '''Return start 2^(-e / half_life).'''
            return self.start * 2 ** (-epoch / self.half_life)

and name it in the union of :mod:`harness.losses.alpha`. Study files, trial keys, the plan and the picture of
all schedules then know it.

Rules that tests hold for every schedule: all fields have defaults; one epoch gives the start; equal
spellings give equal models, so that trial keys agree (fill defaults in with :func:`with_default`); a
length in epochs that a training can be too short for is refused by :meth:`Schedule.check`, and has a
twin ``...over``, the same length as a fraction of the training, that never is.

``spaces`` says what a study that tunes draws a field from; the others keep their defaults. Give a length its
``...over``, so that a space means the same for short and long studies: every point of it must fit a
training of any length.
"""

from abc import abstractmethod
from collections.abc import Mapping
from math import floor
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from harness.losses.search_space import Spaces
from harness.registry import Registry
from harness.strict_yaml import StrictModel

# Keys are hashes of JSON, which tells -0.0 from 0.0.
_UNSIGNED_ZERO = AfterValidator(lambda value: value + 0.0)

Form: TypeAlias = Literal["add", "mix"]
NonNegative: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False), _UNSIGNED_ZERO]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1), _UNSIGNED_ZERO]
Fraction: TypeAlias = Annotated[float, Field(gt=0, le=1)]
"""A part of the training, all of it at most."""
ProperFraction: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
"""A part of the training that leaves something over."""


class Schedule(StrictModel):
    """Base of the schedules.

    Attributes:
        reference: Paper, or who proposed it.
        spaces: What a tuner draws fields from, by name; the others keep their defaults.
        schedule: The word that study files choose one by.
        form: How alpha becomes two weights; see the module.
    """

    reference: ClassVar[str]
    spaces: ClassVar[Spaces] = MappingProxyType({})

    schedule: str
    form: Form

    @abstractmethod
    def alpha(self, epoch: int, epochs: int) -> float:
        """Return alpha in an epoch of 0..epochs-1, of a training that :meth:`check` lets pass."""

    def weights(self, epoch: int, epochs: int) -> tuple[float, float]:
        """Return (w_R, w_B) in an epoch of 0..epochs-1.

        Raises:
            ValueError: if the epoch is not one of the training's, or the training is too short.
        """
        if not 0 <= epoch < epochs:
            raise ValueError(f"epoch must lie in 0..{epochs - 1} (got {epoch})")
        self.check(epochs)
        alpha = self.alpha(epoch, epochs)
        return (1.0, alpha) if self.form == "add" else (alpha, 1.0 - alpha)

    def check(self, epochs: int) -> None:
        """Refuse a training that is too short for a length given in epochs.

        A training of one epoch always passes: it gets the start.

        Raises:
            ValueError: naming key, value and remedy.
        """

    def goal(self) -> tuple[str, float] | None:
        """Return the key and value that alpha should end at, or None where it has no end."""
        return None

    def unfinished(self, epochs: int) -> str | None:
        """Return a sentence of warning if alpha cannot reach its goal within the epochs."""
        goal = self.goal()
        if goal is None:
            return None
        (key, value), last = goal, self.alpha(epochs - 1, epochs)
        if abs(last - value) < 1e-9:
            return None
        slow = getattr(self, "step", None) is not None
        remedy = " or give 'over', a fraction of the training, in place of 'step'" if slow else ""
        return (
            f"alpha schedule {self.schedule!r} stops at {last:g} after {count(epochs)} and never reaches "
            f"its {key} {value:g}; train longer{remedy}"
        )

    @model_validator(mode="after")
    def _mix_is_a_share(self) -> "Schedule":
        for key in ("start", "end", "cap", "floor"):
            value = getattr(self, key, None)
            if self.form == "mix" and value is not None and value > 1:
                raise ValueError(f"{key} must be <= 1 in the mix form (got {value:g})")
        return self


ALPHA_SCHEDULES: Registry[type[Schedule]] = Registry("alpha schedule")


def progress(epoch: int, epochs: int, over: float) -> float:
    """Return how much of a line that lasts a fraction ``over`` of the training is done, 0..1.

    The training lasts from epoch 0 to epoch epochs-1; with one epoch only, nothing is done.
    """
    return 0.0 if epochs <= 1 else min(1.0, epoch / (over * (epochs - 1)))


def between(start: float, end: float, done: float) -> float:
    """Return the point of the line from start to end after the part ``done``; exact at both ends."""
    return end if done >= 1 else start + (end - start) * done


def whole_epochs(fraction: float, epochs: int) -> int:
    """Return a fraction of the training in whole epochs, rounded down but at least one."""
    # 0.29 * 100 is 28.999...: round what binary fractions leave before cutting.
    return max(1, floor(round(fraction * epochs, 9)))


def count(epochs: int) -> str:
    """Return a number of epochs in words."""
    return "1 epoch" if epochs == 1 else f"{epochs} epochs"


def with_default(given: Any, key: str, default: float, twin: str = "over") -> Any:
    """Fill in a default where neither the key nor its twin is given, so that equal spellings are equal."""
    if isinstance(given, Mapping) and given.get(key) is None and given.get(twin) is None:
        return {**given, key: default}
    return given


def not_both(model: Schedule, key: str, twin: str = "over", *, meaning: str = "a number of epochs") -> None:
    """Refuse a model that has both the key and its twin, a fraction of the training.

    Raises:
        ValueError: naming both.
    """
    if getattr(model, key) is not None and getattr(model, twin) is not None:
        raise ValueError(f"{key} and {twin} exclude each other: give {meaning} or the fraction")
