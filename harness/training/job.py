"""What a worker is given, and the events it yields.

Torch is not imported here: events are read by programs that train nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.data.splits import Split
    from harness.losses import LossSpec
    from harness.training.protocol import Protocol

Part = Literal["validation", "test"]
Checkpoint = Literal["best", "last"]
Storage: TypeAlias = Literal["auto", "memory", "mapped"]


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
        storage: Where the slices lie; moves no bit.
        keep_model: Whether the reported weights are kept for ``lossbench predict``.
        checkpoint_seconds: Least time between two checkpoints.
        judged: Whether its driver says after every epoch if it goes on; its worker waits for that.
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
    keep_model: bool = False
    checkpoint_seconds: float = 30.0
    judged: bool = False


@dataclass(frozen=True)
class EpochScore:
    """One metric of one class over the validation patients after an epoch.

    Attributes:
        class_index: Foreground class, from 1.
        metric: Registered metric.
        mean: Over patients, each the mean over its cases; undefined values are imputed.
        undefined: Number of cases whose value is undefined.
    """

    class_index: int
    metric: str
    mean: float
    undefined: int


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
        validation_seconds: Wall time of the validation.
        peak_bytes: Most memory during the epoch: allocated on the GPU, else resident of the process.
        scores: DSC of every class, and every other metric where the protocol wants its curve.
    """

    epoch: int
    train_loss: float
    val_dsc: float
    learning_rate: float
    region_weight: float | None
    boundary_weight: float | None
    seconds: float
    validation_seconds: float = 0.0
    peak_bytes: int = 0
    scores: tuple[EpochScore, ...] = ()


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
        hardware: The machine, for provenance only.
    """

    numerics: dict[str, str]
    resumed_at: int
    hardware: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """The outcome of a trial.

    Attributes:
        state: ``done``, ``diverged`` if the loss or a weight stopped being finite, or ``pruned`` if its
            driver ended a judged job early: without scores, artifacts and collapse.
        reason: Why it diverged or collapsed, else None.
        reason_epoch: When: the epoch that diverged, or that of the collapsed checkpoint.
        collapsed: Whether the model at the reported checkpoint is no use (validation DSC below
            0.05, or at least 95 % of the non-empty validation cases predicted empty).
        best_epoch: Epoch of the best validation DSC.
        best_val_dsc: That DSC.
        epochs: The learning curve.
        scores: Of validation and test cases.
        artifacts: Files that are kept, by kind, relative to the job's folder: ``predictions`` (masks of
            the test cases), ``model`` (the reported weights).
        numerics: The numerics class; a trial that went on in another one names both.
        seconds: Wall time of the epochs, those of earlier attempts included, and of set-up and scoring.
    """

    state: Literal["done", "diverged", "pruned"]
    reason: str | None
    reason_epoch: int | None
    collapsed: bool
    best_epoch: int | None
    best_val_dsc: float | None
    epochs: tuple[EpochRecord, ...]
    scores: tuple[CaseScore, ...]
    artifacts: Mapping[str, str]
    numerics: str
    seconds: float


Event = Started | EpochRecord | Finished
