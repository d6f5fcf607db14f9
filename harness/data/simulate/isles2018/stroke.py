"""Strokes: how much is delayed, dead and marked, and where, as functions of the place in the head.

Three regions in one arterial territory, each the inside of its own ragged level: tissue that the
contrast reaches late (Tmax above 6 s), the core whose flow has collapsed, and the infarct that was
drawn hours later. Their volumes are drawn together, their borders apart: the infarct follows the
core only loosely, since vessels reopen or stay closed after the perfusion scan, so no rule on the
maps recovers it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from harness.data.simulate.anatomy import MIDLINE, Anatomy
from harness.data.simulate.isles2018.protocol import HeadGrid
from harness.data.simulate.scanner import Volume

_ORIGIN_YZ = (134.0, 72.0)  # anterior commissure in the template, mm
_RANKS = (0, 10, 25, 50, 75, 90, 100)
# Slabs: an eighth below the published percentiles. Volume, voxels and share of voxels cannot all be met
# exactly with the geometry that a case number has; so each is met within a fifth.
_INFARCT_ML = {False: (0.8, 3.0, 6.3, 13.8, 33, 57, 97), True: (4.7, 14, 19, 52, 102, 183, 260)}
_INFARCT_OVER_DELAYED = (0.02, 0.09, 0.19, 0.51, 0.9, 1.2, 2.9)
_MOST_DELAYED_ML = {False: 150.0, True: 320.0}
_CORE_RANKS = (15, 25, 50, 75, 90, 100)
_CORE_ML = {False: (1.0, 2.3, 9.4, 14.5, 42, 95), True: (1.5, 3.0, 12, 24, 66, 125)}
_NO_CORE = 0.15  # share of patients
_RATIO_WITH_INFARCT, _CORE_WITH_INFARCT = 0.78, 0.68  # rank correlations
# Steps of a low-discrepancy walk: the golden ratio and other irrational numbers, independent of each other.
_STEPS = np.array([0.6180339887498949, 0.41421356237309515, 0.7320508075688772, 0.6457513110645906])
_TALL = 1.45  # height of the infarct over that of its branch
_TERRITORY = 1.5  # mm of level for every mm beyond the territory
_STARTS = {False: (0.55, 0.34, 0.60, 0.0), True: (0.01, 0.80, 0.88, 0.15)}
_JITTER = 0.02


@dataclass(frozen=True)
class Branch:
    """An artery that may be blocked.

    Attributes:
        share: Of all strokes.
        centre: Of the tissue it feeds: mm from the midline, to the front and up from the anterior commissure.
        radii: Extent along the same axes over the mean one.
        anterior: Whether it is the anterior cerebral artery, else the middle one.
    """

    share: float
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    anterior: bool = False


BRANCHES = (
    Branch(0.40, (40, -6, 14), (0.85, 1.45, 1.1)),  # main stem
    Branch(0.22, (43, 14, 26), (0.85, 1.2, 1.0)),  # superior division
    Branch(0.25, (47, -36, 16), (0.85, 1.25, 1.0)),  # inferior division
    Branch(0.08, (29, 0, 8), (0.75, 1.25, 1.1)),  # lenticulostriate arteries
    Branch(0.05, (9, 26, 40), (0.5, 1.6, 1.2), anterior=True),
)


@dataclass(frozen=True)
class Burden:
    """Volumes to reach in a slab, and how alike the regions are.

    Attributes:
        infarct_ml: Marked.
        delayed_ml: With Tmax above 6 s.
        core_ml: With flow below 30 % of normal; 0 if no core is visible.
        drift: 0 if the infarct lies where the core is, 1 if it lies elsewhere.
    """

    infarct_ml: float
    delayed_ml: float
    core_ml: float
    drift: float


def draw_burden(seed: int, turn: int, whole_brain: bool) -> Burden:
    """Draw the volumes of a patient.

    They walk through their distributions in steps of irrational numbers, from starts that differ little
    between seeds, so that a dozen patients already have about the right medians.

    Args:
        seed: Of the simulation.
        turn: Place among the patients of the kind.
        whole_brain: The kind.
    """
    jitter = np.random.default_rng(np.random.SeedSequence([seed])).uniform(-_JITTER, _JITTER, (2, 4))
    start = np.array(_STARTS[whole_brain]) + jitter[int(whole_brain)]
    infarct_rank, ratio_rank, core_rank, drift = np.clip((start + turn * _STEPS) % 1, 1e-3, 1 - 1e-3)
    infarct = _quantile(infarct_rank, _RANKS, _INFARCT_ML[whole_brain])
    ratio_rank = _correlated(infarct_rank, ratio_rank, _RATIO_WITH_INFARCT)
    delayed = infarct / _quantile(ratio_rank, _RANKS, _INFARCT_OVER_DELAYED)
    delayed = float(np.clip(delayed, 3, _MOST_DELAYED_ML[whole_brain]))
    core_rank = _correlated(infarct_rank, core_rank, _CORE_WITH_INFARCT)
    core = _quantile(core_rank, _CORE_RANKS, _CORE_ML[whole_brain]) if core_rank > _NO_CORE else 0.0
    return Burden(infarct, delayed, min(core, 0.7 * delayed), float(drift))


def _quantile(rank: float, ranks: tuple[int, ...], values: tuple[float, ...]) -> float:
    return float(np.exp(np.interp(100 * rank, ranks, np.log(values))))


def _correlated(rank: float, own: float, correlation: float) -> float:
    mixed = correlation * ndtri(rank) + np.sqrt(1 - correlation**2) * ndtri(own)
    return float(ndtr(mixed))


@dataclass(frozen=True)
class Blob:
    """An ellipsoid with a ragged border.

    Attributes:
        centre: As :attr:`Branch.centre`.
        radii: As :attr:`Branch.radii`.
    """

    centre: NDArray[np.float64]
    radii: NDArray[np.float64]

    def distance(self, place: Volume) -> Volume:
        """Return millimetres from the centre, along short axes counted as more; ``place`` is (3, ...)."""
        scaled = [(place[axis] - self.centre[axis]) / self.radii[axis] for axis in range(3)]
        return np.asarray(np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2), np.float32)


@dataclass(frozen=True)
class Stroke:
    """One patient's stroke, independent of any grid.

    Attributes:
        right: Side.
        anterior: Whether in the territory of the anterior cerebral artery.
        delayed: Where the contrast comes late.
        core: Where flow collapses.
        infarct: Where tissue died.
        satellites: Small separate parts of the infarct.
        alike: Share of the infarct's border that follows the core's, 0..1.
        seed: Of its smooth fields.
    """

    right: bool
    anterior: bool
    delayed: Blob
    core: Blob
    infarct: Blob
    satellites: tuple[Blob, ...]
    alike: float
    seed: int


@dataclass(frozen=True)
class Levels:
    """Level of each region on a grid, in mm: low inside, high outside; all of (x, y, z).

    Attributes:
        delayed: Of late tissue.
        core: Of the core.
        infarct: Of the infarct.
    """

    delayed: Volume
    core: Volume
    infarct: Volume


def draw_stroke(burden: Burden, rng: np.random.Generator) -> Stroke:
    """Draw side, artery and the rough shape of the regions.

    Args:
        burden: Of the patient.
        rng: Random numbers of the patient's stroke.
    """
    shares = np.array([branch.share for branch in BRANCHES])
    branch = BRANCHES[rng.choice(len(BRANCHES), p=shares / shares.sum())]
    centre = np.array(branch.centre) + rng.normal(0, (2, 7, 6))
    delayed = Blob(centre, np.array(branch.radii))
    inwards = np.array([-4.0, 0.0, 0.0]) if not branch.anterior else np.zeros(3)
    core = Blob(centre + inwards + rng.normal(0, (7, 13, 9)), _shape(branch, rng))
    outwards = 1.1 * (core.centre - centre) / np.linalg.norm(core.centre - centre)
    away = rng.normal(0, (0.5, 1.0, 0.7)) + outwards
    away *= (4 + 17 * burden.drift) / np.linalg.norm(away)
    infarct = Blob(core.centre + away * (0.7, 1, 0.7), _shape(branch, rng) * (1, 1, _TALL))
    satellites = []
    for _ in range(rng.integers(0, 6)):
        offset = rng.normal(0, (8, 18, 16))
        satellites.append(Blob(infarct.centre + offset, np.exp(rng.normal(0, 0.25, 3))))
    return Stroke(
        right=bool(rng.random() < 0.5),
        anterior=branch.anterior,
        delayed=delayed,
        core=core,
        infarct=infarct,
        satellites=tuple(satellites),
        alike=float(np.clip(1 - burden.drift, 0.15, 0.85)),
        seed=int(rng.integers(2**62)),
    )


def _shape(branch: Branch, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(np.array(branch.radii) * np.exp(rng.normal(0, 0.2, 3)))


def levels(stroke: Stroke, grid: HeadGrid, anatomy: Anatomy) -> Levels:
    """Evaluate the regions on a grid of the patient.

    Args:
        stroke: The stroke.
        grid: Any grid of the patient.
        anatomy: The head on it, without margin.
    """
    across, along, height = anatomy.position
    side = 1 if stroke.right else -1
    place = np.stack([side * (across - MIDLINE), along - _ORIGIN_YZ[0], height - _ORIGIN_YZ[1]])
    rng = np.random.default_rng(stroke.seed)
    wide, middle, fine, other, small = (grid.field(rng, knot) for knot in (26.0, 13.0, 7.0, 12.0, 6.5))
    beyond = _TERRITORY * _beyond_territory(place, stroke.anterior, np.float32(4) * wide)
    delayed = stroke.delayed.distance(place) + beyond + 5 * wide + 3 * middle + np.float32(1.2) * fine
    core = stroke.core.distance(place) + beyond + 4 * middle + 2 * fine
    ragged = stroke.alike * (4 * middle + 2 * fine) + (1 - stroke.alike) * 4.5 * other + 2.5 * small
    infarct = stroke.infarct.distance(place) + ragged
    for satellite in stroke.satellites:
        infarct = np.minimum(infarct, satellite.distance(place) * 1.8 + 12 + 2 * small)
    infarct += 0.8 * beyond
    return Levels(delayed, core, np.asarray(infarct, np.float32))


def _beyond_territory(place: Volume, anterior: bool, shift: Volume) -> Volume:
    """Return how far places lie outside the artery's territory, in mm, shifted by a smooth field.

    Args:
        place: (3, ...) as :attr:`Branch.centre`.
        anterior: Of the anterior cerebral artery; else of the middle one.
        shift: Of the watersheds, mm.
    """
    across, along, height = place
    watershed = 8 + 14 * np.clip((height - 12) / 30, 0, 1) + shift
    medial = np.clip(across - watershed if anterior else watershed - across, 0, None)
    back = np.clip(-(along + 58 + 0.3 * height) + shift, 0, None)
    front = np.zeros_like(back) if anterior else np.clip(along - 46 + shift, 0, None)
    below = np.clip(-(height + 20) - 0.35 * (along + 10), 0, None)
    other_side = 20 * np.clip(2 - across, 0, None)
    return np.asarray(medial + back + front + 2 * below + other_side, np.float32)
