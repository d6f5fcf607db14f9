"""The 2D U-Net that every comparison trains unless the study says otherwise."""

from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.models import MODELS

Norm = Literal["instance", "batch", "none"]
Activation = Literal["leaky_relu", "relu"]

LEAKY_SLOPE = 0.01


class InstanceNorm2d(nn.InstanceNorm2d):
    """Instance normalisation that keeps the channels_last layout on the CPU.

    Torch's own converts to NCHW and lets the next convolution convert back, which costs more than
    channels_last gains. Instance normalisation is batch normalisation of one image at a time, and
    that has a kernel for the layout: a training step of the 16-channel network (8 images of
    128x128, one thread) takes 0.48 s instead of 0.85 s, with bf16 autocast 0.29 s instead of 0.46 s.
    Other layouts and devices use torch's own.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise ``(B, C, H, W)`` over (H, W)."""
        is_last = features.is_contiguous(memory_format=torch.channels_last) and not features.is_contiguous()
        if not is_last or features.device.type != "cpu":
            return super().forward(features)
        return torch.cat(
            [
                F.batch_norm(image, None, None, self.weight, self.bias, training=True, eps=self.eps)
                for image in torch.chunk(features, len(features))
            ]
        )


@MODELS.register("unet2d")
class UNet2d(nn.Module):
    """U-Net in Ronneberger's shape: two 3x3 convolutions per level, skips joined by concatenation.

    Level ``l`` has ``min(base_channels * 2**l, max_channels)`` channels; max-pooling goes down, a
    2x2 transposed convolution of stride 2 goes up, a 1x1 convolution gives the logits. Unlike the
    original, convolutions are padded, so that logits have the size of the image, and normalised.
    Any image size works: sides that are no multiple of ``2**depth`` are padded by repeating the edge
    pixels, and the logits are cropped back.

    Weights are drawn from He's normal distribution (for the leaky slope where there is one); the
    transposed convolutions and the head, which no nonlinearity follows, keep the variance of their
    input; biases start at zero. Convolutions followed by a normalisation have no bias, since the
    normalisation removes it.

    Args:
        in_channels: Number of image channels.
        n_classes: Number of classes including the background.
        base_channels: Channels of the first level, at least 1.
        depth: Number of downsamplings, at least 1.
        norm: ``instance`` (affine), ``batch`` (running statistics) or ``none``.
        activation: ``leaky_relu`` (slope 0.01) or ``relu``.
        max_channels: Cap on the channels of a level; 16 times ``base_channels`` by default.

    Raises:
        ValueError: if an option is out of range.

    References:
        Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image
        Segmentation, MICCAI 2015, Figure 1. He et al.: Delving Deep into Rectifiers, ICCV 2015.
    """

    def __init__(
        self,
        in_channels: int,
        n_classes: int,
        *,
        base_channels: int = 32,
        depth: int = 4,
        norm: Norm = "instance",
        activation: Activation = "leaky_relu",
        max_channels: int | None = None,
    ) -> None:
        super().__init__()
        cap = 16 * base_channels if max_channels is None else max_channels
        _check_options(base_channels, depth, norm, activation, cap)
        self.depth = depth
        self.norm = norm
        channels = [min(base_channels * 2**level, cap) for level in range(depth + 1)]
        pairs = list(pairwise(channels))

        self.pool = nn.MaxPool2d(2)
        self.encoder = nn.ModuleList(
            [_double_conv(in_channels, channels[0], norm, activation)]
            + [_double_conv(upper, lower, norm, activation) for upper, lower in pairs]
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(lower, upper, kernel_size=2, stride=2) for upper, lower in reversed(pairs)
        )
        self.decoder = nn.ModuleList(
            _double_conv(2 * upper, upper, norm, activation) for upper, _ in reversed(pairs)
        )
        self.head = nn.Conv2d(channels[0], n_classes, kernel_size=1)
        self._draw_weights(activation)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(B, n_classes, H, W)`` of images ``(B, in_channels, H, W)``.

        Raises:
            ValueError: if the image is so small that the deepest level has too few pixels to be
                normalised.
        """
        height, width = image.shape[-2:]
        padded, (top, left) = self._pad(image)
        self._check_bottleneck(padded, height, width)

        skips: list[Tensor] = []
        features = self.encoder[0](padded)
        for block in self.encoder[1:]:
            skips.append(features)
            features = block(self.pool(features))
        for up, block in zip(self.up, self.decoder, strict=True):
            features = block(torch.cat([skips.pop(), up(features)], dim=1))
        logits: Tensor = self.head(features)
        return logits[..., top : top + height, left : left + width]

    def _pad(self, image: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Pad both sides to multiples of ``2**depth``; return the image and where it starts."""
        rows, columns = (-side % 2**self.depth for side in image.shape[-2:])
        if rows == columns == 0:
            return image, (0, 0)
        top, left = rows // 2, columns // 2
        return F.pad(image, (left, columns - left, top, rows - top), mode="replicate"), (top, left)

    def _check_bottleneck(self, padded: Tensor, height: int, width: int) -> None:
        """Refuse maps whose normalisation would be a division of zero by zero."""
        pixels = (padded.shape[-2] >> self.depth) * (padded.shape[-1] >> self.depth)
        values = {
            "instance": pixels,
            "batch": pixels * padded.shape[0] if self.training else 2,
            "none": 2,
        }[self.norm]
        if values < 2:
            raise ValueError(
                f"an image of {height}x{width} pixels leaves one value per channel after {self.depth} "
                f"downsamplings, which {self.norm} norm cannot normalise; lower 'depth', use larger images "
                f"or norm 'none'"
            )

    def _draw_weights(self, activation: Activation) -> None:
        """He initialisation, in the order of :meth:`modules`."""
        slope = LEAKY_SLOPE if activation == "leaky_relu" else 0.0
        for module in self.modules():
            if isinstance(module, nn.ConvTranspose2d):
                # Kernel equals stride: each output pixel sees one tap of every input channel.
                nn.init.normal_(module.weight, std=module.in_channels**-0.5)
            elif isinstance(module, nn.Conv2d):
                nonlinearity: Literal["linear", "leaky_relu"] = (
                    "linear" if module is self.head else "leaky_relu"
                )
                nn.init.kaiming_normal_(module.weight, a=slope, nonlinearity=nonlinearity)
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None:
                nn.init.zeros_(module.bias)


def _check_options(base_channels: int, depth: int, norm: str, activation: str, max_channels: int) -> None:
    """Raise ``ValueError`` with a sentence about the first option that is out of range."""
    for option, value in (("base_channels", base_channels), ("depth", depth)):
        if value < 1:
            raise ValueError(f"unet2d option {option!r} must be at least 1 (got {value})")
    if max_channels < base_channels:
        raise ValueError(
            f"unet2d option 'max_channels' must be at least base_channels={base_channels} "
            f"(got {max_channels})"
        )
    if norm not in get_args(Norm):
        raise ValueError(f"unet2d option 'norm' must be one of {', '.join(get_args(Norm))} (got {norm!r})")
    if activation not in get_args(Activation):
        choices = ", ".join(get_args(Activation))
        raise ValueError(f"unet2d option 'activation' must be one of {choices} (got {activation!r})")


def _double_conv(in_channels: int, out_channels: int, norm: Norm, activation: Activation) -> nn.Sequential:
    """Return (3x3 convolution, normalisation, activation) twice."""
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers.append(nn.Conv2d(channels, out_channels, kernel_size=3, padding=1, bias=norm == "none"))
        if norm == "instance":
            layers.append(InstanceNorm2d(out_channels, affine=True))
        elif norm == "batch":
            layers.append(nn.BatchNorm2d(out_channels))
        if activation == "leaky_relu":
            layers.append(nn.LeakyReLU(LEAKY_SLOPE, inplace=True))
        else:
            layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
