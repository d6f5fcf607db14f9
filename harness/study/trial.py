"""One model to train, and the key that identifies it for ever."""

import hashlib
import json
from functools import cached_property
from typing import Any, Literal

from harness.data.splits import Split
from harness.losses import LossSpec
from harness.losses.plugins import find_loss
from harness.strict_yaml import StrictModel
from harness.study.spec import ModelEntry
from harness.training.protocol import Protocol

KEY_VERSION = 1
"""Part of every key: raise it when the same fields come to mean another training."""


class Trial(StrictModel):
    """A frozen description of one training: no paths, hosts or times.

    Attributes:
        fingerprint: Of the prepared dataset.
        split: How patients are divided.
        fold: Which fold is tested.
        loss: Canonical loss, with all its parameters and its alpha schedule.
        model: Network and options.
        protocol: Training protocol.
        seed: Seed index, common to all losses.
        purpose: ``study`` trials are scored on test cases; ``search`` trials, which tune, never
            touch them.
    """

    fingerprint: str
    split: Split
    fold: int
    loss: dict[str, Any]
    model: ModelEntry
    protocol: Protocol
    seed: int
    purpose: Literal["study", "search"] = "study"

    def canonical(self) -> dict[str, Any]:
        """Return the fields that move the numbers, ready for JSON."""
        fields = self.model_dump(mode="json", exclude={"model"})
        return {"key_version": KEY_VERSION, **fields, "model": self.model.canonical()}

    @cached_property
    def key(self) -> str:
        """sha256 over the canonical JSON: same key, same trial."""
        return hashlib.sha256(json.dumps(self.canonical(), sort_keys=True).encode()).hexdigest()

    def loss_spec(self) -> LossSpec:
        """Return the loss to build."""
        return LossSpec.model_validate(self.loss)

    def plugin_modules(self) -> set[str]:
        """Return the modules of those losses that are not our own: the key knows only their names."""
        modules = {find_loss(term.name)[1].__module__ for term in self.loss_spec().terms}
        return {module for module in modules if module.partition(".")[0] != "harness"}
