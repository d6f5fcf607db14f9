"""Metrics of the distances between two surfaces.

Each takes the two arrays of :func:`harness.geometry.surface.surface_distances`: millimetres from
every surface voxel of one mask to the nearest of the other, both ways. All are symmetric.
"""

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float64]


def hd(there: Distances, back: Distances) -> float:
    """Hausdorff distance: the largest of all surface distances.

    Args:
        there: Distances from the first surface to the second, mm, at least one.
        back: Distances from the second surface to the first, mm, at least one.

    Returns:
        Millimetres, at least 0.

    Raises:
        ValueError: if an array is empty.
    """
    return hausdorff_percentile(there, back, 100)


def hd95(there: Distances, back: Distances) -> float:
    """95 % Hausdorff distance: the larger of the two directed 95th percentiles.

    MONAI does the same. MedPy pools both directions before it takes the percentile, so that a far
    but small surface (a missed lesion, say) can vanish among the points of the other.

    Args:
        there: Distances from the first surface to the second, mm, at least one.
        back: Distances from the second surface to the first, mm, at least one.

    Returns:
        Millimetres, at least 0.

    Raises:
        ValueError: if an array is empty.

    References:
        Huttenlocher et al.: Comparing images using the Hausdorff distance, PAMI 1993 (the partial
        distance, both ways).
    """
    return hausdorff_percentile(there, back, 95)


def hausdorff_percentile(there: Distances, back: Distances, percentile: float) -> float:
    """Larger of the two directed percentiles, interpolated linearly between order statistics.

    Args:
        there: Distances from the first surface to the second, mm, at least one.
        back: Distances from the second surface to the first, mm, at least one.
        percentile: In [0, 100]; 100 is the Hausdorff distance.

    Returns:
        Millimetres, at least 0.

    Raises:
        ValueError: if an array is empty or the percentile is out of range.
    """
    if there.size == 0 or back.size == 0:
        raise ValueError("the distance to an empty surface is undefined")
    return max(float(np.percentile(there, percentile)), float(np.percentile(back, percentile)))
