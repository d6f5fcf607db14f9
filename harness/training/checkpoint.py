"""What a trial needs to go on after it was interrupted, written atomically."""

import logging
import os
import pickle
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.training.job import EpochRecord, EpochScore

FORMAT = 2
"""Raised when a checkpoint holds other things; one of another format is not taken up."""

_FILE = "checkpoint.pt"

_log = logging.getLogger(__name__)


@dataclass
class Progress:
    """How far a trial has come.

    Attributes:
        epochs: Learning curve so far; its length is the next epoch.
        best_epoch: Epoch of the best validation DSC so far.
        best_val_dsc: That DSC.
        best_weights: The weights there.
        numerics: First epoch of every attempt and its numerics class: more than one entry after an
            interruption, all of one class unless it went on elsewhere.
    """

    epochs: list[EpochRecord] = field(default_factory=list)
    best_epoch: int | None = None
    best_val_dsc: float | None = None
    best_weights: dict[str, Tensor] | None = None
    numerics: list[tuple[int, str]] = field(default_factory=list)


def save(folder: Path, key: str, progress: Progress, states: dict[str, Any]) -> None:
    """Write a checkpoint; a reader sees the old one or the new one, never a part, even after a power cut.

    Args:
        folder: The trial's folder.
        key: The trial's key: a checkpoint serves no other.
        progress: How far it has come.
        states: ``state_dict`` of model, optimiser, learning-rate schedule and loss, and of the random
            generators.
    """
    content = {
        "format": FORMAT,
        "key": key,
        "epochs": [asdict(record) for record in progress.epochs],
        "best_epoch": progress.best_epoch,
        "best_val_dsc": progress.best_val_dsc,
        "best_weights": progress.best_weights,
        "numerics": progress.numerics,
        "states": states,
    }
    folder.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(prefix=".checkpoint-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            torch.save(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        Path(scratch).replace(folder / _FILE)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def load(folder: Path, key: str) -> tuple[Progress, dict[str, Any]] | None:
    """Return the last checkpoint of a trial, or None if there is none that can be used.

    One that cannot be read, or is of another trial or format, is warned about: the trial then begins anew.
    """
    path = folder / _FILE
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = (content["format"], content["key"])
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        _log.warning("checkpoint of trial %s cannot be read (%s); it begins anew", key[:16], error)
        return None
    if found != (FORMAT, key):
        _log.warning("checkpoint of trial %s is of another version or trial; it begins anew", key[:16])
        return None
    progress = Progress(
        epochs=[_record(record) for record in content["epochs"]],
        best_epoch=content["best_epoch"],
        best_val_dsc=content["best_val_dsc"],
        best_weights=content["best_weights"],
        numerics=[(first, found) for first, found in content["numerics"]],
    )
    return progress, content["states"]


def remove(folder: Path) -> None:
    """Delete the checkpoint of a finished trial, and what a killed writer left."""
    for path in [folder / _FILE, *folder.glob(".checkpoint-*")]:
        path.unlink(missing_ok=True)


def _record(fields: dict[str, Any]) -> EpochRecord:
    scores = tuple(EpochScore(**score) for score in fields["scores"])
    return EpochRecord(**{**fields, "scores": scores})
