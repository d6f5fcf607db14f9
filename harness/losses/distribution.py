"""Losses that compare distributions pixel by pixel: cross entropy and what grew out of it."""

import math
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
    positive,
    register,
)
from harness.losses.batch import Batch
from harness.losses.search_space import Real, Spaces


@register
class CrossEntropy(Loss):
    """Cross entropy, the mean over all pixels and classes.

    ::

        L = 1/N sum_i -ln p_y(i)

    p_y(i) is the probability of the true class of pixel i, N = B H W. Logits (B, C, H, W), labels
    (B, H, W); no parameters. Every class counts, the background included; an absent class needs no
    care. The logarithm is log_softmax: finite for any finite logit.

    Elsewhere: ``torch.nn.CrossEntropyLoss`` is the same. LIVIAETS' boundary-loss averages over the
    pixels of selected classes and adds 1e-10 inside the logarithm.
    """

    name = "ce"
    family = "distribution"
    reference = "textbook; for segmentation Ronneberger et al., MICCAI 2015"

    def value(self, batch: Batch) -> Tensor:
        """1/N sum -ln p_y."""
        return batch.mean(-batch.log_p_y)


@register
class WeightedCrossEntropy(Loss):
    """Cross entropy weighted by the inverse frequency of the classes in the training cases.

    ::

        L = sum_i w_y(i) (-ln p_y(i)) / sum_i w_y(i)      w_c = n_c^-power / mean_k n_k^-power

    Both sums run over the whole batch; n = ``class_counts``. A class that no training case holds has
    weight 0 and stays out of the mean. The scale of w cancels. Without ``class_counts`` the batch is
    counted, which makes the weights noisy: give them.

    Reference: Ronneberger et al. (MICCAI 2015) weight classes without stating a formula; this one is
    ours. Elsewhere: ``torch.nn.CrossEntropyLoss(weight=w)`` is the same for a given w; the 20-loss
    repository of 2021 hard-codes (0.2, 0.8) for every task, and its second version returns plain CE.

    Args:
        power: 1 for the inverse frequency, 0.5 for its square root, 0 for plain CE.
        max_ratio: Cap of w at this multiple of the smallest weight; None for no cap.
        ignore_label: Label of the pixels to leave out.
    """

    name = "weighted_ce"
    family = "distribution"
    needs = frozenset({"class_counts"})
    reference = "Ronneberger et al., MICCAI 2015 (weights without a formula)"
    relations = (Relation("equals", "ce", {"power": 0.0}),)
    spaces: ClassVar[Spaces] = {"power": Real(0.0, 1.0)}

    def __init__(
        self, *, power: float = 1.0, max_ratio: float | None = None, ignore_label: int | None = None
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.power = at_least("power", power, 0)
        self.max_ratio = None if max_ratio is None else at_least("max_ratio", max_ratio, 1)

    def value(self, batch: Batch) -> Tensor:
        """Sum w_y (-ln p_y) / sum w_y."""
        w_y = self.class_weights(batch.f)[batch.y]
        return batch.mean(w_y * -batch.log_p_y) / batch.mean(w_y).clamp(min=1e-12)

    def class_weights(self, n: Tensor) -> Tensor:
        """Return w (C,), with mean 1 over the classes that occur in the counts ``n``."""
        w = inverse_frequency(n, self.power)
        if self.max_ratio is not None:
            smallest = torch.where(n > 0, w, torch.inf).min()
            w = torch.minimum(w, self.max_ratio * smallest)
        return w * (n > 0).sum() / w.sum().clamp(min=torch.finfo(w.dtype).tiny)


@register
class Focal(Loss):
    """Focal loss: cross entropy with the easy pixels turned down.

    ::

        L = 1/N sum_i a_y(i) (1 - p_y(i))^gamma (-ln p_y(i))

    Softmax over the classes, mean per pixel. gamma = 0 is CE. A fractional gamma clamps 1 - p_y at
    1e-6, so that the gradient of a perfect pixel is finite.

    Reference: Lin et al., ICCV 2017, equation of the alpha-balanced focal loss, with softmax in place
    of the sigmoid. Elsewhere: MONAI's ``FocalLoss`` takes per-class sigmoids by default and, with
    softmax, averages over B C N: its value is ours divided by C. The 20-loss repository of 2021 has
    alpha = 0.5 as a global factor; segmentation_models_pytorch takes one-vs-rest sigmoids.

    Args:
        gamma: Focus; larger turns easy pixels down more.
        class_weights: One factor a_c per class; None for 1 everywhere.
        ignore_label: Label of the pixels to leave out.
    """

    name = "focal"
    family = "distribution"
    reference = "Lin et al., ICCV 2017"
    relations = (Relation("equals", "ce", {"gamma": 0.0}),)
    spaces: ClassVar[Spaces] = {"gamma": Real(0.0, 5.0)}  # the paper's ablation
    class_weights: Tensor | None

    def __init__(
        self,
        *,
        gamma: float = 2.0,
        class_weights: tuple[float, ...] | None = None,
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.gamma = at_least("gamma", gamma, 0)
        a = None
        if class_weights is not None:
            a = torch.tensor([at_least("class_weights", weight, 0) for weight in class_weights])
        self.register_buffer("class_weights", a, persistent=False)

    def value(self, batch: Batch) -> Tensor:
        """1/N sum a_y (1 - p_y)^gamma (-ln p_y)."""
        one_minus_p_y = -torch.expm1(batch.log_p_y)
        focal = clamped_power(one_minus_p_y, self.gamma) * -batch.log_p_y
        return batch.mean(focal if self.class_weights is None else self._a(batch)[batch.y] * focal)

    def _a(self, batch: Batch) -> Tensor:
        classes = batch.z.shape[1]
        if self.class_weights is None or len(self.class_weights) != classes:
            raise ValueError(f"class_weights must have one value per class, {classes} in all")
        return self.class_weights.to(batch.z)


@register
class TopKCrossEntropy(Loss):
    """TopK cross entropy: the mean over the k percent of pixels that are predicted worst.

    ::

        L = 1/n sum of the n largest -ln p_y(i),   n = max(1, floor(k N / 100))

    The pixels are chosen from the whole batch, not per image; N counts the pixels that are not ignored.
    k = 100 is CE. The choice carries no gradient.

    Reference: Wu et al., 2016 (online bootstrapped cross entropy). Elsewhere: nnU-Net and the 20-loss
    repository of 2021 take floor(k N / 100) without a minimum, so that a tiny batch gives NaN.

    Args:
        k: Percentage of pixels that count, > 0 and <= 100.
        ignore_label: Label of the pixels to leave out.
    """

    name = "topk_ce"
    family = "distribution"
    reference = "Wu et al., arXiv 1605.06885 (bootstrapped cross entropy)"
    relations = (Relation("equals", "ce", {"k": 100.0}),)
    spaces: ClassVar[Spaces] = {"k": Real(1.0, 100.0, log=True)}

    def __init__(self, *, k: float = 10.0, ignore_label: int | None = None) -> None:
        super().__init__(ignore_label=ignore_label)
        self.k = between("k", positive("k", k), 0, 100)

    def value(self, batch: Batch) -> Tensor:
        """Mean of the n largest -ln p_y."""
        ce = -batch.log_p_y.flatten()
        if batch.counted is None:
            n = max(1, math.floor(self.k * ce.numel() / 100))
            return torch.topk(ce, n, sorted=False).values.mean()
        ce = ce.masked_fill(~batch.counted.flatten(), -torch.inf).sort(descending=True).values
        # In double: float32 would round k N up to the next whole number for large batches.
        n_kept = (self.k * batch.counted.sum().double() / 100).floor().clamp(min=1)
        kept = (torch.arange(len(ce), device=ce.device) < n_kept) & (ce > -torch.inf)
        return torch.where(kept, ce, 0.0).sum() / n_kept.to(ce.dtype)


@register
class Poly1CrossEntropy(Loss):
    """Poly-1 loss: cross entropy with a larger first term in its expansion around p = 1.

    ::

        L = 1/N sum_i [-ln p_y(i) + epsilon1 (1 - p_y(i))]

    epsilon1 = 0 is CE.

    Reference: Leng et al., ICLR 2022 (PolyLoss, the Poly-1 form).

    Args:
        epsilon1: Addition to the first polynomial coefficient, >= -1.
        ignore_label: Label of the pixels to leave out.
    """

    name = "poly1_ce"
    family = "distribution"
    reference = "Leng et al., ICLR 2022 (PolyLoss)"
    relations = (Relation("equals", "ce", {"epsilon1": 0.0}),)
    spaces: ClassVar[Spaces] = {"epsilon1": Real(-1.0, 6.0)}

    def __init__(self, *, epsilon1: float = 1.0, ignore_label: int | None = None) -> None:
        super().__init__(ignore_label=ignore_label)
        self.epsilon1 = at_least("epsilon1", epsilon1, -1)

    def value(self, batch: Batch) -> Tensor:
        """1/N sum -ln p_y + epsilon1 (1 - p_y)."""
        one_minus_p_y = -torch.expm1(batch.log_p_y)
        return batch.mean(-batch.log_p_y + self.epsilon1 * one_minus_p_y)


@register
class LabelSmoothedCrossEntropy(Loss):
    """Cross entropy against labels that keep a little doubt.

    ::

        L = 1/N sum_i sum_c -t'_c(i) ln p_c(i)      t' = (1 - smoothing) t + smoothing / C

    The true class receives its share of the smoothing as well. smoothing = 0 is CE. The minimum is the
    entropy of t', not 0, and is reached at p = t': a more confident prediction costs more.

    Reference: Szegedy et al., CVPR 2016; 0.1 for segmentation is our choice. Elsewhere:
    ``torch.nn.CrossEntropyLoss(label_smoothing=...)`` is the same.

    Args:
        smoothing: Share that is spread over all classes, 0..1.
        ignore_label: Label of the pixels to leave out.
    """

    name = "label_smoothed_ce"
    family = "distribution"
    reference = "Szegedy et al., CVPR 2016"
    relations = (Relation("equals", "ce", {"smoothing": 0.0}),)
    spaces: ClassVar[Spaces] = {"smoothing": Real(0.0, 0.3)}

    def __init__(self, *, smoothing: float = 0.1, ignore_label: int | None = None) -> None:
        super().__init__(ignore_label=ignore_label)
        self.smoothing = between("smoothing", smoothing, 0, 1)

    def value(self, batch: Batch) -> Tensor:
        """(1 - smoothing) CE + smoothing mean_c -ln p_c."""
        of_all_classes = batch.log_p.mean(1)
        return batch.mean(-(1 - self.smoothing) * batch.log_p_y - self.smoothing * of_all_classes)


@register
class DistancePenalisedCrossEntropy(Loss):
    """Cross entropy that counts up to twice beside the boundaries.

    ::

        L = 1/N sum_i (1 + F(i)) (-ln p_y(i))      F(i) = (M_y - d(i)) / M_y,   0 <= F < 1

    Per image, d(i) is the distance from pixel i to the nearest pixel that is not of its class, M_c the
    largest d of class c: F is near 1 beside a boundary and 0 at the deepest point of a class. An image
    of one class has F = 0. A structure that is one pixel thick is its own deepest point, F = 0: this
    loss does *not* stress tiny lesions.

    Reference: Caliva et al., MIDL 2019 (abstract track), eq. 2: (1 + Phi) CE, Phi from distances inside
    and outside; the normalisation is that of the 20-loss repository, more than two classes are our
    extension. Elsewhere: the 20-loss repository computes the weight and then returns plain CE.

    Args:
        ignore_label: Label of the pixels to leave out.
    """

    name = "distance_ce"
    family = "distribution"
    needs = frozenset({"distance_maps", "spacing"})
    reference = "Caliva et al., MIDL 2019 (abstract), eq. 2"
    relations = (Relation("contains", "ce"),)

    def value(self, batch: Batch) -> Tensor:
        """1/N sum (1 + F) (-ln p_y)."""
        return batch.mean((1 + self.penalty(batch)) * -batch.log_p_y)

    def penalty(self, batch: Batch) -> Tensor:
        """Return F (B, H, W)."""
        d = torch.where(batch.mask, batch.distances, 0.0)
        deepest = d.amax((2, 3))  # (B, C)
        M_y = deepest.gather(1, batch.y.flatten(1)).view_as(batch.y)
        return torch.where(M_y > 0, (M_y - d.sum(1)) / torch.where(M_y > 0, M_y, 1.0), 0.0)
