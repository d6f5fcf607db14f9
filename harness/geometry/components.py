"""Connected components of label maps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.geometry.surface import bounding_box


def components(labels: NDArray[np.integer[Any]], n_classes: int) -> NDArray[np.int32]:
    """Return the number of every pixel's connected component within its own class.

    Pixels of one class belong together if they touch, be it at a corner: 8-connected in 2D,
    26-connected in 3D. Each class counts 1, 2, ... by itself, in the order in which a scan of the array
    meets the components.

    Args:
        labels: (H, W) or (D, H, W), integer.
        n_classes: How many classes there are, background (class 0) included.

    Returns:
        An array of the shape of ``labels``; 0 for background and for labels outside 1..n_classes - 1.

    Raises:
        ValueError: if the labels are not integers, or not 2D or 3D.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers (got {labels.dtype})")
    if labels.ndim not in (2, 3):
        raise ValueError(f"labels must be 2D or 3D (got shape {labels.shape})")
    numbers = np.zeros(labels.shape, dtype=np.int32)
    touching = np.ones((3,) * labels.ndim)
    for label in range(1, n_classes):
        mask = labels == label
        box = bounding_box(mask)  # lesions fill little of an image: labelling the rest costs time
        numbers[box] += ndimage.label(mask[box], structure=touching)[0]
    return numbers
