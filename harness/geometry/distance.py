"""Signed Euclidean distance maps of masks and label maps."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import edt
import numpy as np
from numpy.typing import NDArray

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

    Distances are computed in float32, with a relative error below 1e-6.

    The published code passes integer one-hot arrays through the same lines and so truncates its maps
    to whole numbers; MONAI's boundary terms ignore the spacing. Neither is reproduced here.

    Args:
        mask: (H, W) or (D, H, W), boolean.
        spacing: Size of a voxel along each axis of ``mask``.
        offset: Where the zero level lies.

    Returns:
        An array of the shape of ``mask``; zeros if the mask is empty or full, as there is no
        boundary then (and a distance transform of an all-ones array means nothing).

    Raises:
        ValueError: if the mask is not boolean or not 2D or 3D, if the spacing does not fit it, or if
            the offset is unknown.
    """
    mask = np.asarray(mask)
    if mask.dtype != np.bool_:
        raise ValueError(f"mask must be boolean (got {mask.dtype}); compare the labels with a class first")
    size = _checked(mask, spacing, offset)
    if not mask.any() or mask.all():
        return np.zeros(mask.shape, dtype=np.float32)
    return _signed(distance_to_other_side(mask, size), mask, size, offset)


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
    size = _checked(labels, spacing, offset)
    maps = np.zeros((n_classes, *labels.shape), dtype=np.float32)
    counts = [np.count_nonzero(labels == label) for label in range(n_classes)]
    present = [label for label, count in enumerate(counts) if 0 < count < labels.size]
    # Two classes that share the array are each other's complement: one transform serves both.
    complementary = len(present) == 2 and sum(counts) == labels.size
    distance = None
    for label in present:
        mask = labels == label
        if distance is None or not complementary:
            distance = distance_to_other_side(mask, size)
        maps[label] = _signed(distance, mask, size, offset)
    return maps


def boundary_distances(
    labels: NDArray[np.integer[Any]], classes: Sequence[int], spacing: Sequence[float]
) -> NDArray[np.float32]:
    """Return, for some classes, the distance from every voxel to the other side of the class's boundary.

    Args:
        labels: (H, W) or (D, H, W), integer.
        classes: Which classes.
        spacing: Size of a voxel along each axis of ``labels``.

    Returns:
        (len(classes), \\*labels.shape), between voxel centres; zeros for a class that is absent or
        fills the array.

    Raises:
        ValueError: as :func:`signed_distance_map` does.
    """
    size = checked_spacing(spacing, labels)
    distances = np.zeros((len(classes), *labels.shape), dtype=np.float32)
    for place, label in enumerate(classes):
        mask = labels == label
        if 0 < np.count_nonzero(mask) < mask.size:
            distances[place] = distance_to_other_side(mask, size)
    return distances


def distance_to_other_side(mask: NDArray[np.bool_], spacing: Sequence[float]) -> NDArray[np.float32]:
    """Return for every voxel the distance to the nearest voxel of the other side of a mask.

    One pass over a map of two labels gives the distances of both sides.

    Args:
        mask: (H, W) or (D, H, W), boolean, neither empty nor full.
        spacing: Size of a voxel along each axis, positive.

    Returns:
        An array of the shape of ``mask``, positive.
    """
    # The transform adds up steps along the last axis in float32: steps of 1 are exact.
    unit = spacing[-1]
    sides = np.ascontiguousarray(mask).view(np.uint8) + np.uint8(1)
    steps = tuple(step / unit for step in spacing)
    distance: NDArray[np.float32] = edt.edt(sides, anisotropy=steps, black_border=False, parallel=1)
    distance *= np.float32(unit)
    return distance


def _signed(
    distance: NDArray[np.float32], mask: NDArray[np.bool_], size: Sequence[float], offset: Offset
) -> NDArray[np.float32]:
    half = min(size) / 2
    outside_shift, inside_shift = (0.0, 1.0) if offset == "kervadec" else (half, half)
    phi = distance - np.float32(outside_shift)
    np.subtract(np.float32(inside_shift), distance, out=phi, where=mask)
    return phi


def _checked(array: NDArray[Any], spacing: Sequence[float], offset: Offset) -> tuple[float, ...]:
    size = checked_spacing(spacing, array)
    if offset not in get_args(Offset):
        raise ValueError(f"offset must be one of {get_args(Offset)} (got {offset!r})")
    return size


def checked_spacing(spacing: Sequence[float], array: NDArray[Any]) -> tuple[float, ...]:
    """Return the spacing of a 2D or 3D array as floats.

    Raises:
        ValueError: if the array has other dimensions, or the spacing does not fit it or is not positive.
    """
    if array.ndim not in (2, 3):
        raise ValueError(f"mask must be 2D or 3D (got shape {array.shape})")
    size = tuple(float(step) for step in spacing)
    if len(size) != array.ndim:
        raise ValueError(f"spacing must have one value per axis, {array.ndim} in all (got {size})")
    if not all(np.isfinite(step) and step > 0 for step in size):
        raise ValueError(f"spacing must be positive and finite (got {size})")
    return size
