"""The size term: how much of each image a class covers, and nothing about where."""

from torch import Tensor

from harness.losses.base import Loss, register
from harness.losses.batch import Batch


@register
class SizeL1(Loss):
    """Difference between predicted and true size of every class, relative to the image.

    ::

        L = mean over images and classes of |mean_x p_c - mean_x t_c|

    Always per image, over all classes by default; an absent class counts, its size should be 0. It says
    nothing about places: it is a partner, in the published sum ``ce + size_l1``.

    Reference: Liu et al., Medical Image Analysis 2024 ("Do we really need Dice?"), CE + l * size; every
    published configuration sets l = 1, the code's own default is 0.1.

    Args:
        include_background: Whether class 0 is one of the classes.
        ignore_label: Label of the pixels to leave out.
    """

    name = "size_l1"
    family = "region"
    reference = "Liu et al., Medical Image Analysis 2024"
    partner = True

    def __init__(self, *, include_background: bool = True, ignore_label: int | None = None) -> None:
        super().__init__(ignore_label=ignore_label)
        self.include_background = include_background

    def value(self, batch: Batch) -> Tensor:
        """Mean of |P - V| / n over images and classes."""
        region = batch.region("sample", self.include_background)
        return ((region.P - region.V).abs() / region.n).mean()
