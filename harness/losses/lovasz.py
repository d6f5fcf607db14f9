"""The Lovasz-softmax loss."""

import torch
from torch import Tensor

from harness.losses.base import Loss, one_of, register
from harness.losses.batch import Absent, Batch, Reduce


@register
class LovaszSoftmax(Loss):
    """Lovasz-softmax loss: the convex extension of IoU to probabilities.

    ::

        L = mean_c sum_k e_(k) d_k
        e_i = |t_i - p_i|, sorted in decreasing order;  g = the targets in that order
        I_k = V - sum_{j<=k} g_j,  U_k = V + sum_{j<=k} (1 - g_j),  J_k = 1 - I_k / U_k,  d_k = J_k - J_{k-1}

    d carries no gradient. The mean is over the classes that are present in the group, the background
    included, as published; ``absent="smooth"`` keeps absent classes (their loss is their largest
    probability), ``penalise`` replaces them by their mean probability. Sorting and sums are in at least
    float32. For hard predictions it equals 1 - IoU.

    Reference: Berman et al., CVPR 2018, eqs. 8, 9 and 11. Elsewhere: the 20-loss repository averages over
    all classes, absent ones included; the official code compares strings with ``is``.

    Args:
        reduce: ``batch`` sorts the pixels of the whole batch, ``sample`` those of each image.
        include_background: Whether class 0 is one of the classes.
        absent: See above.
        ignore_label: Label of the pixels to leave out.
    """

    name = "lovasz"
    family = "region"
    reference = "Berman et al., CVPR 2018"

    def __init__(
        self,
        *,
        reduce: Reduce = "batch",
        include_background: bool = True,
        absent: Absent = "ignore",
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.reduce = one_of("reduce", reduce, Reduce)
        self.include_background = include_background
        self.absent = one_of("absent", absent, Absent)

    def value(self, batch: Batch) -> Tensor:
        """Mean over the classes of sum e d."""
        region = batch.region(self.reduce, self.include_background)
        errors = torch.where(batch.mask, 1 - batch.p, batch.p)
        e, t = (self.by_group(x)[..., region.first :, :] for x in (errors, batch.mask))
        return region.mean((e * self.slopes(e.detach(), t)).sum(-1), self.absent)

    def by_group(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W) with all pixels of a group in the last axis: (C, B H W) or (B, C, H W)."""
        return x.transpose(0, 1).flatten(1) if self.reduce == "batch" else x.flatten(2)

    @staticmethod
    def slopes(errors: Tensor, targets: Tensor) -> Tensor:
        """Return d in the order of the pixels, for errors and boolean targets (..., n)."""
        order = errors.argsort(-1, descending=True)
        g = targets.gather(-1, order).long()
        V = g.sum(-1, keepdim=True)
        J = 1 - (V - g.cumsum(-1)).to(errors) / (V + (1 - g).cumsum(-1)).to(errors)
        d = torch.diff(J, prepend=torch.zeros_like(J[..., :1]))
        return torch.zeros_like(errors).scatter(-1, order, d)
