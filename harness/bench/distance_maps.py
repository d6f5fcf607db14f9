"""The benchmark of the signed distance maps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.bench.base import BENCHMARKS, Benchmark, Row
from harness.bench.clocks import CpuClock
from harness.bench.measure import compare
from harness.bench.scene import SPACING, blob_labels
from harness.geometry import signed_distance_maps

_SIZE, _SLICES, _CLASSES = 256, 48, 4
_FASTER = {"2d": 2.8, "3d": 3.0}
"""Targets: how many times as fast as scipy."""


@BENCHMARKS.register("distance_maps")
class DistanceMaps(Benchmark):
    """Time of the signed distance maps of 4 classes: a slice 256x256, a volume 48x256x256 with 3x1x1 mm.

    Against scipy's transform of each mask and of its complement, written by hand. On the CPU always.
    """

    baselines = ("scipy",)

    def names(self) -> list[str]:
        """Return the dimensions."""
        return list(_FASTER)

    def row(self, name: str) -> Row:
        """Time the maps of a slice or of a volume."""
        size = self.options.size or _SIZE
        labels = blob_labels((max(4, size * _SLICES // _SIZE), size, size), _CLASSES)
        spacing: tuple[float, ...] = SPACING
        if name == "2d":
            labels, spacing = labels[len(labels) // 2], SPACING[1:]
        comparison = compare(
            lambda: signed_distance_maps(labels, _CLASSES, spacing),
            {"scipy": lambda: scipy_maps(labels, _CLASSES, spacing)},
            CpuClock(),
            self.options.settings,
        )
        return Row(
            name,
            comparison,
            targets={"scipy": 1 / _FASTER[name]},
            note=f"{'x'.join(map(str, labels.shape))}; the target is {_FASTER[name]:g} times as fast",
        )


def scipy_maps(
    labels: NDArray[np.integer[Any]], n_classes: int, spacing: Sequence[float]
) -> NDArray[np.float32]:
    """Return the same maps as :func:`harness.geometry.signed_distance_maps`, as people write them."""
    half = min(spacing) / 2
    maps = np.zeros((n_classes, *labels.shape), dtype=np.float32)
    for label in range(n_classes):
        mask = labels == label
        if mask.any() and not mask.all():
            outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
            inside = ndimage.distance_transform_edt(mask, sampling=spacing)
            maps[label] = np.where(mask, half - inside, outside - half)
    return maps
