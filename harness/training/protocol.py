"""The training protocol of a study, and nothing that depends on the loss."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from harness.data.augment import Augmentations, FlipHorizontal
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
        augment: Random changes of the training slices, each a name or a mapping of name and parameters.
            Axial slices are safely flipped left to right only: front and back of the head differ, and so
            may the classes there.
        oversample_foreground: Smallest share of slices with foreground in every batch; at 0 an epoch
            shows every slice once.
        deterministic: Refuse operations whose result is not repeatable.
    """

    epochs: PositiveInt = 200
    batch_size: PositiveInt = 8
    optimizer: Optimizer = Optimizer()
    lr_schedule: LearningRateSchedule = PlateauSchedule()
    checkpoint: Literal["best_val_dsc", "last"] = "best_val_dsc"
    precision: Literal["float32", "bfloat16"] = "float32"
    augment: Augmentations = (FlipHorizontal(),)
    oversample_foreground: Annotated[float, Field(ge=0, lt=1)] = 0.0
    deterministic: bool = True
