"""Losses that compare whole regions, class by class: Dice and generalised Dice."""

from typing import TypedDict

import torch
from torch import Tensor

from harness.losses.base import Loss, one_of, positive, register
from harness.losses.batch import Absent, Batch, Reduce, Region


class RegionOptions(TypedDict, total=False):
    """Keyword arguments that every region loss hands on to :class:`RegionLoss`."""

    reduce: Reduce
    include_background: bool
    absent: Absent
    eps: float
    ignore_label: int | None


class RegionLoss(Loss):
    """Base of the losses that are a mean of one number per class.

    A subclass writes :meth:`per_class`; this class chooses the classes, sums over the group and
    applies the policy for absent classes.

    Args:
        reduce: ``batch`` sums over all images, one number per class; ``sample`` over each image, one
            number per image and class.
        include_background: Whether class 0 is one of the classes.
        absent: What a class without a labelled pixel in the group does: ``ignore`` (leaves the mean),
            ``smooth`` (keeps the formula, as nnU-Net and MONAI do: about 1 with no gradient) or
            ``penalise`` (its mean probability, which pushes false positives down).
        eps: Stands exactly where the formula shows it.
        ignore_label: Label of the pixels to leave out.
    """

    family = "region"

    def __init__(
        self,
        *,
        reduce: Reduce = "batch",
        include_background: bool = False,
        absent: Absent = "ignore",
        eps: float = 1e-5,
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.reduce = one_of("reduce", reduce, Reduce)
        self.include_background = include_background
        self.absent = one_of("absent", absent, Absent)
        self.eps = positive("eps", eps)

    def value(self, batch: Batch) -> Tensor:
        """Mean of the per-class losses over the kept classes."""
        region = batch.region(self.reduce, self.include_background)
        return region.mean(self.per_class(region), self.absent)

    def per_class(self, region: Region) -> Tensor:
        """Return one loss per class, (K,) or (B, K), shaped like ``region.V``."""
        raise NotImplementedError(f"{type(self).__name__} must define per_class(region)")


@register
class Dice(RegionLoss):
    """Soft Dice loss.

    ::

        L = 1 - mean_K (2 tp + eps) / (P + V + eps)

    tp, P = sum p and V = sum t per class, over the batch or per image; K = the foreground classes
    unless ``include_background``. Parameters: see :class:`RegionLoss`.

    Reference: Drozdzal et al., 2016; the batch form as in nnU-Net (Isensee et al., 2021). Elsewhere:
    MONAI includes the background and reduces per sample by default; segmentation_models_pytorch counts
    an absent class as 0 in the mean; nnU-Net and the 20-loss repository return -Dice (ours minus 1) and
    behave like ``absent="smooth"``. A widely used version that sums half-precision probabilities
    overflows at 384 x 384 pixels: here sums are float32 whatever the logits are.
    """

    name = "dice"
    reference = "Drozdzal et al., DLMIA 2016 (soft Dice)"

    def per_class(self, region: Region) -> Tensor:
        """1 - (2 tp + eps) / (P + V + eps)."""
        return 1 - (2 * region.tp + self.eps) / (region.P + region.V + self.eps)


@register
class GeneralisedDice(RegionLoss):
    """Generalised Dice loss: one Dice over all classes, each weighted by its inverse squared size.

    ::

        L = 1 - (2 sum_c w_c tp_c + eps) / (sum_c w_c (P_c + V_c) + eps)
        w_c = V_c^-2 / sum_k V_k^-2,   0 where V_c = 0

    All classes by default; weights carry no gradient. ``reduce="sample"`` is the mean of the per-image
    losses. Because w sums to one, eps means the same for large and small structures: with raw weights
    and eps = 1e-5, MONAI's batch form gives 0.302 where the loss is 0.5 (two halves of 8 images of
    256 x 256, p = 0.5).

    An absent class: ``ignore`` gives it no weight; ``smooth`` the largest weight of the present ones
    (NiftyNet, MONAI); ``penalise`` averages its mean probability with the loss of each present class.

    Reference: Sudre et al., DLMIA 2017. Elsewhere: LIVIAETS and the 20-loss repository use
    w = (V + 1e-10)^-2 per image, so that an absent class has weight 1e20, the loss is 1 and the
    gradient of *every* class is 0; NiftyNet also floors P + V at 1.
    """

    name = "gdl"
    reference = "Sudre et al., DLMIA 2017"

    def __init__(
        self,
        *,
        reduce: Reduce = "batch",
        include_background: bool = True,
        absent: Absent = "ignore",
        eps: float = 1e-5,
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(
            reduce=reduce,
            include_background=include_background,
            absent=absent,
            eps=eps,
            ignore_label=ignore_label,
        )

    def value(self, batch: Batch) -> Tensor:
        """1 - (2 sum w tp + eps) / (sum w (P + V) + eps), one number per group."""
        region = batch.region(self.reduce, self.include_background)
        w = self.class_weights(region.V)
        overlap, size = (w * region.tp).sum(-1), (w * (region.P + region.V)).sum(-1)
        loss = 1 - (2 * overlap + self.eps) / (size + self.eps)
        if self.absent == "penalise":
            loss = torch.where(region.V == 0, region.P / region.n, loss.unsqueeze(-1)).mean(-1)
            return loss.mean()
        kept = (region.V > 0).any(-1)
        return torch.where(kept, loss, 0.0).sum() / kept.sum().clamp(min=1)

    def class_weights(self, V: Tensor) -> Tensor:
        """Return w, shaped like V = (K,) or (B, K), with sum 1 over the classes."""
        w = torch.where(V > 0, V.clamp(min=1) ** -2, 0.0)
        if self.absent == "smooth":
            w = torch.where(V > 0, w, w.amax(-1, keepdim=True))
        return w / w.sum(-1, keepdim=True).clamp(min=torch.finfo(w.dtype).tiny)
