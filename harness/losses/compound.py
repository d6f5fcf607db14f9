"""Losses made of several parts: weighted sums of any losses, their well-known names, and exp-log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from harness.losses.alpha import Schedule
from harness.losses.base import Loss, at_least, clamped_power, inverse_frequency, one_of, positive, register
from harness.losses.batch import Batch, Reduce


class CombinedLoss(nn.Module):
    """L = sum of weight x loss, of one or several losses, with an optional alpha that moves.

    Without ``alpha`` the weights stay. With it, the loss at index ``on`` is L_B and all others together
    are L_R: their weights are multiplied by w_B and w_R, which :meth:`set_epoch` sets. Softmax,
    one-hot labels and the sums over them are computed once for all parts. One loss of weight 1 gives
    the bits of that loss alone.

    Args:
        losses: The parts, with the same ``ignore_label``: subclasses of :class:`Loss`, or other modules
            with the attributes ``name``, ``family``, ``needs`` and ``reference``.
        weights: One base weight per part; 1 each by default.
        alpha: Schedule of the weights.
        on: Index of the part that alpha moves.
    """

    needs: frozenset[str]
    """What any part can take precomputed."""
    current: Tensor
    """The weights in force. A buffer, not floats: compiled steps and captured graphs see it change."""

    def __init__(
        self,
        losses: Sequence[nn.Module],
        weights: Sequence[float] | None = None,
        *,
        alpha: Schedule | None = None,
        on: int | None = None,
    ) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)
        self.base_weights = tuple(weights) if weights is not None else (1.0,) * len(losses)
        self.alpha, self.on = alpha, on
        if not losses or len(self.base_weights) != len(losses):
            raise ValueError(f"expected one weight per loss (got {len(self.base_weights)} for {len(losses)})")
        if alpha is not None and (on is None or len(losses) < 2 or not 0 <= on < len(losses)):
            raise ValueError(f"alpha needs at least 2 losses and the index of the one it moves (got {on})")
        self.ignore_label = _common_ignore_label(losses)
        self.needs = frozenset[str]().union(*(_needs(loss) for loss in losses))
        self._alpha_weights = None if alpha is None else alpha.weights(0, 1)
        self.register_buffer("current", torch.tensor(self._weights()), persistent=False)

    @property
    def alpha_weights(self) -> tuple[float, float] | None:
        """(w_R, w_B) in force, or None without alpha."""
        return self._alpha_weights

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Put the weights of an epoch (of 0..epochs-1) into force; call it before every epoch."""
        if self.alpha is not None:
            self._alpha_weights = self.alpha.weights(epoch, epochs)
            self.current.copy_(torch.tensor(self._weights()))
        for loss in self.losses:
            if isinstance(loss, Loss):
                loss.set_epoch(epoch, epochs)

    def forward(self, logits: Tensor, labels: Tensor, **needs: Tensor | None) -> Tensor:
        """Return the weighted sum; each part sees only those of ``needs`` that it declares."""
        given = {need: value for need, value in needs.items() if need in self.needs}
        with torch.autocast(logits.device.type, enabled=False):
            batch = Batch.of(logits, labels, self.ignore_label, **given)
            values = [_value(loss, batch, logits, labels, given) for loss in self.losses]
        weights = self.current.to(values[0])
        total = weights[0] * values[0]
        for weight, value in zip(weights[1:], values[1:], strict=True):
            total = total + weight * value
        return total

    def extra_repr(self) -> str:
        """Show the weights."""
        moving = "" if self.alpha is None else f", alpha={self.alpha!r}, on={self.on}"
        return f"weights={self.base_weights}{moving}"

    def _weights(self) -> list[float]:
        if self.alpha_weights is None:
            return list(self.base_weights)
        w_R, w_B = self.alpha_weights
        return [weight * (w_B if index == self.on else w_R) for index, weight in enumerate(self.base_weights)]


def _needs(loss: nn.Module) -> frozenset[str]:
    needs: frozenset[str] = getattr(loss, "needs", frozenset())
    return needs


def _value(
    loss: nn.Module, batch: Batch, logits: Tensor, labels: Tensor, given: Mapping[str, Tensor | None]
) -> Tensor:
    """Value of a part, from the shared batch unless the part brings a forward of its own."""
    if isinstance(loss, Loss) and type(loss).forward is Loss.forward:
        return loss.value(batch)
    value: Tensor = loss(logits, labels, **{need: given[need] for need in _needs(loss) if need in given})
    return value


def _common_ignore_label(losses: Sequence[nn.Module]) -> int | None:
    labels = {getattr(loss, "ignore_label", None) for loss in losses}
    if len(labels) != 1:
        raise ValueError(f"the losses of a sum must have the same ignore_label (got {labels})")
    label: int | None = labels.pop()
    return label


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
        r = batch.region(self.reduce, self.include_background)
        D = (2 * r.tp + self.eps) / (r.P + r.V + self.eps)
        dice_part = clamped_power(-torch.log(D), self.gamma_dice).mean()
        w = batch.f.sum().sqrt() * inverse_frequency(batch.f, 0.5)
        ce_part = batch.mean(w[batch.y] * clamped_power(-batch.log_p_y, self.gamma_ce))
        return self.w_dice * dice_part + self.w_ce * ce_part


@dataclass(frozen=True)
class Alias:
    """A well-known name for a sum of losses; it is replaced by the sum before anything else.

    Attributes:
        expression: The sum.
        doc: What it is, for listings.
        reference: Paper.
    """

    expression: str
    doc: str
    reference: str


ALIASES: Mapping[str, Alias] = MappingProxyType(
    {
        "dice_ce": Alias(
            "dice + ce",
            "Dice + CE, 1:1. nnU-Net returns CE - Dice coefficient: 1 less, the same gradient. "
            "MONAI's DiceCELoss ignores include_background in its CE part, as we do.",
            "Isensee et al., Nature Methods 2021 (nnU-Net)",
        ),
        "dice_focal": Alias(
            "dice + 0.5*focal",
            "Dice + 0.5 focal (gamma 2), with the mean of Dice over classes where the paper has the sum. "
            "The released code trains the Dice part only; MONAI's DiceFocalLoss is 1:1 with a sigmoid focal.",
            "Zhu et al., Medical Physics 2019 (AnatomyNet)",
        ),
        "gdl_boundary": Alias(
            "gdl + boundary",
            "Generalised Dice + boundary loss. Meant with an alpha: unweighted, the boundary term (in pixels "
            "or millimetres) is 10 to 100 times the other at the start.",
            "Kervadec et al., MIDL 2019",
        ),
        "dice_boundary": Alias(
            "dice + boundary",
            "Dice + boundary loss; meant with an alpha.",
            "Kervadec et al., Medical Image Analysis 2021",
        ),
        "ce_boundary": Alias(
            "ce + boundary",
            "CE + boundary loss; meant with an alpha.",
            "Kervadec et al., Medical Image Analysis 2021",
        ),
        "focal_boundary": Alias(
            "focal + boundary",
            "Focal + boundary loss; meant with an alpha.",
            "Kervadec et al., Medical Image Analysis 2021",
        ),
    }
)
