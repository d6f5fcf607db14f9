"""From ventricles and chest to what the archive stores: two images and two label maps.

Slices are thick, so every one is the mean of thinner ones; breathing shifts each by a few
millimetres, the same in both frames. Labels come from curves that an observer drew: the true ones
with a small smooth error, and a base plane that is off by a millimetre or two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from harness.data.simulate.acdc.patients import Patient
from harness.data.simulate.acdc.thorax import Field, Image, Plane, blend, draw_thorax, paint_thorax
from harness.data.simulate.acdc.ventricles import ANGLES, Contours, Curves, Ventricles, draw_ripple
from harness.data.simulate.scanner import Grid, Volume, smooth_field

Labels = NDArray[np.uint8]
Box = tuple[slice, slice]

RIGHT, MYOCARDIUM, LEFT = 1, 2, 3

_SUBSLICES = np.array([-0.32, 0.0, 0.32])  # of the slice thickness
_FREE_WALL_MM = 2.2
_MARGIN_MM = 25.0  # around the heart: free wall, fat, pericardium
_OBSERVER_MM = 0.75  # SD of a drawn curve
_RIGHT_BLOOD = 0.86


@dataclass(frozen=True)
class Look:
    """How blood and muscle look in one patient.

    Attributes:
        blood: Of the left ventricle.
        right: Of the right ventricle over the left.
        muscle: Of the myocardium.
        flow: SD of the blood's unevenness.
        trabeculae: How far muscle reaches into a cavity at its border, as a share of the radius.
        papillary: Angles of the papillary muscles in radians.
        papillary_size: Their radius over the cavity's.
    """

    blood: float
    right: float
    muscle: float
    flow: float
    trabeculae: float
    papillary: tuple[float, float]
    papillary_size: float


@dataclass(frozen=True)
class Drawn:
    """Curves as an observer drew them, each (slices, angles) in mm, 0 where there is nothing.

    Attributes:
        endo: Border of the left cavity.
        epi: Outer border of the myocardium.
        septum: Inner border of the right cavity: ``epi``, and still the heart's own above the left base.
        rv: Outer border of the right cavity.
    """

    endo: Curves
    epi: Curves
    septum: Curves
    rv: Curves


class Scene:
    """A patient in the scanner: one chest, one breathing pattern, any frame of the heart.

    Args:
        patient: Gives grid and slices.
        diastole: The heart at its largest.
        rng: Random numbers of the patient.
    """

    def __init__(self, patient: Patient, diastole: Ventricles, rng: np.random.Generator) -> None:
        self._patient, self._grid = patient, patient.grid
        self._look = _draw_look(diastole.form.septum, rng)
        curves = diastole.contours(patient.depths_mm)
        heights = np.maximum(curves.epi, curves.rv) * np.sin(ANGLES)
        self._thorax = draw_thorax(float(heights.max()), float(-heights.min()), rng)
        self._centres = _draw_centres(patient, rng)
        self._fields = [smooth_field(rng, self._grid, knot) for knot in (42.0, 42.0, 12.0, 4.5)]
        self._bias = _draw_bias(self._grid, rng)
        whole = (slice(None), slice(None))
        planes = [self._plane(number, whole) for number in range(self._centres.shape[0])]
        self._chest = [paint_thorax(self._thorax, plane) for plane, *_ in planes]

    def frame(self, ventricles: Ventricles, rng: np.random.Generator) -> tuple[Volume, Labels]:
        """Return the image, left-ventricular blood about 1, and its label map, both (x, y, z).

        Args:
            ventricles: In this frame.
            rng: Random numbers of this frame.
        """
        depths = self._patient.depths_mm
        thickness = self._grid.spacing[2]
        seen = [ventricles.contours(depths + offset) for offset in _SUBSLICES * thickness]
        spread = _spread(seen[0], seen[-1])
        drawn = _observe(ventricles, depths, self._grid.spacing[0], rng)
        flow = smooth_field(rng, self._grid, 14.0)
        noise = rng.uniform(0.03, 0.055)
        image = np.empty(self._grid.shape, np.float32)
        labels = np.zeros(self._grid.shape, np.uint8)
        reach = max(float(np.maximum(part.epi, part.rv).max()) for part in seen) + _MARGIN_MM
        for number in range(depths.size):
            box = self._box(number, reach)
            plane, polar = self._plane(number, box)
            chest, local_flow = self._chest[number], flow[(*box, number)]
            layers = [
                self._heart(
                    chest[box].copy(), polar, plane, local_flow, (_row(part, number), _row(spread, number))
                )
                for part in seen
            ]
            image[:, :, number] = chest
            image[(*box, number)] = np.mean(layers, axis=0)
            labels[(*box, number)] = _label(polar, drawn, number)
        gain = 1 + 0.025 * rng.standard_normal(depths.size).astype(np.float32)
        image *= self._bias * gain
        image += np.float32(noise) * rng.standard_normal(image.shape, dtype=np.float32)
        imaginary = np.float32(noise) * rng.standard_normal(image.shape, dtype=np.float32)
        return np.asarray(np.hypot(image, imaginary), np.float32), labels

    def _box(self, number: int, reach_mm: float) -> Box:
        """Return the pixels of a slice within a distance of the left ventricle's centre along x and y."""
        bounds = []
        for axis in (0, 1):
            near = np.abs(-self._grid.axis(axis) - self._centres[number, axis]) <= reach_mm
            found = np.flatnonzero(near)
            bounds.append(slice(int(found[0]), int(found[-1]) + 1))
        return bounds[0], bounds[1]

    def _plane(self, number: int, box: Box) -> tuple[Plane, "_Polar"]:
        """Return a slice's coordinates, Cartesian and around the left ventricle's centre."""
        x, y = (
            (-self._grid.axis(axis)[box[axis]] - self._centres[number, axis]).astype(np.float32)
            for axis in (0, 1)
        )
        bend_x, bend_y, coarse, fine = (field[(*box, number)] for field in self._fields)
        plane = Plane(
            x=x[:, None] + 4 * bend_x,
            y=y[None] + 4 * bend_y,
            pixel_mm=self._grid.spacing[0],
            depth_mm=float(self._patient.depths_mm[number]),
            coarse=coarse,
            fine=fine,
        )
        return plane, _Polar(x[:, None], y[None], plane.pixel_mm)

    def _heart(
        self, image: Image, polar: "_Polar", plane: Plane, flow: Image, curves: tuple[Contours, Contours]
    ) -> Image:
        """Paint fat, free wall, muscle and blood of one thin slice over the chest; return the image.

        Args:
            image: The chest, painted over.
            polar: Its pixels around the left ventricle.
            plane: Its pixels and textures.
            flow: Unevenness of the blood.
            curves: Of this thin slice, and how far they move within it, (1, angles) each.
        """
        look, (at, moves) = self._look, curves
        endo, epi, rv = at.endo[0], at.epi[0], at.rv[0]
        if epi.max() == 0:
            return image
        has_rv = np.clip((rv - epi) / 2.0, 0, 1)
        outer = gaussian_filter1d(np.maximum(rv, epi) + _FREE_WALL_MM * has_rv, 3, mode="wrap")
        self._paint_fat(image, polar, plane, outer, float(epi.mean()))
        blend(image, polar.cover(outer, moves.rv[0]), look.muscle * (1 + 0.10 * plane.fine))
        right = look.blood * look.right * (1 + 0.8 * look.flow * flow)
        rough = 1 - 0.5 * np.clip(plane.fine - 0.4, 0, 1.2) * np.clip(1.4 - polar.gap(rv) / 9, 0.25, 1)
        inside_right = polar.cover(np.where(rv > epi, rv - 0.4, 0), moves.rv[0])
        blend(image, inside_right, np.asarray(right * rough, np.float32))
        muscle = look.muscle * (1 + 0.09 * plane.coarse + 0.09 * plane.fine)
        blend(image, polar.cover(epi, moves.epi[0]), muscle)
        inside_left = polar.cover(endo, moves.endo[0])
        blend(image, inside_left, look.blood * (1 + look.flow * flow))
        blend(image, inside_left * self._relief(polar, plane, endo), muscle)
        return image

    def _paint_fat(self, image: Image, polar: "_Polar", plane: Plane, outer: Curves, size: float) -> None:
        """Paint the fat around the heart, thickest in front, and the dark line of the pericardium."""
        everywhere, front = self._thorax.pads
        ahead = front * np.exp((np.cos(ANGLES - 4.1) - 1) / 0.25)
        pad = everywhere * (0.7 + 1.1 * plane.coarse) + polar.at(ahead)
        beyond = polar.gap(outer) + pad * min(size / 12, 1)
        blend(image, plane.cover(beyond + 1.3), 0.2)
        blend(image, plane.cover(beyond), self._thorax.fat * (0.85 + 0.12 * plane.coarse))

    def _relief(self, polar: "_Polar", plane: Plane, endo: Curves) -> Image:
        """Share of muscle inside the left cavity: papillary muscles and trabeculae."""
        size = float(endo.mean())
        ridge = np.clip(0.7 * plane.fine + 0.7, 0, 1.6) * self._look.trabeculae * size
        share = np.clip((ridge - polar.gap(endo)) / 4.0, 0, 0.55)
        relative = plane.depth_mm / self._patient.length_mm
        strength = np.clip(4 * (relative - 0.12), 0, 1) * np.clip(6 * (0.85 - relative), 0, 1)
        for angle in self._look.papillary:
            radius = self._look.papillary_size * size * (1 + 0.12 * plane.fine + 0.25 * plane.coarse)
            share = np.maximum(share, 0.85 * strength * polar.disc(0.74 * size, angle, radius))
        return np.asarray(share, np.float32)


class _Polar:
    """Pixels of a slice in polar coordinates, to be compared with curves of radius by angle."""

    def __init__(self, x: Image, y: Image, pixel_mm: float) -> None:
        self._x, self._y, self._pixel = x, y, np.float32(pixel_mm)
        self.radius = np.hypot(x, y)
        angle = np.arctan2(y, x)
        position = np.mod(angle / np.float32(2 * np.pi), 1) * ANGLES.size
        floor = position.astype(np.int32)
        self._low, self._high = floor % ANGLES.size, (floor + 1) % ANGLES.size
        self._share = (position - floor).astype(np.float32)

    def at(self, curve: Curves) -> Image:
        """Return a curve's radius at every pixel's angle."""
        values = curve.astype(np.float32)
        low = values[self._low]
        return np.asarray(low + self._share * (values[self._high] - low), np.float32)

    def gap(self, curve: Curves) -> Image:
        """Return the distance to a curve in mm, about, positive inside."""
        slope = np.gradient(np.append(curve, curve[:1]), ANGLES[1])[:-1] / np.maximum(curve, 1.0)
        return (self.at(curve) - self.radius) * self.at(1 / np.sqrt(1 + np.minimum(slope**2, 12.0)))

    def cover(self, curve: Curves, spread: Curves) -> Image:
        """Return the share of each pixel inside a curve that moves by ``spread`` mm within the slice."""
        width = np.maximum(self._pixel, self.at(spread))
        return np.asarray(np.clip(self.gap(curve) / width + np.float32(0.5), 0, 1), np.float32)

    def disc(self, distance: float, angle: float, radius: Field) -> Image:
        """Return the share of each pixel inside a disc, about; its radius may differ by pixel."""
        centre = distance * np.array((np.cos(angle), np.sin(angle)), np.float32)
        away = np.hypot(self._x - centre[0], self._y - centre[1])
        return np.asarray(np.clip((radius - away) / self._pixel + 0.5, 0, 1), np.float32)


def _row(contours: Contours, number: int) -> Contours:
    chosen = slice(number, number + 1)
    return Contours(contours.endo[chosen], contours.epi[chosen], contours.rv[chosen])


def _spread(upper: Contours, lower: Contours) -> Contours:
    """Return how far each curve moves within one of three thin slices, from the outer two of them."""
    moves = [np.abs(getattr(upper, name) - getattr(lower, name)) / 2 for name in ("endo", "epi", "rv")]
    return Contours(*moves)


def _draw_look(septum: float, rng: np.random.Generator) -> Look:
    return Look(
        blood=1.08,
        right=float(np.clip(rng.normal(_RIGHT_BLOOD - 0.03, 0.09), 0.66, 1.1)),
        muscle=float(np.clip(rng.normal(0.36, 0.05), 0.26, 0.52)),
        flow=float(rng.uniform(0.13, 0.26)),
        trabeculae=float(rng.uniform(0.08, 0.2)),
        papillary=(septum + 2.2 + float(rng.normal(0, 0.15)), septum - 2.2 + float(rng.normal(0, 0.15))),
        papillary_size=float(rng.uniform(0.17, 0.29)),
    )


def _draw_centres(patient: Patient, rng: np.random.Generator) -> Curves:
    """Return the left ventricle's centre by slice in mm from the image's, (slices, 2)."""
    slices = patient.depths_mm.size
    start, tilt = rng.normal((14.0, -24.0), 9.0), rng.normal(0, 0.07, 2)
    line = start + (patient.depths_mm[:, None] - patient.length_mm / 2) * tilt
    breathing = rng.normal(0, 1.0, (slices, 2)) * rng.uniform(0.4, 1.9) * (0.7, 1.2)
    return np.asarray(line + np.clip(breathing, -4.5, 4.5))


def _draw_bias(grid: Grid, rng: np.random.Generator) -> Volume:
    """Return the coils' sensitivity around 1: smooth, and falling away from the chest's front."""
    x, y = (-grid.axis(axis)[:, None, None] for axis in (0, 1))
    slope = rng.normal((-0.0005, -0.0016), 0.0006)
    fall = slope[0] * x + slope[1] * np.moveaxis(y, 0, 1)
    return np.asarray(np.exp(0.06 * smooth_field(rng, grid, 110.0) + fall), np.float32)


def _observe(ventricles: Ventricles, depths: Curves, pixel_mm: float, rng: np.random.Generator) -> Drawn:
    """Return the curves as drawn by an observer; nothing above the base planes chosen."""
    true = ventricles.contours(depths)
    right, left = ventricles.drawn_from_mm
    below_left, below_right = (depths >= left)[:, None], (depths >= right)[:, None]
    errors = [_error(depths.size, rng) for _ in range(3)]
    endo = np.where((true.endo > 0) & below_left, np.maximum(true.endo + errors[0], 0.5), 0.0)
    ring = true.epi - true.endo
    thinnest = np.where(ring > 1.5, 1.3 * min(pixel_mm, 2.0), 0.0)  # a closed ring stays closed
    epi = np.maximum(true.epi + errors[1], endo + thinnest)
    epi = np.where((true.epi > 0) & below_left, epi, 0.0)
    rv = np.where((true.rv - true.epi > 1.0) & below_right, true.rv + errors[2], 0.0)
    return Drawn(endo, epi, np.where(below_left, epi, true.epi), rv)


def _error(slices: int, rng: np.random.Generator) -> Curves:
    """Return an observer's error in mm, smooth along the curve, (slices, angles)."""
    rows = [draw_ripple(rng, _OBSERVER_MM, lowest=0, waves=7).at(np.zeros(1))[0] for _ in range(slices)]
    return np.asarray(rows)


def _label(polar: _Polar, drawn: Drawn, number: int) -> Labels:
    """Return the label map of one slice."""
    endo, epi, septum, rv = (
        polar.at(curve[number]) for curve in (drawn.endo, drawn.epi, drawn.septum, drawn.rv)
    )
    labels = np.zeros(polar.radius.shape, np.uint8)
    labels[(polar.radius < rv) & (polar.radius >= septum)] = RIGHT
    labels[polar.radius < epi] = MYOCARDIUM
    labels[polar.radius < endo] = LEFT
    return labels
