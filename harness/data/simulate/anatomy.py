"""Heads: the MNI ICBM152 template deformed into one subject on the scanner's grid.

The template and its tissue probabilities ship inside nilearn (Fonov et al., NeuroImage 54, 2011;
ICBM152 nonlinear symmetric 2009a, 1 mm). Skull, scalp, face and neck are drawn around the brain.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.data.simulate.scanner import Contrast, Grid, Volume, smooth_field
from harness.errors import InputError

_FILE = "datasets/data/mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
_CENTRE = np.array([98.0, 117.0, 77.0])  # middle of the brain's bounding box, template voxels = mm
_PAD = 48  # millimetres around the template, for skull, scalp and neck
_SHARPENING = 1.5  # of the border between grey and white, which averaging over people has blurred
_SULCI_MM, _SULCI_DEPTH = 12.0, 0.42  # their spacing, and how much tissue they cost
_CLOSING = 9  # steps of 3 mm
_NOSE = (98.0, 194.0, 22.0)  # template position in mm
_EYE = (32.0, 190.0, 33.0)  # from the midline, and template y and z, in mm
MIDLINE = 98.0
"""Template x of the plane between the hemispheres, in mm."""


@dataclass(frozen=True)
class Map:
    """A template map with its own voxel size: value at template position ``p`` in millimetres.

    Attributes:
        values: Voxels.
        origin: Template position of voxel (0, 0, 0).
        step: Voxel size in millimetres.
    """

    values: Volume
    origin: tuple[float, float, float]
    step: float

    def at(self, positions: Volume, outside: Literal["nearest", "constant"]) -> Volume:
        """Interpolate linearly at template positions (3, x, y, z); beyond the map 0 or its border."""
        shift = np.array(self.origin, np.float32).reshape(3, 1, 1, 1)
        coordinates = (positions - shift) / np.float32(self.step)
        return ndimage.map_coordinates(self.values, coordinates, order=1, mode=outside)


@dataclass(frozen=True)
class Template:
    """What is interpolated for every subject.

    Attributes:
        grey: Grey matter probability, averaged over slabs of 3 mm.
        white: White matter probability, likewise.
        ventricle: Signed distance to the lateral ventricles in mm, negative inside.
        surface: Signed distance to the outside of the brain and its fluid in mm, negative inside.
        head: The same for brain, face and neck together.
    """

    grey: Map
    white: Map
    ventricle: Map
    surface: Map
    head: Map


@dataclass(frozen=True)
class Anatomy:
    """One subject without lesions, on the scanner's grid.

    Attributes:
        grey: Fraction of grey matter in the voxel.
        white: Fraction of white matter.
        fluid: Fraction of cerebrospinal fluid.
        deep: Weight 0..1 of being central, where grey matter is basal ganglia or thalamus.
        brain: Brain and fluid, inside the skull.
        ventricle_mm: Signed distance to the lateral ventricles, negative inside.
        depth_mm: Distance from the brain's surface, negative outside.
        head_mm: Signed distance to brain, face and neck, negative inside.
        position: Template position (3, x, y, z) of every voxel, in mm; x runs to the right, y to the
            front, z up.
    """

    grey: Volume
    white: Volume
    fluid: Volume
    deep: Volume
    brain: NDArray[np.bool_]
    ventricle_mm: Volume
    depth_mm: Volume
    head_mm: Volume
    position: Volume

    @property
    def right(self) -> NDArray[np.bool_]:
        """Voxels of the right half."""
        return np.asarray(self.position[0] > MIDLINE)


@lru_cache(maxsize=1)
def load_template() -> Template:
    """Read the template maps once per process.

    Raises:
        InputError: if the installed nilearn does not hold them.
    """
    grey, white, t1 = (_read(kind) for kind in ("gm", "wm", "t1"))
    inside = t1 > 0
    fluid = (inside & (grey + white < 0.5))[::2, ::2, ::2]
    labels, _ = ndimage.label(fluid)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    # The largest piece of fluid surrounds the brain, the next are the lateral ventricles.
    ventricles = labels == np.argsort(sizes)[-2]
    brain = np.pad(inside, _PAD)[::3, ::3, ::3]
    return Template(
        grey=_slab(grey),
        white=_slab(white),
        ventricle=_distance(ventricles[10:89, 10:107, 10:75], (20, 20, 20), 2),
        surface=_distance(brain, (-_PAD,) * 3, 3),
        head=_distance(_with_face(brain), (-_PAD,) * 3, 3),
    )


def _read(kind: str) -> Volume:
    package = find_spec("nilearn")  # importing it would take two seconds
    folder = Path(package.origin).parent if package and package.origin else Path("nilearn")
    path = folder / _FILE.format(kind)
    if not path.is_file():
        raise InputError(f"the template {str(path)!r} is missing; install nilearn 0.14 or later again")
    image = nib.Nifti1Image.from_filename(path)
    return np.asarray(image.dataobj, dtype=np.float32) / np.float32(255)


def _slab(values: Volume) -> Map:
    return Map(ndimage.uniform_filter1d(values, 3, axis=2), (0, 0, 0), 1)


def _distance(mask: NDArray[np.bool_], origin: tuple[float, float, float], step: float) -> Map:
    outside = ndimage.distance_transform_edt(~mask)
    signed = (outside - ndimage.distance_transform_edt(mask)).astype(np.float32)
    return Map(ndimage.gaussian_filter(signed, 0.7) * np.float32(step), origin, step)


def _with_face(brain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add face and neck: the outline of the lower brain, drawn out to the lower border.

    The whole is closed by 27 mm, since the scalp bridges what is hollow in the brain's outline.
    """
    level = (_PAD + 48) // 3
    low = np.asarray(brain[:, :, :level].any(axis=2))
    outline = ndimage.distance_transform_edt(~low) <= 11
    core = ndimage.distance_transform_edt(outline) > 13
    with_face = brain.copy()
    with_face[:, :, : level - 4] |= core[:, :, None]
    steps = [np.arange(size) * 3.0 - _PAD for size in brain.shape]
    at = np.stack(np.meshgrid(*steps, indexing="ij"))
    with_face |= _from_eyes(at) < 16
    with_face |= np.linalg.norm(at - np.array(_NOSE).reshape(3, 1, 1, 1), axis=0) < 22
    wide = np.pad(ndimage.distance_transform_edt(~with_face) <= _CLOSING, _CLOSING, mode="edge")
    inner = (slice(_CLOSING, -_CLOSING),) * 3
    return np.asarray((ndimage.distance_transform_edt(wide) > _CLOSING)[inner] | with_face)


def grow(grid: Grid, rng: np.random.Generator) -> Anatomy:
    """Return a random subject on ``grid``.

    Size, pose and shape vary smoothly; ventricles are enlarged and sulci widened as with age.
    """
    template = load_template()
    position = _deform(grid, rng)
    widening = np.float32(rng.uniform(0.4, 3.2))
    atrophy = np.float32(rng.uniform(0.25, 0.5))
    # Where a smooth field changes its sign it draws winding sheets, as sulci are.
    sulci = np.exp(-((smooth_field(rng, grid, _SULCI_MM) / np.float32(0.25)) ** 2))
    surface = template.surface.at(position, "nearest")
    distance = template.ventricle.at(position, "nearest") - widening
    grey = template.grey.at(position, "constant")
    white = template.white.at(position, "constant")
    # Probabilities blur sulci and draw a false grey rim around the ventricles.
    false_grey = grey * np.clip(1 - distance / 4, 0, 1) * np.float32(0.8)
    white += false_grey
    grey -= false_grey
    total = np.maximum(grey + white, np.float32(1e-3))
    white_share = np.clip((white / total - 0.5) * _SHARPENING + 0.5, 0, 1)
    deep = np.clip((-surface - 22) / 10, 0, 1).astype(np.float32)
    atrophy = atrophy + _SULCI_DEPTH * sulci * (1 - white_share) * (1 - deep)
    tissue = np.clip((total - atrophy) / (np.float32(0.95) - atrophy), 0, 1)
    tissue *= np.clip(distance / 1.5 + 0.5, 0, 1)
    brain = surface < 0
    tissue *= brain
    return Anatomy(
        grey=tissue * (1 - white_share),
        white=tissue * white_share,
        fluid=brain - tissue,
        deep=deep,
        brain=brain,
        ventricle_mm=distance,
        depth_mm=-surface,
        head_mm=template.head.at(position, "nearest"),
        position=position,
    )


def _deform(grid: Grid, rng: np.random.Generator) -> Volume:
    """Return the template position of every voxel: an affine map plus smooth displacements."""
    volume_ratio = rng.normal(0.735, 0.08)  # the template's brain is larger than a patient's
    scale = np.clip(volume_ratio, 0.6, 1.0) ** (1 / 3) * np.exp(rng.normal(0, 0.025, 3))
    angles = np.deg2rad(rng.normal(0, (5, 3, 3)))
    inverse = _rotation(angles) / scale[:, None]
    centre = _CENTRE + rng.normal(0, (2, 4, 3))
    world = np.meshgrid(*(grid.axis(number) for number in range(3)), indexing="ij", sparse=True)
    position = np.empty((3, *grid.shape), np.float32)
    for row in range(3):
        along = sum((inverse[row, column] * world[column] for column in range(3)), centre[row])
        position[row] = along
        position[row] += np.float32(2.2) * smooth_field(rng, grid, 45.0)
        position[row] += np.float32(0.9) * smooth_field(rng, grid, 20.0)
    return position


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[[first, first, second, second], [first, second, first, second]] = (
            np.cos(angle),
            -np.sin(angle),
            np.sin(angle),
            np.cos(angle),
        )
        matrix = turn @ matrix
    return matrix


def render(anatomy: Anatomy, contrast: Contrast, texture: Volume) -> Volume:
    """Return noise-free intensities of a healthy head, NAWM = 1.

    Args:
        anatomy: The subject.
        contrast: Intensity by tissue.
        texture: Smooth field of SD 1 that varies soft tissue outside the skull.
    """
    grey_level = contrast.grey + (contrast.deep_grey - contrast.grey) * anatomy.deep
    signal = anatomy.white + grey_level * anatomy.grey + np.float32(contrast.fluid) * anatomy.fluid
    outside = ~anatomy.brain
    signal[outside] = _around_brain(
        -anatomy.depth_mm[outside],
        anatomy.head_mm[outside],
        anatomy.position[:, outside],
        contrast,
        texture[outside],
    )
    return ndimage.gaussian_filter1d(ndimage.gaussian_filter1d(signal, 0.4, axis=0), 0.4, axis=1)


def _from_eyes(position: Volume | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance to the nearer eye's centre in mm, (...); ``position`` is (3, ...)."""
    across = np.abs(position[0] - MIDLINE) - _EYE[0]
    return np.asarray(np.sqrt(across**2 + (position[1] - _EYE[1]) ** 2 + (position[2] - _EYE[2]) ** 2))


def _around_brain(
    from_brain: Volume, from_head: Volume, position: Volume, contrast: Contrast, texture: Volume
) -> Volume:
    """Return intensities outside the brain: fluid, skull with marrow, eyes, muscle, scalp, air.

    Args:
        from_brain: Millimetres from the brain, (n,).
        from_head: Signed millimetres from brain, face and neck.
        position: Template positions, (3, n).
        contrast: Intensity by tissue.
        texture: Field of SD 1 that varies soft tissue and the thickness of the layers.
    """
    skull = np.clip(5.5 + 0.5 * texture, 4.2, 6.8)
    marrow = np.clip(1 - np.abs(from_brain - 0.62 * skull) / 0.9, 0, 1) * np.clip(texture + 0.7, 0, 1)
    eye = _from_eyes(position)
    soft = np.clip(contrast.muscle * (1 + 0.45 * texture), 0.03, None)
    layers = (
        (from_brain < 0.8, contrast.fluid),
        (from_brain < skull, contrast.bone + 0.45 * contrast.scalp * marrow),
        (eye < 11.5, contrast.fluid),
        ((eye < 19) & (from_head < 7), 0.9 * contrast.scalp),
        (from_head < 6.0, soft),
        (from_head < 10.0 + 0.5 * np.clip(texture, -2, 2), contrast.scalp * (1 + 0.15 * texture)),
    )
    return np.select(
        [inside for inside, _ in layers],
        [np.broadcast_to(np.float32(level), from_brain.shape) for _, level in layers],
        np.float32(0.0),
    )
