"""Tiny trees as datasets occur in the wild."""

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

Shape = tuple[int, int, int]


def blob(shape: Shape, codes: Sequence[int] = (1,), radius: int = 3, shift: int = 0) -> np.ndarray:
    """Return a label map whose codes lie side by side in the middle of an (x, y, z) volume."""
    label = np.zeros(shape, np.uint8)
    middle = shape[1] // 2
    for at, code in enumerate(codes):
        start = 2 + shift + at * (radius + 1)
        label[start : start + radius, middle - radius : middle + radius, :] = code
    return label


def noise(shape: Sequence[int], zeros: float = 0.0, seed: int = 0) -> np.ndarray:
    """Return an image of many different values, a part of which is exactly 0."""
    image = np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)
    image[: round(zeros * shape[0])] = 0
    return image


def nifti(path: Path, array: np.ndarray, spacing: Sequence[float] = (1.0, 1.0, 3.0)) -> None:
    """Write an (x, y, z) array in RAS orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([*spacing, 1.0])), path)


def picture(path: Path, array: np.ndarray) -> None:
    """Write a (rows, columns) or (rows, columns, colours) picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def colours(rows: int = 20, columns: int = 30, seed: int = 0) -> np.ndarray:
    """Return an RGB picture."""
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def disc(rows: int = 20, columns: int = 30, code: int = 255) -> np.ndarray:
    """Return a mask picture."""
    mask = np.zeros((rows, columns), np.uint8)
    mask[5:12, 8:16] = code
    return mask
