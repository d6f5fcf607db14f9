"""Look into a few files: grid, codes, share of zeros."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.data.manifest.words import NamedFile
from harness.data.volume import Spacing, UnreadableError, Volume, read_volume
from harness.errors import InputError

T = TypeVar("T")

MOST_CODES = 64
"""A picture with more distinct values is no label map; a volume may have four times as many."""

_SUBSAMPLE = 50_000


@dataclass(frozen=True)
class Look:
    """What one file holds.

    Attributes:
        values: Per voxel: 1 for a 3D volume or a grey picture, 3 for RGB.
        shape: (Z, Y, X): slices, rows, columns.
        spacing: Millimetres along these; None for pictures.
        affine: 4x4, or None for pictures.
        zeros: Share of voxels that are exactly 0 in all values.
        lowest: Smallest value.
        grey: Whether all colours are equal.
        codes: Distinct values and their numbers of voxels, None if they are too many
            for a label map.
    """

    values: int
    shape: tuple[int, int, int]
    spacing: Spacing | None
    affine: NDArray[np.float64] | None
    zeros: float
    lowest: float
    grey: bool
    codes: dict[float, int] | None

    @property
    def whole(self) -> bool:
        """Whether it could be a label map: few codes, all whole numbers from 0 upwards."""
        return self.codes is not None and all(code >= 0 and code == int(code) for code in self.codes)

    def on_grid_of(self, other: "Look", tolerance: float = 1e-3) -> bool:
        """Whether two files share shape and, to ``tolerance`` mm, the affine."""
        if self.shape != other.shape:
            return False
        if self.affine is None or other.affine is None:
            return True
        return float(np.abs(self.affine - other.affine).max()) <= tolerance


@dataclass
class Sampler:
    """Opens files of one folder and counts them.

    Attributes:
        root: The dataset's folder.
        opened: How many files have been decoded.
    """

    root: Path
    opened: int = 0
    _looks: dict[str, Look] = field(default_factory=dict)

    def look(self, file: NamedFile, count_codes: bool = False) -> Look:
        """Return what a file holds; ``codes`` are counted on demand, for they take long.

        Raises:
            InputError: if the file cannot be decoded.
        """
        known = self._looks.get(file.path)
        if known is None or (count_codes and known.codes is None):
            known = self._looks[file.path] = _look(self.volume(file), count_codes)
        return known

    def volume(self, file: NamedFile) -> Volume:
        """Decode a file, slices axial.

        Raises:
            InputError: if that fails.
        """
        path = self.root / file.path
        self.opened += 1
        try:
            volume = read_volume(path)
        except UnreadableError as error:
            raise InputError(
                f"cannot read image {str(path)!r} ({error}); replace or remove the file, then run again"
            ) from None
        if 0 in volume.array.shape:
            raise InputError(f"image {str(path)!r} has an axis of length zero; replace or remove the file")
        return volume

    def foreground(self, file: NamedFile) -> NDArray[np.bool_]:
        """Return where a file is not zero, ``(Z, Y, X)``."""
        return np.asarray(self.volume(file).array[0] > 0)


def evenly(items: Sequence[T], count: int) -> list[T]:
    """Return up to ``count`` items at even distances, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(position)] for position in np.linspace(0, len(items) - 1, count)]


def _look(volume: Volume, count_codes: bool) -> Look:
    array = volume.array
    _, *shape = array.shape
    flat = array.reshape(len(array), -1)
    return Look(
        values=len(array),
        shape=(shape[0], shape[1], shape[2]),
        spacing=volume.spacing,
        affine=volume.affine,
        zeros=1 - np.count_nonzero(flat.any(axis=0)) / flat.shape[1],
        lowest=float(array.min()),
        grey=len(array) >= 3 and bool((array[:3] == array[:1]).all()),
        codes=_codes(array[0], MOST_CODES * (1 if volume.affine is None else 4)) if count_codes else None,
    )


def _codes(values: NDArray[Any], most: int) -> dict[float, int] | None:
    """Count distinct values slice by slice, giving up early on what is an image."""
    sparse = values.reshape(-1)[:: max(1, values.size // _SUBSAMPLE)]
    if len(np.unique(sparse)) > most:
        return None
    counts: Counter[float] = Counter()
    for plane in values:
        codes, numbers = np.unique(plane, return_counts=True)
        for code, number in zip(codes.tolist(), numbers.tolist(), strict=True):
            counts[float(code)] += number
        if len(counts) > most:
            return None
    return dict(sorted(counts.items()))
