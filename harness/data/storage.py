"""Where the training slices lie: in the memory of the device, or in the files of the prepared cache."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Storage: TypeAlias = Literal["auto", "memory", "mapped"]
"""``memory``: on the device; ``mapped``: read from the files, batch by batch; ``auto``: memory if half of
what is free there is enough. The batches are the same bits."""

Reader: TypeAlias = Callable[[str, slice], Tensor]
"""Name of an array and positions in the epoch's order -> ``(B, ..., H, W)`` on the device."""


@dataclass(frozen=True)
class Stack:
    """One array of all training cases.

    Attributes:
        arrays: ``(Z, ..., h, w)`` of each case, memory-mapped.
        padding: Pixels of zeros (background) that its canvas has on every side beyond the array.
    """

    arrays: Sequence[NDArray[Any]]
    padding: int = 0

    @property
    def canvas_shape(self) -> tuple[int, ...]:
        """``(N, ..., height, width)`` of all slices on their canvas."""
        _, *inner, height, width = self.arrays[0].shape
        sides = (height + 2 * self.padding, width + 2 * self.padding)
        return (sum(len(array) for array in self.arrays), *inner, *sides)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that holds the numbers of every case."""
        return np.result_type(*(array.dtype for array in self.arrays))

    @property
    def nbytes(self) -> int:
        """Bytes of the canvas."""
        return int(np.prod(self.canvas_shape)) * self.dtype.itemsize


class SliceStore(Protocol):
    """Gives windows of stored slices."""

    def reader(self, order: NDArray[np.int64], corners: NDArray[np.int64]) -> Reader:
        """Return what reads the slices of one epoch.

        Args:
            order: Which slice stands at each position, ``(n,)``.
            corners: Row and column of the canvas where its window starts, ``(n, 2)``, >= 0.
        """


class SlicesInMemory:
    """All slices on the device: a batch is one index gather.

    Args:
        stacks: Arrays by name, all with canvases of the same height and width.
        window: (height, width) of a batch.
        device: Where the arrays go.
    """

    def __init__(self, stacks: Mapping[str, Stack], window: tuple[int, int], device: torch.device) -> None:
        self._device = device
        self._windows = {name: _windows(_canvas(stack).to(device), window) for name, stack in stacks.items()}

    def reader(self, order: NDArray[np.int64], corners: NDArray[np.int64]) -> Reader:
        """Return what reads the slices of one epoch; see :class:`SliceStore`."""
        index = torch.from_numpy(order).to(self._device)
        tops, lefts = torch.from_numpy(corners).to(self._device).unbind(1)

        def read(name: str, positions: slice) -> Tensor:
            windows = self._windows[name]
            if windows.shape[1:3] == (1, 1):  # whole rows of memory: six times faster
                return windows[:, 0, 0].index_select(0, index[positions])
            return windows[index[positions], tops[positions], lefts[positions]]

        return read


class SlicesInFiles:
    """The slices stay in the memory-mapped files; every batch reads its rows and nothing else.

    Args:
        stacks: Arrays by name, all with canvases of the same height and width.
        window: (height, width) of a batch.
        device: Where the batches go.
    """

    def __init__(self, stacks: Mapping[str, Stack], window: tuple[int, int], device: torch.device) -> None:
        self._stacks = stacks
        self._window = window
        self._device = device
        lengths = [len(array) for array in next(iter(stacks.values())).arrays]
        self._starts = np.cumsum([0, *lengths])

    def reader(self, order: NDArray[np.int64], corners: NDArray[np.int64]) -> Reader:
        """Return what reads the slices of one epoch; see :class:`SliceStore`."""

        def read(name: str, positions: slice) -> Tensor:
            stack, index = self._stacks[name], order[positions]
            shape = (len(index), *stack.canvas_shape[1:-2], *self._window)
            batch = np.zeros(shape, stack.dtype)
            cases = np.searchsorted(self._starts, index, side="right") - 1
            numbers = index - self._starts[cases]
            rows = zip(batch, cases, numbers, corners[positions], strict=True)
            for window, case, number, corner in rows:
                _copy_window(stack.arrays[case][number], corner - stack.padding, window)
            return torch.from_numpy(batch).to(self._device)

        return read


def open_store(
    stacks: Mapping[str, Stack], window: tuple[int, int], device: torch.device, storage: Storage
) -> SliceStore:
    """Return the store of some arrays, in memory or mapped as ``storage`` says."""
    if storage == "auto":
        free = _free_bytes(device)
        needed = sum(stack.nbytes for stack in stacks.values())
        storage = "memory" if free is None or needed <= free / 2 else "mapped"
    kind = SlicesInMemory if storage == "memory" else SlicesInFiles
    return kind(stacks, window, device)


def _canvas(stack: Stack) -> Tensor:
    canvas = np.zeros(stack.canvas_shape, stack.dtype)
    inside = slice(stack.padding, -stack.padding or None)
    start = 0
    for array in stack.arrays:
        canvas[start : start + len(array), ..., inside, inside] = array
        start += len(array)
    return torch.from_numpy(canvas)


def _windows(canvas: Tensor, window: tuple[int, int]) -> Tensor:
    """Return all windows of a canvas ``(N, ..., h, w)`` as a view ``(N, tops, lefts, ..., H, W)``."""
    height, width = window
    return canvas.unfold(-2, height, 1).unfold(-2, width, 1).movedim((-4, -3), (1, 2))


def _copy_window(plane: NDArray[Any], corner: NDArray[np.int64], window: NDArray[Any]) -> None:
    """Copy what ``plane`` ``(..., h, w)`` holds of a window that starts at ``corner``, inside or not."""
    source, target = [], []
    for start, length, available in zip(corner.tolist(), window.shape[-2:], plane.shape[-2:], strict=True):
        first, last = max(start, 0), min(start + length, available)
        source.append(slice(first, last))
        target.append(slice(first - start, last - start))
    window[..., target[0], target[1]] = plane[..., source[0], source[1]]


def _free_bytes(device: torch.device) -> int | None:
    """Return the memory that is free on a device, or None if nobody tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None
