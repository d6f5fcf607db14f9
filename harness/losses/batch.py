"""One batch as the formulas see it: probabilities, one-hot labels and the sums over them.

Everything is computed at most once per step and shared by the terms of a compound loss. The symbols
are those of the formulas: z logits, y labels, p = softmax(z), t = one-hot of y, and per class
tp = sum p t, fp = sum p (1 - t), fn = sum (1 - p) t, P = sum p, V = sum t, over n pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.geometry import signed_distance_maps

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
        t: (B, C, H, W) one-hot labels of all classes, 0 at ignored pixels.
        n: Number of counted pixels of the group; shape () or (B, 1).
        reduce: The group.
        first: The first of the K kept classes, 0 or 1.
    """

    p: Tensor
    t: Tensor
    n: Tensor | int
    reduce: Reduce
    first: int

    def sum(self, x: Tensor) -> Tensor:
        """Sum (B, C, H, W) over the pixels of each group and keep K classes.

        Classes are dropped after the sum: cutting x itself would cost its gradient two more passes.
        """
        return x.sum((0, 2, 3) if self.reduce == "batch" else (2, 3))[..., self.first :]

    @once
    def tp(self) -> Tensor:
        """Sum of p t."""
        return self.sum(self.p * self.t)

    @once
    def P(self) -> Tensor:
        """Sum of p."""
        return self.sum(self.p)

    @once
    def V(self) -> Tensor:
        """Sum of t: the number of pixels that carry the class; no gradient."""
        return self.sum(self.t)

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
        kept = (~without_label).sum().clamp(min=1)
        return torch.where(without_label, 0.0, values).sum() / kept


@dataclass(frozen=True, eq=False)
class Batch:
    """Logits beside the labels they should match, checked, in at least float32.

    Attributes:
        z: (B, C, H, W) logits, float32 or float64; 0 at ignored pixels, so that these get no gradient.
        y: (B, H, W) labels, int64; 0 at ignored pixels.
        counted: (B, H, W) boolean, False at ignored pixels; None when every pixel counts.
        distance_maps: (B, C, H, W) as given, or None.
        class_counts: (C,) as given, or None.
        skeletons: As given, or None.
        components: As given, or None.
    """

    z: Tensor
    y: Tensor
    counted: Tensor | None = None
    distance_maps: Tensor | None = None
    class_counts: Tensor | None = None
    skeletons: Tensor | None = None
    components: Tensor | None = None

    @classmethod
    def of(
        cls, logits: Tensor, labels: Tensor, ignore_label: int | None = None, **needs: Tensor | None
    ) -> "Batch":
        """Check and prepare a batch; ``needs`` are the four optional attributes.

        The range of the labels is checked on the CPU only: on a GPU the check would stall the queue at
        every step, and there CE's gather fails loudly on a label out of range.

        Raises:
            ValueError: if shapes or dtypes do not fit, or a label is out of range.
        """
        _check_shapes(logits, labels, needs.get("distance_maps"), needs.get("class_counts"))
        z = logits if logits.dtype == torch.float64 else logits.float()
        y, counted = labels.long(), None
        if ignore_label is not None:
            counted = y != ignore_label
            y = y.masked_fill(~counted, 0)
            z = z.masked_fill(~counted.unsqueeze(1), 0.0)
        _check_range(y, logits.shape[1])
        return cls(z, y, counted, **needs)

    @once
    def n(self) -> Tensor | int:
        """Number of counted pixels in the batch, at least 1."""
        return max(self.y.numel(), 1) if self.counted is None else self.counted.sum().clamp(min=1)

    @once
    def y_or_none(self) -> Tensor:
        """(B, H, W) labels, -1 at ignored pixels."""
        return self.y if self.counted is None else self.y.masked_fill(~self.counted, -1)

    @once
    def p(self) -> Tensor:
        """(B, C, H, W) softmax probabilities, 0 at ignored pixels."""
        p = F.softmax(self.z, dim=1)
        return p if self.counted is None else p * self.counted.unsqueeze(1)

    @once
    def t(self) -> Tensor:
        """(B, C, H, W) one-hot labels, 0 at ignored pixels."""
        t = torch.empty_like(self.z, requires_grad=False)
        for label in range(t.shape[1]):
            t[:, label] = self.y_or_none == label
        return t

    @once
    def log_p_y(self) -> Tensor:
        """(B, H, W) log-probability of the true class (meaningless at ignored pixels)."""
        return F.log_softmax(self.z, dim=1).gather(1, self.y.unsqueeze(1)).squeeze(1)

    @once
    def phi(self) -> Tensor:
        """(B, C, H, W) signed distance maps: as given, else of the labels with unit spacing."""
        if self.distance_maps is not None:
            return self.distance_maps.detach().to(self.z)
        with torch.no_grad():
            images = self.y_or_none.cpu().numpy()
            maps = [signed_distance_maps(image, self.z.shape[1], (1.0, 1.0)) for image in images]
            return torch.stack([torch.from_numpy(phi) for phi in maps]).to(self.z)

    @once
    def f(self) -> Tensor:
        """(C,) pixels per class in the training cases: as given, else those of this batch."""
        counts = self.t.sum((0, 2, 3)) if self.class_counts is None else self.class_counts.detach()
        return counts.to(self.z)

    def mean(self, x: Tensor) -> Tensor:
        """Average (B, H, W) over the counted pixels."""
        return (x if self.counted is None else torch.where(self.counted, x, 0.0)).sum() / self.n

    def region(self, reduce: Reduce, include_background: bool) -> Region:
        """Return the sums per class, without class 0 unless ``include_background``."""
        n: Tensor | int = self.n
        if reduce == "sample":
            n = self.y[0].numel() if self.counted is None else self.counted.sum((1, 2)).clamp(min=1)[:, None]
        return Region(self.p, self.t, n, reduce, 0 if include_background else 1)


def _check_shapes(logits: Tensor, labels: Tensor, maps: Tensor | None, counts: Tensor | None) -> None:
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
    if maps is not None and maps.shape != logits.shape:
        raise ValueError(
            f"distance_maps must be (B, C, H, W) = {tuple(logits.shape)} (got {tuple(maps.shape)})"
        )
    if counts is not None and counts.shape != (classes,):
        raise ValueError(f"class_counts must be (C,) = ({classes},) (got {tuple(counts.shape)})")


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
