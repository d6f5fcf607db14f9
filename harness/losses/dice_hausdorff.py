"""The Hausdorff loss with Dice, and the ratio that balances them."""

from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor

from harness.losses.base import Loss, Relation, one_of, register
from harness.losses.batch import Batch
from harness.losses.boundary import HausdorffDT
from harness.losses.region import Dice
from harness.losses.search_space import Spaces

Balance: TypeAlias = Literal["epoch", "step"]


@register
class DiceHausdorff(Loss):
    """Hausdorff loss + l Dice, with l keeping both equally large.

    ::

        L = HD + l Dice
        balance="epoch":  l = mean HD / mean Dice over the training batches of the epoch before;
                          in the first epoch the ratio at its first batch, then frozen
        balance="step":   l = HD / (Dice + 1e-5) of the same batch, without gradient

    l is capped at 1e4. It is state: the running means and l are buffers, so that a checkpoint restores
    them, and ``alpha_weights`` reports (l, 1) for every epoch. In step mode the value is always 2 HD:
    its curve says nothing. Values are balanced, not gradients.

    Used alone, in a loop that never calls ``set_epoch``, l stays at the ratio of the first batch.

    Reference: Karimi and Salcudean, IEEE TMI 2020 (per epoch). Elsewhere: the 20-loss repository
    balances per step.

    Args:
        balance: See above.
        exponent: Of the distances in HD.
        ignore_label: Label of the pixels to leave out.
    """

    name = "dice_hausdorff"
    family = "compound"
    needs = HausdorffDT.needs
    reference = "Karimi and Salcudean, IEEE TMI 2020"
    relations = (Relation("contains", "dice"), Relation("contains", "hausdorff"))
    spaces: ClassVar[Spaces] = HausdorffDT.spaces
    l: Tensor  # noqa: E741 -- as the paper calls it
    totals: Tensor

    def __init__(
        self, *, balance: Balance = "epoch", exponent: float = 2.0, ignore_label: int | None = None
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.balance = one_of("balance", balance, Balance)
        self.exponent = exponent
        self._dice, self._hausdorff = Dice(), HausdorffDT(exponent=exponent)
        self.register_buffer("l", torch.tensor(torch.nan, dtype=torch.float64))
        self.register_buffer("totals", torch.zeros(2, dtype=torch.float64))  # of HD and Dice in this epoch

    @property
    def alpha_weights(self) -> tuple[float, float] | None:
        """(l, 1), or None before the first batch."""
        return None if bool(self.l.isnan()) else (float(self.l), 1.0)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Take l from the means of the epoch that has ended, and begin new ones."""
        if self.balance == "epoch" and bool(self.totals[1] > 0):
            self.l.copy_(_ratio(self.totals[0], self.totals[1]))
        self.totals.zero_()

    def value(self, batch: Batch) -> Tensor:
        """HD + l Dice."""
        hd, dice = self._hausdorff.value(batch), self._dice.value(batch)
        if torch.is_grad_enabled():  # a validation loss moves nothing
            self._follow(hd.detach().double(), dice.detach().double())
        return hd + torch.where(self.l.isnan(), 1.0, self.l).to(hd) * dice

    def _follow(self, hd: Tensor, dice: Tensor) -> None:
        ratio = _ratio(hd, dice + 1e-5) if self.balance == "step" else _ratio(hd, dice)
        self.l.copy_(ratio if self.balance == "step" else torch.where(self.l.isnan(), ratio, self.l))
        self.totals += torch.stack([hd, dice])


def _ratio(hd: Tensor, dice: Tensor) -> Tensor:
    return (hd / dice.clamp(min=1e-12)).clamp(max=1e4)
