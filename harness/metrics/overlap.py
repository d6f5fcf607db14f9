"""Metrics of shared voxels and of volumes.

They are formulas of three counts: voxels ``shared`` by prediction and truth, ``predicted`` ones and ``true``
ones.

References:
    Dice: Measures of the amount of ecologic association between species, Ecology 1945 (DSC).
    Kuijf et al.: Standardized assessment of automatic segmentation of white matter hyperintensities, TMI
    2019 (AVD).
    Kervadec et al.: Boundary loss for highly unbalanced segmentation, MIDL 2019 (slice DSC: its tables
    average slices).
"""

import numpy as np

from harness.metrics.comparison import Comparison
from harness.metrics.metric import Metric, file


def share(part: float, whole: float) -> float | None:
    """Return ``part / whole``, or ``None`` where the whole is 0."""
    return part / whole if whole else None


def dsc(comparison: Comparison) -> float | None:
    """Return ``2 |P & T| / (|P| + |T|)``, in [0, 1]; ``None`` where both masks are empty."""
    shared, predicted, true = comparison.counts
    return share(2 * shared, predicted + true)


def iou(comparison: Comparison) -> float | None:
    """Return ``|P & T| / |P | T|``, in [0, 1]; ``None`` where both masks are empty."""
    shared, predicted, true = comparison.counts
    return share(shared, predicted + true - shared)


def sensitivity(comparison: Comparison) -> float | None:
    """Return ``|P & T| / |T|``, in [0, 1]; ``None`` where the truth is empty."""
    shared, _, true = comparison.counts
    return share(shared, true)


def precision(comparison: Comparison) -> float | None:
    """Return ``|P & T| / |P|``, in [0, 1]; ``None`` where the prediction is empty."""
    shared, predicted, _ = comparison.counts
    return share(shared, predicted)


def volume_difference(comparison: Comparison) -> float:
    """Return ``| |P| - |T| |`` in ml."""
    _, predicted, true = comparison.counts
    return abs(predicted - true) * comparison.voxel_mm3 / 1000


def relative_volume_difference(comparison: Comparison) -> float | None:
    """Return ``100 | |P| - |T| | / |T|`` in %, at least 0; ``None`` where the truth is empty."""
    _, predicted, true = comparison.counts
    return share(100 * abs(predicted - true), true)


def slice_dsc(comparison: Comparison) -> float:
    """Return the mean over all slices of the DSC of each, 1 for a slice where both masks are empty."""
    shared, predicted, true = comparison.slice_counts
    sizes = predicted + true
    filled = sizes > 0
    slices = int(comparison.truth.shape[0])
    empty = slices - np.count_nonzero(filled)
    return float((np.sum(2 * shared[filled] / sizes[filled]) + empty) / slices)


file(
    Metric(
        name="dsc",
        title="DSC",
        unit="",
        direction="higher",
        version=1,
        description="Dice similarity coefficient of the restacked volume.",
        compute=dsc,
    )
)
file(
    Metric(
        name="iou",
        title="IoU",
        unit="",
        direction="higher",
        version=1,
        description="Intersection over union (Jaccard index) of the restacked volume.",
        compute=iou,
    )
)
file(
    Metric(
        name="sensitivity",
        title="Sensitivity",
        unit="",
        direction="higher",
        version=1,
        description="Share of the true voxels that were predicted (recall).",
        compute=sensitivity,
    )
)
file(
    Metric(
        name="precision",
        title="Precision",
        unit="",
        direction="higher",
        version=1,
        description="Share of the predicted voxels that are true (positive predictive value).",
        compute=precision,
    )
)
file(
    Metric(
        name="volume_difference",
        title="Volume difference",
        unit="ml",
        direction="lower",
        version=1,
        description="Absolute difference of the predicted and the true volume.",
        compute=volume_difference,
    )
)
file(
    Metric(
        name="avd",
        title="AVD",
        unit="%",
        direction="lower",
        version=1,
        description="Absolute difference of the volumes in % of the true one, as in the WMH challenge.",
        compute=relative_volume_difference,
    )
)
file(
    Metric(
        name="slice_dsc",
        title="Slice DSC",
        unit="",
        direction="higher",
        version=1,
        description="Mean of the 2D DSC over all slices of the case, a slice empty in both masks counting 1.",
        compute=slice_dsc,
    )
)
