"""Surfaces of binary masks and the distances between them.

The convention behind every surface metric: the surface of a mask is the set of its voxels with at
least one face neighbour outside it, everything beyond the volume counting as outside; distances
run between voxel centres, in physical units.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Mask = NDArray[np.bool_]
Distances = NDArray[np.float64]

_NEAR_OFFSETS = 80
"""Neighbours that are looked up directly, nearest first, before the KD-tree takes over."""
_FEW_POINTS = 400
"""Below this many open points a KD-tree query is cheaper than a look-up."""


def bounding_box(mask: Mask, margin: int = 0) -> tuple[slice, ...]:
    """Return the smallest box that holds a mask, widened by ``margin`` inside the array.

    Args:
        mask: Boolean array of any dimension.
        margin: Voxels to add on each side, cut off at the array's border.

    Returns:
        One slice per axis; empty slices where the mask is empty.
    """
    box = []
    for axis, size in enumerate(mask.shape):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        if hit.size == 0:
            return (slice(0, 0),) * mask.ndim
        box.append(slice(max(int(hit[0]) - margin, 0), min(int(hit[-1]) + 1 + margin, size)))
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
    if len(spacing) != a.ndim or not all(0 < s < np.inf for s in spacing):
        raise ValueError(f"spacing must be {a.ndim} positive numbers in mm (got {tuple(spacing)})")
    if not a.any() or not b.any():
        raise ValueError("the distance to the surface of an empty mask is undefined")
    box = bounding_box(a | b, margin=1)
    surface_a, surface_b = surface_mask(a[box]), surface_mask(b[box])
    millimetres = np.asarray(spacing, dtype=np.float64)
    return _nearest(surface_a, surface_b, millimetres), _nearest(surface_b, surface_a, millimetres)


def _nearest(source: Mask, target: Mask, spacing: Distances) -> Distances:
    """Distance from every true voxel of ``source`` to the nearest of ``target``, exactly.

    Most surface voxels of a usable prediction lie within a few voxels of the truth: those are
    found by looking at the nearest neighbours in order of their distance. A KD-tree answers for
    the rest.
    """
    points = np.argwhere(source)
    distances = np.zeros(len(points))
    offsets, lengths = _offsets_by_length(spacing)
    reach = int(np.abs(offsets).max())
    padded = np.pad(target, reach)
    strides = np.cumprod((1, *padded.shape[:0:-1]))[::-1]
    flat, places = padded.ravel(), (points + reach) @ strides
    open_points = np.flatnonzero(~flat[places])
    for step, length in zip(offsets[1:] @ strides, lengths[1:], strict=True):
        if len(open_points) <= _FEW_POINTS:
            break
        hit = flat[places[open_points] + step]
        distances[open_points[hit]] = length
        open_points = open_points[~hit]
    if len(open_points):
        tree = cKDTree(np.argwhere(target) * spacing, balanced_tree=False, compact_nodes=False)
        distances[open_points] = tree.query(points[open_points] * spacing)[0]
    return distances


def _offsets_by_length(spacing: Distances) -> tuple[NDArray[np.int64], Distances]:
    """Return voxel steps in order of physical length, complete up to the last one's length."""
    reach = 4
    steps = np.indices((2 * reach + 1,) * len(spacing)).reshape(len(spacing), -1).T - reach
    lengths = np.linalg.norm(steps * spacing, axis=1)
    complete = lengths < (reach + 1) * spacing.min()
    order = np.argsort(lengths[complete], kind="stable")[:_NEAR_OFFSETS]
    return steps[complete][order], lengths[complete][order]
