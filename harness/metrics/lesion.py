"""Metrics that count lesions instead of voxels.

A lesion is a 26-connected component of one class; :mod:`~.matching` says when a predicted one stands
for a true one.
"""

from dataclasses import dataclass

import numpy as np

from harness.metrics.comparison import Comparison
from harness.metrics.metric import Metric, file
from harness.metrics.overlap import share


def lesion_f1(comparison: Comparison) -> float | None:
    """Return ``2 matched / (predicted + true)``, in [0, 1]; ``None`` where both masks are empty."""
    lesions = comparison.lesions
    return share(2 * lesions.matched, lesions.predicted + lesions.true)


def lesion_recall(comparison: Comparison) -> float | None:
    """Return ``matched / true``, in [0, 1]; ``None`` where the truth is empty."""
    return share(comparison.lesions.matched, comparison.lesions.true)


def lesion_precision(comparison: Comparison) -> float | None:
    """Return ``matched / predicted``, in [0, 1]; ``None`` where the prediction is empty."""
    return share(comparison.lesions.matched, comparison.lesions.predicted)


def false_lesions(comparison: Comparison) -> float:
    """Return how many predicted lesions are not matched."""
    return float(comparison.lesions.predicted - comparison.lesions.matched)


@dataclass(frozen=True)
class SizeBin:
    """True lesions of a range of sizes.

    Attributes:
        name: ``small``, ``medium`` or ``large``.
        least: Smallest volume, mm3, inside.
        below: Largest volume, mm3, outside.
        words: The range, for people.
    """

    name: str
    least: float
    below: float
    words: str

    def recall(self, comparison: Comparison) -> float | None:
        """Return the share of these lesions that was found; ``None`` where there are none."""
        lesions = comparison.lesions
        volumes = lesions.sizes * comparison.voxel_mm3
        inside = (volumes >= self.least) & (volumes < self.below)
        return share(int(np.count_nonzero(lesions.found & inside)), int(np.count_nonzero(inside)))

    def metric(self) -> Metric:
        """Return the recall as a metric."""
        return Metric(
            name=f"lesion_recall_{self.name}",
            title=f"Recall of {self.name} lesions",
            unit="",
            direction="higher",
            version=1,
            description=f"Lesion recall of true lesions {self.words}.",
            compute=self.recall,
            undefined="no lesion of this size",
        )


SIZE_BINS = (
    SizeBin("small", 0, 100, "below 0.1 ml (100 mm3)"),
    SizeBin("medium", 100, 1000, "from 0.1 ml to below 1 ml (1000 mm3)"),
    SizeBin("large", 1000, np.inf, "of 1 ml (1000 mm3) or more"),
)

file(
    Metric(
        name="lesion_f1",
        title="Lesion F1",
        unit="",
        direction="higher",
        version=1,
        description="F1 of lesions: 26-connected components matched one to one at an IoU above 0.1.",
        compute=lesion_f1,
    )
)
file(
    Metric(
        name="lesion_recall",
        title="Lesion recall",
        unit="",
        direction="higher",
        version=1,
        description="Share of the true lesions matched with a predicted one at an IoU above 0.1.",
        compute=lesion_recall,
    )
)
file(
    Metric(
        name="lesion_precision",
        title="Lesion precision",
        unit="",
        direction="higher",
        version=1,
        description="Share of the predicted lesions matched with a true one at an IoU above 0.1.",
        compute=lesion_precision,
    )
)
file(
    Metric(
        name="false_lesions",
        title="False lesions",
        unit="per case",
        direction="lower",
        version=1,
        description="Number of predicted lesions matched with no true one.",
        compute=false_lesions,
    )
)
for _bin in SIZE_BINS:
    file(_bin.metric())
