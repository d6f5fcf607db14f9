"""The training slices in memory and the order in which a trial sees them.

Order and flips come from tables keyed by (dataset, seed, fold, epoch): every loss sees the same
batches, and a resumed trial goes on where it stopped without any random state of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.data.case import IGNORE
from harness.data.prepare import PreparedCase, PreparedDataset

Flip = Literal["flip_horizontal", "flip_vertical"]
"""Mirror columns (left and right of an axial slice) or rows (front and back)."""

_ORDER_STREAM, _FLIP_STREAM = 11, 12


@dataclass(frozen=True)
class Batch:
    """One mini-batch on the training device.

    Attributes:
        images: ``(B, C, H, W)`` float32.
        labels: ``(B, H, W)`` int64.
        distance_maps: ``(B, K, H, W)`` float32 in millimetres, or None if no loss needs them.
    """

    images: Tensor
    labels: Tensor
    distance_maps: Tensor | None


@dataclass(frozen=True)
class BatchTable:
    """What decides order and augmentation: never the loss.

    Attributes:
        fingerprint: Of the dataset.
        seed: Seed index.
        fold: Fold number.
    """

    fingerprint: str
    seed: int
    fold: int

    def order(self, epoch: int, n_slices: int) -> NDArray[np.int64]:
        """Return a permutation of the training slices."""
        return self._generator(_ORDER_STREAM, epoch).permutation(n_slices)

    def flips(self, epoch: int, n_slices: int) -> NDArray[np.bool_]:
        """Return for every position in the order whether columns and rows are mirrored, ``(n, 2)``."""
        return self._generator(_FLIP_STREAM, epoch).random((n_slices, 2)) < 0.5

    def _generator(self, stream: int, epoch: int) -> np.random.Generator:
        dataset = int(self.fingerprint[:16], 16)
        return np.random.default_rng(np.random.SeedSequence([dataset, self.seed, self.fold, stream, epoch]))


class TrainingSlices:
    """All training slices of a trial, resident on its device.

    Args:
        dataset: Prepared dataset.
        cases: Training cases.
        needs: What the loss needs; distance maps are loaded only for a loss that reads them.
        device: Where to keep the tensors.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        cases: Sequence[PreparedCase],
        needs: frozenset[str],
        device: torch.device,
    ) -> None:
        self.images = _stack([dataset.images(case) for case in cases]).to(device)
        self.labels = _stack([dataset.labels(case) for case in cases]).to(device)
        self.distance_maps = (
            _stack([dataset.distance_maps(case) for case in cases]).to(device)
            if "distance_maps" in needs
            else None
        )
        counts = torch.bincount(self.labels.flatten().cpu().int(), minlength=IGNORE + 1)
        self.class_counts = counts[: dataset.n_classes].to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def batches(
        self, table: BatchTable, epoch: int, batch_size: int, augment: Sequence[Flip]
    ) -> Iterator[Batch]:
        """Yield the batches of one epoch; the last one may be smaller.

        Args:
            table: Decides order and flips.
            epoch: Epoch number, from 0.
            batch_size: Slices per batch.
            augment: Which flips to draw; distance maps follow them exactly.
        """
        device = self.labels.device
        order = torch.from_numpy(table.order(epoch, len(self))).to(device)
        flips = torch.from_numpy(table.flips(epoch, len(self))).to(device)
        flips &= torch.tensor([flip in augment for flip in get_args(Flip)], device=device)
        for start in range(0, len(self), batch_size):
            index = order[start : start + batch_size]
            mirrored = flips[start : start + batch_size] if augment else None
            maps = self.distance_maps
            yield Batch(
                images=_flip(self.images[index], mirrored),
                labels=_flip(self.labels[index], mirrored).long(),
                distance_maps=None if maps is None else _flip(maps[index], mirrored),
            )


def _stack(arrays: Sequence[NDArray[np.generic]]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays))


def _flip(batch: Tensor, mirrored: Tensor | None) -> Tensor:
    """Mirror columns and rows of those samples that ``mirrored`` (B, 2) says."""
    if mirrored is None:
        return batch
    for axis, chosen in ((-1, mirrored[:, 0]), (-2, mirrored[:, 1])):
        batch = torch.where(chosen.view(-1, *[1] * (batch.ndim - 1)), batch.flip(axis), batch)
    return batch
