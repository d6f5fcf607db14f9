"""What the headers and the ground truth tell of the cases of a study."""

import numpy as np
import pandas as pd

from harness.metrics.policy import Extent

MM3_PER_ML = 1000.0


def image_diagonals(cases: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the diagonal of the image in mm, the mean over the cases of a patient, by dataset and patient.

    Args:
        cases: From :func:`harness.store.frames.cases`; the same for the other functions.
    """
    own = cases.assign(
        diagonal=[
            Extent(tuple(shape), tuple(spacing)).diagonal
            for shape, spacing in zip(cases["shape"], cases["spacing"], strict=True)
        ]
    )
    means = own.groupby(["dataset", "patient"])["diagonal"].mean()
    found: dict[str, dict[str, float]] = {}
    for place, diagonal in means.items():
        dataset, patient = map(str, place)  # type: ignore[call-overload]
        found.setdefault(dataset, {})[patient] = float(diagonal)
    return found


def half_spacings(cases: pd.DataFrame) -> dict[str, float]:
    """Return half the smallest in-plane spacing in mm, by dataset."""
    smallest = pd.Series([min(spacing[-2:]) for spacing in cases["spacing"]], index=cases.index, dtype=float)
    return {
        str(dataset): float(least) / 2 for dataset, least in smallest.groupby(cases["dataset"]).min().items()
    }


def descriptors(cases: pd.DataFrame) -> pd.DataFrame:
    """Return what the ground truth tells of every patient, the mean over its cases.

    Returns:
        Columns dataset, patient, volume_ml (of all foreground classes), foreground_fraction (0..1).
    """
    foreground = np.array([sum(voxels[1:]) for voxels in cases["voxels"]], float)
    voxel = np.array([float(np.prod(spacing)) for spacing in cases["spacing"]])
    size = np.array([float(np.prod(shape)) for shape in cases["shape"]])
    own = cases[["dataset", "patient"]].assign(
        volume_ml=foreground * voxel / MM3_PER_ML, foreground_fraction=foreground / size
    )
    return own.groupby(["dataset", "patient"], as_index=False).mean()
