"""Blood flow: noise-free CBF, CBV and Tmax of a head with a stroke.

Flow and volume are in units of their mean over normal grey and white matter, about 1.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from harness.data.simulate.anatomy import Anatomy
from harness.data.simulate.isles2018.stroke import Levels
from harness.data.simulate.scanner import Volume

LATE_S = 6.0
"""Tmax above which tissue counts as late."""
CORE_SHARE = 0.3
"""CBF over normal below which tissue counts as core."""
NORMAL_CBF = 0.93
"""Mean of CBF over normal tissue, partial volume with fluid included."""

_FLOW, _DEEP_FLOW, _WHITE_FLOW, _FLUID_FLOW = 1.3, 1.2, 0.62, 0.05
_BLOOD, _WHITE_BLOOD, _FLUID_BLOOD = 1.25, 0.75, 0.08
_NORMAL_S, _WHITE_S = 2.1, 0.8  # Tmax of grey matter, and what white matter adds
_FLOOR = 0.37  # flow of tissue that is late but not core
_EDGE_MM, _FALL_MM = 2.5, 5.0


@dataclass(frozen=True)
class Course:
    """How severe a stroke is.

    Attributes:
        late_flow: Flow over normal where the contrast is late.
        late_volume: Blood volume over normal there.
        core_flow: Flow in the core, normal mean = 1.
        core_volume: Blood volume in the core over normal.
        rise_s: How far Tmax climbs above 6 s.
        core_s: What the core adds to it.
        hypodensity_hu: What the core loses on CT.
        background_s: Delay of the healthy side, from the heart or the carotids.
    """

    late_flow: float
    late_volume: float
    core_flow: float
    core_volume: float
    rise_s: float
    core_s: float
    hypodensity_hu: float
    background_s: float


def draw_course(rng: np.random.Generator) -> Course:
    """Draw the severity of a patient's stroke."""
    return Course(
        late_flow=rng.uniform(0.48, 0.68),
        late_volume=rng.uniform(1.0, 1.25),
        core_flow=rng.uniform(0.08, 0.17),
        core_volume=rng.uniform(0.3, 0.6),
        rise_s=rng.uniform(3, 8),
        core_s=rng.uniform(0, 4),
        hypodensity_hu=rng.uniform(2, 6),
        background_s=rng.uniform(-0.3, 0.8),
    )


@dataclass(frozen=True)
class Borders:
    """Levels at which the regions end; minus infinity for a region that is not there."""

    delayed: float
    core: float
    infarct: float


@dataclass(frozen=True)
class Perfusion:
    """Maps without noise, all of (x, y, z).

    Attributes:
        cbf: Blood flow, normal mean about 1.
        cbv: Blood volume, likewise.
        tmax: Seconds.
        dead: Weight 0..1 of the core.
        late: Weight 0..1 of late tissue.
    """

    cbf: Volume
    cbv: Volume
    tmax: Volume
    dead: Volume
    late: Volume


def perfuse(anatomy: Anatomy, levels: Levels, borders: Borders, course: Course) -> Perfusion:
    """Return the maps of a head.

    Args:
        anatomy: The head.
        levels: Of the stroke on the same grid.
        borders: Where the regions end.
        course: How severe it is.
    """
    tissue = anatomy.grey + anatomy.white
    depth = np.clip(borders.delayed - levels.delayed, -60, 60)
    late = expit(depth / np.float32(_EDGE_MM / 2))
    dead = np.zeros_like(late)
    if np.isfinite(borders.core):
        dead = expit((borders.core - levels.core) / np.float32(_EDGE_MM / 2)) * late
    grey_flow = _FLOW + (_DEEP_FLOW - _FLOW) * anatomy.deep
    flow = grey_flow * anatomy.grey + _WHITE_FLOW * anatomy.white + _FLUID_FLOW * anatomy.fluid
    deeper = np.clip(depth / 25, 0, 1)
    slowed = flow * (1 - late * (1 - course.late_flow + 0.12 * deeper))
    slowed = np.maximum(slowed, np.minimum(flow, _FLOOR * tissue))
    blood = _BLOOD * anatomy.grey + _WHITE_BLOOD * anatomy.white + _FLUID_BLOOD * anatomy.fluid
    inside = LATE_S + course.rise_s * (1 - np.exp(-np.clip(depth, 0, None) / 9)) + course.core_s * dead
    normal = _NORMAL_S + course.background_s + _WHITE_S * anatomy.white
    outside = normal + (LATE_S - normal) * np.exp(np.clip(depth, None, 0) / _FALL_MM)
    return Perfusion(
        cbf=slowed * (1 - dead) + course.core_flow * tissue * dead,
        cbv=blood * (1 + (course.late_volume - 1) * late) * (1 - (1 - course.core_volume) * dead),
        tmax=np.where(depth > 0, inside, outside).astype(np.float32),
        dead=dead,
        late=late,
    )
