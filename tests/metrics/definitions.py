"""Every metric written out from its definition, voxel by voxel, without any code of the package.

Masks are sets of voxels ``(z, y, x)``. A definition returns ``None`` where the metric is undefined.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

Voxel = tuple[int, int, int]
Voxels = frozenset[Voxel]


@dataclass(frozen=True)
class Case:
    """One comparison: voxels of prediction and truth, shape, mm per voxel."""

    p: Voxels
    t: Voxels
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]


def voxels(mask: np.ndarray) -> Voxels:
    return frozenset(tuple(map(int, place)) for place in np.argwhere(mask))


def ratio(part: float, whole: float) -> float | None:
    return None if whole == 0 else part / whole


def moved(voxel: Voxel, step: tuple[int, ...]) -> Voxel:
    return tuple(v + s for v, s in zip(voxel, step, strict=True))


def surface(mask: Voxels, shape: tuple[int, int, int]) -> list[Voxel]:
    """Voxels with a face neighbour outside; axes of length one have no neighbours."""
    axes = [axis for axis in range(3) if shape[axis] > 1]
    faces = [tuple(sign * (axis == a) for a in range(3)) for axis in axes for sign in (-1, 1)]
    return [v for v in mask if not faces or any(moved(v, face) not in mask for face in faces)]


def distances(case: Case) -> tuple[list[float], list[float]] | None:
    if not case.p or not case.t:
        return None

    def physical(voxel: Voxel) -> tuple[float, ...]:
        return tuple(v * s for v, s in zip(voxel, case.spacing, strict=True))

    p, t = ([physical(v) for v in surface(mask, case.shape)] for mask in (case.p, case.t))
    return [min(math.dist(a, b) for b in t) for a in p], [min(math.dist(a, b) for b in p) for a in t]


def of_distances(measure: Callable[[list[float], list[float]], float]) -> Callable[[Case], float | None]:
    def definition(case: Case) -> float | None:
        found = distances(case)
        return None if found is None else measure(*found)

    return definition


def percentile_95(values: list[float]) -> float:
    """Linear interpolation at rank ``0.95 (n - 1)`` of the sorted values."""
    ordered = sorted(values)
    rank = 0.95 * (len(ordered) - 1)
    low = int(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (rank - low) * (ordered[high] - ordered[low])


def within(millimetres: float) -> Callable[[Case], float | None]:
    def share(there: list[float], back: list[float]) -> float:
        return sum(d <= millimetres + 1e-9 for d in there + back) / len(there + back)

    return of_distances(share)


def lesions(mask: Voxels) -> list[Voxels]:
    """26-connected components in the order of their first voxels."""
    steps = [step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)]
    left, found = set(mask), []
    for start in sorted(mask):
        if start not in left:
            continue
        left.remove(start)
        component, border = {start}, [start]
        while border:
            voxel = border.pop()
            for step in steps:
                near = moved(voxel, step)
                if near in left:
                    left.remove(near)
                    component.add(near)
                    border.append(near)
        found.append(frozenset(component))
    return found


def matches(case: Case) -> tuple[list[Voxels], list[Voxels], set[int]]:
    """Predicted and true lesions, and the numbers of the true ones that were found."""
    predicted, true = lesions(case.p), lesions(case.t)
    pairs = []
    for (j, t), (i, p) in itertools.product(enumerate(true), enumerate(predicted)):
        iou = Fraction(len(p & t), len(p | t))
        if iou > Fraction(1, 10):
            pairs.append((-iou, j, i))
    used: set[int] = set()
    found: set[int] = set()
    for _, j, i in sorted(pairs):
        if j not in found and i not in used:
            found.add(j)
            used.add(i)
    return predicted, true, found


def lesion_f1(case: Case) -> float | None:
    predicted, true, found = matches(case)
    return ratio(2 * len(found), len(predicted) + len(true))


def recall_between(least: float, below: float) -> Callable[[Case], float | None]:
    def recall(case: Case) -> float | None:
        _, true, found = matches(case)
        inside = {j for j, t in enumerate(true) if least <= len(t) * math.prod(case.spacing) < below}
        return ratio(len(inside & found), len(inside))

    return recall


def slice_dsc(case: Case) -> float:
    total = 0.0
    for z in range(case.shape[0]):
        p, t = ({v for v in mask if v[0] == z} for mask in (case.p, case.t))
        total += 1 if not p and not t else 2 * len(p & t) / (len(p) + len(t))
    return total / case.shape[0]


BY_DEFINITION: dict[str, Callable[[Case], float | None]] = {
    "dsc": lambda c: ratio(2 * len(c.p & c.t), len(c.p) + len(c.t)),
    "iou": lambda c: ratio(len(c.p & c.t), len(c.p | c.t)),
    "sensitivity": lambda c: ratio(len(c.p & c.t), len(c.t)),
    "precision": lambda c: ratio(len(c.p & c.t), len(c.p)),
    "volume_difference": lambda c: abs(len(c.p) - len(c.t)) * math.prod(c.spacing) / 1000,
    "avd": lambda c: ratio(100 * abs(len(c.p) - len(c.t)), len(c.t)),
    "slice_dsc": slice_dsc,
    "hd": of_distances(lambda there, back: max(there + back)),
    "hd95": of_distances(lambda there, back: max(percentile_95(there), percentile_95(back))),
    "hd95_pooled": of_distances(lambda there, back: percentile_95(there + back)),
    "assd": of_distances(lambda there, back: sum(there + back) / len(there + back)),
    "nsd_1mm": within(1),
    "nsd_2mm": within(2),
    "lesion_f1": lesion_f1,
    "lesion_recall": lambda c: ratio(len(matches(c)[2]), len(matches(c)[1])),
    "lesion_precision": lambda c: ratio(len(matches(c)[2]), len(matches(c)[0])),
    "false_lesions": lambda c: len(matches(c)[0]) - len(matches(c)[2]),
    "lesion_recall_small": recall_between(0, 100),
    "lesion_recall_medium": recall_between(100, 1000),
    "lesion_recall_large": recall_between(1000, math.inf),
}
