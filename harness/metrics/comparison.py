"""One class of one case: truth and prediction, and what several metrics share of them."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from harness.geometry.overlaps import component_overlaps
from harness.geometry.surface import Distances, Mask, bounding_box, surface_distances
from harness.metrics.matching import LesionMatch, match_lesions
from harness.metrics.policy import Extent, Reason


@dataclass(frozen=True)
class Comparison:
    """One class of one case, with what several metrics share computed once, when first asked for.

    Attributes:
        prediction: Boolean array ``(Z, H, W)``.
        truth: Boolean array of the same shape.
        spacing: Millimetres per voxel along (Z, H, W).
    """

    prediction: Mask
    truth: Mask
    spacing: tuple[float, ...]

    @property
    def extent(self) -> Extent:
        """The whole image."""
        return Extent(self.truth.shape, self.spacing)

    @property
    def voxel_mm3(self) -> float:
        """Cubic millimetres per voxel."""
        return prod(self.spacing)

    @cached_property
    def near(self) -> tuple[Mask, Mask]:
        """Prediction and truth in the box that holds both, one voxel of background around if there is any."""
        box = bounding_box(self.prediction | self.truth, margin=1)
        return self.prediction[box], self.truth[box]

    @cached_property
    def slice_counts(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Voxels shared, predicted and true in each slice of the box ``(z,)``; other slices are empty."""
        prediction, truth = self.near
        return (
            np.count_nonzero(prediction & truth, axis=(1, 2)),
            np.count_nonzero(prediction, axis=(1, 2)),
            np.count_nonzero(truth, axis=(1, 2)),
        )

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """Voxels shared, predicted and true."""
        shared, predicted, true = (int(slices.sum()) for slices in self.slice_counts)
        return shared, predicted, true

    @cached_property
    def reason(self) -> Reason | None:
        """Which masks are empty, or ``None`` where neither is."""
        _, predicted, true = self.counts
        match predicted > 0, true > 0:
            case False, False:
                return "both empty"
            case True, False:
                return "truth empty"
            case False, True:
                return "prediction empty"
        return None

    @cached_property
    def distances(self) -> tuple[Distances, Distances] | None:
        """Surface distances prediction to truth and back, mm; ``None`` where a mask is empty."""
        if self.reason is not None:
            return None
        return surface_distances(*self.near, self.spacing)

    @cached_property
    def lesions(self) -> LesionMatch:
        """Which lesions were found."""
        return match_lesions(component_overlaps(*self.near))
