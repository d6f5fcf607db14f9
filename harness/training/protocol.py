"""The training protocol of a study, and nothing that depends on the loss."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, Tag

from harness.data.augment import Augmentations, FlipHorizontal
from harness.losses.search_space import Real
from harness.strict_yaml import StrictModel

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Adam(StrictModel):
    """Adam (Kingma and Ba, ICLR 2015); ``weight_decay`` is added to the gradient.

    Attributes:
        lr_space: What a study that tunes draws the learning rate from, for every loss alike; so in each
            optimiser.
        words: What a methods section calls it, a format of its fields; so in each optimiser and schedule.
    """

    lr_space: ClassVar[Real] = Real(1e-4, 1e-2, log=True)
    words: ClassVar[str] = "Adam"

    name: Literal["adam"] = "adam"
    lr: PositiveFloat = 1e-3
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    weight_decay: NonNegativeFloat = 0.0


class AdamW(StrictModel):
    """Adam whose weight decay is decoupled from the gradient (Loshchilov and Hutter, ICLR 2019)."""

    lr_space: ClassVar[Real] = Real(1e-4, 1e-2, log=True)
    words: ClassVar[str] = "AdamW"

    name: Literal["adamw"]
    lr: PositiveFloat = 1e-3
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    weight_decay: NonNegativeFloat = 0.01


class Sgd(StrictModel):
    """Stochastic gradient descent with momentum; the defaults are those of nnU-Net."""

    lr_space: ClassVar[Real] = Real(1e-3, 1e-1, log=True)

    name: Literal["sgd"]
    lr: PositiveFloat = 1e-2
    momentum: Fraction = 0.99
    nesterov: bool = True
    weight_decay: NonNegativeFloat = 3e-5

    @property
    def words(self) -> str:
        """What a methods section calls it."""
        kind = "Nesterov momentum" if self.nesterov else "momentum"
        return f"stochastic gradient descent with {kind} {self.momentum:g}"


def optimizer(value: Any) -> Any:
    """Return which optimiser a part of a study file means: Adam where it gives no name."""
    return value.get("name", "adam") if isinstance(value, dict) else getattr(value, "name", value)


Optimizer = Annotated[
    Annotated[Adam, Tag("adam")] | Annotated[AdamW, Tag("adamw")] | Annotated[Sgd, Tag("sgd")],
    Discriminator(optimizer),
]


class PlateauSchedule(StrictModel):
    """Multiply the learning rate by ``factor`` after ``patience`` epochs without validation gain."""

    words: ClassVar[str] = (
        "is multiplied by {factor:g} after {patience} epochs without a gain in validation DSC"
    )

    name: Literal["plateau"] = "plateau"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: PositiveInt = 20


class PolySchedule(StrictModel):
    """Learning rate times ``(1 - epoch / epochs) ** power`` (Chen et al., DeepLab, 2018; nnU-Net)."""

    words: ClassVar[str] = "falls as (1 - epoch/epochs)^{power:g} (poly)"

    name: Literal["poly"]
    power: PositiveFloat = 0.9


class CosineSchedule(StrictModel):
    """Half a cosine from the learning rate down to ``floor`` times it (Loshchilov and Hutter, ICLR 2017)."""

    words: ClassVar[str] = "falls along half a cosine to {floor:g} of its start"

    name: Literal["cosine"]
    floor: Fraction = 0.0


class ConstantSchedule(StrictModel):
    """Keep the learning rate."""

    words: ClassVar[str] = "stays constant"

    name: Literal["constant"]


LearningRateSchedule = Annotated[
    PlateauSchedule | PolySchedule | CosineSchedule | ConstantSchedule, Field(discriminator="name")
]


Precision = Literal["float32", "tf32", "bfloat16"]

PRECISION_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "float32": "single precision (float32)",
        "tf32": "single precision (TF32)",
        "bfloat16": "mixed precision (bfloat16)",
    }
)
"""What a methods section calls each."""


class Protocol(StrictModel):
    """How every model of the study is trained; all of it is part of the trial key.

    Attributes:
        epochs: Passes over the training slices.
        batch_size: Slices that go through the network together; losses are computed over them.
        accumulate: Batches whose gradients make one step of the optimiser, each weighted by its slices.
        optimizer: Optimiser and learning rate.
        lr_schedule: Learning-rate schedule, by epochs.
        clip_gradient: Largest L2 norm of the whole gradient; longer ones are scaled down. None: as it is.
        checkpoint: Which weights are reported; the other one is scored too.
        precision: Of the network; losses are computed in at least float32. ``tf32`` and ``bfloat16``
            are faster on a GPU, ``bfloat16`` also on CPUs that have it.
        compile: Let torch compile the network, with CUDA graphs on a GPU.
        augment: Random changes of the training slices, each a name or a mapping of name and parameters.
            Axial slices are safely flipped left to right only: front and back of the head differ, and so
            may the classes there.
        oversample_foreground: Smallest share of slices with foreground in every batch; at 0 an epoch
            shows every slice once.
        metrics_every: Epochs between validations with every metric, for curves of HD95; None: DSC alone
            until the end. No weight depends on it, but what a trial stores does.
        deterministic: Refuse operations whose result is not repeatable.
    """

    epochs: PositiveInt = 200
    batch_size: PositiveInt = 8
    accumulate: PositiveInt = 1
    optimizer: Optimizer = Adam()
    lr_schedule: LearningRateSchedule = PlateauSchedule()
    clip_gradient: PositiveFloat | None = None
    checkpoint: Literal["best_val_dsc", "last"] = "best_val_dsc"
    precision: Precision = "float32"
    compile: bool = False
    augment: Augmentations = (FlipHorizontal(),)
    oversample_foreground: Fraction = 0.0
    metrics_every: PositiveInt | None = None
    deterministic: bool = True
