"""Small networks that the tests of this folder share."""

from typing import Any

import torch
from torch import Tensor, nn

from harness.models import build_model

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "unet2d": ("unet2d", {"base_channels": 4, "depth": 2}),
    "unet2d_batch_relu": ("unet2d", {"base_channels": 4, "depth": 2, "norm": "batch", "activation": "relu"}),
    "unet2d_no_norm": ("unet2d", {"base_channels": 4, "depth": 2, "norm": "none"}),
    "unet2d_strided_nearest": (
        "unet2d",
        {"base_channels": 4, "depth": 2, "down": "strided", "up": "nearest"},
    ),
    "unet2d_supervised": ("unet2d", {"base_channels": 4, "depth": 3, "deep_supervision": True}),
    "kervadec": ("kervadec", {"base_channels": 4}),
}


def small(name: str, **options: Any) -> nn.Module:
    """Return a network of :data:`NETWORKS` for 2 channels and 3 classes, drawn from seed 7."""
    model, usual = NETWORKS[name]
    torch.manual_seed(7)
    return build_model(model, 2, 3, **{**usual, **options})


def outputs(model: nn.Module, image: Tensor) -> tuple[Tensor, ...]:
    """Return the logits of every head."""
    logits = model(image)
    return logits if isinstance(logits, tuple) else (logits,)


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
