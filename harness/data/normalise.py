"""Intensity normalisation and the fixed slice size."""

import numpy as np
from numpy.typing import NDArray

from harness.data.case import Case
from harness.data.description import Normalisation
from harness.errors import InputError


def normalise(case: Case, how: Normalisation, name: str) -> NDArray[np.float32]:
    """Return the case's image with each channel normalised.

    Args:
        case: Decoded case.
        how: Kind, region and clipping.
        name: Name of the case, for messages.

    Returns:
        ``(C, Z, H, W)`` float32. A channel that is constant inside the region becomes zero.

    Raises:
        InputError: if the region is empty or needs a mask file that the dataset does not have.
    """
    if how.mask == "file" and case.mask is None:
        raise InputError(
            f"case {name!r}: normalisation inside the mask file needs 'files.mask' in the manifest"
        )
    normalised = np.empty_like(case.image)
    for channel, voxels in enumerate(case.image):
        region = {"file": case.mask, "nonzero": voxels != 0, "all": np.ones_like(voxels, bool)}[how.mask]
        inside = voxels[region]
        if inside.size == 0:
            raise InputError(
                f"case {name!r}: no voxel lies in the normalisation region {how.mask!r}; check the image"
            )
        normalised[channel] = _normalise_channel(voxels, inside, how)
    return normalised


def _normalise_channel(
    voxels: NDArray[np.float32], inside: NDArray[np.float32], how: Normalisation
) -> NDArray[np.float32]:
    if how.clip is not None:
        low, high = np.percentile(inside, how.clip)
        voxels, inside = voxels.clip(low, high), inside.clip(low, high)
    inside64 = inside.astype(np.float64)
    if how.kind == "zscore":
        centre, scale = inside64.mean(), inside64.std()
    else:
        centre, scale = inside64.min(), np.ptp(inside64)
    normalised: NDArray[np.float32] = ((voxels - centre) / (scale or 1.0)).astype(np.float32)
    return normalised


def fit(array: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    """Crop or zero-pad the last two axes to ``size``, centred.

    Fitting the result to the old size puts every voxel that was not cropped back in its place.
    """
    rows, columns = (_window(length, wanted) for length, wanted in zip(array.shape[-2:], size, strict=True))
    fitted = np.zeros((*array.shape[:-2], *size), array.dtype)
    fitted[..., rows[1], columns[1]] = array[..., rows[0], columns[0]]
    return fitted


def _window(length: int, wanted: int) -> tuple[slice, slice]:
    """Source and target ranges that centre ``length`` in ``wanted``, the same in both directions."""
    surplus = abs(length - wanted) // 2
    short = min(length, wanted)
    inner, outer = slice(surplus, surplus + short), slice(0, short)
    return (inner, outer) if length > wanted else (outer, inner)
