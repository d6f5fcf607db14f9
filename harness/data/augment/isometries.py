"""Moves of the pixel grid: distance maps and all else that follows from the labels move along, exactly."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from harness.data.augment.base import AUGMENTATIONS, Isometry, Probability


@AUGMENTATIONS.register("flip_horizontal")
class FlipHorizontal(Isometry):
    """Mirror columns: left and right of an axial slice."""

    words: ClassVar[str] = "horizontal flips"

    name: Literal["flip_horizontal"] = "flip_horizontal"
    probability: Probability = 0.5

    def moves(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Return the mirror."""
        return np.array([[1, 0, 0], [0, -1, 0]])


@AUGMENTATIONS.register("flip_vertical")
class FlipVertical(Isometry):
    """Mirror rows: front and back of an axial slice, which are rarely interchangeable."""

    words: ClassVar[str] = "vertical flips"

    name: Literal["flip_vertical"] = "flip_vertical"
    probability: Probability = 0.5

    def moves(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Return the mirror."""
        return np.array([[-1, 0, 0], [0, 1, 0]])


@AUGMENTATIONS.register("rotate90")
class Rotate90(Isometry):
    """Turn by 0, 90, 180 or 270 degrees, all equally likely; for square slices.

    The spacing along rows and columns changes places where a slice lies on its side.
    """

    square_only = True

    words: ClassVar[str] = "rotations by multiples of 90 degrees"

    name: Literal["rotate90"] = "rotate90"
    probability: Probability = 1.0

    def moves(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Draw the number of quarter turns, counter-clockwise as displayed."""
        turn = np.array([[0, 1], [-1, 0]])
        turns = np.stack([np.linalg.matrix_power(turn, quarters) for quarters in range(4)])
        return np.pad(turns[generator.integers(4, size=n)], ((0, 0), (0, 0), (0, 1)))


@AUGMENTATIONS.register("shift")
class Shift(Isometry):
    """Shift by whole pixels, uniformly up to ``pixels`` either way along rows and along columns.

    Images are zero and labels background where the frame shows what lies beyond the slice. Distance maps
    are computed once with a margin of ``pixels`` and cut out: they stay exact, and know of structures
    that the shift pushed out of the frame.
    """

    words: ClassVar[str] = "shifts by up to {pixels} pixels"

    name: Literal["shift"] = "shift"
    pixels: PositiveInt = 16
    probability: Probability = 1.0

    @property
    def margin(self) -> int:
        """The largest shift."""
        return self.pixels

    def moves(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Draw the shifts."""
        moves = np.tile(np.eye(2, 3, dtype=np.int64), (n, 1, 1))
        moves[:, :, 2] = generator.integers(-self.pixels, self.pixels, size=(n, 2), endpoint=True)
        return moves
