"""Places for the names of points: near them, apart from each other, off the points; always the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

Values = NDArray[np.float64]

_DISTANCES = (2.0, 5.0, 9.0, 13.0, 19.0, 26.0, 34.0, 44.0, 56.0, 70.0, 86.0)
_ANGLES = np.pi / 8 * np.array([0, 8, 1, 7, 15, 9, 4, 12, 2, 6, 14, 10, 3, 5, 13, 11])
"""Beside a point first, then above and below it."""

_SWEEPS = 5
_OUTSIDE, _ON_NAME, _ON_MARK, _ON_LINE, _ON_BAR = 400.0, 60.0, 14.0, 7.0, 2.0
_CROSSED, _OVER_MARK, _UNDER_NAME, _MISTAKABLE, _PER_UNIT = 12.0, 5.0, 60.0, 16.0, 0.25
"""What a place costs for what is wrong with it, and for each unit of distance."""
_AIR = 2.0
"""Between two names, and a name and a lead that is not its own."""


@dataclass(frozen=True)
class _Place:
    """Candidate places of one name.

    Attributes:
        centre: ``(places, 2)``.
        half: Half of width and height.
        cost: Of what does not depend on other names.
    """

    centre: Values
    half: Values
    cost: Values


@dataclass(frozen=True)
class Surroundings:
    """What names should keep clear of, all in one unit.

    Attributes:
        frame: Left, bottom, right and top edge that names should keep to.
        points: Every mark, ``(marks, 2)``, those that are named first.
        line: Points along a line that names had better not cover, ``(steps, 2)``.
        bars: Left, bottom, right and top end of level and upright lines that had better not run through
            names, ``(bars, 4)``.
    """

    frame: Values
    points: Values
    line: Values
    bars: Values = field(default_factory=lambda: np.empty((0, 4)))


def place_labels(radii: Values, sizes: Values, around: Surroundings) -> Values:
    """Return the centres of the names of points, the first ones of the surroundings.

    Args:
        radii: Of their marks, ``(names,)``.
        sizes: Width and height of the names, ``(names, 2)``.
        around: What names should keep clear of.

    Returns:
        ``(names, 2)``, in the same unit.
    """
    points = around.points[: len(sizes)]
    if not len(points):
        return np.empty((0, 2))
    options = [_candidates(own, radii[own], sizes[own], around) for own in range(len(points))]
    orders = [np.argsort(sign * points[:, side], kind="stable") for side in (0, 1) for sign in (1, -1)]
    found = [_settled(order, options, points) for order in orders]
    chosen = min(found, key=lambda each: each[0])[1]
    return np.array([options[at].centre[chosen[at]] for at in range(len(points))])


def _settled(order: NDArray[np.intp], options: list[_Place], points: Values) -> tuple[float, dict[int, int]]:
    """Return places that no name leaves for a better one, taken in that order, and what they cost."""
    chosen: dict[int, int] = {}
    for _ in range(_SWEEPS):
        before, paid = dict(chosen), 0.0
        for own in map(int, order):
            costs = _costs(own, options, {at: place for at, place in chosen.items() if at != own}, points)
            chosen[own] = int(np.argmin(costs))
            paid += float(costs[chosen[own]])
        if chosen == before:
            break
    return paid, chosen


def apart(heights: Sequence[float], gap: float, limits: tuple[float, float]) -> list[float]:
    """Return where labels on one edge stand: near their heights, ``gap`` apart, within the limits.

    Args:
        heights: In rising order.
        gap: Of the centres of neighbours; half of it is kept from the limits.
        limits: Lowest and highest; too many labels go below the lowest.
    """
    steps = gap * np.arange(len(heights))
    if not len(steps):
        return []
    # Without the steps, labels that are a gap apart are level, and those that are too close fall.
    level = isotonic_regression(np.array(heights) - steps).x
    highest = limits[1] - gap / 2 - steps[-1]
    return [float(each) for each in np.minimum(np.maximum(level, limits[0] + gap / 2), highest) + steps]


def gaps(centre: Values, half: Values, points: Values) -> Values:
    """Return the distances of points from boxes, ``(boxes, points)``; 0 inside.

    Args:
        centre: Of the boxes, ``(boxes, 2)``.
        half: Half of their width and height, ``(boxes, 2)``, or ``(2,)`` for all.
        points: ``(points, 2)``.
    """
    beyond = np.clip(np.abs(points - centre[:, None]) - np.atleast_2d(half)[:, None], 0, None)
    return np.asarray(np.hypot(beyond[..., 0], beyond[..., 1]))


def _candidates(own: int, radius: float, size: Values, around: Surroundings) -> _Place:
    directions = np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)])
    distance = np.repeat(_DISTANCES, len(_ANGLES))
    towards = np.tile(directions, (len(_DISTANCES), 1))
    half = size / 2
    reach = (radius + distance)[:, None] * towards
    centre = around.points[own] + reach + half * np.clip(1.5 * towards, -1, 1)
    low, high = around.frame[:2], around.frame[2:]
    beyond = (np.maximum(low - (centre - half), 0) + np.maximum(centre + half - high, 0)).sum(axis=1)
    far = gaps(centre, half, around.points)
    others = np.delete(far, own, axis=1)
    mistakable = (others.min(axis=1) < far[:, own] + 1.0) if others.size else np.zeros(len(centre), bool)
    steps = (np.abs(around.line - centre[:, None]) < half + 1).all(axis=2).any(axis=1)
    cost = _OUTSIDE * (beyond > 0) + beyond + _ON_MARK * (others < 2.5).sum(axis=1) + _ON_LINE * steps
    bars = (centre[:, None] - half < around.bars[:, 2:]) & (centre[:, None] + half > around.bars[:, :2])
    cost += _ON_BAR * bars.all(axis=2).sum(axis=1)
    marks = np.delete(around.points, own, axis=0)[:, None]
    cost += _OVER_MARK * _through(around.points[own], centre, marks, np.full(2, 1.5)).sum(axis=0)
    return _Place(centre, half, np.asarray(cost + _MISTAKABLE * mistakable + _PER_UNIT * distance))


def _costs(own: int, options: list[_Place], others: dict[int, int], points: Values) -> Values:
    option = options[own]
    cost = option.cost.copy()
    for at, place in others.items():
        centre, half = options[at].centre[place], options[at].half
        distance = np.abs(option.centre - centre)
        overlap = np.clip(option.half + half + _AIR - distance, 0, None)
        cost += np.where(overlap.min(axis=1) > 0, _ON_NAME + overlap.prod(axis=1), 0.0)
        cost += _CROSSED * _cross(points[own], option.centre, points[at], centre)
        cost += _UNDER_NAME * _through(points[own], option.centre, centre, half)
        cost += _UNDER_NAME * _through(points[at], centre[None], option.centre, option.half)
    return cost


def _cross(start: Values, ends: Values, other_start: Values, other_end: Values) -> NDArray[np.bool_]:
    """Return which of the lines from one start to several ends cross another line."""

    def side(a: Values, b: Values, c: Values) -> Values:
        along, across = b - a, c - a
        return np.asarray(along[..., 0] * across[..., 1] - along[..., 1] * across[..., 0])

    parted = side(start, ends, other_start) * side(start, ends, other_end) < 0
    return parted & (side(other_start, other_end, start) * side(other_start, other_end, ends) < 0)


def _through(start: Values, ends: Values, centre: Values, half: Values) -> NDArray[np.bool_]:
    """Return which lines from a start to their end run through a box; lines and boxes broadcast."""
    along, reach = ends - start, half + _AIR / 2
    along = np.where(along == 0, 1e-9, along)
    sides = np.stack([(centre - reach - start) / along, (centre + reach - start) / along])
    first, last = sides.min(axis=0).max(axis=-1), sides.max(axis=0).min(axis=-1)
    return np.asarray(np.maximum(first, 0.0) < np.minimum(last, 1.0))
