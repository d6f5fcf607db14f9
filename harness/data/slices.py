"""From a decoded case to the slices that a network sees, and back to the case's grid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.case import Case
from harness.data.description import DatasetDescription
from harness.data.normalise import Size, fit, normalise, resample_images, resample_labels, resampled_grid


@dataclass(frozen=True)
class SliceGrid:
    """Where the pixels of prepared slices lie, before crop and padding.

    Attributes:
        size: Rows and columns.
        spacing: Millimetres along (slices, rows, columns).
    """

    size: Size
    spacing: tuple[float, float, float]


def slice_grid(case: Case, description: DatasetDescription) -> SliceGrid:
    """Return the grid of a case's slices: its own, or that of the pixel size that the description wants."""
    _, *source = case.labels.shape
    between, *inplane = case.spacing
    rows, columns = source
    if description.resample is not None:
        wanted = description.resample.rows_columns
        rows, columns = resampled_grid((rows, columns), (inplane[0], inplane[1]), wanted)
        inplane = [
            length * old / new for length, old, new in zip(inplane, source, (rows, columns), strict=True)
        ]
    return SliceGrid((rows, columns), (between, inplane[0], inplane[1]))


def image_slices(case: Case, description: DatasetDescription) -> NDArray[np.float32]:
    """Return the slices ``(Z, C, h, w)`` of a case: normalised, resampled, cropped or padded."""
    grid = slice_grid(case, description)
    image = fit(resample_images(normalise(case, description), grid.size), description.size)
    return np.ascontiguousarray(image.swapaxes(0, 1))


def label_slices(case: Case, description: DatasetDescription) -> NDArray[np.uint8]:
    """Return the class indices ``(Z, h, w)`` that belong to :func:`image_slices`."""
    grid = slice_grid(case, description)
    return fit(resample_labels(case.labels, grid.size), description.size)


def restack(slices: NDArray[np.uint8], grid: Size, source: Size) -> NDArray[np.uint8]:
    """Put predicted slices back on the source grid, background where they were cropped.

    Without resampling every voxel returns to its place exactly; with it, each voxel of the source
    takes the nearest pixel.

    Args:
        slices: Class indices ``(Z, h, w)``.
        grid: Rows and columns after resampling, before crop and padding.
        source: Rows and columns of the source volume.
    """
    return resample_labels(fit(slices, grid), source).astype(np.uint8, copy=False)
