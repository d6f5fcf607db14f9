"""The worked examples of the formula sheet, in float64."""

import pytest
import torch

from harness.losses import Batch


def _logits(*images):
    """Images as rows of pixels (p_0, ..., p_C-1) -> logits (B, C, H, W) = ln p."""
    return torch.stack([torch.tensor(image, dtype=torch.float64).permute(2, 0, 1) for image in images]).log()


E2 = (
    _logits([[(0.1, 0.9), (0.3, 0.7)], [(0.6, 0.4), (0.9, 0.1)]]),
    torch.tensor([[[1, 1], [0, 1]]]),
)
E3 = (
    _logits([[(0.2, 0.7, 0.1), (0.6, 0.3, 0.1)]], [[(0.8, 0.1, 0.1), (0.5, 0.3, 0.2)]]),
    torch.tensor([[[1, 0]], [[0, 0]]]),
)
E4 = (
    _logits([[(0.6, 0.3, 0.1), (0.2, 0.5, 0.3), (0.1, 0.2, 0.7)]]),
    torch.tensor([[[0, 1, 2]]]),
)


def _two_classes(p1, labels):
    """Probabilities of class 1 (H, W) and labels -> a batch of one image."""
    p1 = torch.as_tensor(p1, dtype=torch.float64)
    return torch.stack([1 - p1, p1]).log().unsqueeze(0), torch.as_tensor(labels).unsqueeze(0)


def _line():
    p1, labels = torch.full((5, 5), 0.1), torch.zeros(5, 5, dtype=torch.long)
    p1[2, 1:4], labels[2, 1:4] = torch.tensor([0.9, 0.6, 0.3]), 1
    return _two_classes(p1.double().round(decimals=6), labels)


def _square():
    p1, labels = torch.full((12, 12), 0.1), torch.zeros(12, 12, dtype=torch.long)
    p1[1:11, 1:11], labels[1:11, 1:11] = 0.8, 1
    return _two_classes(p1.double().round(decimals=6), labels)


EXAMPLES = {
    "E2": E2,
    "E3": E3,
    "E4": E4,
    "R8": _two_classes([[0.9, 0.8, 0.2, 0.1, 0.1, 0.3, 0.4, 0.1]], [[1, 1, 0, 0, 0, 0, 1, 0]]),
    "L5": _line(),
    "S12": _square(),
}


@pytest.fixture
def example():
    """A function from the name of a worked example to its (logits, labels)."""
    return EXAMPLES.__getitem__


@pytest.fixture
def needs_of():
    """A function from (logits, labels) to everything that a loss can take precomputed."""

    def compute(logits, labels, ignore_label=None):
        batch = Batch.of(logits, labels, ignore_label)
        return {
            "class_counts": torch.arange(logits.shape[1], 0, -1) * 10,
            "spacing": torch.tensor([[3.0, 2.0, 2.0]]).expand(len(logits), 3),
            "distance_maps": 2 * batch.maps(),
            "voxel_distance_maps": batch.maps(),
            "distance_maps_3d": 2 * batch.maps(),
            "voxel_distance_maps_3d": batch.maps(),
            "components": batch.components,
            "cells": batch.cells,
            "skeletons": batch.skeletons,
        }

    return compute


@pytest.fixture
def noise():
    """A function from (B, C, H, W) to random logits and labels, float64."""

    def draw(batch=2, classes=3, height=6, width=5, seed=0, dtype=torch.float64):
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(batch, classes, height, width, generator=generator, dtype=torch.float64)
        labels = torch.randint(0, classes, (batch, height, width), generator=generator)
        return logits.to(dtype), labels

    return draw
