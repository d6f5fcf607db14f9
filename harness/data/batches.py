"""The training slices of a trial and the batches that it sees.

Order and augmentation come from tables keyed by (dataset, split, seed, fold, epoch): every loss sees the
same batches, and a resumed trial goes on where it stopped without any random state of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.data.augment import (
    Augmentation,
    EpochDraws,
    Frame,
    check_augmentations,
    margin_of,
    merge,
    rows_of,
)
from harness.data.case import IGNORE
from harness.data.derived import DERIVED
from harness.data.prepared import PreparedCase, PreparedDataset
from harness.data.storage import Reader, Stack, Storage, open_store
from harness.data.tables import BatchTable, split_digest

_GIVEN_BY_THE_CASES = ("class_counts", "spacing")


@dataclass(frozen=True)
class Batch:
    """One mini-batch on the training device.

    Attributes:
        images: ``(B, C, H, W)`` float32.
        labels: ``(B, H, W)`` int64.
        needs: What the loss takes beside them, by name: derived arrays ``(B, ..., H, W)``, moved with
            the images, or computed from the labels where these were warped; ``spacing`` ``(B, 3)``,
            float32, in millimetres along (depth, height, width) of the slices as they lie; ``class_counts``
            ``(K,)``, pixels of each class in all training slices.
    """

    images: Tensor
    labels: Tensor
    needs: dict[str, Tensor]


class TrainingSlices:
    """All training slices of a trial, in the memory of its device or mapped.

    Where slices may be shifted out of their frame, they are kept on a canvas with a margin: images zero
    and labels background beyond the slice, derived arrays as :meth:`PreparedDataset.derived` gives them.

    Args:
        dataset: Prepared dataset.
        cases: Training cases.
        needs: Names of what the loss needs: derived arrays, ``spacing``, ``class_counts``. Nothing else
            is loaded.
        device: Where the batches are wanted.
        augment: How slices are changed at random.
        storage: Where the slices lie meanwhile; the batches are the same bits.

    Raises:
        ValueError: if the loss needs what the data cannot give.
        InputError: if the augmentations do not suit the loss or the slices.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        cases: Sequence[PreparedCase],
        needs: frozenset[str],
        device: torch.device,
        augment: Sequence[Augmentation] = (),
        storage: Storage = "auto",
    ) -> None:
        if unknown := sorted(needs - {*DERIVED, *_GIVEN_BY_THE_CASES}):
            raise ValueError(
                f"the loss needs {', '.join(unknown)}, which no prepared dataset holds; "
                f"known: {', '.join(sorted([*DERIVED, *_GIVEN_BY_THE_CASES]))}"
            )
        images = [dataset.images(case) for case in cases]
        self._labels = [dataset.labels(case) for case in cases]
        _, channels, height, width = images[0].shape
        check_augmentations(augment, needs, (height, width))
        self._n_classes = dataset.n_classes
        self._needs = needs
        self._device = device
        self._augment = augment
        self._margin = margin_of(augment)
        self._spacing = np.repeat(
            np.array([case.slice_spacing for case in cases]), [len(array) for array in images], axis=0
        )
        extent = float((self._spacing[:, 1:] * (height, width)).max())
        self._frame = Frame(len(self._spacing), channels, height, width, extent)
        stacks = {"images": Stack(images, self._margin), "labels": Stack(self._labels, self._margin)}
        self._derived = sorted(needs.intersection(DERIVED))
        for name in self._derived:
            stacks[name] = Stack([dataset.derived(case, name, self._margin) for case in cases])
        self._store = open_store(stacks, (height, width), device, storage)

    def __len__(self) -> int:
        return self._frame.slices

    def batches(
        self, table: BatchTable, epoch: int, batch_size: int, oversample_foreground: float = 0.0
    ) -> Iterator[Batch]:
        """Yield the batches of one epoch; the last one may be smaller.

        Args:
            table: Decides order and augmentation.
            epoch: Epoch number, from 0.
            batch_size: Slices per batch.
            oversample_foreground: Smallest share of slices with foreground in every batch, in [0, 1).

        Raises:
            InputError: if foreground is to be oversampled and there is none.
        """
        if oversample_foreground:
            foreground = self._pixels[:, 1:].sum(1) > 0
            order = table.oversampled_order(epoch, foreground, batch_size, oversample_foreground)
        else:
            order = table.order(epoch, len(self))
        draws = EpochDraws(self._augment, table, epoch, self._frame, self._device)
        read = self._store.reader(order, draws.offsets + self._margin)
        for start in range(0, len(self), batch_size):
            positions = slice(start, min(start + batch_size, len(self)))
            yield self._batch(read, order, draws, positions)

    def _batch(self, read: Reader, order: NDArray[np.int64], draws: EpochDraws, positions: slice) -> Batch:
        spacing = draws.turned_spacing(self._spacing[order[positions]], positions)
        images = draws.turn(read("images", positions), positions)
        labels = draws.turn(read("labels", positions), positions)
        images, labels, warped = draws.warp(images, labels, spacing, positions)
        needs = {name: draws.turn(read(name, positions), positions) for name in self._derived}
        if self._derived and len(warped):
            needs = self._recomputed(needs, labels, spacing, warped)
        if "spacing" in self._needs:
            needs["spacing"] = rows_of(spacing, self._device)
        if "class_counts" in self._needs:
            needs["class_counts"] = self._class_counts
        return Batch(draws.recolour(images, positions), labels.long(), needs)

    def _recomputed(
        self,
        needs: dict[str, Tensor],
        labels: Tensor,
        spacing: NDArray[np.float64],
        warped: NDArray[np.int64],
    ) -> dict[str, Tensor]:
        """Put what follows from warped labels in the place of what followed from them before."""
        where = torch.from_numpy(warped).to(labels.device)
        sizes = [(depth, height, width) for depth, height, width in spacing[warped].tolist()]
        slices = [label[None] for label in labels[where].cpu().numpy()]
        found = dict(needs)
        for name, array in needs.items():
            rows = [
                DERIVED[name](label, self._n_classes, size) for label, size in zip(slices, sizes, strict=True)
            ]
            found[name] = merge(array, warped, np.concatenate(rows))
        return found

    @cached_property
    def _pixels(self) -> NDArray[np.int64]:
        """Pixels of each class in each slice, ``(n, K)``; ignored ones are in no class."""
        counts = [np.bincount(image.ravel(), minlength=IGNORE + 1) for case in self._labels for image in case]
        return np.stack(counts)[:, : self._n_classes]

    @cached_property
    def _class_counts(self) -> Tensor:
        return torch.from_numpy(self._pixels.sum(0)).to(self._device)


__all__ = ["Batch", "BatchTable", "TrainingSlices", "split_digest"]
