"""A synthetic batch that looks like segmentation: structures of some extent, a fair prediction of them.

Pixel noise would be unfair to both sides: distance transforms, components and sorting cost what the
shape of the labels makes them cost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from harness.data.derived import DERIVED

SPACING = (3.0, 1.0, 1.0)
"""Millimetres per voxel (z, y, x) of the volume whose slices the batch is."""

_BLOBS_PER_CLASS = 3


def blob_labels(shape: tuple[int, int, int], n_classes: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return a volume (Z, H, W) of ellipsoids of the classes 1.. on background; every class occurs.

    Args:
        shape: Of the volume.
        n_classes: Background included.
        seed: Of the random sizes.
    """
    generator = np.random.default_rng(seed)
    labels = np.zeros(shape, dtype=np.uint8)
    grid = np.meshgrid(*(np.arange(size) + 0.5 for size in shape), indexing="ij", sparse=True)
    blobs = _BLOBS_PER_CLASS * (n_classes - 1)
    for blob in range(blobs):
        # On a ring, so that no class covers another one up.
        angle = 2 * np.pi * blob / blobs
        centre = np.array([0.5, 0.5 + 0.32 * np.sin(angle), 0.5 + 0.32 * np.cos(angle)])
        radius = np.array([generator.uniform(0.4, 0.8), *generator.uniform(0.03, 0.12, 2)])
        radius = np.maximum(radius * shape, 1.0)
        z, y, x = (
            ((axis - middle * size) / semi) ** 2
            for axis, middle, size, semi in zip(grid, centre, shape, radius, strict=True)
        )
        labels[z + y + x <= 1] = 1 + blob % (n_classes - 1)
    return labels


def fair_logits(labels: NDArray[np.uint8], n_classes: int, seed: int = 0) -> NDArray[np.float32]:
    """Return logits (Z, C, H, W) of a network that has learnt something: blurred, shifted, a bit noisy."""
    shift = max(1, labels.shape[-1] // 85)
    logits = np.empty((len(labels), n_classes, *labels.shape[1:]), dtype=np.float32)
    for label in range(n_classes):
        mask = np.roll(labels == label, shift, axis=-1).astype(np.float32)
        logits[:, label] = 8 * ndimage.gaussian_filter(mask, (0, shift, shift))
    logits += 0.5 * np.random.default_rng(seed).standard_normal(logits.shape, dtype=np.float32)
    return logits


@dataclass(frozen=True)
class Scene:
    """A batch, and everything that a loss can take precomputed.

    Attributes:
        logits: (B, C, H, W) float32, a leaf that takes gradients.
        labels: (B, H, W) int64: the slices of one volume.
        volume: The same labels as the data side has them.
        device: Where the tensors are.
    """

    logits: Tensor
    labels: Tensor
    volume: NDArray[np.uint8]
    device: str

    @classmethod
    def of(cls, shape: tuple[int, int, int, int], device: str) -> "Scene":
        """Return the scene of a shape (B, C, H, W)."""
        images, classes, *size = shape
        volume = blob_labels((images, size[0], size[1]), classes)
        logits = torch.from_numpy(fair_logits(volume, classes)).to(device).requires_grad_()
        return cls(logits, torch.from_numpy(volume).long().to(device), volume, device)

    @property
    def n_classes(self) -> int:
        """C."""
        return self.logits.shape[1]

    def needs(self, names: Iterable[str]) -> Mapping[str, Tensor]:
        """Return what a loss needs, computed as the data side does, once.

        Raises:
            InputError: if nobody computes a need.
        """
        return MappingProxyType({name: self._need(name).to(self.device) for name in names})

    def _need(self, name: str) -> Tensor:
        if name == "class_counts":
            return torch.bincount(self.labels.flatten().cpu(), minlength=self.n_classes)
        if name == "spacing":
            return torch.tensor(SPACING).repeat(len(self.labels), 1)
        return torch.from_numpy(DERIVED[name](self.volume, self.n_classes, SPACING))
