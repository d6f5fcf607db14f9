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
from harness.data.derived import DERIVED
from harness.data.prepare import PreparedCase, PreparedDataset

Flip = Literal["flip_horizontal", "flip_vertical"]
"""Mirror columns (left and right of an axial slice) or rows (front and back)."""

_GIVEN_BY_THE_CASES = ("class_counts", "spacing")
_ORDER_STREAM, _FLIP_STREAM = 11, 12


@dataclass(frozen=True)
class Batch:
    """One mini-batch on the training device.

    Attributes:
        images: ``(B, C, H, W)`` float32.
        labels: ``(B, H, W)`` int64.
        needs: What the loss takes beside them, by name: derived arrays ``(B, ..., H, W)``, flipped like
            the images; ``spacing`` ``(B, 3)``, float32, in millimetres along (depth, height, width);
            ``class_counts`` ``(K,)``, pixels of each class in all training slices.
    """

    images: Tensor
    labels: Tensor
    needs: dict[str, Tensor]


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
        needs: Names of what the loss needs: derived arrays, ``spacing``, ``class_counts``. Nothing else
            is loaded.
        device: Where to keep the tensors.

    Raises:
        ValueError: if the loss needs what the data cannot give.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        cases: Sequence[PreparedCase],
        needs: frozenset[str],
        device: torch.device,
    ) -> None:
        if unknown := sorted(needs - {*DERIVED, *_GIVEN_BY_THE_CASES}):
            raise ValueError(
                f"the loss needs {', '.join(unknown)}, which no prepared dataset holds; "
                f"known: {', '.join(sorted([*DERIVED, *_GIVEN_BY_THE_CASES]))}"
            )
        self.images = _stack([dataset.images(case) for case in cases]).to(device)
        self.labels = _stack([dataset.labels(case) for case in cases]).to(device)
        self._derived = {
            name: _stack([dataset.derived(case, name) for case in cases]).to(device)
            for name in sorted(needs.intersection(DERIVED))
        }
        self._spacing = self._class_counts = None
        if "spacing" in needs:
            rows = [np.tile(case.spacing, (case.shape[0], 1)).astype(np.float32) for case in cases]
            self._spacing = _stack(rows).to(device)
        if "class_counts" in needs:
            counts = torch.bincount(self.labels.flatten().cpu().int(), minlength=IGNORE + 1)
            self._class_counts = counts[: dataset.n_classes].to(device)

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
            augment: Which flips to draw; derived arrays follow them exactly.
        """
        device = self.labels.device
        order = torch.from_numpy(table.order(epoch, len(self))).to(device)
        flips = torch.from_numpy(table.flips(epoch, len(self))).to(device)
        flips &= torch.tensor([flip in augment for flip in get_args(Flip)], device=device)
        for start in range(0, len(self), batch_size):
            index = order[start : start + batch_size]
            mirrored = flips[start : start + batch_size] if augment else None
            yield Batch(
                images=_flip(self.images[index], mirrored),
                labels=_flip(self.labels[index], mirrored).long(),
                needs=self._needs(index, mirrored),
            )

    def _needs(self, index: Tensor, mirrored: Tensor | None) -> dict[str, Tensor]:
        needs = {name: _flip(array[index], mirrored) for name, array in self._derived.items()}
        if self._spacing is not None:
            needs["spacing"] = self._spacing[index]
        if self._class_counts is not None:
            needs["class_counts"] = self._class_counts
        return needs


def _stack(arrays: Sequence[NDArray[np.generic]]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays))


def _flip(batch: Tensor, mirrored: Tensor | None) -> Tensor:
    """Mirror columns and rows of those samples that ``mirrored`` (B, 2) says."""
    if mirrored is None:
        return batch
    for axis, chosen in ((-1, mirrored[:, 0]), (-2, mirrored[:, 1])):
        batch = torch.where(chosen.view(-1, *[1] * (batch.ndim - 1)), batch.flip(axis), batch)
    return batch
