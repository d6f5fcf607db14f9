"""Intensity normalisation, pixel size, and the fixed slice size."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.data.case import Case
from harness.data.description import DatasetDescription, Normalisation
from harness.errors import InputError

Scalar = TypeVar("Scalar", bound=np.generic)
Size = tuple[int, int]


def region(case: Case, channel: int, how: Normalisation) -> NDArray[np.bool_]:
    """Return where ``(Z, H, W)`` a channel's normalisation takes its numbers.

    Raises:
        InputError: if that is the mask file and the dataset has none.
    """
    if how.mask == "nonzero":
        return np.asarray(case.image[channel] != 0)
    if how.mask == "all":
        return np.ones(case.labels.shape, bool)
    if case.mask is None:
        raise InputError("normalisation inside the mask file needs 'files.mask' in the dataset's manifest")
    return case.mask


def normalise(case: Case, description: DatasetDescription) -> NDArray[np.float32]:
    """Return the case's image with each channel normalised.

    Args:
        case: Decoded case, with voxels in every region.
        description: Says how, per channel.

    Returns:
        ``(C, Z, H, W)`` float32. A channel that is constant inside its region becomes zero.

    Raises:
        InputError: if a region is a mask file that the dataset does not have.
    """
    normalised = np.empty_like(case.image)
    for channel, how in enumerate(description.normalisations):
        voxels = case.image[channel]
        normalised[channel] = _normalise_channel(voxels, voxels[region(case, channel, how)], how)
    return normalised


def _normalise_channel(
    voxels: NDArray[np.float32], inside: NDArray[np.float32], how: Normalisation
) -> NDArray[np.float32]:
    if how.window is not None:
        low, high = how.window
        return ((voxels.clip(low, high) - low) / (high - low)).astype(np.float32)
    cut = how.percentiles if how.kind == "percentile" else how.clip
    if cut is not None:
        low, high = np.percentile(inside, cut)
        voxels, inside = voxels.clip(low, high), inside.clip(low, high)
    inside64 = inside.astype(np.float64)
    if how.kind == "zscore":
        centre, scale = inside64.mean(), inside64.std()
    else:  # after the cut, percentiles are the extremes
        centre, scale = inside64.min(), np.ptp(inside64)
    normalised: NDArray[np.float32] = ((voxels - centre) / (scale or 1.0)).astype(np.float32)
    return normalised


def resampled_grid(shape: Size, spacing: tuple[float, float], wanted: tuple[float, float]) -> Size:
    """Return rows and columns of a slice once its pixels have another size; at least one of each.

    Args:
        shape: Rows and columns.
        spacing: Millimetres along rows and columns.
        wanted: Millimetres afterwards; the field of view is kept as nearly as whole pixels allow.
    """
    rows, columns = (
        max(1, round(size * old / new)) for size, old, new in zip(shape, spacing, wanted, strict=True)
    )
    return rows, columns


def resample_images(images: NDArray[np.float32], grid: Size) -> NDArray[np.float32]:
    """Return slices ``(..., H, W)`` with ``grid`` rows and columns: linear, smoothed where coarser."""
    from skimage.transform import resize

    if images.shape[-2:] == grid:
        return images
    flat = images.reshape(-1, *images.shape[-2:])
    resized = [
        resize(image, grid, order=1, mode="edge", anti_aliasing=True)  # type: ignore[no-untyped-call]
        for image in flat
    ]
    return np.stack(resized).astype(np.float32).reshape(*images.shape[:-2], *grid)


def resample_labels(labels: NDArray[Scalar], grid: Size) -> NDArray[Scalar]:
    """Return label slices ``(..., H, W)`` with ``grid`` rows and columns: each pixel the nearest one's."""
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1)
        for old, new in zip(labels.shape[-2:], grid, strict=True)
    )
    return labels[..., rows[:, None], columns[None, :]]


def fit(array: NDArray[Scalar], size: Size) -> NDArray[Scalar]:
    """Crop or zero-pad the last two axes to ``size``, centred.

    Fitting the result to the old size puts every voxel that was not cropped back in its place.
    """
    rows, columns = (_window(length, wanted) for length, wanted in zip(array.shape[-2:], size, strict=True))
    fitted = np.zeros((*array.shape[:-2], *size), array.dtype)
    fitted[..., rows[1], columns[1]] = array[..., rows[0], columns[0]]
    return fitted


def fitted_window(shape: Size, size: Size) -> tuple[slice, slice]:
    """Return where in slices of ``size`` lies what :func:`fit` takes from slices of ``shape``."""
    rows, columns = (_window(length, wanted)[1] for length, wanted in zip(shape, size, strict=True))
    return rows, columns


def _window(length: int, wanted: int) -> tuple[slice, slice]:
    """Source and target ranges that centre ``length`` in ``wanted``, the same in both directions."""
    surplus = abs(length - wanted) // 2
    short = min(length, wanted)
    inner, outer = slice(surplus, surplus + short), slice(0, short)
    return (inner, outer) if length > wanted else (outer, inner)
