"""All that is drawn for one epoch, ready to be applied to its batches."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from harness.data.augment.base import (
    Appearance,
    Augmentation,
    Displacement,
    Frame,
    ImageChange,
    Isometry,
    LinearWarp,
    index_of,
    rows_of,
)
from harness.data.tables import BatchTable


class EpochDraws:
    """The tables of one epoch, indexed by position in its order.

    A slice is first moved by all isometries together, then warped by all warps together, then changed in
    appearance; inside each kind in the order of the names. Positions are a slice of consecutive ones, B
    of them; all arrays of a batch go through the same moves.

    Args:
        augment: What to draw.
        table: Gives every augmentation a stream of its own.
        epoch: Epoch number, from 0.
        frame: Size of the epoch and its slices.
        device: Of the batches.
    """

    def __init__(
        self,
        augment: Sequence[Augmentation],
        table: BatchTable,
        epoch: int,
        frame: Frame,
        device: torch.device,
    ) -> None:
        self._frame = frame
        self._device = device
        streams = [(each, table.generator(each.name, epoch)) for each in augment]
        moves = [each.draw(stream, frame) for each, stream in streams if isinstance(each, Isometry)]
        matrices = [each.draw(stream, frame) for each, stream in streams if isinstance(each, LinearWarp)]
        fields = [
            (each, each.draw(stream, frame)) for each, stream in streams if isinstance(each, Displacement)
        ]
        self._changes: list[ImageChange] = [
            each.draw(stream, frame, device) for each, stream in streams if isinstance(each, Appearance)
        ]
        self._set_moves(reduce(_compose, moves, np.tile(np.eye(2, 3, dtype=np.int64), (frame.slices, 1, 1))))
        linear = reduce(np.matmul, matrices, np.tile(np.eye(2), (frame.slices, 1, 1)))
        self._linear = rows_of(linear, device)
        self._fields = [(each, rows_of(coefficients, device)) for each, coefficients in fields]
        self.warped: NDArray[np.bool_] = (linear != np.eye(2)).any((1, 2))
        """Which positions are warped, ``(n,)``."""
        for _, coefficients in fields:
            self.warped |= coefficients.reshape(frame.slices, -1).any(1)

    def _set_moves(self, moves: NDArray[np.int64]) -> None:
        self.offsets: NDArray[np.int64] = moves[:, :, 2]
        """Row and column of the stored slice at which its frame starts, ``(n, 2)``."""
        self.on_its_side: NDArray[np.bool_] = moves[:, 0, 0] == 0
        """Whether rows and columns change places, ``(n,)``."""
        mirrored = moves[:, :, :2].sum(1) < 0  # of the two entries in a column one is zero
        self._turns = (
            (_transpose, self.on_its_side),
            (_flip_rows, mirrored[:, 0]),
            (_flip_columns, mirrored[:, 1]),
        )

    def turn(self, array: Tensor, positions: slice) -> Tensor:
        """Flip and turn, in place, the samples of an array ``(B, ..., H, W)`` cut out at :attr:`offsets`."""
        for turn, drawn in self._turns:
            places = np.flatnonzero(drawn[positions])
            if len(places):
                where = index_of(places, self._device)
                array.index_copy_(0, where, turn(array.index_select(0, where)))
        return array

    def turned_spacing(self, spacing: NDArray[np.float64], positions: slice) -> NDArray[np.float64]:
        """Return the spacing ``(B, 3)``, (depth, height, width), of slices that may lie on their side."""
        return np.where(self.on_its_side[positions, None], spacing[:, [0, 2, 1]], spacing)

    def warp(
        self, images: Tensor, labels: Tensor, spacing: NDArray[np.float64], positions: slice
    ) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
        """Warp the samples that are to be warped.

        Args:
            images: ``(B, C, H, W)``, float32; sampled bilinearly, zero beyond the frame.
            labels: ``(B, H, W)``, uint8; nearest pixel, background beyond the frame.
            spacing: Of the samples as they come in, ``(B, 3)``, in millimetres.
            positions: Where the batch stands in the epoch.

        Returns:
            Images, labels, and the places in the batch that were warped.
        """
        places = np.flatnonzero(self.warped[positions])
        if not len(places):
            return images, labels, places
        where = index_of(places, self._device)
        grid = self._grid(where + positions.start, rows_of(spacing[places, 1:], self._device))
        moved = grid_sample(images[where], grid, "bilinear", "zeros", align_corners=False)
        codes = labels[where][:, None].float()  # uint8 is exact in float32
        nearest = grid_sample(codes, grid, "nearest", "zeros", align_corners=False)
        return (
            images.index_copy(0, where, moved),
            labels.index_copy(0, where, nearest[:, 0].to(labels.dtype)),
            places,
        )

    def _grid(self, rows: Tensor, spacing: Tensor) -> Tensor:
        """Return where warped samples look, ``(B, H, W, 2)``, (x, y) in -1 .. 1 over the frame.

        Args:
            rows: Their positions in the epoch.
            spacing: (row, column) in millimetres, ``(B, 2)``.
        """
        size = (self._frame.height, self._frame.width)
        along_rows, along_columns = (
            spacing[:, axis, None] * (torch.arange(length, device=self._device) - (length - 1) / 2)
            for axis, length in enumerate(size)
        )
        shape = (len(rows), *size)
        points = torch.stack(
            [along_rows[:, :, None].expand(shape), along_columns[:, None, :].expand(shape)], dim=1
        )
        for each, coefficients in self._fields:
            points = points + each.field(coefficients[rows], along_rows, along_columns, self._frame)
        half_sides = spacing * torch.tensor(size, device=self._device) / 2
        to_frame = self._linear[rows] / half_sides[:, :, None]
        looked_at = to_frame.flip(1) @ points.flatten(2)  # flipped: grid_sample wants x first
        return looked_at.mT.reshape(*shape, 2)

    def recolour(self, images: Tensor, positions: slice) -> Tensor:
        """Change the appearance of images ``(B, C, H, W)``."""
        for change in self._changes:
            images = change(images, positions)
        return images


def _compose(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the moves ``(n, 2, 3)`` that do first one and then the other."""
    # The second move tells where the first one's result is looked at.
    moves = first[:, :, :2] @ second
    moves[:, :, 2] += first[:, :, 2]
    return cast(NDArray[np.int64], moves)


def _transpose(array: Tensor) -> Tensor:
    return array.mT


def _flip_rows(array: Tensor) -> Tensor:
    return array.flip(-2)


def _flip_columns(array: Tensor) -> Tensor:
    return array.flip(-1)


def merge(array: Tensor, places: NDArray[np.int64], rows: NDArray[Any]) -> Tensor:
    """Put new rows ``(b, ...)`` at some places of an array ``(B, ...)``, in the wider of both types."""
    new = torch.from_numpy(rows)
    kept = array.to(torch.promote_types(array.dtype, new.dtype))
    where = index_of(places, array.device)
    return kept.index_copy(0, where, new.to(array.device, kept.dtype))
