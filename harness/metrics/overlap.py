"""Metrics of shared voxels."""

import numpy as np
from numpy.typing import NDArray


def dsc(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float | None:
    """Dice similarity coefficient ``2 |P & T| / (|P| + |T|)``.

    Args:
        prediction: Boolean array of any shape.
        truth: Boolean array of the same shape.

    Returns:
        A number in [0, 1], 1 for identical masks; ``None`` where both masks are empty.

    Raises:
        ValueError: if the shapes differ.

    References:
        Dice: Measures of the amount of ecologic association between species, Ecology 1945.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"masks must have one shape (got {prediction.shape} and {truth.shape})")
    sizes = np.count_nonzero(prediction) + np.count_nonzero(truth)
    if sizes == 0:
        return None
    return 2 * np.count_nonzero(prediction & truth) / sizes
