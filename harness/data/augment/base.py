"""What an augmentation is, and the three kinds there are."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from harness.registry import Registry
from harness.strict_yaml import StrictModel

Probability: TypeAlias = Annotated[float, Field(ge=0, le=1)]
"""Chance that a slice is changed, drawn anew in every epoch."""

ImageChange: TypeAlias = Callable[[Tensor, slice], Tensor]
"""Images ``(B, C, H, W)`` and their positions in the epoch's order -> changed images."""


@dataclass(frozen=True)
class Frame:
    """What the tables of an epoch depend on, beside the generator.

    Attributes:
        slices: Number of slices in an epoch.
        channels: Image channels.
        height: Of a slice, in pixels.
        width: Of a slice, in pixels.
        extent: Longest side of any training slice, in millimetres.
    """

    slices: int
    channels: int
    height: int
    width: int
    extent: float


class Augmentation(StrictModel, ABC):
    """A random change of a training slice; its fields are what a study may set.

    A subclass belongs to one of the kinds below, gives every field a default and is registered in
    :data:`AUGMENTATIONS` under its ``name``. It draws from the generator that it is given, a stream of
    its own, for all positions of an epoch at once, and so that ``probability`` moves no other number.

    Attributes:
        words: What a methods section calls it, a format of its fields; its name where there are none.
        name: As in a study file.
        probability: Chance that a slice is changed, per epoch.
    """

    words: ClassVar[str] = ""

    name: str
    probability: Probability

    def chosen(self, generator: np.random.Generator, frame: Frame) -> NDArray[np.bool_]:
        """Draw which positions are changed, ``(n,)``."""
        return generator.random(frame.slices) < self.probability


AUGMENTATIONS: Registry[type[Augmentation]] = Registry("augmentation")
"""Name -> class; all of it is offered to study files."""


class Isometry(Augmentation):
    """Moves pixels onto pixels: arrays that follow from the labels move along and stay exact."""

    square_only: ClassVar[bool] = False
    "Whether height and width of a slice have to be equal."

    @property
    def margin(self) -> int:
        """How far a slice may leave its frame, in pixels."""
        return 0

    def draw(self, generator: np.random.Generator, frame: Frame) -> NDArray[np.int64]:
        """Return for every position where each pixel comes from, ``(n, 2, 3)``.

        With L the left 2 x 2 block (a signed permutation) and t the last column, pixel p of the result
        shows pixel L p + t; (row, column) are counted from the centre of the slice.
        """
        chosen = self.chosen(generator, frame)
        moves = self.moves(generator, frame.slices)
        return np.where(chosen[:, None, None], moves, np.eye(2, 3, dtype=np.int64))

    @abstractmethod
    def moves(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Draw ``(n, 2, 3)`` moves, or ``(2, 3)`` if there is nothing to draw."""


class Warp(Augmentation):
    """Moves pixels between pixels: what follows from the labels is computed anew from the warped ones.

    ``draw`` returns tables indexed by position; positions where all is zero (identity) are not warped.
    Points are millimetres (row, column) from the centre of the slice.
    """


class LinearWarp(Warp):
    """A linear map of the physical plane around the centre of the slice."""

    def draw(self, generator: np.random.Generator, frame: Frame) -> NDArray[np.float64]:
        """Return for every position the matrix M ``(n, 2, 2)``: point p of the result shows point M p."""
        chosen = self.chosen(generator, frame)
        return np.where(chosen[:, None, None], self.matrices(generator, frame.slices), np.eye(2))

    @abstractmethod
    def matrices(self, generator: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Draw ``(n, 2, 2)`` matrices."""


class Displacement(Warp):
    """A field of displacements: point p of the result shows point p + u(p), before linear warps."""

    def draw(self, generator: np.random.Generator, frame: Frame) -> NDArray[np.float32]:
        """Return for every position the coefficients of its field, ``(n, ...)``, zero for no change."""
        chosen = self.chosen(generator, frame)
        coefficients = self.coefficients(generator, frame)
        coefficients[~chosen] = 0
        return coefficients

    @abstractmethod
    def coefficients(self, generator: np.random.Generator, frame: Frame) -> NDArray[np.float32]:
        """Draw coefficients ``(n, ...)``."""

    @abstractmethod
    def field(self, coefficients: Tensor, rows: Tensor, columns: Tensor, frame: Frame) -> Tensor:
        """Return the displacements u ``(B, 2, H, W)`` in millimetres.

        Args:
            coefficients: ``(B, ...)``, on the device of the batch.
            rows: Of the pixels, ``(B, H)``, in millimetres from the centre.
            columns: Likewise, ``(B, W)``.
            frame: That the coefficients were drawn for.
        """


class Appearance(Augmentation):
    """Changes intensities; labels and what follows from them stay."""

    @abstractmethod
    def draw(self, generator: np.random.Generator, frame: Frame, device: torch.device) -> ImageChange:
        """Draw the tables of an epoch and return the function that applies them."""


def rows_of(table: NDArray[Any], device: torch.device) -> Tensor:
    """Return a table as float32 on the device."""
    return torch.from_numpy(np.ascontiguousarray(table, dtype=np.float32)).to(device)


def index_of(places: NDArray[np.int64], device: torch.device) -> Tensor:
    """Return places in a batch as an index on the device, which need not be waited for."""
    return torch.from_numpy(places).to(device, non_blocking=True)
