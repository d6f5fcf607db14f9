"""Metrics of the distances between two surfaces, all symmetric and all from one pass.

The formulas take the two arrays of :func:`harness.geometry.surface.surface_distances`: millimetres from
every surface voxel of one mask to the nearest of the other, both ways, at least one each.

References:
    Huttenlocher et al.: Comparing images using the Hausdorff distance, PAMI 1993 (HD, and the partial
    distance behind HD95).
    Nikolov et al.: Clinically applicable segmentation of head and neck anatomy, JMIR 2021 (NSD, there
    weighted by area).
"""

from collections.abc import Callable

import numpy as np

from harness.geometry.surface import Distances
from harness.metrics.comparison import Comparison
from harness.metrics.metric import Formula, Metric, file

_ROUNDING = 1e-6
"""Relative slack of a tolerance: image headers keep the spacing in float32."""


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
    _refuse_empty(there, back)
    return max(float(there.max()), float(back.max()))


def hd95(there: Distances, back: Distances) -> float:
    """95 % Hausdorff distance: the larger of the two directed 95th percentiles; see :func:`hd`.

    Percentiles are interpolated linearly between order statistics. MONAI does the same.
    """
    _refuse_empty(there, back)
    return max(float(np.percentile(there, 95)), float(np.percentile(back, 95)))


def hd95_pooled(there: Distances, back: Distances) -> float:
    """95th percentile of the distances of both directions together, as MedPy has it; see :func:`hd`.

    A far but small surface (a missed lesion, say) can vanish among the points of the other one.
    """
    _refuse_empty(there, back)
    return float(np.percentile(np.concatenate([there, back]), 95))


def assd(there: Distances, back: Distances) -> float:
    """Average symmetric surface distance: the mean of the distances of both directions; see :func:`hd`."""
    _refuse_empty(there, back)
    return float(there.sum() + back.sum()) / (there.size + back.size)


def nsd(there: Distances, back: Distances, tolerance: float) -> float:
    """Normalised surface distance (surface DSC): share of surface voxels within a tolerance.

    Args:
        there: Distances from the first surface to the second, mm, at least one.
        back: Distances from the second surface to the first, mm, at least one.
        tolerance: Millimetres; a distance equal to it is within.

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: if an array is empty.
    """
    _refuse_empty(there, back)
    most = tolerance * (1 + _ROUNDING)
    within = np.count_nonzero(there <= most) + np.count_nonzero(back <= most)
    return float(within / (there.size + back.size))


def _refuse_empty(there: Distances, back: Distances) -> None:
    if there.size == 0 or back.size == 0:
        raise ValueError("the distance to an empty surface is undefined")


def _of_distances(measure: Callable[[Distances, Distances], float]) -> Formula:
    """Turn a function of surface distances into one of a comparison, ``None`` where a mask is empty."""

    def formula(comparison: Comparison) -> float | None:
        return None if comparison.distances is None else measure(*comparison.distances)

    return formula


def _nsd(millimetres: int) -> Metric:
    return Metric(
        name=f"nsd_{millimetres}mm",
        title=f"NSD {millimetres} mm",
        unit="",
        direction="higher",
        version=1,
        description=(
            "Normalised surface distance (surface DSC): share of the surface voxels of both masks within "
            f"{millimetres} mm of the other surface."
        ),
        compute=_of_distances(lambda there, back: nsd(there, back, millimetres)),
    )


file(
    Metric(
        name="hd",
        title="HD",
        unit="mm",
        direction="lower",
        version=1,
        description="Hausdorff distance between surface voxel centres.",
        compute=_of_distances(hd),
    )
)
file(
    Metric(
        name="hd95",
        title="HD95",
        unit="mm",
        direction="lower",
        version=1,
        description="Larger of the two directed 95th percentiles of the surface voxel distances.",
        compute=_of_distances(hd95),
    )
)
file(
    Metric(
        name="hd95_pooled",
        title="HD95 pooled",
        unit="mm",
        direction="lower",
        version=1,
        description="95th percentile of the surface voxel distances of both directions together (as MedPy).",
        compute=_of_distances(hd95_pooled),
    )
)
file(
    Metric(
        name="assd",
        title="ASSD",
        unit="mm",
        direction="lower",
        version=1,
        description="Mean of the surface voxel distances of both directions together.",
        compute=_of_distances(assd),
    )
)
for _tolerance in (1, 2):
    file(_nsd(_tolerance))
