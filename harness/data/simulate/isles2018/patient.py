"""One patient: head, stroke, course and slabs, decided on a coarse grid of the whole head.

The borders of the regions are searched until the volumes within the slabs are those that were drawn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.data.simulate.anatomy import Anatomy
from harness.data.simulate.isles2018.perfusion import (
    CORE_SHARE,
    NORMAL_CBF,
    Borders,
    Course,
    draw_course,
    perfuse,
)
from harness.data.simulate.isles2018.protocol import (
    MATRIX,
    HeadGrid,
    Protocol,
    Slab,
    head_grid,
    part_of,
    patient_cases,
    protocol,
)
from harness.data.simulate.isles2018.stroke import Burden, Levels, Stroke, draw_burden, draw_stroke, levels
from harness.data.simulate.scanner import Volume

Mask = NDArray[np.bool_]

_COARSE_MM, _HEIGHTS = 3.6, np.arange(-84.0, 88.0, 4.0)
_STEPS = 30  # of a search by halves
_LEAST_ML = 0.7  # infarct in a slab
_CORE_GAIN = 1.15  # what thick slices, smoothing and the loss of small pieces take away
MARKED_TISSUE = 0.35
"""Share of tissue from which a voxel can be marked; the hand that draws fills narrow sulci."""


@dataclass(frozen=True)
class Patient:
    """All that the slabs of a patient share.

    Attributes:
        head_seed: Of the head.
        stroke: Its stroke.
        borders: Of the regions.
        course: Severity.
        slabs: By case index.
        shift_mm: Of the marked infarct against the maps, to the right and to the front.
        seed: Of what the slabs share beside these.
    """

    head_seed: int
    stroke: Stroke
    borders: Borders
    course: Course
    slabs: dict[int, Slab]
    shift_mm: tuple[float, float]
    seed: int

    def head(self, grid: HeadGrid) -> Anatomy:
        """Return the head on a grid."""
        return grid.head(np.random.default_rng(self.head_seed))


def draw_patient(seed: int, index: int) -> Patient:
    """Return the patient of a case; both cases of a patient give the same.

    Args:
        seed: Of the simulation.
        index: Of the case.
    """
    cases = patient_cases(index)
    first = cases.indices[0]
    geometry = protocol(seed, first)
    rng = np.random.default_rng(np.random.SeedSequence([seed, first]))
    head_seed, own_seed = (int(each) for each in rng.integers(2**62, size=2))
    burden = draw_burden(seed, cases.turn, geometry.whole_brain)
    stroke, course = draw_stroke(burden, rng), draw_course(rng)
    grid = head_grid(_COARSE_MM, MATRIX * geometry.inplane_mm, _HEIGHTS)
    head = grid.head(np.random.default_rng(head_seed))
    coarse = _Coarse(grid, head, levels(stroke, grid, head))
    slabs = coarse.place(geometry, len(cases.indices), rng)
    borders = coarse.borders(burden, course, slabs)
    angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(0, 5)
    return Patient(
        head_seed,
        stroke,
        borders,
        course,
        dict(zip(cases.indices, slabs, strict=True)),
        (shift * float(np.cos(angle)), shift * float(np.sin(angle))),
        own_seed,
    )


class _Coarse:
    """The whole head with the levels of its stroke."""

    def __init__(self, grid: HeadGrid, head: Anatomy, at: Levels) -> None:
        self._head, self._at = head, at
        self._heights = np.array(grid.heights)
        self._voxel_ml = grid.voxel_mm3 / 1000
        self._tissue = head.grey + head.white

    def place(self, geometry: Protocol, count: int, rng: np.random.Generator) -> list[Slab]:
        """Choose where the slabs lie: about the stroke; the second beside the first or partly over it."""
        slack, overlap, upwards = rng.uniform(-1, 1), rng.uniform(0, 0.4), rng.random() < 0.5
        coverage = geometry.coverage_mm
        if geometry.whole_brain:
            middle, apart = 6 * slack, 20 + 40 * overlap
        else:
            wanted = 0.85 * self._height(self._at.infarct) + 0.15 * self._height(self._at.delayed)
            middle, apart = wanted + 0.1 * coverage * slack, coverage * (1 - overlap)
        step = apart if upwards else -apart
        return [Slab(geometry, middle + step * (place - (count - 1) / 2)) for place in range(count)]

    def _height(self, level: Volume) -> float:
        """Return the mean height of the part of the brain with the lowest level, about 15 ml."""
        inside = np.where(self._tissue > MARKED_TISSUE, level, np.inf)
        wanted = max(1, round(15 / self._voxel_ml))
        chosen = np.argpartition(inside.ravel(), wanted)[:wanted]
        return float(self._heights[np.unravel_index(chosen, level.shape)[2]].mean())

    def borders(self, burden: Burden, course: Course, slabs: Sequence[Slab]) -> Borders:
        """Search the levels at which the regions have their volumes."""
        parts = [self._part(slab) for slab in slabs]
        marked = [part.volume(self._at.infarct, self._tissue > MARKED_TISSUE) for part in parts]
        late = [part.volume(self._at.delayed, self._tissue > 0.3) for part in parts]
        infarct = _search(lambda level: _typical(marked, level) >= burden.infarct_ml)
        least = _search(lambda level: min(volume(level) for volume in marked) >= _LEAST_ML)
        found = Borders(
            delayed=_search(lambda level: _typical(late, level) >= burden.delayed_ml),
            core=-np.inf,
            infarct=max(infarct, least),
        )
        if burden.core_ml == 0:
            return found
        wanted = _CORE_GAIN * burden.core_ml * len(parts)
        core = _search(
            lambda level: (
                sum(self._core(replace(found, core=level), course, part) for part in parts) >= wanted
            )
        )
        return replace(found, core=core)

    def _part(self, slab: Slab) -> "_Part":
        low, high = slab.bounds_mm
        planes = (self._heights >= low) & (self._heights < high)
        # The coarse planes within a slab are a little more or less than the slab is high.
        scale = slab.protocol.coverage_mm / (planes.sum() * (self._heights[1] - self._heights[0]))
        return _Part(planes, float(scale * self._voxel_ml))

    def _core(self, borders: Borders, course: Course, part: "_Part") -> float:
        """Return the volume in a slab whose flow is below the core's threshold, in ml."""
        where = (slice(None), slice(None), part.planes)
        head = part_of(self._head, where)
        at = Levels(self._at.delayed[where], self._at.core[where], self._at.infarct[where])
        maps = perfuse(head, at, borders, course)
        low = ndimage.gaussian_filter(maps.cbf, (0.6, 0.6, 0)) < CORE_SHARE * NORMAL_CBF
        low &= (at.delayed < borders.delayed) & (head.grey + head.white > 0.5)
        return float(low.sum()) * part.voxel_ml


@dataclass(frozen=True)
class _Part:
    """Planes of the coarse grid that stand for a slab.

    Attributes:
        planes: Which.
        voxel_ml: Volume that a voxel stands for.
    """

    planes: Mask
    voxel_ml: float

    def volume(self, level: Volume, allowed: Mask) -> Callable[[float], float]:
        """Return the function from a border to the ml of allowed voxels inside it."""
        ordered = np.sort(level[:, :, self.planes][allowed[:, :, self.planes]])
        return lambda border: float(np.searchsorted(ordered, border)) * self.voxel_ml


def _typical(volumes: Sequence[Callable[[float], float]], level: float) -> float:
    """Return the geometric mean over slabs, in ml."""
    return float(np.exp(np.mean([np.log(max(volume(level), 0.05)) for volume in volumes])))


def _search(enough: Callable[[float], bool]) -> float:
    """Return the lowest level that is enough, for a condition that stays true above it."""
    low, high = -40.0, 150.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
