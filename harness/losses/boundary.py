"""Losses that measure how far the boundaries are apart: the boundary loss."""

from torch import Tensor

from harness.losses.base import Loss, register
from harness.losses.batch import Batch


@register
class Boundary(Loss):
    """Boundary loss: the probability, integrated over the signed distance to the true boundary.

    ::

        L = sum over b, c in K, x of p phi / (B |K| H W)

    phi is the signed distance map of the class, negative inside; K = the foreground classes unless
    ``include_background``. The gradient with respect to p is exactly phi / (B |K| H W); ignored pixels
    leave the denominator as well. The loss may be negative. Alone it collapses to an empty
    prediction: it is meant as a partner. A class that is absent from an image, or fills it, has
    phi = 0 there and teaches nothing. With two classes and half-offset maps, including the background
    doubles both sum and |K|: the gradient is the same.

    ``distance_maps`` (B, C, H, W) are used as they are given, in their unit and with their zero level;
    without them half-offset maps with unit spacing are computed from the labels at every call.

    Reference: Kervadec et al., MIDL 2019 / Medical Image Analysis 2021. Elsewhere: the published code
    takes K = [1] for two classes and all classes for ACDC; MONAI computes an unspaced map at every
    step, with the zero level of the published code, and includes the background by default.

    Args:
        include_background: Whether class 0 is one of the classes.
        ignore_label: Label of the pixels to leave out.
    """

    name = "boundary"
    family = "boundary"
    needs = frozenset({"distance_maps"})
    reference = "Kervadec et al., MIDL 2019; Medical Image Analysis 2021"

    def __init__(self, *, include_background: bool = False, ignore_label: int | None = None) -> None:
        super().__init__(ignore_label=ignore_label)
        self.include_background = include_background

    def value(self, batch: Batch) -> Tensor:
        """Mean over K of sum p phi / (B H W)."""
        per_class = batch.region("batch", self.include_background).sum(batch.p * batch.phi)
        return per_class.mean() / batch.n
