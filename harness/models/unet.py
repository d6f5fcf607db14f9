"""The 2D U-Net that every comparison trains unless the study says otherwise."""

from itertools import pairwise
from typing import get_args

import torch
from torch import Tensor, nn

from harness.models import MODELS
from harness.models.blocks import LEAKY_SLOPE, Activation, Down, Norm, Up, double_conv, upsampling
from harness.models.deep_supervision import SupervisionHeads, supervised_levels
from harness.models.image_size import check_bottom, pad_to_multiple
from harness.models.initialization import draw_he_weights
from harness.models.options import check_at_least, check_flag, check_one_of


@MODELS.register("unet2d")
class UNet2d(nn.Module):
    """U-Net in Ronneberger's shape: two 3x3 convolutions per level, skips joined by concatenation.

    Level ``l`` has ``min(base_channels * 2**l, max_channels)`` channels; max-pooling goes down, a
    2x2 transposed convolution of stride 2 goes up, a 1x1 convolution gives the logits. Unlike the
    original, convolutions are padded, so that logits have the size of the image, and normalised.
    Any image size works: sides that are no multiple of ``2**depth`` are padded by repeating the edge
    pixels, and the logits are cropped back.

    Weights are drawn from He's normal distribution (for the leaky slope where there is one); the
    convolutions that go up and the heads, which no nonlinearity follows, keep the variance of their
    input; biases start at zero. Convolutions followed by a normalisation have no bias, since the
    normalisation removes it. With the same seed a network with deep supervision has the weights
    of the one without, and those of its further heads.

    Args:
        in_channels: Number of image channels.
        n_classes: Number of classes including the background.
        base_channels: Channels of the first level, at least 1.
        depth: Number of downsamplings, at least 1 (2 with deep supervision).
        norm: ``instance`` (affine), ``batch`` (running statistics) or ``none``.
        activation: ``leaky_relu`` (slope 0.01) or ``relu``.
        max_channels: Cap on the channels of a level; 16 times ``base_channels`` by default.
        down: ``max_pool`` (2x2), or ``strided``: the first convolution of a level has stride 2.
        up: ``transposed`` (2x2 transposed convolution) or ``nearest`` (pixels repeated, then a 3x3
            convolution).
        deep_supervision: Give logits at several levels in training mode, see
            :mod:`harness.models.deep_supervision`.

    Raises:
        ValueError: if an option is out of range.

    References:
        Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image
        Segmentation, MICCAI 2015, Figure 1. He et al.: Delving Deep into Rectifiers, ICCV 2015.
    """

    words = "2D U-Net"
    """What a methods section calls it."""

    def __init__(  # noqa: PLR0913 (a study file names them one by one)
        self,
        in_channels: int,
        n_classes: int,
        *,
        base_channels: int = 32,
        depth: int = 4,
        norm: Norm = "instance",
        activation: Activation = "leaky_relu",
        max_channels: int | None = None,
        down: Down = "max_pool",
        up: Up = "transposed",
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        _check_sizes(base_channels, depth, max_channels, deep_supervision)
        _check_choices(norm=norm, activation=activation, down=down, up=up)
        self.depth = depth
        self.norm = norm
        cap = 16 * base_channels if max_channels is None else max_channels
        channels = [min(base_channels * 2**level, cap) for level in range(depth + 1)]
        pairs = list(pairwise(channels))

        self.pool = nn.MaxPool2d(2) if down == "max_pool" else nn.Identity()
        stride = 1 if down == "max_pool" else 2
        self.encoder = nn.ModuleList(
            [double_conv(in_channels, channels[0], norm, activation)]
            + [double_conv(upper, lower, norm, activation, stride) for upper, lower in pairs]
        )
        self.up = nn.ModuleList(upsampling(lower, upper, up) for upper, lower in reversed(pairs))
        self.decoder = nn.ModuleList(
            double_conv(2 * upper, upper, norm, activation) for upper, _ in reversed(pairs)
        )
        self.head = nn.Conv2d(channels[0], n_classes, kernel_size=1)
        slope = LEAKY_SLOPE if activation == "leaky_relu" else 0.0
        draw_he_weights(self, slope, linear={self.head, *self.up.modules()})

        # Drawn last: the weights above are those of a network without deep supervision.
        levels = supervised_levels(depth) if deep_supervision else ()
        self.further_heads = SupervisionHeads(channels, levels, n_classes)

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return logits ``(B, n_classes, H, W)`` of images ``(B, in_channels, H, W)``.

        With deep supervision and in training mode, a tuple of such logits, the finest first.

        Raises:
            ValueError: if the image is so small that the deepest level has too few pixels to be
                normalised.
        """
        padded, frame = pad_to_multiple(image, 2**self.depth)
        check_bottom(padded, frame, self.depth, self.norm, self.training)

        skips: list[Tensor] = []
        features = self.encoder[0](padded)
        for block in self.encoder[1:]:
            skips.append(features)
            features = block(self.pool(features))
        decoded: list[Tensor] = []
        for up, block in zip(self.up, self.decoder, strict=True):
            features = block(torch.cat([skips.pop(), up(features)], dim=1))
            decoded.insert(0, features)
        logits = frame.crop(self.head(features))
        if not (self.training and self.further_heads.levels):
            return logits
        return (logits, *(frame.crop(further) for further in self.further_heads(decoded)))


def _check_sizes(base_channels: int, depth: int, max_channels: int | None, deep_supervision: bool) -> None:
    """Raise ``ValueError`` with a sentence about the first option that is out of range."""
    check_at_least("unet2d", "base_channels", base_channels, 1)
    check_at_least("unet2d", "depth", depth, 1)
    if max_channels is not None:
        check_at_least("unet2d", "max_channels", max_channels, 1)
        if max_channels < base_channels:
            raise ValueError(
                f"unet2d option 'max_channels' must be at least base_channels={base_channels} "
                f"(got {max_channels})"
            )
    check_flag("unet2d", "deep_supervision", deep_supervision)
    if deep_supervision and depth < 2:
        raise ValueError(
            f"unet2d option 'deep_supervision' needs a depth of at least 2 (got {depth}); "
            f"raise 'depth' or leave it out"
        )


def _check_choices(**chosen: str) -> None:
    """Raise ``ValueError`` with a sentence about the first option that is none of its choices."""
    choices = {"norm": Norm, "activation": Activation, "down": Down, "up": Up}
    for option, value in chosen.items():
        check_one_of("unet2d", option, value, get_args(choices[option]))
