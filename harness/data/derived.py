"""Arrays that follow from the labels of a case: computed once, kept beside the prepared slices.

To add one, write a function here and register it; a loss that lists its name among its ``needs`` then
gets the array, moved with the images, or computed anew where a slice was warped::

    @DERIVED.register("borders")
    def borders(labels: Labels, n_classes: int, spacing: Spacing) -> NDArray[Any]:
        ...
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.geometry import class_cells, signed_distance_maps, skeleton_tube
from harness.geometry import components as label_components
from harness.registry import Registry

Labels: TypeAlias = NDArray[np.uint8]
"""Class indices ``(Z, H, W)`` of a case."""
Spacing: TypeAlias = tuple[float, float, float]
"""Millimetres along (Z, H, W)."""

DERIVED: Registry[Callable[[Labels, int, Spacing], NDArray[Any]]] = Registry("derived array")
"""Name -> function of (labels ``(Z, H, W)``, number of classes, spacing) with a result ``(Z, ..., H, W)``."""


@DERIVED.register("distance_maps")
def distance_maps(labels: Labels, n_classes: int, spacing: Spacing) -> NDArray[np.float32]:
    """Return signed distance maps ``(Z, C, H, W)`` in millimetres, each slice by itself."""
    return np.stack([signed_distance_maps(image, n_classes, spacing[1:]) for image in labels])


@DERIVED.register("voxel_distance_maps")
def voxel_distance_maps(labels: Labels, n_classes: int, _: Spacing) -> NDArray[np.float32]:
    """Return signed distance maps ``(Z, C, H, W)`` in pixels, each slice by itself."""
    return distance_maps(labels, n_classes, (1.0, 1.0, 1.0))


@DERIVED.register("distance_maps_3d")
def distance_maps_3d(labels: Labels, n_classes: int, spacing: Spacing) -> NDArray[np.float32]:
    """Return the slices ``(Z, C, H, W)`` of the signed distance maps of the volume, in millimetres."""
    return np.ascontiguousarray(signed_distance_maps(labels, n_classes, spacing).swapaxes(0, 1))


@DERIVED.register("voxel_distance_maps_3d")
def voxel_distance_maps_3d(labels: Labels, n_classes: int, _: Spacing) -> NDArray[np.float32]:
    """Return the slices ``(Z, C, H, W)`` of the signed distance maps of the volume, in voxels."""
    return distance_maps_3d(labels, n_classes, (1.0, 1.0, 1.0))


@DERIVED.register("components")
def components(labels: Labels, n_classes: int, _: Spacing) -> NDArray[np.int16 | np.int32]:
    """Return the number ``(Z, H, W)`` of each pixel's component within its class and slice, 0 outside."""
    return _narrow(np.stack([label_components(image, n_classes) for image in labels]))


@DERIVED.register("cells")
def cells(labels: Labels, n_classes: int, spacing: Spacing) -> NDArray[np.int16 | np.int32]:
    """Return the number ``(Z, C, H, W)`` of the component nearest to each pixel, per slice and class.

    Zeros for the background, and for a class that is absent from the slice.
    """
    return _narrow(np.stack([class_cells(image, n_classes, spacing[1:]) for image in labels]))


@DERIVED.register("skeletons")
def skeletons(labels: Labels, n_classes: int, _: Spacing) -> NDArray[np.bool_]:
    """Return whether each pixel ``(Z, H, W)`` lies in the tube around the foreground's skeleton.

    All classes together are one foreground; each slice has its own skeleton.
    """
    return np.stack([skeleton_tube((image > 0) & (image < n_classes)) for image in labels])


def _narrow(numbers: NDArray[np.int32]) -> NDArray[np.int16 | np.int32]:
    """Return component numbers in 16 bits if they fit."""
    return numbers.astype(np.int16) if numbers.max(initial=0) <= np.iinfo(np.int16).max else numbers
