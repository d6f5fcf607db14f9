"""Losses that look at single lesions, and at thin structures.

Components are those of the label, per slice, 8-connected, class by class. Every one of these losses is
a term: the published sums are the aliases ``dice_blob``, ``cc_dice_ce``, ``dice_cldice`` and
``dice_ce_skeleton_recall``.
"""

import warnings
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.losses.base import Loss, Relation, at_least, one_of, positive, register
from harness.losses.batch import Absent, Batch, Reduce, mean_where
from harness.losses.class_sums import class_sums
from harness.losses.search_space import Spaces, Whole

Measure: TypeAlias = Literal["dice", "dice_ce"]


@dataclass(frozen=True, eq=False)
class Parts:
    """Sums over the numbered parts of each image and foreground class, (B, C - 1, parts).

    The number of parts has the bound that the size of the image gives (8-connected components cannot be
    closer), so that neither counting nor a loop over them is needed and the queue of a GPU never waits.

    Attributes:
        index: (B, C - 1, H, W) which of the sums a pixel goes to; number 0 is dropped.
        bins: B, C - 1 and the largest number of parts plus one.
    """

    index: Tensor
    bins: tuple[int, int, int]

    @classmethod
    def of(cls, numbers: Tensor) -> "Parts":
        """Prepare sums over the parts that ``numbers`` (B, C - 1, H, W) holds, from 1 on.

        Raises:
            ValueError: if (on the CPU) a number is larger than there can be components.
        """
        images, classes, height, width = numbers.shape
        most = ((height + 1) // 2) * ((width + 1) // 2) + 1
        if numbers.device.type == "cpu" and not torch.compiler.is_compiling():
            largest = int(numbers.max())
            if largest >= most:
                raise ValueError(
                    f"components are numbered up to {largest}, more than fit into {height} x {width} pixels: "
                    "after cropping, number them again"
                )
        group = torch.arange(images * classes, device=numbers.device).view(images, classes, 1, 1)
        return cls(group * most + numbers, (images, classes, most))

    def sum(self, x: Tensor) -> Tensor:
        """Sum x (B, C - 1, H, W) over the parts."""
        images, classes, most = self.bins
        sums = x.new_zeros(images * classes * most)
        return sums.index_add(0, self.index.flatten(), x.flatten()).view(self.bins)[..., 1:]


def mean_over_parts(values: Tensor, exists: Tensor) -> tuple[Tensor, Tensor]:
    """Average (B, K, parts) over the existing parts, then over the classes that have any.

    Returns:
        One value per image (B,), and whether the image has a part at all.
    """
    count = exists.sum(-1)
    per_class = torch.where(exists, values, 0.0).sum(-1) / count.clamp(min=1)
    has_part = count > 0
    classes = has_part.sum(-1)
    return torch.where(has_part, per_class, 0.0).sum(-1) / classes.clamp(min=1), classes > 0


def class_against_rest(batch: Batch) -> Tensor:
    """Return the cross entropy (B, C, H, W) of every class against the rest, 0 at ignored pixels."""
    ce = -torch.where(batch.mask, batch.log_p, batch.log_not_p)
    return ce if batch.counted is None else torch.where(batch.counted.unsqueeze(1), ce, 0.0)


def counted(batch: Batch) -> Tensor:
    """Return 1 per counted pixel, (B, 1, H, W)."""
    return (
        torch.ones_like(batch.z[:, :1]) if batch.counted is None else batch.counted.unsqueeze(1).to(batch.z)
    )


@register
class Blob(Loss):
    """Blob loss: the Dice loss of every component by itself, so that small lesions count like large ones.

    ::

        D_n = 1 - (2 sum p t_n + eps) / (sum over the domain of p + |n| + eps)
        L = mean over components, then classes, then images, of D_n

    The domain of component n is the image without the *other* components of its class: a false positive
    counts in every component. Probabilities are masked, not logits (a logit of zero is p = 0.5). Images
    without a component leave the mean. The cost does not grow with the number of components. The
    published sum is the alias ``dice_blob`` = 2 dice + blob.

    ``measure="dice_ce"`` adds the cross entropy of the class against the rest, averaged over the domain,
    to D_n; write ``[dice, ce, {name: blob, measure: dice_ce}]`` for the form of later nnU-Net
    comparisons.

    Reference: Kofler et al., IPMI 2023, domain eq. 1, weights 2 (global) and 1 (blob).

    Args:
        measure: ``dice`` or ``dice_ce``.
        eps: Stands where the formula shows it.
        ignore_label: Label of the pixels to leave out.
    """

    name = "blob"
    family = "lesion"
    needs = frozenset({"components"})
    reference = "Kofler et al., IPMI 2023, eq. 1"
    relations = (Relation("contains", "dice"),)

    def __init__(
        self, *, measure: Measure = "dice", eps: float = 1e-5, ignore_label: int | None = None
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.measure = one_of("measure", measure, Measure)
        self.eps = positive("eps", eps)

    def value(self, batch: Batch) -> Tensor:
        """Mean over the components of D_n."""
        inside = batch.mask[:, 1:]
        parts = Parts.of(torch.where(inside, batch.components.unsqueeze(1), 0))
        size = parts.sum(inside.to(batch.z.dtype))
        value = self.dice(batch, parts, size)
        if self.measure == "dice_ce":
            value = value + self.cross_entropy(batch, parts, size)
        per_image, has_part = mean_over_parts(value, size > 0)
        return mean_where(has_part, per_image)

    def dice(self, batch: Batch, parts: Parts, size: Tensor) -> Tensor:
        """Return D_n, (B, C - 1, parts)."""
        p, inside = batch.p[:, 1:], batch.mask[:, 1:]
        tp = parts.sum(torch.where(inside, p, 0.0))
        outside = torch.where(inside, 0.0, p).sum((2, 3)).unsqueeze(-1)
        return 1 - (2 * tp + self.eps) / (outside + tp + size + self.eps)

    @staticmethod
    def cross_entropy(batch: Batch, parts: Parts, size: Tensor) -> Tensor:
        """Return the mean cross entropy over every domain, (B, C - 1, parts)."""
        ce, inside = class_against_rest(batch)[:, 1:], batch.mask[:, 1:]
        outside = torch.where(inside, 0.0, ce).sum((2, 3)).unsqueeze(-1)
        n_outside = torch.where(inside, 0.0, counted(batch)).sum((2, 3)).unsqueeze(-1)
        return (outside + parts.sum(torch.where(inside, ce, 0.0))) / (n_outside + size).clamp(min=1)


@register
class ConnectedComponents(Loss):
    """CC loss: Dice (and CE) in the neighbourhood of every component by itself.

    ::

        DC_n = 1 - 2 sum_cell p t / max(sum_cell p + sum_cell t, 1e-8)
        CE_n = mean over the cell of the cross entropy of the class against the rest
        L = mean over cells, then classes, then images, of DC_n + CE_n

    The cell of component n holds the pixels that are nearer to n than to any other component of the
    class (Euclidean, spacing-aware, ties to the lower number): the cells tile the image, and a false
    positive counts once. No eps in the cells: smoothing is unstable on lesions of a few voxels. An image
    without a component has its plain CE instead; with ``measure="dice"`` it leaves the mean. The
    published sum is the alias ``cc_dice_ce`` = dice + ce + cc. Cells of a crop are not the crop of the
    cells: after cropping, compute them again.

    Reference: Bouteille et al., ISBI 2026 (arXiv 2511.17146); cells as in CC-Metrics (Jaus et al., 2024).

    Args:
        measure: ``dice_ce`` (published) or ``dice``.
        ignore_label: Label of the pixels to leave out.
    """

    name = "cc"
    family = "lesion"
    needs = frozenset({"cells"})
    reference = "Bouteille et al., ISBI 2026"
    relations = (Relation("contains", "dice"), Relation("contains", "ce"))

    def __init__(self, *, measure: Measure = "dice_ce", ignore_label: int | None = None) -> None:
        super().__init__(ignore_label=ignore_label)
        self.measure = one_of("measure", measure, Measure)

    def value(self, batch: Batch) -> Tensor:
        """Mean over the cells of DC_n + CE_n."""
        cells = Parts.of(batch.cells[:, 1:])
        n = cells.sum(counted(batch).expand_as(batch.p[:, 1:]))
        value = self.dice(batch, cells)
        if self.measure == "dice_ce":
            value = value + cells.sum(class_against_rest(batch)[:, 1:]) / n.clamp(min=1)
        per_image, has_part = mean_over_parts(value, n > 0)
        if self.measure == "dice":
            return mean_where(has_part, per_image)
        plain = -(batch.log_p_y if batch.counted is None else torch.where(batch.counted, batch.log_p_y, 0.0))
        plain_per_image = plain.sum((1, 2)) / counted(batch).sum((1, 2, 3)).clamp(min=1)
        return torch.where(has_part, per_image, plain_per_image).mean()

    @staticmethod
    def dice(batch: Batch, cells: Parts) -> Tensor:
        """Return DC_n, (B, C - 1, cells)."""
        p, inside = batch.p[:, 1:], batch.mask[:, 1:]
        tp, P = cells.sum(torch.where(inside, p, 0.0)), cells.sum(p)
        V = cells.sum(inside.to(p.dtype))
        return 1 - 2 * tp / (P + V).clamp(min=1e-8)


@register
class ClDice(Loss):
    """Centreline Dice: precision and recall of the soft skeletons of prediction and label.

    ::

        Tprec = (sum S(p) t + 1) / (sum S(p) + 1)      Tsens = (sum S(t) p + 1) / (sum S(t) + 1)
        L = mean_K [1 - 2 Tprec Tsens / (Tprec + Tsens)]

    S is the soft skeleton: ``iterations`` rounds of erosion (minimum over the cross) and opening
    (maximum over 3 x 3); beyond the image, and at ignored pixels, padding never wins. Sums run over the
    batch by default. An object whose radius exceeds ``iterations`` has no skeleton, and then even its
    complement scores as perfect (a 21 x 21 square, 3 iterations): a warning says so. A *prediction* as thick
    has no skeleton either: one that fills the image is perfect, too, and only the partner speaks against
    it. A network that starts there may stay (fundus photographs, study ``vessels``). The published sum
    is the alias ``dice_cldice`` = 0.5 dice + 0.5 cldice.

    Reference: Shit et al., CVPR 2021. Elsewhere: the official code ignores its argument of 3 iterations
    and runs 10, and pools all channels, background included; MONAI has 3 iterations, per image, and
    1e-4 in the harmonic mean.

    Args:
        iterations: Rounds of thinning, >= 1; at least the largest radius in pixels.
        reduce: Group of the sums, ``batch`` or ``sample``.
        absent: See :class:`~harness.losses.region.GroupedLoss`.
        ignore_label: Label of the pixels to leave out.
    """

    name = "cldice"
    family = "lesion"
    reference = "Shit et al., CVPR 2021"
    partner = True
    spaces: ClassVar[Spaces] = {"iterations": Whole(3, 25)}

    def __init__(
        self,
        *,
        iterations: int = 10,
        reduce: Reduce = "batch",
        absent: Absent = "ignore",
        ignore_label: int | None = None,
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.iterations = int(at_least("iterations", iterations, 1))
        self.reduce = one_of("reduce", reduce, Reduce)
        self.absent = one_of("absent", absent, Absent)
        self._unchecked = True

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Look for objects without a skeleton again, in the first batch of the epoch."""
        self._unchecked = True

    def value(self, batch: Batch) -> Tensor:
        """Mean over K of 1 - the harmonic mean of Tprec and Tsens."""
        region = batch.region(self.reduce, include_background=False)
        p, t = batch.p[:, 1:], batch.mask[:, 1:].to(batch.z.dtype)
        S_p, S_t = (soft_skeleton(x, self.iterations, batch.counted) for x in (p, t))
        over = (0, 2, 3) if self.reduce == "batch" else (2, 3)
        in_p, in_t = S_p.sum(over), S_t.sum(over)
        self._warn_if_lost(in_t, region.V)
        Tprec = ((S_p * t).sum(over) + 1) / (in_p + 1)
        Tsens = ((S_t * p).sum(over) + 1) / (in_t + 1)
        return region.mean(1 - 2 * Tprec * Tsens / (Tprec + Tsens), self.absent)

    def _warn_if_lost(self, in_t: Tensor, V: Tensor) -> None:
        if not self._unchecked or torch.compiler.is_compiling():
            return
        self._unchecked = False
        if bool(((in_t == 0) & (V > 0)).any()):
            warnings.warn(
                f"cldice: the soft skeleton of a labelled object is empty after {self.iterations} "
                "iterations, so that any prediction without one scores as perfect; raise 'iterations' to at "
                "least the largest radius in pixels",
                stacklevel=2,
            )


def soft_skeleton(x: Tensor, iterations: int, kept: Tensor | None = None) -> Tensor:
    """Return the soft skeleton of x (B, K, H, W) in 0..1, 0 where ``kept`` (B, H, W) is False."""
    dropped = None if kept is None else ~kept.unsqueeze(1)

    def without(values: Tensor, filling: float) -> Tensor:
        return values if dropped is None else values.masked_fill(dropped, filling)

    def largest(values: Tensor, size: tuple[int, int]) -> Tensor:
        return F.max_pool2d(without(values, -torch.inf), size, 1, (size[0] // 2, size[1] // 2))

    def eroded(values: Tensor) -> Tensor:
        return without(torch.minimum(-largest(-values, (3, 1)), -largest(-values, (1, 3))), 0.0)

    def beyond_opening(values: Tensor, inner: Tensor) -> Tensor:
        return without(F.relu(values - largest(inner, (3, 3))), 0.0)

    inner = eroded(x)
    skeleton = beyond_opening(x, inner)
    for _ in range(iterations):
        x, inner = inner, eroded(inner)
        rest = beyond_opening(x, inner)
        skeleton = skeleton + F.relu(rest - skeleton * rest)
    return skeleton


@register
class SkeletonRecall(Loss):
    """Skeleton recall: how much of a tube around the true skeleton is found.

    ::

        L = 1 - mean_K (sum p_c k_c + eps) / (sum k_c + eps),   k = label * tube

    The tube is the skeleton of the *union* of the foreground, dilated twice by the 4-neighbour cross; k
    lies inside the label, and a lesion of one pixel has one. The background is never used; a class
    without k leaves the mean. It is recall only, hence a partner: the published sum is the alias
    ``dice_ce_skeleton_recall`` = dice + ce + skeleton_recall.

    Reference: Kirchhoff et al., ECCV 2024. Elsewhere: the official code returns minus the recall (ours
    minus 1) and, with eps, counts an absent class as a perfect constant.

    Args:
        reduce: Group of the sums, ``batch`` or ``sample``.
        eps: Stands where the formula shows it.
        ignore_label: Label of the pixels to leave out.
    """

    name = "skeleton_recall"
    family = "lesion"
    needs = frozenset({"skeletons"})
    reference = "Kirchhoff et al., ECCV 2024"
    partner = True

    def __init__(
        self, *, reduce: Reduce = "batch", eps: float = 1e-5, ignore_label: int | None = None
    ) -> None:
        super().__init__(ignore_label=ignore_label)
        self.reduce = one_of("reduce", reduce, Reduce)
        self.eps = positive("eps", eps)

    def value(self, batch: Batch) -> Tensor:
        """1 - mean over K of (sum p k + eps) / (sum k + eps)."""
        region = batch.region(self.reduce, include_background=False)
        k = batch.mask & batch.skeletons.unsqueeze(1)
        found = class_sums(batch.p, k, self.reduce == "batch")[0][..., region.first :]
        all_ = region.count(k)
        return mean_where(all_ > 0, 1 - (found + self.eps) / (all_ + self.eps))
