"""Whether a mask fits its image, or fits it better when mirrored.

A mask that was stored mirrored against its image covers the wrong voxels. Three numbers per class and
channel tell how well a mask fits (:data:`CONTRAST`, :data:`AGREEMENT`, :data:`STRENGTH`). They are
taken for the mask as stored and for each mirrored version. What a right mask looks like is learnt from
the dataset itself, robustly; where its cases are few, each has to speak for itself. Symmetric anatomy
makes some mirrorings undecidable; then nothing is suspected.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.data.case import IGNORE

MIRRORINGS: dict[str, tuple[int, ...]] = {
    "columns": (2,),
    "rows": (1,),
    "slices": (0,),
    "rows and columns": (1, 2),
}
"""What is mirrored -> the axes of (Z, H, W) that are reversed. The last is a half turn: what mixing up
the LPS and RAS conventions does."""

NAMES: dict[str, dict[str, str]] = {
    "axial": {"columns": "left-right", "rows": "front-back", "slices": "up-down"},
    "coronal": {"columns": "left-right", "rows": "up-down", "slices": "front-back"},
    "sagittal": {"columns": "front-back", "rows": "up-down", "slices": "left-right"},
    "picture": {"columns": "left-right", "rows": "up-down"},
}
"""Plane of the slices -> what mirroring the columns, rows and slices is called."""

CONTRAST, AGREEMENT, STRENGTH = range(3)
"""Cohen's d of a class against its surroundings; mean step of the image over its mean absolute step
across the border of the class (-1..1; 1: brighter inside everywhere); logarithm of the mean absolute
step across the border over that between any neighbours."""

_WORDS = {CONTRAST: "contrast", AGREEMENT: "border agreement", STRENGTH: "edge strength"}

FEWEST_CASES = 8
"""From this many cases on, a dataset tells by itself what a right mask looks like."""

LEAST_STRENGTH = 0.3
DEVIATIONS = 4.0
"""A suspicious case lies so many robust standard deviations from the usual one."""

_LARGEST_SCATTER, _LEAST_SEPARATION, _SPREAD_FLOOR = 0.5, 1.5, 0.05
"""Beyond these a dataset cannot tell right masks from mirrored ones."""

_SMALL_SAMPLE = 4
"""Widens the scatter of few cases, which is known badly: by half for eight."""

_CLEAR, _UNCLEAR, _CLEAR_GAIN, _CLEAR_BORDER = 0.65, 0.35, 0.5, 100
"""What a case must show to be suspected by itself: the border agreement of the mirrored mask at least,
that of the stored one at most, their difference, and pixel pairs along the border."""

_RING = 3
"""Width of the surroundings in pixels."""

_MOST_POINTS = 30_000
"""Per class and kind; more are thinned out evenly."""

_FEWEST_POINTS = 8

_Numbers = tuple[float | None, ...]


@dataclass(frozen=True)
class MirrorEvidence:
    """How well one case's mask fits its image; numbers only.

    Attributes:
        stored: Contrast, agreement and strength of each class and channel (classes outermost) for the
            mask as stored; None where the case has too little of the class.
        mirrored: The same for each mirrored version, by its name in :data:`MIRRORINGS`; without
            ``slices`` if there is one slice only.
        border: Pixel pairs along the border of the foreground that were looked at, in all classes.
    """

    stored: _Numbers
    mirrored: dict[str, _Numbers]
    border: int

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "MirrorEvidence":
        """Return what ``dataclasses.asdict`` gave, through JSON or not."""
        mirrored = {name: tuple(numbers) for name, numbers in fields["mirrored"].items()}
        return cls(tuple(fields["stored"]), mirrored, fields["border"])


@dataclass(frozen=True)
class MirrorSuspicion:
    """A case whose mask seems mirrored.

    Attributes:
        case: Its name.
        axis: ``left-right``, ``front-back``, ``up-down``, or two of them for a half turn.
        strength: 0 if the mask fits alike both ways, 1 if it fits better when mirrored by as much as
            other masks fit better as stored.
        clause: What speaks for it, for a sentence.
    """

    case: str
    axis: str
    strength: float
    clause: str


def mirror_evidence(image: NDArray[np.float32], labels: NDArray[np.uint8], n_classes: int) -> MirrorEvidence:
    """Measure how well a case's mask fits its image, as stored and mirrored.

    Args:
        image: ``(C, Z, H, W)``, intensities of any scale, finite.
        labels: ``(Z, H, W)`` class indices; 255 is left out.
        n_classes: Number of classes, background included.
    """
    channels = [_Channel.of(channel) for channel in image]
    classes = [_points(labels, index) for index in range(1, n_classes)]
    several = len(labels) > 1
    return MirrorEvidence(
        stored=tuple(_numbers(channels, classes, ())),
        mirrored={
            name: tuple(_numbers(channels, classes, axes))
            for name, axes in MIRRORINGS.items()
            if several or 0 not in axes
        },
        border=sum(len(points.border_inside) for points in classes),
    )


def suspected_mirrors(evidence: Mapping[str, MirrorEvidence], plane: str = "axial") -> list[MirrorSuspicion]:
    """Return the cases whose masks fit their images better when mirrored.

    A mask loses some fit by mirroring; a mirrored mask gains as much. With :data:`FEWEST_CASES` cases
    or more, a case is suspected if its loss, weighted by how reliably each number tells right from
    mirrored in this dataset and divided by the usual loss, is negative and far from the others'.
    Of fewer cases, those are suspected whose border agrees with the image clearly better when mirrored;
    of many, only if that is most of them: then the dataset itself is wrong.

    Args:
        evidence: Of the cases of one dataset, by name.
        plane: That of the slices, which names the axes.

    Returns:
        At most one suspicion per case, in the order of ``evidence``.
    """
    names = NAMES[plane if any("slices" in each.mirrored for each in evidence.values()) else "picture"]
    doubts = [doubt for mirroring in MIRRORINGS for doubt in _unlike_the_others(evidence, mirroring)]
    clear = [doubt for case, own in evidence.items() for doubt in _clear_by_itself(case, own)]
    if len(evidence) < FEWEST_CASES or len({doubt.case for doubt in clear}) > len(evidence) / 2:
        doubts += clear
    suspicions = []
    for case in evidence:
        found = [doubt for doubt in doubts if doubt.case == case]
        if found:
            doubt = max(found, key=lambda each: each.strength)
            axis = " and ".join(names[part] for part in reversed(doubt.mirroring.split(" and ")))
            clause = f"the mask fits the image better when mirrored {axis} ({doubt.reason})"
            suspicions.append(MirrorSuspicion(case, axis, round(doubt.strength, 2), clause))
    return suspicions


class _Doubt(NamedTuple):
    case: str
    mirroring: str
    strength: float
    reason: str


def _unlike_the_others(evidence: Mapping[str, MirrorEvidence], mirroring: str) -> Iterator[_Doubt]:
    """Find the cases that gain by a mirroring what others lose."""
    usable = {case: each for case, each in evidence.items() if mirroring in each.mirrored}
    if len(usable) < FEWEST_CASES:
        return
    stored = _table(each.stored for each in usable.values())
    mirrored = _table(each.mirrored[mirroring] for each in usable.values())
    told = np.isfinite(stored).sum(0) >= FEWEST_CASES  # classes that enough cases have
    stored, mirrored = stored[:, told], mirrored[:, told]
    loss = stored - mirrored
    usual, spread = _middle(loss)
    spread = spread + _SPREAD_FLOOR
    if not usual.size or float(np.abs(usual / spread).max()) < _LEAST_SEPARATION:
        return
    parts = np.nan_to_num(loss) * usual / spread**2
    whole = np.where(np.isfinite(loss), usual**2 / spread**2, 0).sum(1)
    share = np.divide(parts.sum(1), whole, out=np.full(len(parts), np.nan), where=whole > 0)
    scatter = float(_middle(share[:, None])[1][0]) * (1 + _SMALL_SAMPLE / len(usable))
    if scatter > _LARGEST_SCATTER:
        return
    limit = min(-LEAST_STRENGTH, 1 - DEVIATIONS * scatter)
    for row, case in enumerate(usable):
        if share[row] <= limit:
            # The first of the numbers that tell most: contrast says more to a reader than edges.
            column = int(np.argmax(parts[row] <= 0.5 * parts[row].min()))
            kind = int(np.flatnonzero(told)[column]) % len(_WORDS)
            values = mirrored[row, column], stored[row, column], float(np.nanmedian(stored[:, column]))
            yield _Doubt(case, mirroring, -float(share[row]), _reason(kind, *values))


def _clear_by_itself(case: str, own: MirrorEvidence) -> Iterator[_Doubt]:
    """Find the mirrorings after which a mask's border agrees clearly better with the image."""
    if own.border < _CLEAR_BORDER:
        return
    before = _best_agreement(own.stored)
    for mirroring, numbers in own.mirrored.items():
        after = _best_agreement(numbers)
        if before <= _UNCLEAR and after >= max(_CLEAR, before + _CLEAR_GAIN):
            yield _Doubt(case, mirroring, after - before, _reason(AGREEMENT, after, before))


def _best_agreement(numbers: _Numbers) -> float:
    """Return the largest absolute agreement over classes and channels: alone, a case has no right sign."""
    return max((abs(each) for each in numbers[AGREEMENT::3] if each is not None), default=0.0)


def _reason(kind: int, mirrored: float, stored: float, usual: float | None = None) -> str:
    values = [mirrored, stored] if usual is None else [mirrored, stored, usual]
    texts = [f"{np.exp(each) if kind == STRENGTH else each:.2g}" for each in values]
    others = "" if usual is None else f"; other cases {texts[2]}"
    return f"{_WORDS[kind]} {texts[0]} instead of {texts[1]}{others}"


def _table(rows: Iterable[_Numbers]) -> NDArray[np.float64]:
    """Return cases in rows, NaN for None."""
    return np.array([list(row) for row in rows], np.float64)


def _middle(columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return median and robust standard deviation of each column."""
    median = np.nanmedian(columns, 0)
    return median, 1.4826 * np.nanmedian(np.abs(columns - median), 0)


@dataclass(frozen=True)
class _Channel:
    """A channel with the range in which its values count, and its usual step between neighbours."""

    values: NDArray[np.float32]
    low: float
    high: float
    step: float

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> "_Channel":
        """Measure range and step on an even sample."""
        every = max(1, values.size // 200_000)
        sample = values.ravel()[::every]
        sample = sample[sample != 0] if (sample != 0).any() else sample
        low, high = (float(limit) for limit in np.percentile(sample, [0.5, 99.5]))
        rows = np.clip(values[:, :: max(1, every // 2)], low, high)
        step = float(np.abs(np.diff(rows, axis=2)).mean()) if rows.shape[2] > 1 else 0.0
        return cls(values, low, high, max(step, 1e-6 * (high - low), 1e-30))

    def at(self, points: NDArray[np.intp], axes: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the values where a mask's points lie after reversing some axes."""
        z, y, x = (
            self.values.shape[axis] - 1 - points[:, axis] if axis in axes else points[:, axis]
            for axis in range(3)
        )
        values: NDArray[np.float64] = self.values[z, y, x].astype(np.float64)
        return np.clip(values, self.low, self.high)


class _Points(NamedTuple):
    """Voxels of one class as (n, 3) coordinates: inside, around, and both ends of the border's pairs."""

    inside: NDArray[np.intp]
    around: NDArray[np.intp]
    border_inside: NDArray[np.intp]
    border_outside: NDArray[np.intp]


def _points(labels: NDArray[np.uint8], index: int) -> _Points:
    """Find the voxels that tell about one class."""
    mask = labels == index
    if not mask.any():
        nothing = np.zeros((0, 3), np.intp)
        return _Points(nothing, nothing, nothing, nothing)
    box = _box(mask)
    mask, known = mask[box], labels[box] != IGNORE
    grown = mask
    for _ in range(_RING):
        grown = _grown(grown)
    corner = np.array([part.start for part in box])
    around = _places(grown & ~mask & known)
    return _Points(*(corner + place for place in (_places(mask), around, *_border(mask, known))))


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the bounding box of a mask with a margin for its surroundings and border."""
    spans = []
    for axis, margin in enumerate((1, _RING, _RING)):
        others = tuple(other for other in range(3) if other != axis)
        places = np.flatnonzero(mask.any(others))
        spans.append(slice(max(0, int(places[0]) - margin), int(places[-1]) + 1 + margin))
    return tuple(spans)


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the four neighbours within the slice."""
    grown = mask.copy()
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    grown[:, :, 1:] |= mask[:, :, :-1]
    grown[:, :, :-1] |= mask[:, :, 1:]
    return grown


def _border(mask: NDArray[np.bool_], known: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return neighbours along the axes of which the first lies in the mask, the second does not."""
    inner, outer = [], []
    for axis in range(3):
        step = np.zeros(3, np.intp)
        step[axis] = 1
        here = tuple(slice(None, -1) if each == axis else slice(None) for each in range(3))
        there = tuple(slice(1, None) if each == axis else slice(None) for each in range(3))
        first, second, both = mask[here], mask[there], known[here] & known[there]
        leaving, entering = _places(first & ~second & both), _places(~first & second & both)
        inner += [leaving, entering + step]
        outer += [leaving + step, entering]
    return np.concatenate(inner), np.concatenate(outer)


def _places(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the coordinates of a mask's voxels, thinned out evenly if they are many."""
    flat = np.flatnonzero(mask)
    flat = flat[:: max(1, -(-len(flat) // _MOST_POINTS))]
    return np.stack(np.unravel_index(flat, mask.shape), axis=1)


def _numbers(
    channels: Sequence[_Channel], classes: Sequence[_Points], axes: tuple[int, ...]
) -> Iterator[float | None]:
    for points in classes:
        for channel in channels:
            yield from _fit(channel, points, axes)


def _fit(channel: _Channel, points: _Points, axes: tuple[int, ...]) -> _Numbers:
    """Return contrast, agreement and strength of one class in one channel."""
    if min(len(each) for each in points) < _FEWEST_POINTS:
        return None, None, None
    inside, around = channel.at(points.inside, axes), channel.at(points.around, axes)
    spread = float(np.sqrt((inside.var() + around.var()) / 2))
    steps = channel.at(points.border_inside, axes) - channel.at(points.border_outside, axes)
    size = float(np.abs(steps).mean())
    found = (
        (inside.mean() - around.mean()) / max(spread, channel.step),
        steps.mean() / max(size, 1e-3 * channel.step),
        np.log(size / channel.step + 0.05),
    )
    return tuple(round(float(number), 4) for number in found)
