"""Losses that compare whole regions, class by class: Dice, its relatives, and other agreements."""

from abc import abstractmethod
from typing import ClassVar, TypedDict, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.losses.base import Loss, Relation, at_least, between, clamped_power, one_of, positive, register
from harness.losses.batch import Absent, Batch, Reduce, Region
from harness.losses.search_space import Real, Spaces


class GroupOptions(TypedDict, total=False):
    """Keyword arguments of :class:`GroupedLoss` but ``include_background``, whose default differs."""

    reduce: Reduce
    absent: Absent
    eps: float
    ignore_label: int | None


class RegionOptions(GroupOptions, total=False):
    """Keyword arguments that every region loss hands on to :class:`RegionLoss`."""

    include_background: bool


class GroupedLoss(Loss):
    """Base of the losses that sum over a group of pixels, class by class.

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


class RegionLoss(GroupedLoss):
    """Base of the losses that are a mean of one number per class.

    A subclass writes :meth:`per_class`; this class chooses the classes, sums over the group and
    applies the policy for absent classes. Parameters: see :class:`GroupedLoss`.
    """

    family = "region"

    def value(self, batch: Batch) -> Tensor:
        """Mean of the per-class losses over the kept classes."""
        region = batch.region(self.reduce, self.include_background)
        return region.mean(self.per_class(region), self.absent)

    @abstractmethod
    def per_class(self, region: Region) -> Tensor:
        """Return one loss per class, (K,) or (B, K), shaped like ``region.V``."""


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
class SquaredDice(RegionLoss):
    """V-Net's Dice loss, with squares in the denominator.

    ::

        L = 1 - mean_K (2 tp + eps) / (sum p^2 + sum t^2 + eps)

    The squares pull a lukewarm probability towards 0 or 1 harder than Dice does. Parameters: see
    :class:`RegionLoss`.

    Reference: Milletari et al., 3DV 2016 (V-Net). Elsewhere: MONAI's ``squared_pred`` is the same; the
    20-loss repository's ``square=True`` squares the pixels of fp and fn, a different function; "DSC++"
    with gamma 2 and noise-robust Dice with gamma 2 are this loss for hard labels.
    """

    name = "squared_dice"
    reference = "Milletari et al., 3DV 2016 (V-Net)"

    def per_class(self, region: Region) -> Tensor:
        """1 - (2 tp + eps) / (sum p^2 + V + eps)."""
        return 1 - (2 * region.tp + self.eps) / (region.sum_squares(region.p) + region.V + self.eps)


@register
class LogCoshDice(Dice):
    """Logarithm of the hyperbolic cosine of the Dice loss.

    ::

        L = ln cosh D = D + ln(1 + exp(-2 D)) - ln 2,   D = the Dice loss, after the mean over classes

    A monotone function of Dice: its gradient is tanh(D) times Dice's, at most 0.76 of it and vanishing
    near the optimum; the largest value is 0.4338. Parameters: see :class:`RegionLoss`.

    Reference: Jadon, CIBCB 2020. Elsewhere: the author's code is binary, with smoothing 1.
    """

    name = "log_cosh_dice"
    reference = "Jadon, CIBCB 2020"
    relations = (Relation("contains", "dice"),)

    def value(self, batch: Batch) -> Tensor:
        """Ln cosh of Dice, without overflow or cancellation."""
        D = super().value(batch)
        return D + F.softplus(-2 * D) - torch.log(D.new_tensor(2.0))


@register
class IoU(RegionLoss):
    """Intersection over union (Jaccard) loss.

    ::

        L = 1 - mean_K (tp + eps) / (P + V - tp + eps)

    Per class it is 2 D / (1 + D) of the Dice loss D: the same optimum, another scale of the gradient.
    Parameters: see :class:`RegionLoss`.

    Reference: Rahman and Wang, ISVC 2016. Elsewhere: MONAI's ``jaccard=True`` adds eps to twice the
    denominator, which halves it (7e-7 on a 2 x 2 image).
    """

    name = "iou"
    reference = "Rahman and Wang, ISVC 2016"

    def per_class(self, region: Region) -> Tensor:
        """1 - (tp + eps) / (P + V - tp + eps)."""
        return 1 - (region.tp + self.eps) / (region.P + region.fn + self.eps)


@register
class Tversky(RegionLoss):
    """Tversky loss: Dice with separate prices for false positives and false negatives.

    ::

        L = 1 - mean_K (tp + eps) / (tp + fp_weight fp + fn_weight fn + eps)

    (0.5, 0.5) is Dice with half its eps, (1, 1) is IoU. Further parameters: see :class:`RegionLoss`.

    Reference: Salehi et al., MLMI 2017 (alpha = 0.3 on false positives, beta = 0.7 on false negatives).
    Elsewhere: MONAI's default is 0.5 / 0.5; Abraham and Khan, and unified focal, use the letters the
    other way round. Hence the names ``fp`` and ``fn`` for the two weights.

    Args:
        fp: Weight of the false positives.
        fn: Weight of the false negatives.
        options: See :class:`RegionLoss`.
    """

    name = "tversky"
    reference = "Salehi et al., MLMI 2017"
    relations: ClassVar[tuple[Relation, ...]] = (
        Relation("equals", "dice", {"fp": 0.5, "fn": 0.5, "eps": 5e-6}),
        Relation("equals", "iou", {"fp": 1.0, "fn": 1.0}),
    )
    # The paper's ablation (fp from 0.5 down to 0.1, fn from 0.5 up to 0.9) and its mirror image.
    spaces: ClassVar[Spaces] = {"fp": Real(0.1, 0.9), "fn": Real(0.1, 0.9)}

    def __init__(self, *, fp: float = 0.3, fn: float = 0.7, **options: Unpack[RegionOptions]) -> None:
        super().__init__(**options)
        self.fp, self.fn = at_least("fp", fp, 0), at_least("fn", fn, 0)

    def per_class(self, region: Region) -> Tensor:
        """1 - (tp + eps) / (tp + fp_weight fp + fn_weight fn + eps)."""
        r = region
        return 1 - (r.tp + self.eps) / (r.tp + self.fp * r.fp + self.fn * r.fn + self.eps)


@register
class FocalTversky(Tversky):
    """Focal Tversky loss: the Tversky loss of each class to a power, then the mean.

    ::

        L = mean_K max(T_c, 1e-6)^exponent,   T_c = the Tversky loss of class c

    The clamp keeps the gradient of a perfect prediction finite. With several classes, a power of the
    mean is another function. Further parameters: see :class:`RegionLoss`.

    Reference: Abraham and Khan, ISBI 2019: the sum over classes of (1 - TI_c)^(1/gamma) with gamma = 4/3,
    hence the exponent 0.75. Elsewhere: the 20-loss repository and segmentation_models_pytorch raise the
    mean over classes; the authors' code has smoothing 1.

    Args:
        fp: Weight of the false positives.
        fn: Weight of the false negatives.
        exponent: 1 / gamma of the paper.
        options: See :class:`RegionLoss`.
    """

    name = "focal_tversky"
    reference = "Abraham and Khan, ISBI 2019"
    relations: ClassVar[tuple[Relation, ...]] = (Relation("equals", "tversky", {"exponent": 1.0}),)
    # The paper's gamma goes from 1 to 3.
    spaces: ClassVar[Spaces] = {**Tversky.spaces, "exponent": Real(1 / 3, 1.0)}

    def __init__(
        self, *, fp: float = 0.3, fn: float = 0.7, exponent: float = 0.75, **options: Unpack[RegionOptions]
    ) -> None:
        super().__init__(fp=fp, fn=fn, **options)
        self.exponent = positive("exponent", exponent)

    def per_class(self, region: Region) -> Tensor:
        """max(T, 1e-6)^exponent."""
        return clamped_power(super().per_class(region), self.exponent)


@register
class AsymmetricSimilarity(RegionLoss):
    """Asymmetric similarity loss: 1 - F_beta, the Tversky loss whose weights sum to one.

    ::

        L = 1 - mean_K (tp + eps) / (tp + fp / (1 + beta^2) + beta^2 fn / (1 + beta^2) + eps)

    beta = 1.5 weighs false negatives with 0.692 and false positives with 0.308: in practice a twin of
    Tversky(0.3, 0.7). Further parameters: see :class:`RegionLoss`.

    Reference: Hashemi et al., IEEE Access 2019.

    Args:
        beta: Recall counts beta times as much as precision.
        options: See :class:`RegionLoss`.
    """

    name = "asymmetric_similarity"
    reference = "Hashemi et al., IEEE Access 2019"
    relations = (Relation("equals", "tversky", {"beta": 1.5}, {"fp": 1 / 3.25, "fn": 2.25 / 3.25}),)
    spaces: ClassVar[Spaces] = {"beta": Real(0.5, 4.0, log=True)}

    def __init__(self, *, beta: float = 1.5, **options: Unpack[RegionOptions]) -> None:
        super().__init__(**options)
        self.beta = at_least("beta", beta, 0)

    def per_class(self, region: Region) -> Tensor:
        """1 - F_beta."""
        r, b2 = region, self.beta**2
        return 1 - (r.tp + self.eps) / (r.tp + (r.fp + b2 * r.fn) / (1 + b2) + self.eps)


@register
class SensitivitySpecificity(Loss):
    """Squared errors inside and outside of the object, each relative to its size.

    ::

        L = mean_K [r sum (t - p)^2 t / (V + eps) + (1 - r) sum (t - p)^2 (1 - t) / (n - V + eps)]

    n = pixels of the group. r weighs the error on the object, whose sensitivity it is; r = 1 ignores
    false positives. An absent class has no first term, and the second one still teaches it: no class
    leaves the mean.

    Reference: Brosch et al., MICCAI 2015. Elsewhere: NiftyNet and the 20-loss repository swap the names
    of the two terms, with the same mathematics; NiftyNet's default is r = 0.05 (the authors suggest
    0.01 to 0.10).

    Args:
        r: Weight of the error inside, 0..1.
        reduce: Group of the sums, ``batch`` or ``sample``.
        include_background: Whether class 0 is one of the classes.
        eps: Keeps an empty part from dividing by zero.
        ignore_label: Label of the pixels to leave out.
    """

    name = "sensitivity_specificity"
    family = "region"
    reference = "Brosch et al., MICCAI 2015"
    spaces: ClassVar[Spaces] = {"r": Real(0.01, 0.5, log=True)}

    def __init__(
        self,
        *,
        r: float = 0.1,
        reduce: Reduce = "batch",
        include_background: bool = False,
        eps: float = 1e-5,
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.r = between("r", r, 0, 1)
        self.reduce = one_of("reduce", reduce, Reduce)
        self.include_background = include_background
        self.eps = positive("eps", eps)

    def value(self, batch: Batch) -> Tensor:
        """Mean over K of r (error inside) / V + (1 - r) (error outside) / (n - V)."""
        region = batch.region(self.reduce, self.include_background)
        inside = region.sum_squares(torch.where(region.mask, 1 - region.p, 0.0))
        outside = region.sum_squares(torch.where(region.mask, 0.0, region.p))
        V, n = region.V, region.n
        per_class = self.r * inside / (V + self.eps) + (1 - self.r) * outside / (n - V + self.eps)
        return per_class.mean()


@register
class MCC(RegionLoss):
    """Matthews correlation coefficient loss.

    ::

        L = mean_K [1 - (tp tn - fp fn) / sqrt((tp + fp)(tp + fn)(tn + fp)(tn + fn) + eps)]

    0 where fp = fn = 0. Between 0 and 2. An absent class, or one that fills the group, makes the
    product 0 and the loss a constant 1: ``absent`` decides about the former. Counts, not rates: float32
    holds the product for up to 1e9 pixels. Parameters: see :class:`RegionLoss`.

    Reference: Abhishek and Hamarneh, ISBI 2021, eqs. 3-5. Elsewhere: MONAI's is the same, with
    background and per sample by default.
    """

    name = "mcc"
    reference = "Abhishek and Hamarneh, ISBI 2021, eqs. 3-5"

    def per_class(self, region: Region) -> Tensor:
        """1 - MCC."""
        tp, fp, fn, tn = region.tp, region.fp, region.fn, region.tn
        product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        mcc = (tp * tn - fp * fn) / torch.sqrt(product.clamp(min=0) + self.eps)
        return torch.where((fp == 0) & (fn == 0), 0.0, 1 - mcc)
