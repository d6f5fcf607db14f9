"""Networks that give logits at several depths, and the weights of their losses.

The contract between such a network and the trainer: in training mode the network returns a tuple
of logits ``(B, n_classes, H, W)``, all of the size of the image, the finest first; in eval mode it
returns the finest ones alone, a tensor. Every loss applies to each of them as it is, distance maps,
components and skeletons included, because nothing of the truth has to be shrunk.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from harness.models.initialization import draw_he_weights


def deep_supervision_weights(outputs: int) -> tuple[float, ...]:
    """Return the weight of each output, finest first: 1, 1/2, 1/4 ... over their sum.

    Args:
        outputs: Number of outputs, at least 1.

    Returns:
        As many positive numbers, which sum to one.

    References:
        Isensee et al.: nnU-Net, Nature Methods 2021 (deep supervision halves with the resolution).
    """
    weights = [0.5**depth for depth in range(outputs)]
    return tuple(weight / sum(weights) for weight in weights)


def supervised_levels(depth: int) -> tuple[int, ...]:
    """Return the levels of a U-Net that get a head besides level 0, the full resolution.

    All but the two lowest resolutions, as in nnU-Net: the bottom (level ``depth``) and the one
    above it have none. A U-Net with two downsamplings keeps level 1, or there would be none at all.

    Args:
        depth: Number of downsamplings, at least 2.

    Returns:
        Levels in 1 .. depth - 1, the finest first; level ``l`` has ``2**-l`` of the resolution.
    """
    return tuple(range(1, max(depth - 1, 2)))


class SupervisionHeads(nn.Module):
    """A 1x1 convolution per level, whose logits are enlarged bilinearly to the full resolution.

    Args:
        channels: Channels of each level, the finest first.
        levels: Those that get a head.
        n_classes: Number of classes including the background.
    """

    def __init__(self, channels: Sequence[int], levels: Sequence[int], n_classes: int) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.heads = nn.ModuleList(nn.Conv2d(channels[level], n_classes, 1) for level in self.levels)
        draw_he_weights(self, slope=0.0, linear=set(self.heads))

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return ``(B, n_classes, H, W)`` per head of ``(B, channels, H / 2**l, W / 2**l)`` per level."""
        return tuple(
            F.interpolate(head(features[level]), scale_factor=2**level, mode="bilinear", align_corners=False)
            for level, head in zip(self.levels, self.heads, strict=True)
        )
