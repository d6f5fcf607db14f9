"""Loops over the rows of a volume, compiled by numba.

A mask is nearly empty, and what is in it lies in rows along the last axis. Everything here therefore
works on rows: the surface voxels of a row, or its runs of true voxels. The functions run on one thread
and use float64, so that their results do not depend on the machine's number of cores.

Compiled code is cached beside this file, else in the user's cache folder (``NUMBA_CACHE_DIR`` names
another one), else not at all. Importing numba takes a third of a second: import this module late.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Return a function that numba compiles when it is first called."""
    try:
        return cast(Function, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # nowhere to write a cache: compile anew in every process
        return cast(Function, numba.njit(nogil=True)(function))


class Rows(NamedTuple):
    """Voxels of a volume, row by row, in C order.

    Attributes:
        depth: Z.
        height: H.
        starts: (Z * H + 1,) int64: where the voxels of each row begin in ``columns``.
        columns: (n,) int32: position of each voxel along the last axis.
    """

    depth: int
    height: int
    starts: NDArray[np.int64]
    columns: NDArray[np.int32]


class Runs(NamedTuple):
    """Runs of true voxels of a volume, row by row, in C order.

    Attributes:
        depth: Z.
        height: H.
        starts: (Z * H + 1,) int64: where the runs of each row begin.
        first: (n,) int32: first position of each run along the last axis.
        stop: (n,) int32: position after its last.
    """

    depth: int
    height: int
    starts: NDArray[np.int64]
    first: NDArray[np.int32]
    stop: NDArray[np.int32]


class RowSteps(NamedTuple):
    """Steps from a row to its neighbours, itself included, in order of their distance.

    Attributes:
        planes: (n,) int64, along the first axis.
        rows: (n,) int64, along the second axis.
        squared: (n,) float64, squared distance between the rows.
        complete: Every row whose squared distance is at most this is among them.
    """

    planes: NDArray[np.int64]
    rows: NDArray[np.int64]
    squared: NDArray[np.float64]
    complete: float


@compiled
def surface_rows(mask: NDArray[np.uint8]) -> Rows:
    """Return the voxels of a mask (Z, H, W) with a face neighbour outside; an axis of length 1 has none."""
    depth, height, width = mask.shape
    deep, high, wide = depth > 1, height > 1, width > 1
    alone = not (deep or high or wide)
    starts = np.empty(depth * height + 1, np.int64)
    columns = np.empty(np.count_nonzero(mask), np.int32)
    found = 0
    for z in range(depth):
        for y in range(height):
            starts[z * height + y] = found
            edge = alone or (deep and (z in (0, depth - 1))) or (high and (y in (0, height - 1)))
            for x in range(width):
                if mask[z, y, x] == 0:
                    continue
                if (
                    edge
                    or (wide and (x in (0, width - 1) or mask[z, y, x - 1] == 0 or mask[z, y, x + 1] == 0))
                    or (high and (mask[z, y - 1, x] == 0 or mask[z, y + 1, x] == 0))
                    or (deep and (mask[z - 1, y, x] == 0 or mask[z + 1, y, x] == 0))
                ):
                    columns[found] = x
                    found += 1
    starts[depth * height] = found
    return Rows(depth, height, starts, columns[:found].copy())


@compiled
def squared_distances(
    source: Rows, target: Rows, spacing: tuple[float, float, float], near: RowSteps
) -> NDArray[np.float64]:
    """Return the squared distance from every voxel of ``source`` to the nearest of ``target``.

    All voxels of a row look through the same rows of the target, the nearest first, until no row can
    hold anything nearer. What is not settled among the near rows is looked for in all rows.
    """
    squared = np.full(len(source.columns), np.inf)
    filled = filled_rows(target)
    for row in range(source.depth * source.height):
        first, stop = source.starts[row], source.starts[row + 1]
        if first == stop:
            continue
        z, y = row // source.height, row % source.height
        most = np.inf
        for step in range(len(near.squared)):
            across = near.squared[step]
            if across >= most:
                break
            plane, line = z + near.planes[step], y + near.rows[step]
            if 0 <= plane < target.depth and 0 <= line < target.height:
                other = plane * target.height + line
                most = improve(squared, source, row, target, other, across, spacing[2])
        if most > near.complete:
            search_all(squared, source, row, target, filled, spacing)
    return squared


@compiled
def filled_rows(target: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the rows with voxels, and where those of each plane begin among them."""
    numbers = np.flatnonzero(target.starts[1:] > target.starts[:-1])
    planes = np.searchsorted(numbers, np.arange(target.depth + 1) * target.height)
    return numbers, planes


@compiled
def improve(
    squared: NDArray[np.float64],
    source: Rows,
    row: int,
    target: Rows,
    other: int,
    across: float,
    step: float,
) -> float:
    """Lower the distances of one row to what another row offers; return the largest that is left.

    Args:
        squared: Squared distances of all voxels of ``source``, changed in place.
        source: Voxels that search.
        row: Number of their row.
        target: Voxels that are searched for.
        other: Number of their row.
        across: Squared distance between the two rows.
        step: Distance between neighbours in a row.
    """
    at, stop = target.starts[other], target.starts[other + 1]
    most = 0.0
    for voxel in range(source.starts[row], source.starts[row + 1]):
        best = squared[voxel]
        if best > across and at < stop:
            column = source.columns[voxel]
            while at + 1 < stop and target.columns[at + 1] <= column:
                at += 1
            along = (target.columns[at] - column) * step
            best = min(best, across + along * along)
            if at + 1 < stop:
                along = (target.columns[at + 1] - column) * step
                best = min(best, across + along * along)
            squared[voxel] = best
        most = max(most, best)
    return most


@compiled
def search_all(
    squared: NDArray[np.float64],
    source: Rows,
    row: int,
    target: Rows,
    filled: tuple[NDArray[np.int64], NDArray[np.int64]],
    spacing: tuple[float, float, float],
) -> None:
    """Search every row of the target for one row, the nearest first: after it most can be skipped."""
    numbers, planes = filled
    seed = nearest_row(source, row, target, filled, spacing)
    across = between_rows(source, row, seed, spacing)
    most = improve(squared, source, row, target, seed, across, spacing[2])
    for plane in range(target.depth):
        if ((plane - row // source.height) * spacing[0]) ** 2 >= most:
            continue
        for place in range(planes[plane], planes[plane + 1]):
            across = between_rows(source, row, numbers[place], spacing)
            if across < most and across + gap(source, row, target, numbers[place], spacing[2]) < most:
                most = improve(squared, source, row, target, numbers[place], across, spacing[2])


@compiled
def nearest_row(
    source: Rows,
    row: int,
    target: Rows,
    filled: tuple[NDArray[np.int64], NDArray[np.int64]],
    spacing: tuple[float, float, float],
) -> int:
    """Return the number of the target's row that is nearest to a row, both taken from end to end."""
    numbers, planes = filled
    nearest, least = -1, np.inf
    for plane in range(target.depth):
        if ((plane - row // source.height) * spacing[0]) ** 2 >= least:
            continue
        for place in range(planes[plane], planes[plane + 1]):
            apart = between_rows(source, row, numbers[place], spacing)
            if apart < least:
                apart += gap(source, row, target, numbers[place], spacing[2])
                if apart < least:
                    nearest, least = numbers[place], apart
    return nearest


@compiled
def between_rows(rows: Rows, row: int, other: int, spacing: tuple[float, float, float]) -> float:
    """Return the squared distance between two rows by number, across them."""
    planes = row // rows.height - other // rows.height
    lines = row % rows.height - other % rows.height
    return (planes * spacing[0]) ** 2 + (lines * spacing[1]) ** 2


@compiled
def gap(source: Rows, row: int, target: Rows, other: int, step: float) -> float:
    """Return the squared distance along a row that separates all voxels of two rows; 0 if they overlap."""
    left = target.columns[target.starts[other]] - source.columns[source.starts[row + 1] - 1]
    right = source.columns[source.starts[row]] - target.columns[target.starts[other + 1] - 1]
    apart: float = max(0, left, right) * step
    return apart * apart


@compiled
def runs_of(mask: NDArray[np.uint8]) -> Runs:
    """Return the runs of a mask (Z, H, W)."""
    depth, height, width = mask.shape
    starts = np.empty(depth * height + 1, np.int64)
    count = 0
    for z in range(depth):
        for y in range(height):
            starts[z * height + y] = count
            before = np.uint8(0)
            for x in range(width):
                count += mask[z, y, x] > before
                before = mask[z, y, x]
    starts[depth * height] = count
    first, stop = np.empty(count, np.int32), np.empty(count, np.int32)
    for row in range(depth * height):
        run = starts[row]
        if run == starts[row + 1]:
            continue
        inside = False
        for x in range(width):
            if (mask[row // height, row % height, x] != 0) != inside:
                if inside:
                    stop[run] = x
                    run += 1
                else:
                    first[run] = x
                inside = not inside
        if inside:
            stop[run] = width
    return Runs(depth, height, starts, first, stop)


@compiled
def number_components(runs: Runs) -> tuple[int, NDArray[np.int64]]:
    """Return how many 26-connected components there are, and the number (from 1) of each run's one.

    They are numbered in the order in which a scan of the volume meets them.
    """
    parent = np.arange(len(runs.first))
    for row in range(runs.depth * runs.height):
        z, y = row // runs.height, row % runs.height
        if y > 0:
            join(parent, runs, row, row - 1)
        if z > 0:
            for line in range(max(0, y - 1), min(runs.height, y + 2)):
                join(parent, runs, row, (z - 1) * runs.height + line)
    numbers = np.empty(len(parent), np.int64)
    count = 0
    for run in range(len(parent)):
        if parent[run] == run:  # the root of a component is its first run
            count += 1
            numbers[run] = count
        else:
            numbers[run] = numbers[root_of(parent, run)]
    return count, numbers


@compiled
def join(parent: NDArray[np.int64], runs: Runs, row: int, other: int) -> None:
    """Join the runs of one row with those of an adjacent row that they touch, be it at a corner."""
    run, near = runs.starts[row], runs.starts[other]
    while run < runs.starts[row + 1] and near < runs.starts[other + 1]:
        if runs.first[run] <= runs.stop[near] and runs.first[near] <= runs.stop[run]:
            one, two = root_of(parent, run), root_of(parent, near)
            parent[max(one, two)] = min(one, two)
        if runs.stop[run] < runs.stop[near]:
            run += 1
        else:
            near += 1


@compiled
def root_of(parent: NDArray[np.int64], run: int) -> int:
    """Return the first run of a component as far as it is known, and shorten the way to it."""
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@compiled
def shared_by_runs(a: Runs, b: Runs) -> NDArray[np.int64]:
    """Return (n, 3): a run of ``a``, a run of ``b`` and how many voxels they share, where they do."""
    most = len(a.first) + len(b.first)
    shared = np.empty((most, 3), np.int64)
    found = 0
    for row in range(a.depth * a.height):
        one, two = a.starts[row], b.starts[row]
        while one < a.starts[row + 1] and two < b.starts[row + 1]:
            length = min(a.stop[one], b.stop[two]) - max(a.first[one], b.first[two])
            if length > 0:
                shared[found, 0], shared[found, 1], shared[found, 2] = one, two, length
                found += 1
            if a.stop[one] < b.stop[two]:
                one += 1
            else:
                two += 1
    return shared[:found].copy()
