"""How weights are drawn before a training."""

from collections.abc import Collection
from typing import Literal

from torch import nn


def draw_he_weights(model: nn.Module, slope: float, linear: Collection[nn.Module]) -> None:
    """Draw the convolutions of ``model`` in the order of its ``modules()``; biases become zero.

    Args:
        model: Network or part of one.
        slope: Of the leaky ReLU that follows the convolutions, 0 for a ReLU.
        linear: Convolutions that no nonlinearity follows: they keep the variance of their input,
            as the transposed ones do.

    References:
        He et al.: Delving Deep into Rectifiers, ICCV 2015.
    """
    for module in model.modules():
        if isinstance(module, nn.ConvTranspose2d):
            # Kernel equals stride: each output pixel sees one tap of every input channel.
            nn.init.normal_(module.weight, std=module.in_channels**-0.5)
        elif isinstance(module, nn.Conv2d):
            follows: Literal["linear", "leaky_relu"] = "linear" if module in linear else "leaky_relu"
            nn.init.kaiming_normal_(module.weight, a=slope, nonlinearity=follows)
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None:
            nn.init.zeros_(module.bias)


def draw_xavier_weights(model: nn.Module) -> None:
    """Draw as the reference code of the boundary loss does.

    Convolutions from Xavier's normal distribution, scales of batch normalisations from
    N(1, 0.02^2), their shifts zero; biases of convolutions and slopes of PReLUs stay as torch drew
    them.

    References:
        Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks,
        AISTATS 2010.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=0.02)
            nn.init.zeros_(module.bias)
