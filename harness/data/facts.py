"""What a dataset card says of one case: numbers only, so that a dataset of any size fits in memory."""

from dataclasses import dataclass

import numpy as np

from harness.data.case import IGNORE, Case, is_photograph
from harness.geometry.components import components

MM3_PER_ML = 1000


@dataclass(frozen=True)
class CaseFacts:
    """Size and foreground of one case.

    Attributes:
        case: Its name.
        patient: Its patient's name.
        site: Centre or scanner, if the archive tells.
        shape: Voxels along (slices, rows, columns).
        spacing: Millimetres along them.
        picture: Whether it is a photograph, whose pixels have no known size.
        voxels: Number of voxels of each class, background first.
        ignored: Number of voxels whose truth is unknown.
        empty_slices: Slices without foreground.
        lesions: Sizes of the connected components (26-connected; 8-connected in a single slice) of
            each foreground class, in voxels.
    """

    case: str
    patient: str
    site: str | None
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    picture: bool
    voxels: tuple[int, ...]
    ignored: int
    empty_slices: int
    lesions: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape))

    @property
    def foreground_fraction(self) -> float:
        """Share of foreground among all voxels whose truth is known."""
        return sum(self.voxels[1:]) / max(1, sum(self.voxels))

    @property
    def voxel_ml(self) -> float:
        """Millilitres of a voxel."""
        return float(np.prod(self.spacing)) / MM3_PER_ML

    def fraction(self, index: int) -> float:
        """Share of a class among all voxels."""
        return self.voxels[index] / max(1, self.size)


def case_facts(name: str, patient: str, site: str | None, case: Case, n_classes: int) -> CaseFacts:
    """Measure a case.

    Args:
        name: Its name.
        patient: Its patient's name.
        site: Centre or scanner, if known.
        case: Its arrays.
        n_classes: Number of classes, background included.
    """
    labels = case.labels
    counts = np.bincount(labels.ravel(), minlength=IGNORE + 1)
    numbers = components(labels, n_classes)
    foreground = (labels > 0) & (labels < n_classes)
    slices, rows, columns = labels.shape
    return CaseFacts(
        case=name,
        patient=patient,
        site=site,
        shape=(slices, rows, columns),
        spacing=case.spacing,
        picture=is_photograph(case.labels.shape, case.spacing),
        voxels=tuple(counts[:n_classes].tolist()),
        ignored=int(counts[IGNORE]),
        empty_slices=int(slices - foreground.any((1, 2)).sum()),
        lesions=tuple(
            tuple(np.bincount(numbers[labels == index])[1:].tolist()) for index in range(1, n_classes)
        ),
    )
