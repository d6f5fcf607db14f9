"""One batch as the formulas see it: probabilities, one-hot labels and the sums over them.

Everything is computed at most once per step and shared by the terms of a compound loss. The symbols
are those of the formulas: z logits, y labels, p = softmax(z), t = one-hot of y, and per class
tp = sum p t, fp = sum p (1 - t), fn = sum (1 - p) t, P = sum p, V = sum t, over n pixels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.losses.class_sums import class_sums
from harness.losses.needs import (
    MapName,
    Need,
    cells_of,
    check_needs,
    components_of,
    distance_maps_of,
    skeletons_of,
)
from harness.losses.softmax import softmax_and_log_p_y

Reduce: TypeAlias = Literal["batch", "sample"]
"""The group of pixels that sums run over: the whole ``batch``, or each ``sample`` (image) by itself."""

Absent: TypeAlias = Literal["ignore", "smooth", "penalise"]
"""What a class without a labelled pixel in its group does: leave the mean (``ignore``), stay with what
eps makes of it (``smooth``: about 1, without gradient), or give its mean probability (``penalise``)."""


Value = TypeVar("Value")


class once(Generic[Value]):
    """A property that is computed at its first use and kept.

    ``functools.cached_property`` takes a lock on Python 3.11, which ``torch.compile`` cannot trace.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self.compute = compute
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> "once[Value]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> "once[Value] | Value":
        if instance is None:
            return self
        value = self.compute(instance)
        instance.__dict__[self.compute.__name__] = value  # found there before this descriptor from now on
        return value


@dataclass(frozen=True, eq=False)
class Region:
    """Per-class sums over the pixels of a group: (K,) for ``batch``, (B, K) for ``sample``.

    Attributes:
        p: (B, C, H, W) probabilities of all classes, 0 at ignored pixels.
        mask: (B, C, H, W) boolean one-hot labels of all classes, False at ignored pixels.
        n: Number of counted pixels of the group; shape () or (B, 1).
        reduce: The group.
        first: The first of the K kept classes, 0 or 1.
    """

    p: Tensor
    mask: Tensor
    n: Tensor | int
    reduce: Reduce
    first: int

    @once
    def t(self) -> Tensor:
        """(B, C, H, W) one-hot labels as numbers, 0 at ignored pixels."""
        return self.mask.to(self.p.dtype)

    def sum(self, x: Tensor) -> Tensor:
        """Sum (B, C, H, W) over the pixels of each group and keep K classes.

        Classes are dropped after the sum: cutting x itself would cost its gradient two more passes.
        """
        return x.sum((0, 2, 3) if self.reduce == "batch" else (2, 3))[..., self.first :]

    def sum_squares(self, x: Tensor) -> Tensor:
        """Sum x^2, x (B, C, H, W), over the pixels of each group and keep K classes."""
        # A norm needs no array of squares, neither here nor on the way back.
        per_image: Tensor = torch.linalg.vector_norm(x, dim=(2, 3)) ** 2
        return (per_image.sum(0) if self.reduce == "batch" else per_image)[..., self.first :]

    @once
    def _sums(self) -> tuple[Tensor, Tensor]:
        tp, P = class_sums(self.p, self.mask, self.reduce == "batch")
        return tp[..., self.first :], P[..., self.first :]

    @property
    def tp(self) -> Tensor:
        """Sum of p t."""
        return self._sums[0]

    @property
    def P(self) -> Tensor:
        """Sum of p."""
        return self._sums[1]

    def count(self, where: Tensor) -> Tensor:
        """Count the pixels of each group where a boolean (B, C, H, W) holds, and keep K classes."""
        per_image = count_per_image(where)
        return (per_image.sum(0) if self.reduce == "batch" else per_image)[..., self.first :].to(self.p.dtype)

    @once
    def V(self) -> Tensor:
        """Sum of t: the number of pixels that carry the class; no gradient."""
        return self.count(self.mask)

    @property
    def fp(self) -> Tensor:
        """Sum of p (1 - t)."""
        return self.P - self.tp

    @property
    def fn(self) -> Tensor:
        """Sum of (1 - p) t."""
        return self.V - self.tp

    @property
    def tn(self) -> Tensor:
        """Sum of (1 - p) (1 - t)."""
        return self.n - self.P - self.V + self.tp

    def mean(self, values: Tensor, absent: Absent) -> Tensor:
        """Average per-class losses, shaped like ``V``, over classes (and images) with a policy for V = 0.

        If ``ignore`` leaves nothing, the mean is a zero that keeps the graph.
        """
        if absent == "smooth":
            return values.mean()
        without_label = self.V == 0
        if absent == "penalise":
            return torch.where(without_label, self.P / self.n, values).mean()
        return mean_where(~without_label, values)


def count_per_image(where: Tensor) -> Tensor:
    """Count the pixels, (B, C) int32, where a boolean (B, C, H, W) holds."""
    # As bytes into 32 bits: a sum of booleans goes through an array of 64-bit integers.
    return where.view(torch.uint8).flatten(2).sum(-1, dtype=torch.int32)


def mean_where(kept: Tensor, values: Tensor) -> Tensor:
    """Average the kept values; 0, with the graph, if none is."""
    return torch.where(kept, values, 0.0).sum() / kept.sum().clamp(min=1)


@dataclass(frozen=True, eq=False)
class Batch:
    """Logits beside the labels they should match, checked, in at least float32.

    Attributes:
        z: (B, C, H, W) logits, float32 or float64; 0 at ignored pixels, so that these get no gradient.
        y: (B, H, W) labels, int64; 0 at ignored pixels.
        counted: (B, H, W) boolean, False at ignored pixels; None when every pixel counts.
        given: What was computed in advance, by its name in :mod:`harness.losses.needs`.
        shared: Whether several losses read this batch: p and ln p_y then come from one node.
    """

    z: Tensor
    y: Tensor
    counted: Tensor | None = None
    given: Mapping[Need, Tensor] = field(default_factory=lambda: MappingProxyType({}))
    shared: bool = False
    _regions: dict[tuple[Reduce, bool], Region] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls,
        logits: Tensor,
        labels: Tensor,
        ignore_label: int | None = None,
        *,
        shared: bool = False,
        **needs: Tensor | None,
    ) -> "Batch":
        """Check and prepare a batch; ``needs`` become :attr:`given`.

        The range of the labels is checked on the CPU only: on a GPU the check would stall the queue at
        every step, and there CE's gather fails loudly on a label out of range.

        Raises:
            ValueError: if shapes or dtypes do not fit, or a label is out of range.
            TypeError: if a need is unknown.
        """
        _check_shapes(logits, labels)
        check_needs(needs, logits)
        z = logits if logits.dtype == torch.float64 else logits.float()
        z = z.contiguous()  # over (B, H, W, C) every pass below would take twice as long
        y, counted = labels.long(), None
        if ignore_label is not None:
            counted = y != ignore_label
            y = y.masked_fill(~counted, 0)
            z = z.masked_fill(~counted.unsqueeze(1), 0.0)
        _check_range(y, logits.shape[1])
        given: dict[Any, Tensor] = {name: need.detach() for name, need in needs.items() if need is not None}
        return cls(z, y, counted, given, shared)

    @property
    def C(self) -> int:
        """Number of classes, background included."""
        return self.z.shape[1]

    @once
    def n(self) -> Tensor | int:
        """Number of counted pixels in the batch, at least 1."""
        return max(self.y.numel(), 1) if self.counted is None else self.counted.sum().clamp(min=1)

    @once
    def n_per_image(self) -> Tensor | int:
        """Number of counted pixels in each image, at least 1: a number or (B, 1)."""
        if self.counted is None:
            return max(self.y[0].numel(), 1)
        return self.counted.sum((1, 2)).clamp(min=1)[:, None]

    @once
    def y_or_none(self) -> Tensor:
        """(B, H, W) labels, -1 at ignored pixels."""
        return self.y if self.counted is None else self.y.masked_fill(~self.counted, -1)

    @once
    def _p_and_log_p_y(self) -> tuple[Tensor, Tensor]:
        return softmax_and_log_p_y(self.z, self.y)

    @once
    def p(self) -> Tensor:
        """(B, C, H, W) softmax probabilities, 0 at ignored pixels."""
        p = self._p_and_log_p_y[0] if "_p_and_log_p_y" in self.__dict__ else F.softmax(self.z, dim=1)
        return p if self.counted is None else p * self.counted.unsqueeze(1)

    @once
    def mask(self) -> Tensor:
        """(B, C, H, W) one-hot labels, boolean, False at ignored pixels."""
        classes = torch.arange(self.C, device=self.y.device)
        return self.y_or_none.unsqueeze(1) == classes.view(1, -1, 1, 1)

    @once
    def log_p(self) -> Tensor:
        """(B, C, H, W) log-probabilities, finite for finite logits (meaningless at ignored pixels)."""
        return F.log_softmax(self.z, dim=1)

    @once
    def log_not_p(self) -> Tensor:
        """(B, C, H, W) ln(1 - p), finite for finite logits (meaningless at ignored pixels)."""
        if self.C == 2:
            return self.log_p.flip(1)
        classes = torch.arange(self.C, device=self.z.device).view(1, -1, 1, 1)
        others = [torch.logsumexp(self.log_p.masked_fill(classes == c, -torch.inf), 1) for c in range(self.C)]
        return torch.stack(others, 1)

    @once
    def log_p_y(self) -> Tensor:
        """(B, H, W) log-probability of the true class (meaningless at ignored pixels)."""
        if self.shared:
            return self._p_and_log_p_y[1]
        return self.log_p.gather(1, self.y.unsqueeze(1)).squeeze(1)

    @once
    def p_y(self) -> Tensor:
        """(B, H, W) probability of the true class, 0 at ignored pixels."""
        return torch.where(self.mask, self.p, 0.0).sum(1)

    @once
    def f(self) -> Tensor:
        """(C,) pixels per class in the training cases: as given, else those of this batch."""
        counts = self.given.get("class_counts")
        return (count_per_image(self.mask).sum(0) if counts is None else counts).to(self.z)

    @once
    def spacing(self) -> Tensor:
        """(B, 2 or 3) size of a pixel: as given, else 1."""
        given = self.given.get("spacing")
        if given is None:
            return self.z.new_ones(len(self.z), 2)
        return given.to(self.z).expand(len(self.z), given.shape[-1])

    def maps(self, name: MapName = "distance_maps") -> Tensor:
        """Return signed distance maps (B, C, H, W): as given, else of the labels, see ``spacing``."""
        maps = self.given.get(name)
        if maps is None:
            maps = distance_maps_of(name, self.y_or_none, self.C, self.spacing)
        return maps.to(self.z)

    def half_step(self, name: MapName = "distance_maps") -> Tensor:
        """Return h (B, 1, 1, 1), half the smallest spacing: what the maps fall short of the distance."""
        if name.startswith("voxel"):
            return self.z.new_full((len(self.z), 1, 1, 1), 0.5)
        axes = self.spacing if name.endswith("3d") else self.spacing[:, -2:]
        return axes.amin(1).view(-1, 1, 1, 1) / 2

    @once
    def distances(self) -> Tensor:
        """(B, C, H, W) distance from every pixel to the other side of the class's boundary, in mm.

        Between pixel centres; 0 in an image that lacks the class or is filled by it.
        """
        phi = self.maps()  # nowhere 0 unless everywhere
        return phi.abs() + torch.where(phi[:, :, :1, :1] == 0, 0.0, self.half_step())

    @once
    def components(self) -> Tensor:
        """(B, H, W) component numbers, int64, 0 in the background: as given, else of the labels."""
        given = self.given.get("components")
        return components_of(self.y_or_none, self.C) if given is None else given.long()

    @once
    def cells(self) -> Tensor:
        """(B, C, H, W) number of the nearest component of the class, int64: as given, else computed."""
        given = self.given.get("cells")
        if given is not None:
            return given.long()
        return cells_of(self.y_or_none, self.C, self.spacing)

    @once
    def skeletons(self) -> Tensor:
        """(B, H, W) tube around the skeleton of the foreground, boolean: as given, else computed."""
        given = self.given.get("skeletons")
        return skeletons_of(self.y_or_none, self.C) if given is None else given.bool()

    def mean(self, x: Tensor) -> Tensor:
        """Average (B, H, W) over the counted pixels."""
        return (x if self.counted is None else torch.where(self.counted, x, 0.0)).sum() / self.n

    def region(self, reduce: Reduce, include_background: bool) -> Region:
        """Return the sums per class, without class 0 unless ``include_background``."""
        key = reduce, include_background
        if key not in self._regions:
            n = self.n if reduce == "batch" else self.n_per_image
            self._regions[key] = Region(self.p, self.mask, n, reduce, 0 if include_background else 1)
        return self._regions[key]


def _check_shapes(logits: Tensor, labels: Tensor) -> None:
    if logits.dim() != 4 or not logits.is_floating_point():
        raise ValueError(
            f"logits must be floating point (B, C, H, W) (got {logits.dtype} {tuple(logits.shape)})"
        )
    classes = logits.shape[1]
    if classes < 2:
        raise ValueError(
            f"logits must have one channel per class, background included, so at least 2 (got {classes}); "
            "overlapping regions under a sigmoid are not supported"
        )
    expected = (logits.shape[0], *logits.shape[2:])
    if labels.shape != expected:
        raise ValueError(f"labels must be (B, H, W) = {expected} (got {tuple(labels.shape)})")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"labels must be integers (got {labels.dtype})")


def _check_range(y: Tensor, classes: int) -> None:
    if y.device.type != "cpu" or torch.compiler.is_compiling() or y.numel() == 0:
        return
    low, high = (int(bound) for bound in y.aminmax())
    if low < 0 or high >= classes:
        wrong = low if low < 0 else high
        raise ValueError(
            f"labels must lie in 0..{classes - 1} (got {wrong}); "
            f"if {wrong} marks pixels to leave out, set ignore_label={wrong}"
        )
