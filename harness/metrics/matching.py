"""Which predicted lesion stands for which true one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.geometry.overlaps import ComponentOverlaps

LEAST_IOU = 0.1
"""A lesion is found if a predicted one overlaps it by more than this."""


@dataclass(frozen=True)
class LesionMatch:
    """The lesions of a case and which of them correspond.

    Attributes:
        predicted: How many lesions were predicted.
        sizes: (n,) voxels of each true lesion.
        found: (n,) whether a predicted lesion was matched with it.
    """

    predicted: int
    sizes: NDArray[np.int64]
    found: NDArray[np.bool_]

    @property
    def true(self) -> int:
        """How many true lesions there are."""
        return len(self.sizes)

    @property
    def matched(self) -> int:
        """How many pairs were matched."""
        return int(np.count_nonzero(self.found))


def match_lesions(overlaps: ComponentOverlaps) -> LesionMatch:
    """Match predicted with true lesions, one to one.

    Lesions are 26-connected components. The IoU of a pair is taken between whole lesions. Pairs with an
    IoU above :data:`LEAST_IOU` are taken in descending order of IoU, and a pair is matched if neither of
    its lesions is matched yet. Of pairs with the same IoU the one whose true lesion comes first in a scan
    of the volume is taken first, then the one whose predicted lesion does.

    Args:
        overlaps: Of the prediction (first) with the truth (second).
    """
    predicted, true = overlaps.pairs.T
    union = overlaps.sizes_a[predicted] + overlaps.sizes_b[true] - overlaps.shared
    iou = overlaps.shared / union
    taken = np.zeros(len(overlaps.sizes_a), dtype=np.bool_)
    found = np.zeros(len(overlaps.sizes_b), dtype=np.bool_)
    for pair in np.lexsort((predicted, true, -iou)):
        if iou[pair] <= LEAST_IOU:
            break
        one, other = predicted[pair], true[pair]
        if not taken[one] and not found[other]:
            taken[one] = found[other] = True
    return LesionMatch(len(overlaps.sizes_a), overlaps.sizes_b, found)
