"""Skeletons of masks, widened to tubes."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def skeleton_tube(mask: NDArray[np.bool_], dilations: int = 2) -> NDArray[np.bool_]:
    """Return the skeleton of a mask, widened inside the mask.

    The skeleton (Zhang and Suen's thinning in 2D, Lee's in 3D) is dilated with the face neighbours, a
    cross of 4 in 2D and of 6 in 3D, and cut to the mask. Lee's thinning erases some small objects
    altogether; such an object is its own skeleton here, so that no object goes without a tube.

    Args:
        mask: (H, W) or (D, H, W), boolean.
        dilations: How often to dilate.

    Returns:
        A boolean array of the shape of ``mask``; it lies inside the mask and meets each of its objects.

    Raises:
        ValueError: if the mask is not boolean or not 2D or 3D, or if ``dilations`` is negative.
    """
    mask = np.asarray(mask)
    if mask.dtype != np.bool_:
        raise ValueError(f"mask must be boolean (got {mask.dtype}); compare the labels with a class first")
    if mask.ndim not in (2, 3):
        raise ValueError(f"mask must be 2D or 3D (got shape {mask.shape})")
    if dilations < 0:
        raise ValueError(f"dilations must be >= 0 (got {dilations})")
    if not mask.any():
        return np.zeros(mask.shape, dtype=np.bool_)
    tube = _skeleton(mask)
    if dilations:  # scipy takes 0 for "until nothing changes"
        tube = ndimage.binary_dilation(tube, iterations=dilations)
    return tube & mask


def _skeleton(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from skimage.morphology import skeletonize  # a slow import that few processes need

    skeleton: NDArray[np.bool_] = skeletonize(mask).astype(np.bool_)  # type: ignore[no-untyped-call]
    objects, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    erased = np.ones(count + 1, dtype=np.bool_)
    erased[objects[skeleton]] = False
    erased[0] = False
    return skeleton | erased[objects]
