"""Losses made of several parts whose formula is more than a sum of registered losses."""

from typing import ClassVar

import torch
from torch import Tensor

from harness.losses.base import (
    Loss,
    Relation,
    at_least,
    between,
    clamped_power,
    inverse_frequency,
    one_of,
    positive,
    register,
)
from harness.losses.batch import Absent, Batch, Reduce
from harness.losses.distribution import Focal
from harness.losses.region import Dice
from harness.losses.search_space import Real, Spaces

TINY = 1e-7
"""Distance that combo and unified focal keep from p = 0 and p = 1, as published."""


@register
class ExpLog(Loss):
    """Exponential logarithmic loss: powers of the logarithm of Dice and of cross entropy.

    ::

        L = w_dice mean_c (-ln D_c)^gamma_dice + w_ce 1/N sum_i w_y(i) (-ln p_y(i))^gamma_ce
        D_c = (2 tp + eps) / (P + V + eps)        w_c = (sum_k f_k / f_c)^0.5

    The power is taken per class, then the mean. f = ``class_counts``; w is not normalised, and 0 for a
    class that no training case holds. All classes by default, absent ones included: the pseudo-count
    eps = 1 is there for them (with 1e-5 an absent class costs 2.3 instead of 1.6 at P = 100). Fractional
    powers are clamped at 1e-6: the gradient of a perfect prediction is finite and its value about 0.02.

    Reference: Wong et al., MICCAI 2018; eps = 1 and the background among the classes are our reading.
    Elsewhere: the 20-loss repository of 2021 takes -ln of the *mean* Dice and a plain weighted CE;
    PyMIC rescales p to 0.01 + 0.98 p; AnatomyNet's script has the Dice part only.

    Args:
        w_dice: Weight of the Dice part.
        w_ce: Weight of the cross-entropy part.
        gamma_dice: Power of -ln Dice.
        gamma_ce: Power of -ln p.
        reduce: Group of the Dice part, ``batch`` or ``sample``.
        include_background: Whether class 0 is one of the classes of the Dice part.
        eps: Pseudo-count of D.
        ignore_label: Label of the pixels to leave out.
    """

    name = "exp_log"
    family = "compound"
    needs = frozenset({"class_counts"})
    reference = "Wong et al., MICCAI 2018"
    relations = (Relation("contains", "dice"), Relation("contains", "weighted_ce"))
    spaces: ClassVar[Spaces] = {
        "w_dice": Real(0.1, 1.0),
        "w_ce": Real(0.1, 1.0),
        "gamma_dice": Real(0.1, 2.0, log=True),
        "gamma_ce": Real(0.1, 2.0, log=True),
    }

    def __init__(
        self,
        *,
        w_dice: float = 0.8,
        w_ce: float = 0.2,
        gamma_dice: float = 0.3,
        gamma_ce: float = 0.3,
        reduce: Reduce = "batch",
        include_background: bool = True,
        eps: float = 1.0,
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.w_dice, self.w_ce = at_least("w_dice", w_dice, 0), at_least("w_ce", w_ce, 0)
        self.gamma_dice, self.gamma_ce = positive("gamma_dice", gamma_dice), positive("gamma_ce", gamma_ce)
        self.reduce = one_of("reduce", reduce, Reduce)
        self.include_background = include_background
        self.eps = positive("eps", eps)

    def value(self, batch: Batch) -> Tensor:
        """w_dice mean (-ln D)^gamma_dice + w_ce 1/N sum w_y (-ln p_y)^gamma_ce."""
        w = batch.f.sum().sqrt() * inverse_frequency(batch.f, 0.5)
        ce_part = batch.mean(w[batch.y] * clamped_power(-batch.log_p_y, self.gamma_ce))
        r = batch.region(self.reduce, self.include_background)
        D = (2 * r.tp + self.eps) / (r.P + r.V + self.eps)
        dice_part = clamped_power(-torch.log(D), self.gamma_dice).mean()
        return self.w_dice * dice_part + self.w_ce * ce_part


@register
class AnatomyNet(Loss):
    """Dice + focal as AnatomyNet prints it: the *sum* of the Dice losses of all classes.

    ::

        L = C - sum_c (2 tp_c + eps) / (P_c + V_c + eps) + w_focal * focal

    All classes by default, the background included, so that Dice is C times as strong as in
    ``dice + 0.5*focal`` (alias ``dice_focal``). An absent class leaves the sum.

    Reference: Zhu et al., Medical Physics 2019, with w_focal in {0.1, 0.5, 1}; 0.5 stands in later code of
    the same first author. Elsewhere: the released repository trains the Dice part only (its focal
    function is never called); its "DiceFocal" script weights tp by (1 - p)^2, yet another loss; MONAI's
    DiceFocalLoss mixes a softmax Dice with a sigmoid focal.

    Args:
        w_focal: Weight of the focal loss.
        gamma: Focus of the focal loss.
        reduce: Group of the Dice part, ``batch`` or ``sample``.
        include_background: Whether class 0 is one of the classes of the Dice part.
        eps: Of the Dice part.
        ignore_label: Label of the pixels to leave out.
    """

    name = "anatomynet"
    family = "compound"
    reference = "Zhu et al., Medical Physics 2019 (AnatomyNet)"
    relations = (Relation("contains", "dice"), Relation("contains", "focal"))
    # The paper's weights; gamma as for the focal loss.
    spaces: ClassVar[Spaces] = {"w_focal": Real(0.1, 1.0, log=True), **Focal.spaces}

    def __init__(
        self,
        *,
        w_focal: float = 0.5,
        gamma: float = 2.0,
        reduce: Reduce = "batch",
        include_background: bool = True,
        eps: float = 1e-5,
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.w_focal = at_least("w_focal", w_focal, 0)
        self.gamma = at_least("gamma", gamma, 0)
        self.reduce = one_of("reduce", reduce, Reduce)
        self.include_background = include_background
        self.eps = positive("eps", eps)
        self._focal = Focal(gamma=gamma)
        self._dice = Dice(reduce=reduce, include_background=include_background, eps=eps)

    def value(self, batch: Batch) -> Tensor:
        """Sum_c (1 - D_c), averaged over groups, + w_focal focal."""
        focal = self._focal.value(batch)
        region = batch.region(self.reduce, self.include_background)
        of_present = torch.where(region.V > 0, self._dice.per_class(region), 0.0)
        return of_present.sum(-1).mean() + self.w_focal * focal


@register
class Combo(Loss):
    """Combo loss: binary cross entropy with a price for false negatives, and Dice.

    ::

        L = w_ce CE_b + (1 - w_ce) Dice
        CE_b = mean over B, K, H, W of -[beta t ln p + (1 - beta) (1 - t) ln(1 - p)]

    p is clamped to [1e-7, 1 - 1e-7] in CE_b; K = the foreground classes unless ``include_background``.
    beta > 0.5 punishes false negatives more. w_ce = 0 is Dice.

    Reference: Taghanaki et al., CMIG 2019, written there with -(1 - w_ce) times the Dice coefficient:
    ours is larger by 1 - w_ce. Elsewhere: the released file has a sign error that *rewards* the
    false-positive half of CE_b.

    Args:
        w_ce: Weight of CE_b, 0..1 (alpha of the paper).
        beta: Weight of false negatives in CE_b, 0..1.
        reduce: Group of the Dice part, ``batch`` or ``sample``.
        include_background: Whether class 0 is one of the classes.
        absent: What an absent class does in the Dice part; see
            :class:`~harness.losses.region.GroupedLoss`.
        eps: Of the Dice part.
        ignore_label: Label of the pixels to leave out.
    """

    name = "combo"
    family = "compound"
    reference = "Taghanaki et al., CMIG 2019"
    relations = (Relation("equals", "dice", {"w_ce": 0.0}), Relation("contains", "ce"))
    spaces: ClassVar[Spaces] = {"w_ce": Real(0.1, 0.9), "beta": Real(0.1, 0.9)}

    def __init__(
        self,
        *,
        w_ce: float = 0.5,
        beta: float = 0.5,
        reduce: Reduce = "batch",
        include_background: bool = False,
        absent: Absent = "ignore",
        eps: float = 1e-5,
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.w_ce, self.beta = between("w_ce", w_ce, 0, 1), between("beta", beta, 0, 1)
        self.reduce, self.include_background = reduce, include_background
        self.absent, self.eps = absent, eps
        self._dice = Dice(reduce=reduce, include_background=include_background, absent=absent, eps=eps)

    def value(self, batch: Batch) -> Tensor:
        """w_ce CE_b + (1 - w_ce) Dice."""
        p = batch.p.clamp(TINY, 1 - TINY)
        ce = -torch.where(batch.mask, self.beta * p.log(), (1 - self.beta) * (1 - p).log())
        if batch.counted is not None:
            ce = torch.where(batch.counted.unsqueeze(1), ce, 0.0)
        ce_b = batch.region("batch", self.include_background).sum(ce).mean() / batch.n
        return self.w_ce * ce_b + (1 - self.w_ce) * self._dice.value(batch)


@register
class UnifiedFocal(Loss):
    """Unified focal loss, symmetric: focal cross entropy and focal Tversky with shared parameters.

    ::

        L = w_ce A + (1 - w_ce) R
        A = 1/N sum_i sum_c v_c (1 - p_c)^gamma t_c (-ln p_c)      v_0 = 1 - delta, v_c = delta
        T_c = (tp + s) / (tp + delta fn + (1 - delta) fp + s),  s = 1e-7
        R = mean_c max(1 - T_c, 1e-6)^(1 - gamma)

    p is clamped to [1e-7, 1 - 1e-7]. All classes, of which class 0 is the common one and the rest are
    rare. A is a *sum* over classes and a mean over pixels.

    Reference: Yeung et al., CMIG 2022; w_ce on A as in the paper (the official code puts it on R);
    exponents gamma on A and 1 - gamma on R as in the official code. At the default gamma = w_ce = 0.5
    the readings coincide. Elsewhere: the official code reduces per sample and has two classes; MONAI has
    the asymmetric form only, applies no activation, takes delta = 0.7, and its A is half as large.

    Args:
        w_ce: Weight of A, 0..1 (lambda of the paper).
        delta: Price of false negatives, 0..1.
        gamma: Focus, 0..1.
        reduce: Group of the sums of R, ``batch`` or ``sample``.
        include_background: Whether class 0 is one of the classes.
        absent: What an absent class does in R; see :class:`~harness.losses.region.GroupedLoss`.
        ignore_label: Label of the pixels to leave out.
    """

    name = "unified_focal"
    family = "compound"
    reference = "Yeung et al., CMIG 2022"
    relations: ClassVar[tuple[Relation, ...]] = (
        Relation("equals", "ce", {"w_ce": 1.0, "delta": 0.5, "gamma": 0.0}, factor=0.5),
        Relation("contains", "focal"),
        Relation("contains", "focal_tversky"),
    )
    spaces: ClassVar[Spaces] = {
        "w_ce": Real(0.1, 0.9),
        "delta": Real(0.1, 0.9),
        "gamma": Real(0.1, 0.9),
    }

    def __init__(
        self,
        *,
        w_ce: float = 0.5,
        delta: float = 0.6,
        gamma: float = 0.5,
        reduce: Reduce = "batch",
        include_background: bool = True,
        absent: Absent = "ignore",
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.w_ce = between("w_ce", w_ce, 0, 1)
        self.delta, self.gamma = between("delta", delta, 0, 1), between("gamma", gamma, 0, 1)
        self.reduce = one_of("reduce", reduce, Reduce)
        self.include_background = include_background
        self.absent = one_of("absent", absent, Absent)

    def value(self, batch: Batch) -> Tensor:
        """w_ce A + (1 - w_ce) R."""
        return self.w_ce * self.A(batch) + (1 - self.w_ce) * self.R(batch)

    def A(self, batch: Batch) -> Tensor:
        """The cross-entropy part."""
        p_y, common = batch.p_y.clamp(TINY, 1 - TINY), batch.y == 0
        v = torch.where(common, 1 - self.delta, self.delta).to(p_y)
        if not self.include_background:
            v = v.masked_fill(common, 0.0)
        return batch.mean(v * self.modulation(p_y, common) * -p_y.log())

    def R(self, batch: Batch) -> Tensor:
        """The Tversky part."""
        r = batch.region(self.reduce, self.include_background)
        T = (r.tp + TINY) / (r.tp + self.delta * r.fn + (1 - self.delta) * r.fp + TINY)
        common = torch.arange(r.V.shape[-1], device=T.device) + r.first == 0
        return r.mean(self.raised(1 - T, common), self.absent)

    def modulation(self, p_y: Tensor, common: Tensor) -> Tensor:
        """Factor of the cross entropy of a pixel whose true class is, or is not, the common one."""
        return clamped_power(1 - p_y, self.gamma)

    def raised(self, one_minus_T: Tensor, common: Tensor) -> Tensor:
        """Power of the Tversky loss of a class that is, or is not, the common one."""
        return clamped_power(one_minus_T, 1 - self.gamma)


@register
class AsymmetricUnifiedFocal(UnifiedFocal):
    """Unified focal loss, asymmetric: the rare classes keep their full cross entropy.

    ::

        as the symmetric form, but (1 - p_c)^gamma in A for class 0 only,
        and the power 1 - gamma in R for the rare classes only

    Parameters and differences elsewhere: see :class:`UnifiedFocal`. The PyTorch port that the authors
    link to has gamma = 0.2 in this class.

    Reference: Yeung et al., CMIG 2022.
    """

    name = "asymmetric_unified_focal"
    relations: ClassVar[tuple[Relation, ...]] = (
        Relation("equals", "ce", {"w_ce": 1.0, "delta": 0.5, "gamma": 0.0}, factor=0.5),
        Relation("equals", "unified_focal", {"gamma": 0.0}, {"gamma": 0.0}),
        Relation("contains", "focal"),
        Relation("contains", "focal_tversky"),
    )
    spaces: ClassVar[Spaces] = UnifiedFocal.spaces

    def modulation(self, p_y: Tensor, common: Tensor) -> Tensor:
        """Focus on the common class only."""
        return torch.where(common, super().modulation(p_y, common), 1.0)

    def raised(self, one_minus_T: Tensor, common: Tensor) -> Tensor:
        """Focus on the rare classes only."""
        return torch.where(common, one_minus_T, super().raised(one_minus_T, common))
