"""Scanners: geometry and contrast of the sites of WMH 2017, and what the scanner adds to anatomy.

Geometry from the official headers; signal-to-noise ratios, bias and slice gain from published
measurements of the training images, all in units of normal-appearing white matter (NAWM) = 1.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float32]


PERCENTILES = (0, 10, 25, 35, 50, 75, 90, 100)
"""Percentiles of patients at which :attr:`Site.volume_ml` is given."""


@dataclass(frozen=True)
class Contrast:
    """Intensity by tissue in one sequence, NAWM = 1.

    Attributes:
        grey: Pure cortex; partial volume with fluid lowers what one measures.
        deep_grey: Basal ganglia and thalamus.
        fluid: Cerebrospinal fluid.
        bone: Skull.
        scalp: Skin and fat.
        muscle: Face and neck.
        snr: White-matter signal over noise SD, (lowest, highest) over patients.
        unit: Scanner units of NAWM, (lowest, highest) over patients.
    """

    grey: float
    deep_grey: float
    fluid: float
    bone: float
    scalp: float
    muscle: float
    snr: tuple[float, float]
    unit: tuple[float, float]


@dataclass(frozen=True)
class Site:
    """A scanner of the archive.

    Attributes:
        shape: Voxels (x, y, z).
        spacing: Millimetres (x, y, z).
        flair: Contrast of the FLAIR.
        t1: Contrast of the T1.
        lesion: FLAIR intensity of a strong lesion over NAWM, minus 1.
        slice_gain: SD of the gain from slice to slice of a 2D FLAIR; 0 for a 3D one.
        defaced: Whether face and air in front of it are zero.
        volume_ml: Lesion volume at the percentiles :data:`PERCENTILES` of patients; the 35th is chosen so
            that the foreground fraction pooled over sites has the right median.
        lesions: Median number of separate lesions to place in a patient; caps and bands fall into some more.
        small_mm3: Median size of their small ones.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    flair: Contrast
    t1: Contrast
    lesion: float
    slice_gain: float
    defaced: bool
    volume_ml: tuple[float, ...]
    lesions: float = 57.0
    small_mm3: float = 12.0


_T1 = Contrast(0.66, 0.76, 0.28, 0.16, 1.15, 0.55, snr=(8, 17), unit=(180, 420))

SITES = {
    "Utrecht": Site(
        shape=(240, 240, 48),
        spacing=(0.958, 0.958, 3.0),
        flair=Contrast(1.13, 1.03, 0.26, 0.18, 1.05, 0.55, snr=(9, 14), unit=(700, 1300)),
        t1=_T1,
        lesion=0.60,
        slice_gain=0.03,
        defaced=False,
        volume_ml=(0.9, 1.4, 2.7, 16, 24, 33, 48, 75),
        lesions=70,
        small_mm3=12,
    ),
    "Singapore": Site(
        shape=(232, 256, 48),
        spacing=(1.0, 1.0, 3.0),
        flair=Contrast(1.15, 1.05, 0.32, 0.2, 0.8, 0.5, snr=(11, 16), unit=(150, 320)),
        t1=replace(_T1, grey=0.70, deep_grey=0.80, snr=(10, 17)),
        lesion=0.385,
        slice_gain=0.03,
        defaced=False,
        volume_ml=(0.8, 1.6, 10, 13, 17, 26, 36, 61),
        lesions=61,
        small_mm3=9,
    ),
    "GE3T": Site(
        shape=(132, 256, 83),
        spacing=(1.2, 0.977, 3.0),
        flair=Contrast(1.10, 1.0, 0.22, 0.12, 0.65, 0.45, snr=(10, 16), unit=(300, 700)),
        t1=replace(_T1, grey=0.62, unit=(1200, 2600)),
        lesion=0.465,
        slice_gain=0.0,
        defaced=True,
        volume_ml=(1.5, 2.1, 3.1, 4.0, 6.0, 17, 23, 44),
        lesions=40,
        small_mm3=10,
    ),
}


@dataclass(frozen=True)
class Grid:
    """A voxel grid stored LPS, its centre at the world's origin.

    Attributes:
        shape: Voxels (x, y, z).
        spacing: Millimetres (x, y, z).
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.spacing))

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel index to RAS millimetres; the first two axes run to the left and to the back."""
        matrix = np.diag([-self.spacing[0], -self.spacing[1], self.spacing[2], 1.0])
        matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(self.shape) - 1) / 2)
        return matrix

    def axis(self, number: int) -> NDArray[np.float64]:
        """RAS millimetres along one axis."""
        step, start = self.affine[number, number], self.affine[number, 3]
        return np.asarray(np.arange(self.shape[number]) * step + start, np.float64)

    def coarser(self, inplane_mm: float) -> "Grid":
        """Return the grid of the same field of view with square in-plane voxels."""
        rows, columns = (round(self.shape[axis] * self.spacing[axis] / inplane_mm) for axis in (0, 1))
        return Grid((rows, columns, self.shape[2]), (inplane_mm, inplane_mm, self.spacing[2]))


def smooth_field(rng: np.random.Generator, grid: Grid, knot_mm: float) -> Volume:
    """Return a smooth random field of mean 0 and SD about 1.

    A cubic B-spline with independent normal coefficients, whose knots lie on a lattice in
    millimetres: the same generator gives the same field on grids of the same extent.

    Args:
        rng: Source of the coefficients.
        grid: Where to evaluate it.
        knot_mm: Distance between knots, about the correlation length.
    """
    bases = [_spline_basis(grid.axis(number), knot_mm) for number in range(3)]
    field = rng.standard_normal(tuple(basis.shape[1] for basis in bases)).astype(np.float32)
    for basis in bases:  # contract the first axis, append the evaluated one: x, y, z in the end
        field = np.tensordot(field, basis, axes=(0, 1))
    return field / np.float32(0.479**1.5)  # 0.479: mean over positions of the sum of squared weights


def _spline_basis(positions: NDArray[np.float64], knot_mm: float) -> Volume:
    reach = np.abs(positions).max() / knot_mm
    knots = np.arange(-np.ceil(reach) - 1, np.ceil(reach) + 2)
    distance = np.abs(positions[:, None] / knot_mm - knots[None])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def acquire(
    signal: Volume, contrast: Contrast, slice_gain: float, grid: Grid, rng: np.random.Generator
) -> Volume:
    """Return what the scanner stores: bias, slice gain, Rician noise, scanner units.

    Args:
        signal: Noise-free intensities, NAWM = 1.
        contrast: Gives noise and unit.
        slice_gain: SD of the gain between slices.
        grid: Of ``signal``.
        rng: Random numbers of this image.
    """
    bias = np.exp(np.float32(0.05) * smooth_field(rng, grid, 90.0))
    gain = 1 + slice_gain * rng.standard_normal(grid.shape[2])
    noise = np.float32(1 / rng.uniform(*contrast.snr))
    unit = np.float32(rng.uniform(*contrast.unit))
    image = signal * bias * gain.astype(np.float32)
    image += noise * rng.standard_normal(grid.shape, dtype=np.float32)
    imaginary = noise * rng.standard_normal(grid.shape, dtype=np.float32)
    return np.asarray(np.hypot(image, imaginary) * unit, np.float32)
