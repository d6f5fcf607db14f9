"""The training protocol of a study, and nothing that depends on the loss."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from harness.data.batches import Flip
from harness.strict_yaml import StrictModel


class Optimizer(StrictModel):
    """Optimiser and its initial learning rate; other settings are torch's defaults."""

    name: Literal["adam", "adamw"] = "adam"
    lr: PositiveFloat = 1e-3


class PlateauSchedule(StrictModel):
    """Multiply the learning rate by ``factor`` after ``patience`` epochs without validation gain."""

    name: Literal["plateau"] = "plateau"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: PositiveInt = 20


class ConstantSchedule(StrictModel):
    """Keep the learning rate."""

    name: Literal["constant"]


LearningRateSchedule = Annotated[PlateauSchedule | ConstantSchedule, Field(discriminator="name")]


class Protocol(StrictModel):
    """How every model of the study is trained; all of it is part of the trial key.

    Attributes:
        epochs: Passes over the training slices.
        batch_size: Slices per step.
        optimizer: Optimiser and learning rate.
        lr_schedule: Learning-rate schedule.
        checkpoint: Which weights are reported; the other one is scored too.
        precision: Of the network; losses are computed in at least float32.
        augment: Random mirrorings. Axial slices are safely flipped left to right only: front and
            back of the head differ, and so may the classes there.
        deterministic: Refuse operations whose result is not repeatable.
    """

    epochs: PositiveInt = 200
    batch_size: PositiveInt = 8
    optimizer: Optimizer = Optimizer()
    lr_schedule: LearningRateSchedule = PlateauSchedule()
    checkpoint: Literal["best_val_dsc", "last"] = "best_val_dsc"
    precision: Literal["float32", "bfloat16"] = "float32"
    augment: tuple[Flip, ...] = ("flip_horizontal",)
    deterministic: bool = True
