"""Patients: what disease does to ventricles, and how the scanner was set up for each.

Medians by group are those of the training archive (the data guide lists them with their source).
Everything that a target judges walks through its distribution in steps of an irrational number
from a random start, so that a dozen patients a group already have about the right median.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from harness.data.simulate.scanner import Grid

GROUP_SIZE = 20
_BLOCK = 100  # ids of one lap through all groups

# Their continued fractions have small terms only: few steps already fill the unit interval evenly.
_STEPS = (0.618034, 0.414214, 0.732051, 0.302776, 0.645751, 0.236068, 0.581139, 0.791288, 0.372281)


@dataclass(frozen=True)
class Group:
    """A diagnosis; medians at the mid-ventricular slice.

    Attributes:
        lv_ef: Ejection fraction of the left ventricle.
        rv_ef: Of the right ventricle.
        ed_radius_mm: Radius of the left cavity at end diastole.
        ed_wall_mm: Thickness of the myocardium at end diastole.
        muscle_ratio: Volume of the myocardium at end systole over that at end diastole.
        rv_ratio: Area of the right over that of the left cavity at end diastole.
        length_mm: Long axis of the left cavity at end diastole.
        base_drop_mm: Descent of the valve plane at end systole.
    """

    lv_ef: float
    rv_ef: float
    ed_radius_mm: float
    ed_wall_mm: float
    muscle_ratio: float
    rv_ratio: float
    length_mm: float
    base_drop_mm: float


GROUPS = {
    "DCM": Group(0.16, 0.25, 33.0, 7.6, 1.06, 0.48, 93, 2.5),
    "HCM": Group(0.68, 0.59, 23.0, 11.2, 1.19, 0.59, 82, 5.0),
    "MINF": Group(0.33, 0.51, 29.0, 7.3, 1.10, 0.50, 89, 3.5),
    "NOR": Group(0.60, 0.53, 24.5, 6.8, 1.22, 0.94, 84, 6.0),
    "RV": Group(0.55, 0.35, 23.0, 5.9, 1.15, 1.53, 82, 5.0),
}

_SPACING_MM = ((0, 3, 8, 25, 50, 75, 96, 100), (0.70, 0.90, 1.20, 1.37, 1.52, 1.68, 1.88, 1.95))
_THICKNESS_MM = ((0.82, 10.0), (0.86, 7.0), (0.90, 6.5), (1.01, 5.0))  # cumulative share, mm
_SHAPES = (  # largest spacing in mm, in-plane shapes
    (0.95, ((428, 512), (400, 400))),
    (1.15, ((320, 320), (288, 352))),
    (1.30, ((288, 256), (256, 288), (256, 256))),
    (1.46, ((256, 216), (216, 256), (240, 256), (256, 208))),
    (1.62, ((216, 256), (256, 216), (216, 256), (192, 216), (208, 200))),
    (1.80, ((154, 224), (216, 184), (208, 174), (180, 224))),
    (2.00, ((154, 154), (176, 192), (160, 192))),
)
_DTYPES: tuple[type[np.generic], ...] = (np.int16, np.uint8, np.int16, np.float32)
_LEAST_SLICES, _MOST_SLICES = 6, 18


@dataclass(frozen=True)
class Patient:
    """One patient before any image exists.

    Depths are millimetres below the left ventricle's base plane at end diastole, towards the apex.

    Attributes:
        group: Key of :data:`GROUPS`.
        lv_ef: Ejection fraction of the left ventricle.
        rv_ef: Of the right ventricle.
        ed_radius_mm: Radius of the left cavity, mid-ventricular, at end diastole.
        ed_wall_mm: Thickness of the myocardium there.
        muscle_ratio: Volume of the myocardium at end systole over that at end diastole.
        rv_ratio: Right over left cavity area there at end diastole.
        length_mm: Long axis of the left cavity at end diastole.
        base_drop_mm: Descent of the base plane at end systole.
        grid: Voxels.
        depths_mm: Of the slices' centres, base first, (slices,).
        dtype: Of the images.
        frames: Number of frames of the cine.
        systole: Number of the end-systolic frame, from 1; end diastole is frame 1.
        height_cm: Body height.
        weight_kg: Body weight.
    """

    group: str
    lv_ef: float
    rv_ef: float
    ed_radius_mm: float
    ed_wall_mm: float
    muscle_ratio: float
    rv_ratio: float
    length_mm: float
    base_drop_mm: float
    grid: Grid
    depths_mm: NDArray[np.float64]
    dtype: type[np.generic]
    frames: int
    systole: int
    height_cm: float
    weight_kg: float

    @property
    def info(self) -> str:
        """Contents of ``Info.cfg``."""
        return (
            f"ED: 1\nES: {self.systole}\nGroup: {self.group}\nHeight: {self.height_cm:.1f}\n"
            f"NbFrame: {self.frames}\nWeight: {self.weight_kg:.1f}\n"
        )


def patient_number(index: int) -> int:
    """Return the number in a patient's name: groups in turn, each inside the archive's range.

    Index 0 to 4 are 1, 21, 41, 61 and 81, one of each group; the next five are 2, 22 and so on.
    After 100 patients the numbers go on from 101 in the same way.
    """
    turn, group = divmod(index, len(GROUPS))
    lap, step = divmod(turn, GROUP_SIZE)
    return lap * _BLOCK + group * GROUP_SIZE + step + 1


def draw_patient(seed: int, index: int, inplane_mm: float | None, rng: np.random.Generator) -> Patient:
    """Draw patient ``index`` of a seed.

    Args:
        seed: Of the simulation.
        index: Of the patient; gives the group.
        inplane_mm: In-plane voxel size at the same field of view; the archive's if None.
        rng: Random numbers of this patient.
    """
    turn, place = divmod(index, len(GROUPS))
    name, group = list(GROUPS.items())[place]
    by_group = [float(ndtri(0.02 + 0.96 * level)) for level in _levels([seed, 1, place], turn)]
    lv_ef, rv_ef, radius, wall, muscle, ratio, length, drop, _ = by_group
    spacing_level, thickness_level, start, extra, shape_level, *_ = _levels([seed, 2], index)
    thickness = next(mm for share, mm in _THICKNESS_MM if thickness_level < share)
    length_mm = min(group.length_mm * np.exp(0.09 * length), 16.3 * thickness)
    depths = _depths(length_mm, thickness, start, extra)
    radius_mm = group.ed_radius_mm * np.exp(0.11 * radius)
    spacing = _spacing(spacing_level, radius_mm)
    shape = _shape(spacing, shape_level)
    grid = Grid((*shape, depths.size), (spacing, spacing, thickness))
    gap = int(np.clip(np.round(rng.normal(9.8, 2.2)), 6, 14))
    return Patient(
        group=name,
        lv_ef=float(np.clip(group.lv_ef + 0.055 * lv_ef, 0.04, 0.85)),
        rv_ef=float(np.clip(group.rv_ef + 0.09 * rv_ef, 0.06, 0.8)),
        ed_radius_mm=float(radius_mm),
        ed_wall_mm=float(group.ed_wall_mm * np.exp(0.17 * wall)),
        muscle_ratio=float(group.muscle_ratio * np.exp(0.07 * muscle)),
        rv_ratio=float(group.rv_ratio * np.exp(0.48 * ratio)),
        length_mm=float(length_mm),
        base_drop_mm=max(0.0, group.base_drop_mm + 2.5 * drop),
        grid=grid if inplane_mm is None else grid.coarser(inplane_mm),
        depths_mm=depths,
        dtype=_DTYPES[index % len(_DTYPES)],
        frames=int(np.clip(np.round(gap * rng.uniform(2.2, 3.4)), 12, 35)),
        systole=1 + gap,
        height_cm=float(np.clip(rng.normal(170, 10), 140, 200)),
        weight_kg=float(np.clip(rng.normal(75, 15), 42, 130)),
    )


def _levels(key: list[int], step: int) -> tuple[Any, ...]:
    """Return one number in [0, 1) per walk, each after ``step`` steps from its own start."""
    starts = np.random.default_rng(np.random.SeedSequence(key)).random(len(_STEPS))
    return tuple(float(level) for level in (starts + step * np.array(_STEPS)) % 1)


def _depths(length_mm: float, thickness: float, start: float, extra: float) -> NDArray[np.float64]:
    """Place the stack: slice 0 near the base, the last one at the apex or, sometimes, one below it."""
    first = (0.92 * start - 0.06) * thickness
    slices = int(np.ceil((length_mm - first) / thickness)) + int(extra < 0.25)
    kept = int(np.clip(slices, _LEAST_SLICES, _MOST_SLICES))
    return first + thickness * np.arange(kept, dtype=np.float64)


def _spacing(level: float, radius_mm: float) -> float:
    """Return the in-plane voxel size in mm; large hearts are seen with a larger field of view."""
    usual = np.interp(100 * level, *_SPACING_MM)
    return float(np.round(np.clip(usual * (radius_mm / 26) ** 0.35, 0.70, 1.95), 4))


def _shape(spacing: float, level: float) -> tuple[int, int]:
    shapes = next(found for largest, found in _SHAPES if spacing < largest)
    return shapes[int(level * len(shapes))]
