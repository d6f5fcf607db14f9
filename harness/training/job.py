"""What a worker is given, and the events it yields."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from harness.data import storage
from harness.data.splits import Split
from harness.losses import LossSpec
from harness.training.protocol import Protocol

Part = Literal["validation", "test"]
Checkpoint = Literal["best", "last"]
Storage: TypeAlias = storage.Storage


@dataclass(frozen=True)
class TrainingJob:
    """Everything that one training needs.

    Attributes:
        key: Identifies the trial; names its files.
        prepared: Folder of the prepared dataset.
        split: How patients are divided.
        fold: Which fold is tested.
        seed: Seed index: initial weights, order, augmentation, train/validation border.
        loss: Loss to build.
        model: Name of the network.
        model_options: Its options.
        protocol: Training protocol.
        score_test: Whether test cases may be opened; false while tuning.
        folder: Where checkpoint and predictions of this trial go.
        device: ``cpu`` or ``cuda``.
        threads: Torch threads on the CPU; they change bits, hence part of the numerics class.
        storage: Where the training slices lie; moves no bit.
    """

    key: str
    prepared: Path
    split: Split
    fold: int
    seed: int
    loss: LossSpec
    model: str
    model_options: dict[str, Any]
    protocol: Protocol
    score_test: bool
    folder: Path
    device: str = "cpu"
    threads: int = 1
    storage: Storage = "auto"


@dataclass(frozen=True)
class EpochRecord:
    """One point of the learning curve.

    Attributes:
        epoch: From 0.
        train_loss: Mean over the training batches.
        val_dsc: Mean DSC over validation patients and foreground classes, 0..1.
        learning_rate: In force during the epoch.
        region_weight: Alpha weight of the other term, None without a schedule.
        boundary_weight: Alpha weight of the term that alpha moves, None without a schedule.
        seconds: Wall time, validation included.
    """

    epoch: int
    train_loss: float
    val_dsc: float
    learning_rate: float
    region_weight: float | None
    boundary_weight: float | None
    seconds: float


@dataclass(frozen=True)
class CaseScore:
    """One score of one case.

    Attributes:
        case: Name of the case.
        part: Side of the split.
        checkpoint: ``best`` on validation, or ``last``.
        class_index: Foreground class, from 1.
        metric: Registered metric.
        value: As defined, None where it is undefined.
        imputed: The value that the undefined-value policy puts in its place, else ``value``.
        reason: Why it is undefined, else None.
    """

    case: str
    part: Part
    checkpoint: Checkpoint
    class_index: int
    metric: str
    value: float | None
    imputed: float
    reason: str | None


@dataclass(frozen=True)
class Started:
    """The worker has begun.

    Attributes:
        numerics: Device, thread count, precision and library versions that decide the bits.
        resumed_at: First epoch that this attempt trains.
    """

    numerics: dict[str, str]
    resumed_at: int


@dataclass(frozen=True)
class Finished:
    """The outcome of a trial.

    Attributes:
        state: ``done``, or ``diverged`` if the loss or a weight stopped being finite.
        reason: Why it diverged or collapsed, else None.
        collapsed: Whether the model at the reported checkpoint is no use (validation DSC below
            0.05, or at least 95 % of the non-empty validation cases predicted empty).
        best_epoch: Epoch of the best validation DSC.
        best_val_dsc: That DSC.
        epochs: The learning curve.
        scores: Of validation and test cases.
        predictions: File with the predicted masks of the test cases, relative to the job's folder.
        seconds: Wall time of the training, earlier attempts included.
    """

    state: Literal["done", "diverged"]
    reason: str | None
    collapsed: bool
    best_epoch: int | None
    best_val_dsc: float | None
    epochs: tuple[EpochRecord, ...]
    scores: tuple[CaseScore, ...]
    predictions: str | None
    seconds: float


Event = Started | EpochRecord | Finished
