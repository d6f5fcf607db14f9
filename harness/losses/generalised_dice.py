"""Generalised Dice: one Dice over all classes together, and its penalty form."""

from typing import ClassVar, Literal, TypeAlias, Unpack

import torch
from torch import Tensor

from harness.losses.base import Relation, at_least, one_of, register
from harness.losses.batch import Batch, mean_where
from harness.losses.region import GroupedLoss, GroupOptions
from harness.losses.search_space import Choice, Real, Spaces

Weighting: TypeAlias = Literal["inverse_square", "inverse", "uniform"]


@register
class GeneralisedDice(GroupedLoss):
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
    gradient of *every* class is 0; NiftyNet also floors P + V at 1; kornia's "micro" Dice is the
    uniform weighting.

    Args:
        weighting: ``inverse_square`` (published), ``inverse`` or ``uniform``.
        include_background: Whether class 0 is one of the classes.
        options: See :class:`~harness.losses.region.GroupedLoss`; about ``absent`` see above.
    """

    name = "gdl"
    family = "region"
    reference = "Sudre et al., DLMIA 2017"
    spaces: ClassVar[Spaces] = {"weighting": Choice(("inverse_square", "inverse", "uniform"))}

    def __init__(
        self,
        *,
        weighting: Weighting = "inverse_square",
        include_background: bool = True,
        **options: Unpack[GroupOptions],
    ) -> None:
        super().__init__(include_background=include_background, **options)
        self.weighting = one_of("weighting", weighting, Weighting)

    def value(self, batch: Batch) -> Tensor:
        """1 - (2 sum w tp + eps) / (sum w (P + V) + eps), one number per group."""
        region = batch.region(self.reduce, self.include_background)
        w = self.class_weights(region.V)
        overlap, size = (w * region.tp).sum(-1), (w * (region.P + region.V)).sum(-1)
        loss = 1 - (2 * overlap + self.eps) / (size + self.eps)
        if self.absent == "penalise":
            return torch.where(region.V == 0, region.P / region.n, loss.unsqueeze(-1)).mean()
        return mean_where((region.V > 0).any(-1), loss)

    def class_weights(self, V: Tensor) -> Tensor:
        """Return w, shaped like V = (K,) or (B, K), with sum 1 over the classes."""
        power = {"inverse_square": -2.0, "inverse": -1.0, "uniform": 0.0}[self.weighting]
        w = torch.where(V > 0, V.clamp(min=1) ** power, 0.0)
        if self.absent == "smooth":
            w = torch.where(V > 0, w, w.amax(-1, keepdim=True))
        return w / w.sum(-1, keepdim=True).clamp(min=torch.finfo(w.dtype).tiny)


@register
class PenaltyGeneralisedDice(GeneralisedDice):
    """Penalty GDL: the generalised Dice loss, bent so that bad predictions cost more.

    ::

        L = G / (1 + k (1 - G)),   G = the generalised Dice loss

    L(0) = 0 and L(1) = 1; the slope is 1 / (1 + k) at G = 0 and 1 + k at G = 1. Parameters: see
    :class:`GeneralisedDice`.

    Reference: Yang et al., MIDL 2019 (abstract). Elsewhere: the 20-loss repository puts the negative
    overlap where the paper has G in 0..1: another curve.

    Args:
        k: Strength of the penalty; 0 is GDL.
        weighting: See :class:`GeneralisedDice`.
        include_background: Whether class 0 is one of the classes.
        options: See :class:`~harness.losses.region.GroupedLoss`.
    """

    name = "penalty_gdl"
    reference = "Yang et al., MIDL 2019 (abstract)"
    relations = (Relation("equals", "gdl", {"k": 0.0}),)
    spaces: ClassVar[Spaces] = {**GeneralisedDice.spaces, "k": Real(0.25, 10.0, log=True)}

    def __init__(
        self,
        *,
        k: float = 2.5,
        weighting: Weighting = "inverse_square",
        include_background: bool = True,
        **options: Unpack[GroupOptions],
    ) -> None:
        super().__init__(weighting=weighting, include_background=include_background, **options)
        self.k = at_least("k", k, 0)

    def value(self, batch: Batch) -> Tensor:
        """G / (1 + k (1 - G))."""
        G = super().value(batch)
        return G / (1 + self.k * (1 - G))
