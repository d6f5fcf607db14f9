"""What losses can take precomputed: names, shapes, and how each is computed where it is not given.

In a training these arrays come from the prepared dataset, computed once per image. A loss in somebody
else's loop gets along without them: what is not given is computed here, on the CPU, from the labels of
the batch at every call, with unit spacing unless ``spacing`` is given.

==========================  ==============  ==========================================================
name                        shape           content
==========================  ==============  ==========================================================
``class_counts``            (C,)            pixels of each class in the training cases
``spacing``                 (B, 2 or 3)     size of a pixel in mm: (height, width) or (depth, height,
                                            width); also (2,) or (3,) for all images
``distance_maps``           (B, C, H, W)    signed distances in mm, 2D, offset half, negative inside
``voxel_distance_maps``     (B, C, H, W)    the same in pixels
``distance_maps_3d``        (B, C, H, W)    slices of the map of the volume, in mm
``voxel_distance_maps_3d``  (B, C, H, W)    slices of the map of the volume, in voxels
``components``              (B, H, W)       number of a pixel's component within its class, from 1
``cells``                   (B, C, H, W)    number of the nearest component of the class, from 1
``skeletons``               (B, H, W)       whether a pixel lies in the tube around the skeleton
==========================  ==============  ==========================================================
"""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, TypeVar, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.geometry import (
    boundary_distances,
    class_cells,
    components,
    signed_distance_maps,
    skeleton_tube,
)

MapName: TypeAlias = Literal[
    "distance_maps", "voxel_distance_maps", "distance_maps_3d", "voxel_distance_maps_3d"
]
Need: TypeAlias = Literal[
    "class_counts",
    "spacing",
    "distance_maps",
    "voxel_distance_maps",
    "distance_maps_3d",
    "voxel_distance_maps_3d",
    "components",
    "cells",
    "skeletons",
]

Labels: TypeAlias = NDArray[np.int64]


def check_needs(needs: Mapping[str, Tensor | None], logits: Tensor) -> None:
    """Check the shapes of what was given for a batch of logits (B, C, H, W).

    Raises:
        ValueError: naming what has the wrong shape.
        TypeError: naming what is unknown.
    """
    B, C, H, W = logits.shape
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {
        "class_counts": ("(C,)", (C,)),
        "components": ("(B, H, W)", (B, H, W)),
        "skeletons": ("(B, H, W)", (B, H, W)),
    }
    for name, given in needs.items():
        if name not in get_args(Need):
            raise TypeError(f"a loss takes no {name!r}; it can take {', '.join(get_args(Need))}")
        if given is None:
            continue
        if name == "spacing":
            _check_spacing(given, B)
            continue
        words, shape = shapes.get(name, ("(B, C, H, W)", (B, C, H, W)))
        if given.shape != shape:
            raise ValueError(f"{name} must be {words} = {shape} (got {tuple(given.shape)})")


def _check_spacing(spacing: Tensor, images: int) -> None:
    if spacing.shape not in {(2,), (3,), (images, 2), (images, 3)}:
        raise ValueError(
            f"spacing must be (B, 2) or (B, 3) = ({images}, 2) or ({images}, 3), or (2,) or (3,) for all "
            f"images (got {tuple(spacing.shape)})"
        )


Compute = TypeVar("Compute", bound=Callable[..., Tensor])


def _untraced(compute: Compute) -> Compute:
    """Keep torch.compile out of numpy and compiled libraries."""
    untraced: Compute = torch.compiler.disable(compute)  # type: ignore[no-untyped-call]
    return untraced


@_untraced
def distance_maps_of(name: MapName, images: Tensor, n_classes: int, spacing: Tensor) -> Tensor:
    """Return the signed distance maps (B, C, H, W), float32, of label maps (B, H, W).

    Args:
        name: Which of the maps.
        images: Labels; those outside 0..n_classes - 1 belong to no class.
        n_classes: C.
        spacing: (B, 2 or 3) in mm.

    Raises:
        ValueError: if ``name`` is a map of volumes: slices do not tell it.
    """
    if name.endswith("_3d"):
        raise ValueError(f"{name} cannot be computed from a batch of slices: give it as a keyword argument")
    sizes = spacing[:, -2:].tolist()
    unit = name.startswith("voxel")
    maps = [
        signed_distance_maps(image, n_classes, (1.0, 1.0) if unit else tuple(size))
        for image, size in zip(_arrays(images), sizes, strict=True)
    ]
    return torch.from_numpy(np.stack(maps)).to(images.device)


@_untraced
def boundary_distances_of(images: Tensor, n_classes: int, first: int, spacing: Tensor) -> Tensor:
    """Return distances (B, C, H, W) to the other side of each boundary, float32; 0 for classes < first."""
    distances = np.zeros((len(images), n_classes, *images.shape[1:]), dtype=np.float32)
    classes = range(first, n_classes)
    for place, (image, size) in enumerate(zip(_arrays(images), spacing[:, -2:].tolist(), strict=True)):
        distances[place, first:] = boundary_distances(image, classes, size)
    return torch.from_numpy(distances).to(images.device)


@_untraced
def components_of(images: Tensor, n_classes: int) -> Tensor:
    """Return the component numbers (B, H, W), int64, of label maps (B, H, W)."""
    numbers = [components(image, n_classes) for image in _arrays(images)]
    return torch.from_numpy(np.stack(numbers)).to(images.device, torch.int64)


@_untraced
def cells_of(images: Tensor, n_classes: int, spacing: Tensor) -> Tensor:
    """Return the cells (B, C, H, W), int64, of label maps (B, H, W)."""
    sizes = spacing[:, -2:].tolist()
    cells = [class_cells(image, n_classes, size) for image, size in zip(_arrays(images), sizes, strict=True)]
    return torch.from_numpy(np.stack(cells)).to(images.device, torch.int64)


@_untraced
def skeletons_of(images: Tensor, n_classes: int) -> Tensor:
    """Return the skeleton tubes (B, H, W), boolean, of the foreground of label maps (B, H, W)."""
    tubes = [skeleton_tube((image > 0) & (image < n_classes)) for image in _arrays(images)]
    return torch.from_numpy(np.stack(tubes)).to(images.device)


def _arrays(images: Tensor) -> Labels:
    arrays: Labels = images.cpu().numpy()
    return arrays
