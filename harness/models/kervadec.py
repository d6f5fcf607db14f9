"""The network of the boundary loss paper, for studies that set out from its results."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.models import MODELS
from harness.models.image_size import check_bottom, pad_to_multiple
from harness.models.initialization import draw_xavier_weights
from harness.models.options import check_at_least

DOWNSAMPLINGS = 3
RESIDUAL_SLOPE = 0.2


@MODELS.register("kervadec")
class KervadecUNet(nn.Module):
    """The U-Net of the boundary loss' reference code: 18.7 million parameters with 64 base channels.

    Levels have 1, 2, 4 and 8 times ``base_channels``. The unit is a 3x3 convolution without bias,
    batch normalisation and a PReLU with one slope. A level of the encoder is two units, the first
    of stride 2 below the full resolution; the bottom has a residual block between its two. On the way up
    pixels are repeated (nearest), two units keep the channels of the level below, the skip is
    concatenated and two more units go to the channels of the level. A 1x1 convolution
    gives the logits.

    Any image size works: sides that are no multiple of 8 are padded by repeating the edge pixels,
    and the logits are cropped back (the reference code needs multiples of 8). Weights are
    drawn as there, see :func:`~harness.models.initialization.draw_xavier_weights`.

    Args:
        in_channels: Number of image channels.
        n_classes: Number of classes including the background.
        base_channels: Channels of the first level, at least 1; 64 in the paper.

    Raises:
        ValueError: if ``base_channels`` is no whole number of at least 1.

    References:
        Kervadec et al.: Boundary loss for highly unbalanced segmentation, Medical Image Analysis
        2021, and its public code (LIVIAETS/boundary-loss, ``UNet``).
    """

    words = "2D U-Net in the shape of Kervadec et al. (2021)"
    """What a methods section calls it."""

    def __init__(self, in_channels: int, n_classes: int, *, base_channels: int = 64) -> None:
        super().__init__()
        check_at_least("kervadec", "base_channels", base_channels, 1)
        channels = [base_channels * 2**level for level in range(DOWNSAMPLINGS + 1)]
        bottom = channels.pop()

        inputs = (in_channels, *channels)
        self.encoder = nn.ModuleList(
            _double_unit(before, level, stride=2 if index else 1)
            for index, (before, level) in enumerate(zip(inputs, channels, strict=False))
        )
        self.bottom = nn.Sequential(
            _unit(channels[-1], bottom, stride=2), ResidualBlock(bottom), _unit(bottom, bottom)
        )
        lower = (*channels[1:], bottom)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), *_double_unit(below, below))
            for below in reversed(lower)
        )
        self.decoder = nn.ModuleList(
            _double_unit(below + level, level)
            for level, below in zip(reversed(channels), reversed(lower), strict=True)
        )
        self.head = nn.Conv2d(base_channels, n_classes, kernel_size=1)
        draw_xavier_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(B, n_classes, H, W)`` of images ``(B, in_channels, H, W)``.

        Raises:
            ValueError: if a training batch is so small that the bottom has one value per channel.
        """
        padded, frame = pad_to_multiple(image, 2**DOWNSAMPLINGS)
        check_bottom(padded, frame, DOWNSAMPLINGS, "batch", self.training)

        skips: list[Tensor] = []
        features = padded
        for block in self.encoder:
            features = block(features)
            skips.append(features)
        features = self.bottom(features)
        for up, block in zip(self.up, self.decoder, strict=True):
            features = block(torch.cat([up(features), skips.pop()], dim=1))
        return frame.crop(self.head(features))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, a leaky ReLU (slope 0.2) after the sum.

    The second convolution has a bias, as in the reference code, though the normalisation after it removes
    it again: it counts as parameters and its gradient is zero but for rounding.

    Args:
        channels: In and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *_unit(channels, channels),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, channels, H, W)`` to the same shape."""
        return F.leaky_relu(self.branch(features) + features, RESIDUAL_SLOPE)


def _unit(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Return 3x3 convolution, batch normalisation, PReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.PReLU(),
    )


def _double_unit(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Return two units, the first with the stride."""
    return nn.Sequential(_unit(in_channels, out_channels, stride), _unit(out_channels, out_channels))
