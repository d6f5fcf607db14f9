"""Cells of components: which component is nearest."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from harness.geometry.components import components as components_of
from harness.geometry.distance import checked_spacing, distance_to_other_side
from harness.geometry.surface import surface_mask

_DOUBT = 1e-5
"""Relative difference of two float32 distances below which they may be equal."""
_TIE = 1e-9
"""Relative difference of two float64 distances below which they count as equal."""


def component_cells(components: NDArray[np.integer[Any]], spacing: Sequence[float]) -> NDArray[np.int32]:
    """Return for every pixel the number of the component that is nearest.

    Distances run between pixel centres, in physical units. A pixel as far from two components belongs
    to the one with the lower number, so that the cells tile the array.

    The k components are told apart by the binary digits of their rank: one pair of distance transforms
    per digit, to the components with a 0 there and to those with a 1, so 2 log2(k) transforms instead of
    k. Where the distances of a pair are too close to tell, tied pixels among them, the pixel is looked
    up among the surfaces of the components in float64.

    Args:
        components: (H, W) or (D, H, W), integer: component numbers of one class, 0 elsewhere.
        spacing: Size of a pixel along each axis.

    Returns:
        An array of the shape of ``components``; zeros if there is no component.

    Raises:
        ValueError: if the numbers are not integers or negative, if the array is not 2D or 3D, or if the
            spacing does not fit it.
    """
    components = np.asarray(components)
    if components.dtype.kind not in "iu":
        raise ValueError(f"components must be integers (got {components.dtype})")
    size = checked_spacing(spacing, components)
    if components.size and components.min() < 0:
        raise ValueError(f"components must be >= 0 (got {components.min()})")
    inside = components > 0
    numbers = np.unique(components[inside]).astype(np.int32)
    if len(numbers) < 2:
        return np.full(components.shape, numbers[0] if len(numbers) else 0, dtype=np.int32)
    ranks = np.searchsorted(numbers, components)  # of the components; meaningless elsewhere
    nearest = np.zeros(components.shape, dtype=np.int32)
    doubtful = np.zeros(components.shape, dtype=np.bool_)
    for digit in range((len(numbers) - 1).bit_length()):
        one = (ranks >> digit & 1).astype(np.bool_)
        to_zero, to_one = _distance_to(inside & ~one, size), _distance_to(inside & one, size)
        nearest |= (to_one < to_zero).astype(np.int32) << digit
        doubtful |= np.abs(to_one - to_zero) <= _DOUBT * to_zero
    nearest[inside] = ranks[inside]
    cells = numbers[np.minimum(nearest, len(numbers) - 1)]  # doubtful digits may make up a rank
    cells[doubtful] = _lowest_of_the_nearest(np.argwhere(doubtful), components, size)
    return cells


def class_cells(
    labels: NDArray[np.integer[Any]], n_classes: int, spacing: Sequence[float]
) -> NDArray[np.int32]:
    """Return the cells of the components of every class of a label map.

    Args:
        labels: (H, W) or (D, H, W), integer; those outside 1..n_classes - 1 belong to no component.
        n_classes: How many classes there are, background included.
        spacing: Size of a pixel along each axis.

    Returns:
        (n_classes, \\*labels.shape): zeros for the background and for a class that is absent.

    Raises:
        ValueError: as :func:`~harness.geometry.components` and :func:`component_cells` do.
    """
    numbers = components_of(labels, n_classes)
    cells = np.zeros((n_classes, *numbers.shape), dtype=np.int32)
    for label in range(1, n_classes):
        cells[label] = component_cells(np.where(labels == label, numbers, 0), spacing)
    return cells


def _distance_to(target: NDArray[np.bool_], size: Sequence[float]) -> NDArray[np.float32]:
    """Return the distance of every pixel to a mask that is neither empty nor full; 0 inside."""
    distance = distance_to_other_side(target, size)
    distance[target] = 0
    return distance


def _lowest_of_the_nearest(
    points: NDArray[np.intp], components: NDArray[np.integer[Any]], size: Sequence[float]
) -> NDArray[np.int32]:
    """Return the lowest number among the components nearest to each of some pixels (n, axes)."""
    surface = surface_mask(components > 0)  # what is nearest to an outside pixel lies on the surface
    numbers = components[surface].astype(np.int32)
    tree = cKDTree(np.argwhere(surface) * np.asarray(size))
    places = points * np.asarray(size)
    reach = tree.query(places)[0] * (1 + _TIE)
    found = tree.query_ball_point(places, reach)
    return np.array([numbers[near].min() for near in found], dtype=np.int32)
