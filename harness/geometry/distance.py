"""Signed Euclidean distance maps of masks and label maps."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Offset: TypeAlias = Literal["half", "kervadec"]
"""Where the zero level lies: ``half``, on the faces between voxels; ``kervadec``, on the centres of
the outermost inside voxels, as Kervadec et al. (MIDL 2019) published it."""


def signed_distance_map(
    mask: NDArray[np.bool_], spacing: Sequence[float], offset: Offset = "half"
) -> NDArray[np.float32]:
    """Return the map that is positive outside ``mask`` and negative inside.

    With d the Euclidean distance between voxel centres to the nearest voxel of the other side::

        half:      phi = d - h outside,  -(d - h) inside,  h = half the smallest spacing
        kervadec:  phi = d     outside,  -(d - 1) inside

    ``half`` has the right sign for every spacing and is antisymmetric: the map of the complement is
    ``-phi``. ``kervadec`` is meant for unit spacing: below 1 mm its inside turns positive.

    The published code passes integer one-hot arrays through the same lines and so truncates its maps
    to whole numbers; MONAI's boundary terms ignore the spacing. Neither is reproduced here.

    Args:
        mask: (H, W) or (D, H, W), boolean.
        spacing: Size of a voxel along each axis of ``mask``.
        offset: Where the zero level lies.

    Returns:
        An array of the shape of ``mask``; zeros if the mask is empty or full, as there is no
        boundary then (and scipy's transform of an all-ones array means nothing).

    Raises:
        ValueError: if the mask is not boolean or not 2D or 3D, if the spacing does not fit it, or if
            the offset is unknown.
    """
    mask = np.asarray(mask)
    if mask.dtype != np.bool_:
        raise ValueError(f"mask must be boolean (got {mask.dtype}); compare the labels with a class first")
    size = _checked_spacing(spacing, mask)
    if offset not in get_args(Offset):
        raise ValueError(f"offset must be one of {get_args(Offset)} (got {offset!r})")
    if not mask.any() or mask.all():
        return np.zeros(mask.shape, dtype=np.float32)
    outside_shift, inside_shift = (0.0, 1.0) if offset == "kervadec" else (min(size) / 2, min(size) / 2)
    outside: NDArray[np.float64] = ndimage.distance_transform_edt(~mask, sampling=size)
    inside: NDArray[np.float64] = ndimage.distance_transform_edt(mask, sampling=size)
    phi = np.where(mask, inside_shift - inside, outside - outside_shift)
    return phi.astype(np.float32)


def signed_distance_maps(
    labels: NDArray[np.integer[Any]], n_classes: int, spacing: Sequence[float], offset: Offset = "half"
) -> NDArray[np.float32]:
    """Return the signed distance map of every class of a label map.

    A label outside ``0..n_classes - 1`` (the ignore label 255, say) belongs to no class: it lies
    outside every mask.

    Args:
        labels: (H, W) or (D, H, W), integer.
        n_classes: How many classes there are, background included.
        spacing: Size of a voxel along each axis of ``labels``.
        offset: Where the zero level lies; see :func:`signed_distance_map`.

    Returns:
        (n_classes, \\*labels.shape); zeros for a class that is absent or fills the array.

    Raises:
        ValueError: if the labels are not integers, or as :func:`signed_distance_map` does.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers (got {labels.dtype})")
    if n_classes < 1:
        raise ValueError(f"n_classes must be >= 1 (got {n_classes})")
    maps = np.empty((n_classes, *labels.shape), dtype=np.float32)
    for label in range(n_classes):
        maps[label] = signed_distance_map(labels == label, spacing, offset)
    return maps


def _checked_spacing(spacing: Sequence[float], mask: NDArray[np.bool_]) -> tuple[float, ...]:
    if mask.ndim not in (2, 3):
        raise ValueError(f"mask must be 2D or 3D (got shape {mask.shape})")
    size = tuple(float(step) for step in spacing)
    if len(size) != mask.ndim:
        raise ValueError(f"spacing must have one value per axis, {mask.ndim} in all (got {size})")
    if not all(np.isfinite(step) and step > 0 for step in size):
        raise ValueError(f"spacing must be positive and finite (got {size})")
    return size
