"""What is scanned: slices, voxel sizes and slabs by case number, and the grids that carry them.

Slices and thickness are those of the archive's headers. A patient has one or two slabs: within a
group of :mod:`harness.data.layouts.isles2018_patients` the cases are paired in order.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.layouts.isles2018_patients import CASES, GROUPS, group_of
from harness.data.simulate.anatomy import Anatomy, grow
from harness.data.simulate.scanner import Grid, Volume

MATRIX = 256
_STACKS = (  # last case number, slices, thickness in mm
    (9, 8, 5.0),
    (17, 4, 5.0),
    (22, 2, 10.0),
    (33, 4, 6.0),
    (79, 2, 12.0),
    (81, 22, 4.0),
    (94, 16, 10.0),
)
_COMMON_MM, _INPLANE_MM = (0.820, 0.977), (0.796, 1.039)
_COMMON_SHARES = (0.25, 0.23)  # of the cases
_GEOMETRY = 9  # tells the stream of voxel sizes from others
_REACH_MM = 140.0  # beyond every field of view and every head
_SUBSLICE_MM = 4.0
_SPLINE_SD = 0.479**0.5  # root of the sum of squared weights, mean over positions


@dataclass(frozen=True)
class Protocol:
    """Geometry of a case.

    Attributes:
        slices: Their number.
        thickness_mm: Of a slice; slices are contiguous.
        inplane_mm: Voxel size of the archive's matrix of 256x256.
    """

    slices: int
    thickness_mm: float
    inplane_mm: float

    @property
    def coverage_mm(self) -> float:
        """Height of the slab."""
        return self.slices * self.thickness_mm

    @property
    def whole_brain(self) -> bool:
        """Whether the slab holds the whole brain."""
        return self.coverage_mm > 100


@dataclass(frozen=True)
class PatientCases:
    """The cases of one simulated patient.

    Attributes:
        indices: Of its cases from 0, one or two.
        turn: Place among the patients of its kind, whole brain or slab, counted from 0.
    """

    indices: tuple[int, ...]
    turn: int


def patient_cases(index: int) -> PatientCases:
    """Return the patient to whom case ``index`` belongs.

    Args:
        index: From 0; ``case_1`` is 0.
    """
    lap, place = divmod(index, CASES)
    slabs, whole = _patients()
    kind = whole if _stack(place)[0] * _stack(place)[1] > 100 else slabs
    for turn, members in enumerate(kind):
        if place in members:
            return PatientCases(tuple(lap * CASES + each for each in members), lap * len(kind) + turn)
    raise AssertionError(f"case index {index} belongs to no patient")


@lru_cache(maxsize=1)
def _patients() -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Return the patients of one lap as case indices: those with slabs, those with whole brains."""
    slabs: list[tuple[int, ...]] = []
    whole: list[tuple[int, ...]] = []
    for first, last in GROUPS:
        for start in range(first - 1, last, 2):
            slices, thickness = _stack(start)
            kind = whole if slices * thickness > 100 else slabs
            kind.append(tuple(range(start, min(start + 2, last))))
    return slabs, whole


def _stack(place: int) -> tuple[int, float]:
    return next((slices, thickness) for last, slices, thickness in _STACKS if place < last)


def protocol(seed: int, index: int) -> Protocol:
    """Return the geometry of case ``index``; the cases of a group share it.

    Args:
        seed: Of the simulation.
        index: From 0.
    """
    first, _ = group_of(index + 1)
    rng = np.random.default_rng(np.random.SeedSequence([seed, first, _GEOMETRY]))
    chosen = rng.choice(3, p=(*_COMMON_SHARES, 1 - sum(_COMMON_SHARES)))
    inplane = (*_COMMON_MM, round(rng.uniform(*_INPLANE_MM), 4))[chosen]
    slices, thickness = _stack(index % CASES)
    return Protocol(slices, thickness, inplane)


@dataclass(frozen=True)
class HeadGrid(Grid):
    """Part of a patient's head, at any height and voxel size, with a margin of one voxel.

    The margin lies :data:`_REACH_MM` from the centre on every grid. Smooth fields span their grid, so
    that from the same generator they are equal on all grids of the patient.

    Attributes:
        heights: Of the planes within the margin, in mm.
    """

    heights: tuple[float, ...] = ()

    def axis(self, number: int) -> NDArray[np.float64]:
        """RAS millimetres along one axis, margin included."""
        if number == 2:
            return np.array([-_REACH_MM, *self.heights, _REACH_MM])
        size = self.shape[number] - 2
        inner = (np.arange(size) - (size - 1) / 2) * -self.spacing[number]
        return np.array([_REACH_MM, *inner, -_REACH_MM])

    def head(self, rng: np.random.Generator) -> Anatomy:
        """Return the patient of ``rng`` on this grid, without the margin."""
        return part_of(grow(self, rng), (slice(1, -1),) * 3)

    def field(self, rng: np.random.Generator, knot_mm: float) -> Volume:
        """Return a smooth random field of mean 0 and SD about 1, without the margin.

        As :func:`~harness.data.simulate.scanner.smooth_field`, but quicker where planes are few.

        Args:
            rng: Source of its coefficients.
            knot_mm: Distance between knots, about the correlation length.
        """
        reach = np.ceil(_REACH_MM / knot_mm) + 1
        knots = np.arange(-reach, reach + 1)
        across, along, up = (cubic_spline(self.axis(axis)[1:-1, None] / knot_mm - knots) for axis in range(3))
        coefficients = rng.standard_normal((len(knots),) * 3, dtype=np.float32) / np.float32(_SPLINE_SD**3)
        planes = coefficients @ up.T  # few planes: first
        rows = np.einsum("xi,ijp->pxj", across, planes, optimize=True)
        return np.ascontiguousarray(np.moveaxis(rows @ along.T, 0, 2))


def part_of(head: Anatomy, where: tuple[Any, Any, Any]) -> Anatomy:
    """Return a head on part of its grid.

    Args:
        head: The head.
        where: Index of each of the last three axes, a slice or a mask.
    """
    parts: dict[str, Any] = {name: values[(..., *where)] for name, values in vars(head).items()}
    return replace(head, **parts)


def cubic_spline(distance: NDArray[np.float64]) -> Volume:
    """Return the weight of a knot at a distance in knots: the cubic B-spline."""
    distance = np.abs(distance)
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def head_grid(inplane_mm: float, field_mm: float, heights: NDArray[np.float64]) -> HeadGrid:
    """Return a grid of square in-plane voxels.

    Args:
        inplane_mm: Voxel size.
        field_mm: Field of view.
        heights: Of the planes, ascending, in mm.
    """
    size = round(field_mm / inplane_mm)
    step = float(heights[1] - heights[0]) if len(heights) > 1 else 1.0
    shape = (size + 2, size + 2, len(heights) + 2)
    return HeadGrid(shape, (inplane_mm, inplane_mm, step), tuple(map(float, heights)))


@dataclass(frozen=True)
class Slab:
    """One case's place in the patient.

    Attributes:
        protocol: Its geometry.
        centre_mm: Height of its middle above the head's centre.
    """

    protocol: Protocol
    centre_mm: float

    @property
    def subslices(self) -> int:
        """Planes that make one slice, whose mean shows what thick slices blur."""
        return max(1, round(self.protocol.thickness_mm / _SUBSLICE_MM))

    @property
    def bounds_mm(self) -> tuple[float, float]:
        """Lower and upper border."""
        half = self.protocol.coverage_mm / 2
        return self.centre_mm - half, self.centre_mm + half

    def planes(self, inplane_mm: float | None) -> HeadGrid:
        """Return the grid of all subslices.

        Args:
            inplane_mm: Voxel size, the protocol's if None.
        """
        count = self.protocol.slices * self.subslices
        step = self.protocol.coverage_mm / count
        heights = self.bounds_mm[0] + (np.arange(count, dtype=np.float64) + 0.5) * step
        field = MATRIX * self.protocol.inplane_mm
        return head_grid(inplane_mm or self.protocol.inplane_mm, field, heights)

    def thick(self, planes: Volume) -> Volume:
        """Average subslices (x, y, planes) into slices."""
        rows, columns, _ = planes.shape
        grouped = planes.reshape(rows, columns, self.protocol.slices, self.subslices)
        return np.asarray(grouped.mean(axis=3), np.float32)

    def affine(self, shape: tuple[int, int, int]) -> NDArray[np.float64]:
        """Return voxel index to RAS mm for slices of ``shape``."""
        size = MATRIX * self.protocol.inplane_mm / shape[0]
        matrix = np.diag([-size, -size, self.protocol.thickness_mm, 1.0])
        matrix[:2, 3] = size * (shape[0] - 1) / 2, size * (shape[1] - 1) / 2
        matrix[2, 3] = self.bounds_mm[0] + self.protocol.thickness_mm / 2
        return matrix
