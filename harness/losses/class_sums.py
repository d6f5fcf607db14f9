"""The two sums behind every overlap: of p t and of p, per class, in as few passes as possible.

Written out as ``(p * t).sum()`` and ``p.sum()``, autograd keeps the product and passes over the batch
five times on the way back; the gradient of both sums together has only two values per class.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def class_sums(p: Tensor, mask: Tensor, over_batch: bool) -> tuple[Tensor, Tensor]:
    """Return tp = sum of p where ``mask``, and P = sum of p.

    Args:
        p: (B, C, H, W).
        mask: (B, C, H, W), boolean.
        over_batch: Whether to sum over the images, too.

    Returns:
        tp and P: (C,) or, without ``over_batch``, (B, C).
    """
    sums: tuple[Tensor, Tensor] = _ClassSums.apply(p, mask, over_batch)  # type: ignore[no-untyped-call]
    return sums


class _ClassSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Tensor, mask: Tensor, over_batch: bool) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(mask)
        over = (0, 2, 3) if over_batch else (2, 3)
        return torch.where(mask, p, 0.0).sum(over), p.sum(over)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *sums: Tensor) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        of_tp, of_P = (one.reshape(*(one.shape if one.dim() == 2 else (1, -1)), 1, 1) for one in sums)
        return torch.where(mask, of_tp + of_P, of_P), None, None
