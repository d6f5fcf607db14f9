"""Losses that measure how far the boundaries are apart."""

from typing import ClassVar, Literal, TypeAlias, Unpack

import torch
from torch import Tensor

from harness.geometry import Offset
from harness.losses.base import Loss, Relation, at_least, one_of, positive, register
from harness.losses.batch import Batch, Region, mean_where
from harness.losses.needs import MapName, boundary_distances_of
from harness.losses.region import GroupedLoss, GroupOptions
from harness.losses.search_space import Real, Spaces

Unit: TypeAlias = Literal["mm", "voxel"]
Dimensions: TypeAlias = Literal[2, 3]

_MAPS: dict[tuple[str, int], MapName] = {
    ("mm", 2): "distance_maps",
    ("voxel", 2): "voxel_distance_maps",
    ("mm", 3): "distance_maps_3d",
    ("voxel", 3): "voxel_distance_maps_3d",
}


@register
class Boundary(Loss):
    """Boundary loss: the probability, integrated over the signed distance to the true boundary.

    ::

        L = sum over b, c in K, x of p phi / (B |K| H W)

    phi is the signed distance map of the class, negative inside; K = the foreground classes unless
    ``include_background``. The gradient with respect to p is exactly phi / (B |K| H W); ignored pixels
    leave the denominator as well. The loss may be negative. Alone it collapses to an empty
    prediction: it is meant as a partner. A class that is absent from an image, or fills it, has
    phi = 0 there and teaches nothing, unless ``empty_penalty`` is set. With two classes and half-offset
    maps, including the background doubles both sum and |K|: the gradient is the same.

    Reference: Kervadec et al., MIDL 2019 / Medical Image Analysis 2021. Elsewhere: the published code
    takes K = [1] for two classes and all classes for ACDC, and passes an integer array through the lines
    that make the map, which truncates distances to whole numbers in 2D: not reproduced. MONAI computes
    an unspaced map at every step, with the zero level of the published code, and includes the background
    by default; it has no schedule.

    Args:
        offset: Zero level of phi: ``half``, between the pixels; ``kervadec``, as published: d outside,
            -(d - 1) inside. The latter is meant for ``unit="voxel"``: below 1 mm its inside is positive.
        unit: ``mm`` or ``voxel``; a loss in mm of fine images is smaller.
        dimensions: 2 for distances within the slice, 3 for distances within the volume.
        normalise: Whether to divide phi by the diagonal of the image, in the same unit.
        empty_penalty: phi of a class that is absent from an image, >= 0; 0 as published.
        include_background: Whether class 0 is one of the classes.
        ignore_label: Label of the pixels to leave out.
    """

    name = "boundary"
    family = "boundary"
    needs = frozenset({"distance_maps"})
    reference = "Kervadec et al., MIDL 2019; Medical Image Analysis 2021"
    partner = True

    def __init__(
        self,
        *,
        offset: Offset = "half",
        unit: Unit = "mm",
        dimensions: Dimensions = 2,
        normalise: bool = False,
        empty_penalty: float = 0.0,
        include_background: bool = False,
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.offset = one_of("offset", offset, Offset)
        self.unit = one_of("unit", unit, Unit)
        self.dimensions = one_of("dimensions", dimensions, Dimensions)
        self.normalise = normalise
        self.empty_penalty = at_least("empty_penalty", empty_penalty, 0)
        self.include_background = include_background
        self.maps = _MAPS[self.unit, self.dimensions]
        in_mm = unit == "mm" and (normalise or offset == "kervadec")
        self.needs = frozenset({self.maps, "spacing"} if in_mm else {self.maps})

    def value(self, batch: Batch) -> Tensor:
        """Mean over K of sum p phi / (B H W)."""
        region = batch.region("batch", self.include_background)
        return region.sum(batch.p * self.phi(batch)).mean() / batch.n

    def phi(self, batch: Batch) -> Tensor:
        """Return phi (B, C, H, W) with offset, unit, normalisation and penalty of this loss."""
        phi = batch.maps(self.maps)
        if self.offset == "kervadec":
            h = batch.half_step(self.maps)  # phi = d - h outside, -(d - h) inside, 0 without a boundary
            phi = torch.where(phi > 0, phi + h, torch.where(phi < 0, phi - h + 1, 0.0))
        if self.normalise:
            phi = phi / image_diagonal(batch, self.unit)
        if self.empty_penalty > 0:
            empty = batch.region("sample", include_background=True).V == 0
            phi = torch.where(empty[:, :, None, None], self.empty_penalty, phi)
        return phi


@register
class HausdorffDT(Loss):
    """Hausdorff loss by distance transforms: squared errors, weighted by how far off they lie.

    ::

        L = sum over b, c in K, x of (p - t)^2 (D_t^a + D_q^a) / (B |K| H W)

    D_m is the distance, in mm, from every pixel to the other side of the boundary of m, 0 if m is empty
    or full; q = the pixels whose most probable class is c. K = the foreground classes unless
    ``include_background``. No gradient passes through D. D_t comes with ``distance_maps``; D_q follows
    the prediction, one distance transform per step and class on the CPU. An empty prediction still has
    a gradient through D_t.

    Reference: Karimi and Salcudean, IEEE TMI 2020, eq. 8. Elsewhere: MONAI thresholds p > 0.5 per
    channel and ignores the spacing; LIVIAETS and the 20-loss repository take distances inside of the
    object only, so that a false positive far away costs no more than one nearby.

    Args:
        exponent: a, the power of the distances.
        include_background: Whether class 0 is one of the classes.
        ignore_label: Label of the pixels to leave out.
    """

    name = "hausdorff"
    family = "boundary"
    needs = frozenset({"distance_maps", "spacing"})
    reference = "Karimi and Salcudean, IEEE TMI 2020, eq. 8"
    spaces: ClassVar[Spaces] = {"exponent": Real(1.0, 3.0)}

    def __init__(
        self, *, exponent: float = 2.0, include_background: bool = False, ignore_label: int | None = None
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.exponent = positive("exponent", exponent)
        self.include_background = include_background

    def value(self, batch: Batch) -> Tensor:
        """Mean over K of sum (p - t)^2 (D_t^a + D_q^a) / (B H W)."""
        D_t, D_q = batch.distances, self.predicted_distances(batch)
        weight = D_t**self.exponent + D_q**self.exponent
        if batch.counted is not None:
            weight = weight * batch.counted.unsqueeze(1)
        region = batch.region("batch", self.include_background)
        return region.sum(weight * (batch.p - region.t) ** 2).mean() / batch.n

    def predicted_distances(self, batch: Batch) -> Tensor:
        """Return D_q (B, C, H, W), of the kept classes."""
        q = batch.z.detach().max(1).indices  # argmax takes eight times as long over strided classes
        if batch.counted is not None:
            q = q.masked_fill(~batch.counted, -1)
        first = 0 if self.include_background else 1
        return boundary_distances_of(q, batch.C, first, batch.spacing).to(batch.z)


@register
class BoundaryDoU(GroupedLoss):
    """Boundary difference over union: squared Dice that adapts to how much of an object is boundary.

    ::

        L = mean_K (Q - 2 tp + eps) / (Q - (1 + a) tp + eps),   Q = sum p^2 + sum t^2
        a = min(1 - 2 (E + eps) / (S + eps), 0.8)

    S = pixels of the class in the group, E = those among them with a 4-neighbour outside of the class or
    of the image. All classes by default, as published. For objects one or two pixels thick a = -1, and
    the loss is the squared Dice loss; a is negative for every square below 7 x 7 pixels: on small
    lesions the loss loses its point. The frame of the image counts as boundary; an ignored pixel counts
    as outside. An absent class would give the constant 1: ``absent`` decides.

    Reference: Sun et al., MICCAI 2023. Elsewhere: the released code is the same with batch sums, without
    a lower bound of a.

    Args:
        include_background: Whether class 0 is one of the classes.
        options: See :class:`~harness.losses.region.GroupedLoss`.
    """

    name = "boundary_dou"
    family = "boundary"
    reference = "Sun et al., MICCAI 2023"
    relations = (Relation("contains", "squared_dice"),)

    def __init__(self, *, include_background: bool = True, **options: Unpack[GroupOptions]) -> None:
        super().__init__(include_background=include_background, **options)

    def value(self, batch: Batch) -> Tensor:
        """Mean over K of (Q - 2 tp + eps) / (Q - (1 + a) tp + eps)."""
        region = batch.region(self.reduce, self.include_background)
        a = self.boundary_weights(batch, region)
        Q, tp = region.sum_squares(region.p) + region.V, region.tp
        return region.mean((Q - 2 * tp + self.eps) / (Q - (1 + a) * tp + self.eps), self.absent)

    def boundary_weights(self, batch: Batch, region: Region) -> Tensor:
        """Return a per class, (K,) or (B, K): 1 would be all inside, -1 all boundary."""
        E = region.count(batch.mask & on_edge(batch.y_or_none).unsqueeze(1))
        return (1 - 2 * (E + self.eps) / (region.V + self.eps)).clamp(max=0.8)


@register
class GeneralisedSurface(Loss):
    """Generalised surface loss: squared distances over the pixels that are right, relative to all.

    ::

        L = mean_b [1 - sum_c w_c sum_x (phi_c (1 - t_c - p_c))^2 / sum_c (w_c sum_x phi_c^2 + eps)]
        w_c = n_c^-1 / sum_k n_k^-1,   n = ``class_counts``

    In 0..1: 0 for p = t, 1 for p = 1 - t. Only phi^2 matters, so the sign convention does not. All
    classes by default; with two classes any w, with or without background, gives the same value. Meant
    as ``dice + ce + generalised_surface`` with an alpha from 1 to 0.

    Reference: Celaya, Riviere and Fuentes, arXiv 2302.03868: eq. 12, weights eq. 13, combination eq. 8.
    Elsewhere: the published code fills phi of an absent class with the diagonal of the image, which then
    dominates both sums; here the class is left out, and an image without any boundary leaves the mean
    (``absent="diagonal"`` is theirs). The authors' later toolkit has foreground only, no weights, and
    phi normalised separately inside and outside.

    Args:
        weighted: Whether classes are weighted; otherwise w = 1.
        include_background: Whether class 0 is one of the classes.
        absent: ``ignore`` or ``diagonal``; see above.
        eps: Keeps an image without boundary from dividing by zero.
        ignore_label: Label of the pixels to leave out.
    """

    name = "generalised_surface"
    family = "boundary"
    needs = frozenset({"distance_maps", "class_counts"})
    reference = "Celaya et al., arXiv 2302.03868, eq. 12"
    partner = True

    def __init__(
        self,
        *,
        weighted: bool = True,
        include_background: bool = True,
        absent: Literal["ignore", "diagonal"] = "ignore",
        eps: float = 1e-6,
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.weighted = weighted
        self.include_background = include_background
        self.absent = one_of("absent", absent, Literal["ignore", "diagonal"])
        self.eps = positive("eps", eps)
        if absent == "diagonal":
            self.needs = self.needs | {"spacing"}

    def value(self, batch: Batch) -> Tensor:
        """Mean over the images of 1 - sum w (phi (1 - t - p))^2 / sum (w phi^2 + eps)."""
        region = batch.region("sample", self.include_background)
        phi = self.phi(batch)
        one_minus_t = torch.where(batch.mask, 0.0, 1.0)
        w = self.class_weights(batch)[region.first :]
        right, all_ = region.sum_squares(phi * (batch.p - one_minus_t)), region.sum_squares(phi)
        loss = 1 - (w * right).sum(1) / (w * all_ + self.eps).sum(1)
        return mean_where((w * all_ > 0).any(1), loss)

    def phi(self, batch: Batch) -> Tensor:
        """Return phi (B, C, H, W), 0 at ignored pixels."""
        phi = batch.maps()
        if self.absent == "diagonal":
            missing = batch.region("sample", include_background=True).V == 0
            phi = torch.where(missing[:, :, None, None], image_diagonal(batch, "mm"), phi)
        return phi if batch.counted is None else phi * batch.counted.unsqueeze(1)

    def class_weights(self, batch: Batch) -> Tensor:
        """Return w (C,); a class that no training case holds has weight 0."""
        if not self.weighted:
            return batch.z.new_ones(batch.C)
        w = torch.where(batch.f > 0, 1 / batch.f.clamp(min=1e-12), 0.0)
        return w / w.sum().clamp(min=torch.finfo(w.dtype).tiny)


def image_diagonal(batch: Batch, unit: Unit) -> Tensor:
    """Return the length of the diagonal of every image, (B, 1, 1, 1)."""
    height_width = batch.z.new_tensor(batch.z.shape[-2:])
    size = height_width * batch.spacing[:, -2:] if unit == "mm" else height_width.expand(len(batch.z), 2)
    return (size**2).sum(1).sqrt().view(-1, 1, 1, 1)


def on_edge(y: Tensor) -> Tensor:
    """Return (B, H, W): whether a pixel has a 4-neighbour of another label, or lies on the frame."""
    edge = torch.ones_like(y, dtype=torch.bool)
    core = y[:, 1:-1, 1:-1]
    same = (core == y[:, :-2, 1:-1]) & (core == y[:, 2:, 1:-1])
    same &= (core == y[:, 1:-1, :-2]) & (core == y[:, 1:-1, 2:])
    edge[:, 1:-1, 1:-1] = ~same
    return edge
