"""Scores of one case: every class, every metric, one policy for undefined values.

The policy (called ``worst``) was fixed before any test score was read:

============== ================ ================= ====================
truth          prediction       overlap (DSC)     distance (HD, HD95)
============== ================ ================= ====================
empty          empty            imputed 1         imputed 0
non-empty      empty            0                 imputed the diagonal
empty          non-empty        0                 imputed the diagonal
any            missing          imputed 0         imputed the diagonal
============== ================ ================= ====================

*Imputed* means that the raw value is ``None``; the diagonal is that of the whole image in mm. Every
such row carries its reason, also where the formula gives a value (DSC 0), so that empty predictions
can be counted and other policies applied afterwards. Nothing is dropped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.geometry.surface import Distances, Mask, surface_distances
from harness.metrics.overlap import dsc
from harness.metrics.surface import hd, hd95
from harness.registry import Registry

IGNORE = 255
"""Truth value of voxels that give no score; the same number as in the data room."""

Volume = NDArray[np.integer[Any]]
Reason = Literal["both empty", "truth empty", "prediction empty", "no prediction"]


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

    @cached_property
    def reason(self) -> Reason | None:
        """Which masks are empty, or ``None`` where neither is."""
        match bool(self.prediction.any()), bool(self.truth.any()):
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
        return surface_distances(self.prediction, self.truth, self.spacing)


@dataclass(frozen=True)
class Metric:
    """What a metric is, for tables and figures, and how it is computed.

    A new metric is one ``_file(Metric(...))`` in this module.

    Attributes:
        name: Key in the registry, the database and the study file.
        title: Name in figures and tables.
        unit: ``"mm"`` for distances, ``""`` for shares. It also chooses the imputed values: 0 and
            the image diagonal for distances, 1 and 0 for shares.
        direction: Whether ``higher`` or ``lower`` values are better.
        version: Raised whenever the numbers of the same masks change.
        description: One sentence with the convention, for captions and methods sections.
        compute: The value of a comparison, or ``None`` where it is undefined.
    """

    name: str
    title: str
    unit: Literal["", "mm"]
    direction: Literal["higher", "lower"]
    version: int
    description: str
    compute: Callable[[Comparison], float | None]

    def perfect(self) -> float:
        """Return the value of a prediction that equals the truth."""
        return 1.0 if self.direction == "higher" else 0.0

    def worst(self, diagonal: float) -> float:
        """Return the value that stands for a failure in an image of this diagonal (mm)."""
        if self.direction == "higher":
            return 0.0
        return diagonal if self.unit == "mm" else 1.0


@dataclass(frozen=True)
class Score:
    """One metric of one class of one case.

    Attributes:
        class_index: Class, from 1.
        metric: Name of the metric.
        value: What the formula gives; ``None`` where it gives nothing.
        imputed: The value under the policy of this module; equals ``value`` where there is one.
        reason: Which mask is empty or missing, ``None`` for an ordinary comparison.
    """

    class_index: int
    metric: str
    value: float | None
    imputed: float
    reason: Reason | None


METRICS: Registry[Metric] = Registry("metric")
"""Every metric by name."""


def _file(metric: Metric) -> None:
    METRICS.register(metric.name)(metric)


def _of_distances(measure: Callable[[Distances, Distances], float]) -> Callable[[Comparison], float | None]:
    """Turn a function of surface distances into one of a comparison."""
    return lambda comparison: None if comparison.distances is None else measure(*comparison.distances)


_file(
    Metric(
        name="dsc",
        title="DSC",
        unit="",
        direction="higher",
        version=1,
        description="Dice similarity coefficient of the restacked volume.",
        compute=lambda comparison: dsc(comparison.prediction, comparison.truth),
    )
)
_file(
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
_file(
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
        metrics: Names in :data:`METRICS`.

    Returns:
        One score per class from 1 and metric, classes in ascending order, metrics as given.

    Raises:
        ValueError: if shapes, types, spacing or labels do not fit together.
        InputError: if a metric is unknown.
    """
    chosen = [METRICS[name] for name in metrics]
    _check(prediction, truth, spacing, n_classes)
    diagonal = float(np.linalg.norm(np.multiply(truth.shape, spacing)))
    if prediction is not None:
        ignored = truth == IGNORE
        if ignored.any():
            prediction = np.where(ignored, 0, prediction)

    scores: list[Score] = []
    for index in range(1, n_classes):
        if prediction is None:
            scores += [
                Score(index, metric.name, None, metric.worst(diagonal), "no prediction") for metric in chosen
            ]
            continue
        comparison = Comparison(prediction == index, truth == index, tuple(float(s) for s in spacing))
        scores += [_score(index, metric, comparison, diagonal) for metric in chosen]
    return scores


def _score(index: int, metric: Metric, comparison: Comparison, diagonal: float) -> Score:
    """Compute one metric and apply the policy."""
    value = metric.compute(comparison)
    if value is not None:
        imputed = value
    elif comparison.reason == "both empty":
        imputed = metric.perfect()
    else:
        imputed = metric.worst(diagonal)
    return Score(index, metric.name, value, imputed, comparison.reason)


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
