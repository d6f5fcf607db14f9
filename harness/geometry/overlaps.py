"""Connected components of two masks and the voxels that they share."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.geometry.surface import Mask, bounding_box, volume_of


@dataclass(frozen=True)
class ComponentOverlaps:
    """Sizes of the components of two masks and of what they share.

    Components are numbered from 0 in the order in which a scan of the array meets them.

    Attributes:
        sizes_a: (n,) voxels of each component of the first mask.
        sizes_b: (m,) voxels of each component of the second mask.
        pairs: (k, 2) a component of the first and one of the second that share voxels, in ascending order.
        shared: (k,) how many they share.
    """

    sizes_a: NDArray[np.int64]
    sizes_b: NDArray[np.int64]
    pairs: NDArray[np.int64]
    shared: NDArray[np.int64]


def component_overlaps(a: Mask, b: Mask) -> ComponentOverlaps:
    """Return which components of two masks share how many voxels.

    Voxels belong together if they touch, be it at a corner: 8-connected in 2D, 26-connected in 3D.

    Args:
        a: Boolean array ``(Z, H, W)`` or ``(H, W)``.
        b: Boolean array of the same shape.

    Raises:
        ValueError: if the shapes differ or are neither 2D nor 3D.
    """
    if a.shape != b.shape:
        raise ValueError(f"masks must have one shape (got {a.shape} and {b.shape})")
    if a.ndim not in (2, 3):
        raise ValueError(f"masks must be 2D or 3D (got shape {a.shape})")
    from harness.geometry import kernels

    box = bounding_box(a | b)
    runs_a, runs_b = (kernels.runs_of(volume_of(mask[box])) for mask in (a, b))
    count_a, numbers_a = kernels.number_components(runs_a)
    count_b, numbers_b = kernels.number_components(runs_b)
    one, two, lengths = kernels.shared_by_runs(runs_a, runs_b).T
    pairs, place = np.unique(
        np.stack([numbers_a[one], numbers_b[two]], axis=1) - 1, axis=0, return_inverse=True
    )
    return ComponentOverlaps(
        sizes_a=_sums(numbers_a - 1, runs_a.stop - runs_a.first, count_a),
        sizes_b=_sums(numbers_b - 1, runs_b.stop - runs_b.first, count_b),
        pairs=pairs,
        shared=_sums(place, lengths, len(pairs)),
    )


def _sums(
    places: NDArray[np.integer[Any]], values: NDArray[np.integer[Any]], count: int
) -> NDArray[np.int64]:
    """Return the sum of the values at each place."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, places, values)
    return sums
