"""The benchmark of the surface metrics."""

import importlib.util
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch

from harness.bench.base import BENCHMARKS, Benchmark, Row
from harness.bench.clocks import CpuClock, Work
from harness.bench.measure import compare
from harness.geometry.surface import Mask
from harness.metrics import METRICS, Comparison

SPACING = (3.0, 0.96, 0.96)
"""Millimetres per voxel (z, y, x)."""

SURFACE_METRICS = ("hd", "hd95", "assd", "nsd_1mm")
_SLICES, _SIZE = 48, 256
_FASTER_THAN_MEDPY = MappingProxyType({"small": 100, "medium": 100, "large": 18})
_FASTER_THAN_MONAI = 5


@dataclass(frozen=True)
class Ellipsoid:
    """An object, in voxels of a volume of 48x256x256.

    Attributes:
        centre: (z, y, x).
        radius: (z, y, x).
    """

    centre: tuple[float, float, float]
    radius: tuple[float, float, float]

    def mask(self, size: int) -> Mask:
        """Return its voxels in a volume scaled so that H and W are ``size``."""
        scale = size / _SIZE
        depth = max(4, round(_SLICES * scale))
        z, y, x = (
            ((axis - middle * scale) / max(radius * scale, 1)) ** 2
            for axis, middle, radius in zip(
                np.ogrid[:depth, :size, :size], self.centre, self.radius, strict=True
            )
        )
        inside: Mask = z + y + x <= 1
        return inside


OBJECTS: Mapping[str, tuple[Ellipsoid, Ellipsoid]] = MappingProxyType(
    {
        "small": (Ellipsoid((24, 100, 100), (3, 8, 9)), Ellipsoid((24, 102, 101), (3, 9, 8))),
        "medium": (Ellipsoid((24, 110, 100), (8, 30, 28)), Ellipsoid((24, 112, 101), (8, 28, 30))),
        "large": (Ellipsoid((24, 128, 128), (21, 110, 100)), Ellipsoid((24, 130, 127), (20, 105, 104))),
        "far": (Ellipsoid((8, 40, 40), (4, 20, 20)), Ellipsoid((40, 210, 210), (4, 20, 20))),
    }
)
"""Prediction and truth of each row: they fit well, or (``far``) lie in opposite corners."""


@BENCHMARKS.register("metrics")
class Metrics(Benchmark):
    """Time of HD + HD95 + ASSD + NSD of a class, 48x256x256 with 3x0.96x0.96 mm: small, medium, large, far.

    Against MedPy's ``hd``, ``hd95`` and ``assd``, and against MONAI's HD95 alone. On the CPU always.
    """

    baselines = ("MedPy", "MONAI")

    def names(self) -> list[str]:
        """Return the objects."""
        return list(OBJECTS)

    def row(self, name: str) -> Row:
        """Time the metrics of one object."""
        prediction, truth = (each.mask(self.options.size or _SIZE) for each in OBJECTS[name])
        works: dict[str, Work] = {}
        missing: dict[str, str] = {}
        for library, build in _PEERS.items():
            if importlib.util.find_spec(library.lower()) is None:
                missing[library] = "not installed"
            else:
                works[library] = build(prediction, truth, SPACING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # MONAI's, about its own calls
            comparison = compare(
                lambda: surface_metrics(prediction, truth, SPACING), works, CpuClock(), self.options.settings
            )
        least = _FASTER_THAN_MEDPY.get(name)
        targets = {"MONAI": 1 / _FASTER_THAN_MONAI} | ({"MedPy": 1 / least} if least else {})
        sizes = " and ".join(str(np.count_nonzero(mask)) for mask in (prediction, truth))
        return Row(name, comparison, targets, peers=missing, note=f"{sizes} voxels")


def surface_metrics(prediction: Mask, truth: Mask, spacing: Sequence[float]) -> dict[str, float | None]:
    """Return the metrics that are timed."""
    comparison = Comparison(prediction, truth, tuple(spacing))
    return {name: METRICS[name].compute(comparison) for name in SURFACE_METRICS}


def medpy_calls(
    prediction: Mask, truth: Mask, spacing: Sequence[float]
) -> Callable[[], tuple[float, float, float]]:
    """Return MedPy's three calls."""
    from medpy.metric import binary

    def work() -> tuple[float, float, float]:
        return (
            binary.hd(prediction, truth, voxelspacing=spacing),
            binary.hd95(prediction, truth, voxelspacing=spacing),
            binary.assd(prediction, truth, voxelspacing=spacing),
        )

    return work


def monai_hd95(prediction: Mask, truth: Mask, spacing: Sequence[float]) -> Callable[[], float]:
    """Return MONAI's HD95 of tensors that are there already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai.metrics.hausdorff_distance import compute_hausdorff_distance
    one, other = (torch.from_numpy(mask)[None, None] for mask in (prediction, truth))

    def work() -> float:
        found = compute_hausdorff_distance(
            one, other, include_background=True, percentile=95, spacing=list(spacing)
        )
        return float(found)

    return work


_PEERS: Mapping[str, Callable[[Mask, Mask, Sequence[float]], Work]] = MappingProxyType(
    {"MedPy": medpy_calls, "MONAI": monai_hd95}
)
