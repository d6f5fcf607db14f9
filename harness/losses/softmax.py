"""Softmax with the log-probability of the true class, in one node of the graph.

A sum such as Dice + CE needs both. Two nodes would keep the logarithms beside the probabilities, and pass
over the logits twice on the way back.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def softmax_and_log_p_y(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return p = softmax(z) over the classes, and ln p of the labelled class.

    Args:
        z: (B, C, H, W) logits.
        y: (B, H, W) labels in 0..C-1, int64.

    Returns:
        p (B, C, H, W) and ln p_y (B, H, W), finite for finite logits.
    """
    both: tuple[Tensor, Tensor] = _SoftmaxAndLogPY.apply(z, y)  # type: ignore[no-untyped-call]
    return both


class _SoftmaxAndLogPY(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        log_p = F.log_softmax(z, dim=1)
        log_p_y = log_p.gather(1, y.unsqueeze(1)).squeeze(1)
        p = log_p.exp_()
        ctx.save_for_backward(p, y)
        return p, log_p_y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_p: Tensor | None, of_log_p_y: Tensor | None) -> tuple[Tensor | None, None]:
        p, y = ctx.saved_tensors
        of_z = None if of_p is None else torch._softmax_backward_data(of_p, p, 1, p.dtype)
        if of_log_p_y is not None:  # d ln p_y / dz = t - p
            g = of_log_p_y.unsqueeze(1)
            of_z = torch.mul(p, -g) if of_z is None else of_z.addcmul_(p, g, value=-1)
            of_z.scatter_add_(1, y.unsqueeze(1), g)
        return of_z, None
