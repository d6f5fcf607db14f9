"""Losses that compare distributions pixel by pixel: CE, weighted CE, focal."""

import torch
from torch import Tensor

from harness.losses.base import Loss, at_least, clamped_power, inverse_frequency, register
from harness.losses.batch import Batch


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
