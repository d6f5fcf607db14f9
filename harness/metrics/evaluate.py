"""Scores of one case: every class, every metric, one policy for undefined values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.comparison import Comparison
from harness.metrics.metric import Score
from harness.metrics.plugins import find_metric
from harness.metrics.policy import Extent

IGNORE = 255
"""Truth value of voxels that give no score; the same number as in the data room."""

Volume = NDArray[np.integer[Any]]


def evaluate_case(
    prediction: Volume | None,
    truth: Volume,
    spacing: Sequence[float],
    n_classes: int,
    metrics: Sequence[str] = ("dsc", "hd", "hd95"),
) -> list[Score]:
    """Score a predicted label map against the truth, class by class.

    Voxels whose truth is :data:`IGNORE` are removed: the prediction counts as background there and
    so does the truth.

    Args:
        prediction: Class indices ``(Z, H, W)``, 0 to ``n_classes - 1``; ``None`` where a trial left
            no prediction.
        truth: Class indices of the same shape, or :data:`IGNORE`.
        spacing: Millimetres per voxel along (Z, H, W). There is no default: a distance in unknown
            units is worse than none.
        n_classes: Number of classes including the background, at least 2.
        metrics: Names of registered metrics, or import paths.

    Returns:
        One score per class from 1 and metric, classes in ascending order, metrics as given.

    Raises:
        ValueError: if shapes, types, spacing or labels do not fit together.
        InputError: if a metric is unknown.
    """
    chosen = [find_metric(name) for name in metrics]
    _check(prediction, truth, spacing, n_classes)
    millimetres = tuple(float(step) for step in spacing)
    if prediction is None:
        extent = Extent(truth.shape, millimetres)
        return [
            metric.without_value(index, extent, "no prediction")
            for index in range(1, n_classes)
            for metric in chosen
        ]
    ignored = truth == IGNORE
    if ignored.any():
        prediction = np.where(ignored, 0, prediction)
    scores: list[Score] = []
    for index in range(1, n_classes):
        comparison = Comparison(prediction == index, truth == index, millimetres)
        scores += [metric.score(index, comparison) for metric in chosen]
    return scores


def _check(prediction: Volume | None, truth: Volume, spacing: Sequence[float], n_classes: int) -> None:
    """Raise ``ValueError`` with a sentence about the first thing that does not fit."""
    if not 2 <= n_classes <= IGNORE:
        raise ValueError(f"n_classes must lie in 2..{IGNORE}, background included (got {n_classes})")
    if truth.ndim != 3:
        raise ValueError(f"truth must be a volume (Z, H, W); give one slice as (1, H, W) (got {truth.shape})")
    if len(spacing) != 3 or not all(0 < s < np.inf for s in spacing):
        raise ValueError(f"spacing must be 3 positive numbers in mm, along Z, H, W (got {tuple(spacing)})")
    if prediction is not None and prediction.shape != truth.shape:
        raise ValueError(
            f"prediction and truth must have one shape (got {prediction.shape} and {truth.shape})"
        )
    for name, volume in (("truth", truth), ("prediction", prediction)):
        if volume is None:
            continue
        if volume.dtype.kind not in "iu":
            raise ValueError(f"{name} must hold integer class indices (got {volume.dtype})")
        strange = (volume < 0) | (volume >= n_classes)
        if name == "truth":
            strange &= volume != IGNORE
        if strange.any():
            raise ValueError(
                f"{name} holds label {volume[strange][0]}, which is not one of the classes 0..{n_classes - 1}"
            )
