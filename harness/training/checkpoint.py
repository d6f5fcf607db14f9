"""What a trial needs to go on after it was interrupted, written atomically after every epoch."""

import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.training.job import EpochRecord

_FILE = "checkpoint.pt"


@dataclass
class Progress:
    """How far a trial has come.

    Attributes:
        epochs: Learning curve so far; its length is the next epoch.
        best_epoch: Epoch of the best validation DSC so far.
        best_val_dsc: That DSC.
        best_weights: The weights there.
    """

    epochs: list[EpochRecord] = field(default_factory=list)
    best_epoch: int | None = None
    best_val_dsc: float | None = None
    best_weights: dict[str, Tensor] | None = None


def save(folder: Path, progress: Progress, states: dict[str, Any]) -> None:
    """Write a checkpoint; a reader sees the old one or the new one, never a part.

    Args:
        folder: The trial's folder.
        progress: How far it has come.
        states: ``state_dict`` of model, optimiser, learning-rate schedule and loss.
    """
    content = {
        "epochs": [asdict(record) for record in progress.epochs],
        "best_epoch": progress.best_epoch,
        "best_val_dsc": progress.best_val_dsc,
        "best_weights": progress.best_weights,
        "states": states,
    }
    folder.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(prefix=".checkpoint-", dir=folder)
    with os.fdopen(handle, "wb") as stream:
        torch.save(content, stream)
    Path(scratch).replace(folder / _FILE)


def load(folder: Path) -> tuple[Progress, dict[str, Any]] | None:
    """Return the last checkpoint of a trial, or None if there is none."""
    path = folder / _FILE
    if not path.exists():
        return None
    content = torch.load(path, map_location="cpu", weights_only=True)
    progress = Progress(
        epochs=[EpochRecord(**record) for record in content["epochs"]],
        best_epoch=content["best_epoch"],
        best_val_dsc=content["best_val_dsc"],
        best_weights=content["best_weights"],
    )
    return progress, content["states"]


def remove(folder: Path) -> None:
    """Delete the checkpoint of a finished trial, and what a killed writer left."""
    for path in [folder / _FILE, *folder.glob(".checkpoint-*")]:
        path.unlink(missing_ok=True)
