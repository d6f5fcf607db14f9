"""Ventricles as closed curves: left cavity, myocardium and right ventricle, at any depth.

Every curve is a radius in millimetres by angle around the left ventricle's centre, so a heart at a
depth is three rows of numbers. The left cavity is a blunt half-ellipsoid; the myocardium a larger
one around it; the right ventricle what an ellipse beside the septum leaves outside the myocardium,
hence a crescent. Volumes at end systole are solved for, so that ejection fractions are as drawn.

Angles run from image right (0) through image bottom; the right ventricle lies at image left.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from harness.data.simulate.acdc.patients import Patient

Curves = NDArray[np.float64]

ANGLES = np.linspace(0, 2 * np.pi, 256, endpoint=False)
_MIDDLE = 0.47  # of the long axis: where radius, wall and ratio of areas are given
_RIGHT, _MUSCLE, _LEFT = range(3)  # places in areas
_ATRIUM_MM, _ATRIUM_WALL_MM = 20.0, 2.0
_OBSERVER_BASE_MM = 1.8  # SD of the plane above which nothing is drawn
_VALVE_MM = 5.0  # over which ventricle turns into atrium


@dataclass(frozen=True)
class Contours:
    """Curves at some depths, each (depths, angles) in mm from the left ventricle's centre.

    Attributes:
        endo: Border of the left cavity; 0 below the apex.
        epi: Outer border of the myocardium; 0 below the apex.
        rv: Outer border of the right cavity, whose inner one is ``epi``; equal to it where there is none.
    """

    endo: Curves
    epi: Curves
    rv: Curves

    @property
    def areas(self) -> tuple[Curves, Curves, Curves]:
        """Areas in mm2 of the right cavity, myocardium and left cavity, (depths,) each."""
        inner, outer, right = (np.pi * (curve**2).mean(axis=1) for curve in (self.endo, self.epi, self.rv))
        return right - outer, outer - inner, inner


@dataclass(frozen=True)
class Ripple:
    """A small periodic change of a radius along the angle, turning with depth.

    Attributes:
        orders: Waves around the circle, (waves,).
        amplitudes: Of each, as a share of the radius.
        phases: Of each, in radians.
        twists: Of each, in radians per mm of depth.
    """

    orders: Curves
    amplitudes: Curves
    phases: Curves
    twists: Curves

    def at(self, depths: Curves) -> Curves:
        """Return the change, (depths, angles)."""
        turn = self.phases + depths[:, None] * self.twists
        waves = np.cos(self.orders[:, None] * ANGLES + turn[..., None])
        return np.asarray(np.einsum("w,dwa->da", self.amplitudes, waves))


def draw_ripple(rng: np.random.Generator, size: float, lowest: int = 3, waves: int = 5) -> Ripple:
    """Draw a ripple whose waves get smaller as they get shorter.

    Args:
        rng: Source of randomness.
        size: SD of the whole, as a share of the radius.
        lowest: Waves around the circle of the longest one.
        waves: How many there are.
    """
    orders = np.arange(lowest, lowest + waves, dtype=float)
    weights = (
        np.abs(rng.normal(1, 0.5, waves)) * (lowest / np.maximum(orders, 1)) if lowest else np.ones(waves)
    )
    amplitudes = size * np.sqrt(2) * weights / np.linalg.norm(weights)
    return Ripple(orders, amplitudes, rng.uniform(0, 2 * np.pi, waves), rng.normal(0, 0.012, waves))


@dataclass(frozen=True)
class Form:
    """What makes a patient's heart look like no other; angles in radians, lengths as shares.

    Attributes:
        septum: Direction of the right ventricle.
        oval: Direction of the left cavity's longer axis, and by how much it is longer, halved.
        bluntness: Exponent of the left cavity's profile at end diastole and at end systole.
        thick: Direction in which the wall is thicker, and by how much.
        scar: Direction of wall that does not thicken, and by how much less it does.
        outflow: Direction in which the ring is open at the base.
        rv_centre: Distance of the ellipse's centre over a mean of outer radius and width.
        rv_reach: The ellipse's half length over a mean of outer radius and width.
        rv_tilt: Angle of the ellipse to the septum.
        rv_base_mm: Depth at which the right ventricle begins, from the left one's base plane.
        rv_apex: Depth at which it ends, over the long axis.
        left_ripple: Of the left cavity.
        wall_ripple: Of the wall.
        right_ripple: Of the right ventricle.
    """

    septum: float
    oval: tuple[float, float]
    bluntness: tuple[float, float]
    thick: tuple[float, float]
    scar: tuple[float, float]
    outflow: float
    rv_centre: float
    rv_reach: float
    rv_tilt: float
    rv_base_mm: float
    rv_apex: float
    left_ripple: Ripple
    wall_ripple: Ripple
    right_ripple: Ripple


def draw_form(group: str, rng: np.random.Generator) -> Form:
    """Draw the form of a heart with a diagnosis."""
    septum = float(rng.normal(np.pi + 0.3, 0.2))
    oval = float(np.clip(rng.gamma(3.0, 0.021), 0.01, 0.14))
    direction = rng.uniform(0, np.pi)
    if group == "RV":  # a loaded right ventricle flattens the septum
        direction, oval = septum + np.pi / 2 + rng.normal(0, 0.2), oval + 0.03
    return Form(
        septum=septum,
        oval=(float(direction), oval),
        bluntness=(float(rng.uniform(1.8, 2.7)), float(rng.uniform(1.6, 2.4))),
        thick=(septum + float(rng.normal(0, 0.4)), float(rng.uniform(0.15, 0.4) if group == "HCM" else 0.06)),
        scar=(float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.2, 0.55) if group == "MINF" else 0.0)),
        outflow=septum + float(rng.normal(1.15, 0.2)),
        rv_centre=float(np.clip(rng.normal(0.87, 0.14), 0.55, 1.2)),
        rv_reach=float(np.clip(rng.normal(1.06, 0.14), 0.75, 1.4)),
        rv_tilt=float(rng.normal(0.15, 0.15)),
        rv_base_mm=float(rng.normal(0.5, 4.0)),
        rv_apex=float(np.clip(rng.normal(0.90, 0.05), 0.74, 0.99)),
        left_ripple=draw_ripple(rng, 0.016),
        wall_ripple=draw_ripple(rng, 0.07, lowest=2),
        right_ripple=draw_ripple(rng, 0.07, lowest=2, waves=6),
    )


@dataclass(frozen=True)
class Ventricles:
    """Both ventricles in one frame.

    Depths are millimetres below the base plane at end diastole.

    Attributes:
        form: Of the patient's heart.
        base_mm: Depth of the base plane in this frame.
        rv_base_mm: Depth of the right ventricle's.
        apex_mm: Depth at which the left cavity ends.
        radius_mm: Of the left cavity in its middle.
        wall_mm: Thickness of the wall there.
        rv_width_mm: Of the right ventricle, from septum to free wall, there.
        systole: 1 at end systole, 0 at end diastole.
        base_errors_mm: By how much an observer misses the base planes, right and left.
    """

    form: Form
    base_mm: float
    rv_base_mm: float
    apex_mm: float
    radius_mm: float
    wall_mm: float
    rv_width_mm: float = 10.0
    systole: int = 0
    base_errors_mm: tuple[float, float] = (0.0, 0.0)

    @property
    def drawn_from_mm(self) -> tuple[float, float]:
        """Depths above which the right and the left ventricle have no label."""
        right, left = self.base_errors_mm
        return self.rv_base_mm + right, self.base_mm + left

    def contours(self, depths: Curves) -> Contours:
        """Return the curves at some depths, atria above the base plane.

        Args:
            depths: Millimetres, (depths,).
        """
        endo, epi = self._left(depths)
        rv = self._right(depths, epi.mean(axis=1))
        return Contours(endo, epi, np.maximum(epi, rv))

    def _left(self, depths: Curves) -> tuple[Curves, Curves]:
        form, base = self.form, self.base_mm
        below = np.maximum(depths - base, 0.0)
        length, tip = self.apex_mm - base, 0.55 * self.wall_mm * (1 - 0.35 * self.systole)
        blunt = form.bluntness[self.systole]
        inner = self.radius_mm * _profile(below / length, blunt)
        outer = (self.radius_mm + self.wall_mm) * _profile(below / (length + tip), blunt)
        outer = np.maximum(outer, np.where(inner > 0, inner + 0.35 * self.wall_mm, 0.0))
        direction, oval = form.oval
        shape = 1 + oval * np.cos(2 * (ANGLES - direction)) + form.left_ripple.at(depths)
        endo = inner[:, None] * shape
        share = self._wall_share(depths)
        # Above the base plane the left ventricle turns into the left atrium: wider, thin-walled, no label.
        atrium = np.clip((base - depths) / _VALVE_MM, 0, 1)[:, None]
        wall = (outer - inner)[:, None] * share
        endo = endo * (1 - atrium) + _ATRIUM_MM * shape * atrium
        wall = wall * (1 - atrium) + _ATRIUM_WALL_MM * atrium
        return endo, endo + wall

    def _wall_share(self, depths: Curves) -> Curves:
        """Thickness over its mean, (depths, angles); 0 at the outflow tract, near the base plane."""
        form = self.form
        share = 1 + form.thick[1] * np.cos(ANGLES - form.thick[0]) + form.wall_ripple.at(depths)
        share = share * (1 - self.systole * form.scar[1] * (_bump(form.scar[0], 0.7) - 0.2))
        gap = np.clip(1.15 - (depths - self.base_mm) / 4.0, 0, 1)[:, None]
        return np.asarray(
            np.clip(share, 0.3, None) * (1 - gap * np.clip(1.4 * _bump(form.outflow, 0.4), 0, 1))
        )

    def _right(self, depths: Curves, outer: Curves) -> Curves:
        form = self.form
        length = self.apex_mm - self.base_mm
        middle, end = self.base_mm + _MIDDLE * length, self.base_mm + form.rv_apex * length
        fall = np.clip((end - depths) / (end - middle), 0, None)
        # Above its base the right ventricle goes over into outflow tract and atrium: narrower, turned.
        above = np.clip((self.rv_base_mm - depths) / 10.0, 0, 1)
        width = self.rv_width_mm * np.minimum(fall, 1.7) ** 0.62 * (1 - 0.25 * above)
        reach = form.rv_reach * outer**0.35 * width**0.65 * (1 - 0.15 * above)
        centre = form.rv_centre * (0.75 * outer + 0.25 * width)
        turn = form.septum + 0.35 * above[:, None] + 0.12 * (fall - 1)[:, None]
        towards = np.cos(ANGLES - turn)
        edge = _ellipse_edge(ANGLES - turn, centre, outer + width - centre, reach, form.rv_tilt)
        grown = np.maximum(edge - outer[:, None], 0) * (1 + form.right_ripple.at(depths))
        grown *= np.clip((towards + 0.5) / 0.5, 0, 1)  # however large, it lies on one side
        # Where a ray only touches the ellipse the edge jumps; real corners are round.
        grown = gaussian_filter1d(grown, 3.5, axis=1, mode="wrap")
        return np.where((fall[:, None] > 0) & (grown > 0.3), outer[:, None] + grown, 0.0)


def build(patient: Patient, rng: np.random.Generator) -> tuple[Ventricles, Ventricles]:
    """Return a patient's ventricles at end diastole and end systole.

    Args:
        patient: Gives sizes and ejection fractions.
        rng: Source of the heart's form.
    """
    form = draw_form(patient.group, rng)
    diastole = Ventricles(
        form, 0.0, form.rv_base_mm, patient.length_mm, patient.ed_radius_mm, patient.ed_wall_mm
    )
    middle = np.array([_MIDDLE * patient.length_mm])
    area = patient.rv_ratio * np.pi * patient.ed_radius_mm**2
    diastole = _solved(diastole, "rv_width_mm", _RIGHT, middle, area)
    diastole = replace(diastole, base_errors_mm=_draw_base_errors(rng))
    drop = patient.base_drop_mm
    systole = replace(
        diastole,
        base_mm=drop,
        rv_base_mm=form.rv_base_mm + drop + 1.5,
        apex_mm=patient.length_mm - 0.5,
        radius_mm=1.0,
        systole=1,
        base_errors_mm=_draw_base_errors(rng),
    )
    right, muscle, left = labelled_areas(diastole, patient.depths_mm)
    unit = labelled_areas(systole, patient.depths_mm)[_LEFT]
    systole = replace(systole, radius_mm=float(np.sqrt((1 - patient.lv_ef) * left / unit)))
    systole = _solved(systole, "wall_mm", _MUSCLE, patient.depths_mm, patient.muscle_ratio * muscle)
    return diastole, _solved(systole, "rv_width_mm", _RIGHT, patient.depths_mm, (1 - patient.rv_ef) * right)


def _draw_base_errors(rng: np.random.Generator) -> tuple[float, float]:
    right, left = rng.normal(0, _OBSERVER_BASE_MM, 2)
    return float(right), float(left)


def labelled_areas(ventricles: Ventricles, depths: Curves) -> tuple[float, float, float]:
    """Return the areas in mm2 of right cavity, myocardium and left cavity, summed over slices.

    Slices above the base plane that an observer chose do not count.
    """
    areas = ventricles.contours(depths).areas
    right_base, left_base = ventricles.drawn_from_mm
    bases = right_base, left_base, left_base
    right, muscle, left = (float(area[depths >= base].sum()) for area, base in zip(areas, bases, strict=True))
    return right, muscle, left


def _solved(ventricles: Ventricles, length: str, part: int, depths: Curves, area_mm2: float) -> Ventricles:
    """Return the ventricles with the length at which a part has an area, summed over slices.

    Args:
        ventricles: Right but for that length.
        length: Name of the attribute to solve for; the area must grow with it.
        part: Place of the area in :func:`labelled_areas`.
        depths: Of the slices in mm.
        area_mm2: Wanted.
    """
    low, high = 0.5, 120.0
    for _ in range(24):
        middle = (low + high) / 2
        changed = replace(ventricles, **{length: middle})  # type: ignore[arg-type]
        low, high = (low, middle) if labelled_areas(changed, depths)[part] > area_mm2 else (middle, high)
    return replace(ventricles, **{length: (low + high) / 2})  # type: ignore[arg-type]


def _profile(share: Curves, blunt: float) -> Curves:
    """Radius over the one in the middle, by share of the long axis; 0 below the apex."""
    return np.asarray(np.sqrt(np.clip(1 - share**blunt, 0, None) / (1 - _MIDDLE**blunt)))


def _bump(direction: float, width: float) -> Curves:
    """1 in a direction, falling to 0 beside it, (angles,)."""
    return np.asarray(np.exp((np.cos(ANGLES - direction) - 1) / width**2))


def _ellipse_edge(angles: Curves, centre: Curves, along: Curves, across: Curves, tilt: float) -> Curves:
    """Distance from the origin to the far side of ellipses; 0 where a ray misses.

    Args:
        angles: Of the rays against the line to the ellipses' centres, (ellipses, angles).
        centre: Distance of the centres.
        along: Half axes along that line.
        across: Half axes across it.
        tilt: By which the ellipses are turned in place.
    """
    along, across = np.maximum(along, 1e-3), np.maximum(across, 1e-3)
    x, y = np.cos(tilt) * centre, -np.sin(tilt) * centre
    cosine, sine = np.cos(angles - tilt), np.sin(angles - tilt)
    a = cosine**2 / along[:, None] ** 2 + sine**2 / across[:, None] ** 2
    b = cosine * (x / along**2)[:, None] + sine * (y / across**2)[:, None]
    c = (x**2 / along**2 + y**2 / across**2 - 1)[:, None]
    root = b**2 - a * c
    edge = (b + np.sqrt(np.clip(root, 0, None))) / a
    return np.asarray(np.where(root > 0, np.maximum(edge, 0), 0.0))
