"""Weighted sums of losses, with an alpha that may move during the training."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from harness.losses.alpha import Schedule
from harness.losses.base import Loss
from harness.losses.batch import Batch


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
        # Cross entropies first: their log-probabilities bring the probabilities along.
        families = [getattr(loss, "family", None) for loss in losses]
        self._order = sorted(range(len(losses)), key=lambda index: families[index] != "distribution")
        self._alpha_weights = None if alpha is None else alpha.weights(0, 1)
        self.register_buffer("current", torch.tensor(self._weights()), persistent=False)

    @property
    def alpha_weights(self) -> tuple[float, float] | None:
        """(w_R, w_B) in force: alpha's, or those of a part that moves its own; None if none moves."""
        if self._alpha_weights is not None:
            return self._alpha_weights
        own = [loss.alpha_weights for loss in self.losses if isinstance(loss, Loss)]
        return next((weights for weights in own if weights is not None), None)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Put the weights of an epoch (of 0..epochs-1) into force; call it before every epoch."""
        if self.alpha is not None:
            self._alpha_weights = self.alpha.weights(epoch, epochs)
            self.current.copy_(torch.tensor(self._weights()))
        for loss in self.losses:
            if isinstance(loss, Loss):
                loss.set_epoch(epoch, epochs)

    def forward(self, logits: Tensor, labels: Tensor, **needs: Tensor | None) -> Tensor:
        """Return the weighted sum; each part sees only those of ``needs`` that it declares, and spacing."""
        given = {need: value for need, value in needs.items() if need in self.needs | {"spacing"}}
        with torch.autocast(logits.device.type, enabled=False):
            batch = Batch.of(logits, labels, self.ignore_label, shared=len(self.losses) > 1, **given)
            values = {
                index: _value(self.losses[index], batch, logits, labels, given) for index in self._order
            }
        weights = self.current.to(values[0])
        total = weights[0] * values[0]
        for index in range(1, len(values)):
            total = total + weights[index] * values[index]
        return total

    def extra_repr(self) -> str:
        """Show the weights."""
        moving = "" if self.alpha is None else f", alpha={self.alpha!r}, on={self.on}"
        return f"weights={self.base_weights}{moving}"

    def _weights(self) -> list[float]:
        if self._alpha_weights is None:
            return list(self.base_weights)
        w_R, w_B = self._alpha_weights
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
