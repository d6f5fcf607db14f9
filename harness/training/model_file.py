"""The reported weights of a trial with all that turns an image into a segmentation."""

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.errors import InputError

MODEL_FILE = "model.pt"

_FORMAT = "lossbench model 1"


@dataclass(frozen=True)
class StoredModel:
    """A trained network outside its training.

    Attributes:
        key: Of the trial.
        model: Name of the network.
        options: Its options.
        in_channels: Number of image channels.
        n_classes: Number of classes, background included.
        channels: Names of the image channels.
        classes: Names of the classes, background first.
        description: The description that prepared the data, as JSON values; None if the cache is older
            than this was kept.
        precision: Of the network during training.
        checkpoint: ``best`` on validation, or ``last``.
        epoch: Of these weights, from 0.
        weights: ``state_dict`` of the network, on the CPU.
    """

    key: str
    model: str
    options: Mapping[str, Any]
    in_channels: int
    n_classes: int
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    description: Mapping[str, Any] | None
    precision: str
    checkpoint: str
    epoch: int
    weights: Mapping[str, Tensor]


def save(path: Path, stored: StoredModel) -> None:
    """Write a model file; a reader sees all of it or nothing."""
    content = {each.name: getattr(stored, each.name) for each in fields(stored)}
    content["weights"] = {name: value.detach().cpu().clone() for name, value in stored.weights.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with scratch.open("wb") as stream:  # readable by whom the user's mask allows, unlike mkstemp's
            torch.save({"format": _FORMAT, **content}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def load(path: Path) -> StoredModel:
    """Read a model file.

    Raises:
        InputError: if it is not there, cannot be read, or is none of ours.
    """
    if not path.is_file():
        raise InputError(f"model file {path.name!r} does not exist; train with 'lossbench run --keep-models'")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError):
        raise InputError(f"{path.name!r} cannot be read: it is cut short, or no model file") from None
    if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
        raise InputError(f"{path.name!r} is not a model file of this version of lossbench")
    tuples = {name: tuple(content[name]) for name in ("channels", "classes")}
    return StoredModel(**{**content, **tuples})
