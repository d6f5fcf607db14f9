"""What surrounds the heart in a short-axis slice: chest wall, lungs, liver, stomach, spine, vessels.

Painted from back to front on one slice at a time. Coordinates are millimetres from the left
ventricle's centre, x to image right (the patient's left), y to image bottom. Intensities are in
units of left-ventricular blood, as a balanced steady-state sequence shows them: fat and blood
bright, muscle dark, lung nearly black. Much of it looks like a part of the heart on purpose: vessels
as bright as its cavities, the liver as grey as its muscle.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Field = NDArray[np.floating[Any]]

_WALL_MM = 19.0  # muscle and ribs


@dataclass(frozen=True)
class Plane:
    """Coordinates and textures of one slice, (x, y) each.

    Attributes:
        x: Millimetres, bent smoothly so that nothing is a perfect ellipse.
        y: The same.
        pixel_mm: Size of a pixel.
        depth_mm: Of the slice below the base plane.
        coarse: Smooth random field, mean 0, SD about 1.
        fine: A finer one.
    """

    x: Image
    y: Image
    pixel_mm: float
    depth_mm: float
    coarse: Image
    fine: Image

    def inside(self, centre: tuple[float, float], axes: tuple[float, float], angle: float = 0.0) -> Image:
        """Return the depth in mm below an ellipse's border, about, negative outside."""
        x, y = self.x - np.float32(centre[0]), self.y - np.float32(centre[1])
        cosine, sine = np.float32(np.cos(angle) / axes[0]), np.float32(np.sin(angle) / axes[0])
        ratio = np.float32(axes[0] / axes[1])
        along, across = x * cosine + y * sine, (y * cosine - x * sine) * ratio
        return np.asarray((1 - np.hypot(along, across)) * np.float32(min(axes)), np.float32)

    def cover(self, depth: Field) -> Image:
        """Return the share of each pixel that lies inside, from the depth below a border."""
        return np.asarray(np.clip(depth / np.float32(self.pixel_mm) + np.float32(0.5), 0, 1), np.float32)


@dataclass(frozen=True)
class Thorax:
    """A patient's chest; lengths in mm, positions from the left ventricle's centre.

    Attributes:
        body: Centre.
        axes: Half axes of the body's outline.
        fat_mm: Thickness of the fat under the skin.
        fat: Its intensity.
        muscle: Intensity of muscle.
        liver: Intensity of the liver.
        liver_top: y of its dome at the base plane.
        bowel: Intensity of what lies under the left diaphragm: spleen, or a stomach with its contents.
        gas: Whether the stomach holds gas.
        aorta: Centre of the descending aorta.
        aorta_mm: Its radius.
        spine: Centre of the vertebra.
        root_mm: Radius of the great vessels at the base.
        phase: Of the ribs around the body, in radians.
        pads: Thickness of the fat around the heart: everywhere, and in front of it.
    """

    body: tuple[float, float]
    axes: tuple[float, float]
    fat_mm: float
    fat: float
    muscle: float
    liver: float
    liver_top: float
    bowel: float
    gas: bool
    aorta: tuple[float, float]
    aorta_mm: float
    spine: tuple[float, float]
    root_mm: float
    phase: float
    pads: tuple[float, float]


def draw_thorax(below_mm: float, above_mm: float, rng: np.random.Generator) -> Thorax:
    """Draw the chest around a heart.

    Args:
        below_mm: How far the heart reaches down from the left ventricle's centre, to image bottom.
        above_mm: How far it reaches up; large hearts push their neighbours away.
        rng: Source of randomness.
    """
    push = below_mm - 31.0
    fat_mm = float(rng.uniform(7, 26))
    axes = (float(rng.uniform(145, 178) + fat_mm / 2), float(rng.uniform(108, 128) + push + fat_mm / 2))
    front = -above_mm - float(rng.uniform(5, 16))  # y at which the chest cavity begins
    body = (float(rng.normal(-5, 10)), front + axes[1] - fat_mm - _WALL_MM)
    side = float(rng.uniform(20, 48))
    return Thorax(
        body=body,
        axes=axes,
        fat_mm=fat_mm,
        fat=float(rng.uniform(1.0, 1.4)),
        muscle=float(rng.uniform(0.28, 0.42)),
        liver=float(rng.uniform(0.38, 0.58)),
        liver_top=float(rng.normal(32, 5) + push),
        bowel=float(rng.choice([0.45, 0.6, 0.85]) * rng.uniform(0.85, 1.15)),
        gas=bool(rng.random() < 0.45),
        aorta=(side, float(rng.uniform(62, 80) + push)),
        aorta_mm=float(rng.uniform(9, 13)),
        spine=(side - float(rng.uniform(28, 42)), body[1] + axes[1] - float(rng.uniform(46, 58))),
        root_mm=float(rng.uniform(12, 17)),
        phase=float(rng.uniform(0, 2 * np.pi)),
        pads=(float(rng.uniform(0, 4)), float(rng.uniform(2, 14))),
    )


def paint_thorax(thorax: Thorax, plane: Plane) -> Image:
    """Return a slice without a heart, (x, y)."""
    image = np.full_like(plane.x, 0.015)
    body = plane.inside(thorax.body, thorax.axes)
    blend(image, plane.cover(body), thorax.fat * (1 + 0.07 * plane.coarse))
    wall = thorax.fat_mm * (1 + 0.1 * plane.coarse)
    blend(image, plane.cover(body - wall), thorax.muscle * (1 + 0.12 * plane.fine))
    _streaks(thorax, plane, body - wall, image)
    cavity = plane.inside(thorax.body, _narrower(thorax.axes, thorax.fat_mm + _WALL_MM))
    blend(image, plane.cover(cavity), 0.075 * (1 + 0.4 * plane.coarse))
    airways = np.clip(0.9 * (plane.fine - 1.5), 0, 0.55) * plane.cover(cavity - 4)
    blend(image, airways, 0.55)
    _mediastinum(thorax, plane, image)
    _abdomen(thorax, plane, cavity, image)
    _vessels(thorax, plane, image)
    return image


def blend(image: Image, cover: Field, value: Field | float) -> None:
    """Paint a value over the covered share of each pixel, in place."""
    image += cover * (value - image)


def _narrower(axes: tuple[float, float], margin: float) -> tuple[float, float]:
    return axes[0] - margin, axes[1] - margin


def _streaks(thorax: Thorax, plane: Plane, depth: Image, image: Image) -> None:
    """Fat between the muscles of the chest wall, and ribs."""
    inside = plane.cover(depth)
    blend(image, 0.7 * inside * np.clip(plane.coarse - 0.6, 0, 1), thorax.fat)
    angle = np.arctan2(plane.y - thorax.body[1], plane.x - thorax.body[0])
    waves = np.cos(11 * angle + thorax.phase + 0.05 * plane.depth_mm)
    rib = np.clip(4 * (waves - 0.45), 0, 1) * np.clip(1.6 - 0.3 * np.abs(depth - 11), 0, 1)
    blend(image, np.asarray(inside * rib, np.float32), 0.14)
    blend(image, np.asarray(inside * np.clip(3 * rib - 2.2, 0, 1), np.float32), 0.6)


def _mediastinum(thorax: Thorax, plane: Plane, image: Image) -> None:
    x, y = thorax.spine
    tissue = np.clip(0.5 + 0.22 * plane.coarse + 0.15 * plane.fine, 0.15, 1.1)
    blend(image, plane.cover(plane.inside(((x + 12) / 2, 0.5 * y), (44, 0.55 * y), -0.15)), tissue)
    blend(image, plane.cover(plane.inside((x, y + 18), (46, 30))), 1.1 * thorax.muscle)
    blend(image, plane.cover(plane.inside((x, y), (23, 19))), 0.42 * (1 + 0.15 * plane.fine))
    blend(image, plane.cover(plane.inside((x, y + 27), (9, 8))), 0.95)
    gullet = plane.inside((x + 8, y - 30), (9, 6))
    blend(image, plane.cover(gullet), 0.4 + 0.2 * plane.fine)


def _abdomen(thorax: Thorax, plane: Plane, cavity: Image, image: Image) -> None:
    """Liver below the right and stomach or spleen below the left ventricle, rising towards the apex."""
    rise = 0.22 * plane.depth_mm
    room = plane.cover(cavity)
    bowel = plane.inside((64.0, thorax.liver_top + 50 - 0.6 * rise), (50, 40), 0.35)
    content = thorax.bowel * (1 + 0.15 * plane.coarse + 0.12 * plane.fine)
    blend(image, room * plane.cover(bowel + 2.5), thorax.muscle)
    blend(image, room * plane.cover(bowel), content)
    if thorax.gas:
        bubble = plane.inside((58.0, thorax.liver_top + 34 - 0.6 * rise), (32, 17), 0.35)
        blend(image, room * plane.cover(bubble), 0.03)
    liver = plane.inside((-62.0, thorax.liver_top + 64 - rise), (92, 62), 0.18)
    blend(image, room * plane.cover(liver + 2), 0.8)
    texture = thorax.liver * (1 + 0.07 * plane.fine)
    blend(image, room * plane.cover(liver), texture)
    vessels = (
        np.clip(0.8 - np.abs(plane.coarse) / 0.2, 0, 0.6)
        * np.clip(plane.fine + 0.3, 0, 1)
        * plane.cover(liver - 6)
    )
    blend(image, np.asarray(room * vessels, np.float32), 0.9)


def _vessels(thorax: Thorax, plane: Plane, image: Image) -> None:
    """Descending aorta in every slice; aortic root and pulmonary trunk near the base only."""
    aorta = plane.inside(thorax.aorta, (thorax.aorta_mm, thorax.aorta_mm))
    blend(image, plane.cover(aorta + 1.5), 0.3)
    blend(image, plane.cover(aorta), 0.95 * (1 + 0.06 * plane.fine))
    shrink = np.clip((16.0 - plane.depth_mm) / 14.0, 0, 1)
    for centre, size in (((-16.0, -46.0), 1.0), ((-58.0, 30.0), 0.9), ((14.0, 46.0), 0.8)):
        radius = thorax.root_mm * size * shrink
        if radius > 2:
            vessel = plane.inside(centre, (radius * 1.15, radius), 0.5)
            blend(image, plane.cover(vessel + 1.8), 0.35)
            blend(image, plane.cover(vessel), 0.88 * (1 + 0.08 * plane.coarse))
