"""What every loss asks of one prediction: the gradient with respect to a logit, over a slice."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.data.case import IGNORE

if TYPE_CHECKING:
    from harness.losses import CombinedLoss, Loss

LossModule: TypeAlias = "Loss | CombinedLoss"

Window = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True, eq=False)
class AnatomyCase:
    """One slice with its truth and a prediction, as it is to be drawn: row 0 on top.

    Attributes:
        image: (H, W), any unit.
        labels: (H, W) class indices; 255 where the truth is not known.
        logits: (C, H, W).
        spacing: Height and width of a pixel in mm.
        class_counts: (C,) pixels of each class in the training cases.
        title: The dataset for readers; says so if it is simulated.
        case: Which case and slice.
        prediction: How the logits came about.
        credit: Whom to credit for the image, with the licence; empty if nobody.
        class_index: The class whose logit is looked at.
        class_name: Its name.
        unit: What ``spacing`` is measured in: ``mm``, or ``px`` for a photograph.
    """

    image: NDArray[np.floating]
    labels: NDArray[np.integer]
    logits: NDArray[np.floating]
    spacing: tuple[float, float]
    class_counts: NDArray[np.integer]
    title: str
    case: str
    prediction: str
    credit: str = ""
    class_index: int = 1
    class_name: str = "foreground"
    unit: str = "mm"

    @property
    def truth(self) -> NDArray[np.bool_]:
        """(H, W) where the class is."""
        truth: NDArray[np.bool_] = self.labels == self.class_index
        return truth

    @property
    def known(self) -> NDArray[np.bool_]:
        """(H, W) where the truth is known."""
        known: NDArray[np.bool_] = self.labels != IGNORE
        return known

    @property
    def probability(self) -> NDArray[np.float64]:
        """(H, W) predicted probability of the class."""
        z = self.logits.astype(np.float64)
        exponentials = np.exp(z - z.max(0))
        p: NDArray[np.float64] = exponentials[self.class_index] / exponentials.sum(0)
        return p

    @property
    def predicted(self) -> NDArray[np.bool_]:
        """(H, W) where the class is the most probable one."""
        predicted: NDArray[np.bool_] = self.logits.argmax(0) == self.class_index
        return predicted

    @property
    def mismatch(self) -> NDArray[np.bool_]:
        """(H, W) false positives and false negatives of the class."""
        mismatch: NDArray[np.bool_] = (self.predicted != self.truth) & self.known
        return mismatch


class GradientMap(NamedTuple):
    """dL/dz of the class over the slice, in two factors.

    Attributes:
        norm: The L2 norm over the slice; 0 if there is no gradient, NaN if it is not finite.
        direction: (H, W) gradient / norm; zeros where the norm is not a positive number.
    """

    norm: float
    direction: NDArray[np.float64]

    def share(self, where: NDArray[np.bool_]) -> float:
        """Return the share of the squared norm on some pixels."""
        return float((self.direction[where] ** 2).sum())


def gradient_maps(case: AnatomyCase) -> dict[str, GradientMap]:
    """Return the gradient of every registered loss at its defaults, by name.

    Of two classes dL/dz_1 = -dL/dz_0, since the softmax sees differences only: one map says all.
    """
    from harness.losses import LOSSES

    return {name: gradient_map(name, case) for name in LOSSES}


def gradient_map(name: str, case: AnatomyCase) -> GradientMap:
    """Return the gradient of one registered loss at its defaults, in float64."""
    from harness.losses import LOSSES

    return gradient_of(LOSSES[name](ignore_label=None if case.known.all() else IGNORE), case)


def gradient_of(loss: "LossModule", case: AnatomyCase, epoch: int = 0, epochs: int = 1) -> GradientMap:
    """Return the gradient of a loss in float64.

    Args:
        loss: Built with the ignore label where the truth of the case is not known everywhere.
        case: The slice, its truth and its logits.
        epoch: Whose weights count, if the loss moves them: 0..epochs - 1.
        epochs: Of the training.
    """
    import torch

    loss.set_epoch(epoch, epochs)
    logits = torch.tensor(case.logits[None], dtype=torch.float64, requires_grad=True)
    value = loss(
        logits,
        torch.tensor(case.labels[None].astype(np.int64)),
        spacing=torch.tensor([case.spacing], dtype=torch.float64),
        class_counts=torch.tensor(case.class_counts.astype(np.int64)),
    )
    if value.requires_grad:
        value.backward()
    if logits.grad is None:
        return GradientMap(0.0, np.zeros(case.labels.shape))
    gradient = logits.grad[0, case.class_index].numpy()
    norm = float(np.linalg.norm(gradient))
    if not np.isfinite(norm) or norm == 0:
        return GradientMap(norm if norm == 0 else np.nan, np.zeros(case.labels.shape))
    return GradientMap(norm, gradient / norm)


def crop(case: AnatomyCase, share: float = 0.36, least: float = 24.0) -> Window:
    """Return a square, in mm, around the place with most mismatch, near pixels counting more than far ones.

    Its side is a share of the longer side of all truth and prediction, so that single borders are
    seen. Without a mismatch the object counts instead.

    Args:
        case: The slice.
        share: Of the object's longer side.
        least: Pixels, at least, along the side.
    """
    from scipy.ndimage import uniform_filter

    there = case.truth | case.predicted
    there = there if there.any() else np.ones_like(there)
    boxes = [np.flatnonzero(there.any(axis)) for axis in (1, 0)]
    extents = [(box[-1] + 1 - box[0]) * size for box, size in zip(boxes, case.spacing, strict=True)]
    side = max(share * max(extents), least * min(case.spacing))
    lengths = tuple(max(round(side / size), 1) for size in case.spacing)
    held = (case.mismatch if case.mismatch.any() else there).astype(np.float64)
    for _ in range(2):  # twice a box makes a pyramid
        held = uniform_filter(held, [max(length // 2, 1) for length in lengths], mode="constant")
    centre = np.unravel_index(int(held.round(9).argmax()), held.shape)
    rows, columns = (
        _span(int(middle), min(length, total), total)
        for middle, length, total in zip(centre, lengths, held.shape, strict=True)
    )
    return rows, columns


def _span(middle: int, length: int, total: int) -> slice:
    """Return a range of that length around a place, moved into (0, total)."""
    start = min(max(middle - length // 2, 0), total - length)
    return slice(start, start + length)
