"""Surfaces of binary masks and the distances between them.

The convention behind every surface metric: the surface of a mask is the set of its voxels with at
least one face neighbour outside it, everything beyond the volume counting as outside; distances
run between voxel centres, in physical units.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from harness.geometry.kernels import RowSteps

Mask = NDArray[np.bool_]
Distances = NDArray[np.float64]

_NEAR_ROWS = 120
"""About how many rows are looked through, nearest first, before all rows are."""


def bounding_box(mask: Mask, margin: int = 0) -> tuple[slice, ...]:
    """Return the smallest box that holds a mask, widened by ``margin`` inside the array.

    Args:
        mask: Boolean array of any dimension.
        margin: Voxels to add on each side, cut off at the array's border.

    Returns:
        One slice per axis; empty slices where the mask is empty.
    """
    box = []
    rest = mask
    for size in mask.shape:
        hit = np.flatnonzero(rest.any(axis=tuple(range(1, rest.ndim))))
        if hit.size == 0:
            return (slice(0, 0),) * mask.ndim
        box.append(slice(max(int(hit[0]) - margin, 0), min(int(hit[-1]) + 1 + margin, size)))
        rest = np.asarray(rest.any(axis=0))  # a pass along the first axis is the quickest
    return tuple(box)


def surface_mask(mask: Mask) -> Mask:
    """Return the voxels of a mask that its face-neighbour erosion removes.

    Neighbours are the 6 faces in 3D and the 4 edges in 2D. The array's border is padded with
    background, so that voxels on it belong to the surface. An axis of length one has no
    neighbours: a single slice ``(1, H, W)`` is treated as the 2D image that it is, instead of
    being all surface.

    Args:
        mask: Boolean array of any dimension.

    Returns:
        Boolean array of the same shape.
    """
    axes = [axis for axis, size in enumerate(mask.shape) if size > 1]
    if not axes:
        return mask.copy()
    inside = mask.copy()
    for axis in axes:
        moved, core = np.moveaxis(mask, axis, 0), np.moveaxis(inside, axis, 0)
        core[1:] &= moved[:-1]
        core[:-1] &= moved[1:]
        core[0] = False
        core[-1] = False
    return mask & ~inside


def surface_distances(a: Mask, b: Mask, spacing: Sequence[float]) -> tuple[Distances, Distances]:
    """Return the distance from every surface voxel of each mask to the other mask's surface.

    Exact up to the rounding of float64. The surface voxels of a row look through the rows of the other
    surface in the order of their distance and stop as soon as no row can hold anything nearer.

    Args:
        a: Boolean array ``(Z, H, W)`` or ``(H, W)``.
        b: Boolean array of the same shape.
        spacing: Millimetres per voxel, one positive number per axis.

    Returns:
        ``(d_a_to_b, d_b_to_a)``: float64 arrays in millimetres, in the C order of the surface
        voxels of ``a`` and of ``b``.

    Raises:
        ValueError: if a mask is empty, or shapes and spacing do not fit together.
    """
    if a.shape != b.shape:
        raise ValueError(f"masks must have one shape (got {a.shape} and {b.shape})")
    if a.ndim not in (2, 3):
        raise ValueError(f"masks must be 2D or 3D (got shape {a.shape})")
    if len(spacing) != a.ndim or not all(0 < s < np.inf for s in spacing):
        raise ValueError(f"spacing must be {a.ndim} positive numbers in mm (got {tuple(spacing)})")
    if not a.any() or not b.any():
        raise ValueError("the distance to the surface of an empty mask is undefined")
    from harness.geometry import kernels

    box = bounding_box(a | b, margin=1)
    depth, height, width = (1.0,) * (3 - a.ndim) + tuple(float(s) for s in spacing)
    steps = (depth, height, width)
    rows_a, rows_b = (kernels.surface_rows(volume_of(mask[box])) for mask in (a, b))
    near = _near_rows((rows_a.depth, rows_a.height), (depth, height))
    there = kernels.squared_distances(rows_a, rows_b, steps, near)
    back = kernels.squared_distances(rows_b, rows_a, steps, near)
    return np.sqrt(there), np.sqrt(back)


def volume_of(mask: Mask) -> NDArray[np.uint8]:
    """Return a copy ``(Z, H, W)`` of a 2D or 3D mask, as the compiled code takes it."""
    copy = np.array(mask, dtype=np.bool_, order="C")
    return copy.view(np.uint8).reshape((1,) * (3 - mask.ndim) + mask.shape)


def _near_rows(size: tuple[int, int], spacing: tuple[float, float]) -> "RowSteps":
    """Return the steps to the nearest rows of a volume with so many planes and rows a plane."""
    from harness.geometry.kernels import RowSteps

    if size[0] > 1:
        reach = float(np.sqrt(_NEAR_ROWS * spacing[0] * spacing[1] / np.pi))
    else:
        reach = _NEAR_ROWS * spacing[1] / 2
    most = [min(int(reach / step), count - 1) for step, count in zip(spacing, size, strict=True)]
    planes, rows = np.mgrid[-most[0] : most[0] + 1, -most[1] : most[1] + 1].reshape(2, -1)
    squared = (planes * spacing[0]) ** 2 + (rows * spacing[1]) ** 2
    order = np.argsort(squared, kind="stable")
    order = order[squared[order] <= reach**2]
    return RowSteps(planes[order], rows[order], squared[order], reach**2)
