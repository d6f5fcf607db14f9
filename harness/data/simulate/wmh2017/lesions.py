"""White matter hyperintensities: where they lie, what an observer marks, how bright they are.

Confluent caps and bands along the lateral ventricles, many small deep spots with heavy-tailed
sizes, old infarcts as other pathology, and bright spots that are no lesion. Counts, sizes and
places follow the per-case tables of the training data (see :mod:`harness.data.simulate.wmh2017`).
Brightness is not a function of the label: borders, amplitudes and haze vary on their own, so that
neither a threshold nor a perfect model recovers the label exactly.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.data.simulate.anatomy import MIDLINE, Anatomy
from harness.data.simulate.scanner import Grid, Volume, smooth_field

Mask = NDArray[np.bool_]
Index = tuple[int, int, int]

_CUBE = np.ones((3, 3, 3), bool)
_DEEP_SHARE = (0.235, 0.1)  # of the volume in separate lesions, over patients: mean, SD
_SPREADS = np.linspace(0.7, 2.6, 39)  # SD of the logarithm of their sizes
_HORNS_Y = (160.0, 70.0)  # template y in mm of the frontal horns' tips and of the occipital horns


@dataclass(frozen=True)
class Burden:
    """How much disease a subject has.

    Attributes:
        volume_ml: All lesions together.
        spots: Number of small deep lesions.
        small_mm3: Their median size.
        infarct_ml: Volume of other pathology, 0 for none.
        bait: Number of bright spots that are no lesion.
    """

    volume_ml: float
    spots: int
    small_mm3: float
    infarct_ml: float
    bait: int


@dataclass(frozen=True)
class Lesions:
    """Pathology on the scanner's grid.

    Attributes:
        labels: 0, 1 for hyperintensities, 2 for other pathology, as in the archive.
        flair: What to add to the healthy FLAIR in units of a strong lesion (0 none, 1 strong).
        damage: Fraction of tissue replaced by fluid in old infarcts.
    """

    labels: NDArray[np.uint8]
    flair: Volume
    damage: Volume


def place(anatomy: Anatomy, grid: Grid, burden: Burden, rng: np.random.Generator) -> Lesions:
    """Return the pathology of one subject.

    Args:
        anatomy: The healthy subject.
        grid: Its grid.
        burden: How much to place.
        rng: Random numbers of the subject's lesions.
    """
    home = _home(anatomy)
    sizes = _spot_sizes(burden, rng)
    target_mm3 = 1.03 * (burden.volume_ml * 1000 - sizes.sum())  # specks are taken away again
    mask, flair = _periventricular(anatomy, grid, home, target_mm3, rng)
    spots = _Spots(grid, home, mask.copy(), rng)
    for size in sizes:
        spots.add(size, rng.normal(1.15, 0.22), marked=True)
    for size in np.exp(rng.normal(np.log(18.0), 0.9, burden.bait)):
        spots.add(size, rng.normal(0.9, 0.2), marked=False)
    mask |= spots.marked
    flair = np.maximum(flair, _blur(spots.brightness, grid, 0.45))
    infarct, damage, rim = _infarct(anatomy, grid, burden.infarct_ml, rng)
    labels = np.where(infarct, np.uint8(2), np.uint8(0))
    labels[mask & (damage < 0.3)] = 1  # nobody marks hyperintensities where tissue is gone
    return Lesions(labels, np.maximum(flair, rim) * (1 - damage), damage)


def _home(anatomy: Anatomy) -> Volume:
    """Weight 0..1 of white matter that may be hit: cerebral, off the cortex and the brain stem."""
    across, along, height = anatomy.position
    temporal = (np.abs(across - MIDLINE) > 22) & (along > 92)
    weight = np.clip((anatomy.white - 0.55) / 0.35, 0, 1)
    weight *= np.clip((anatomy.depth_mm - 8.5) / 9, 0, 1)
    weight *= np.clip((height - 32) / 22, 0, 1) * np.clip((150 - height) / 16, 0, 1)
    weight *= (height > 66) | temporal  # no lesion in brain stem and cerebellum
    weight *= anatomy.ventricle_mm > 0.5
    return np.asarray(weight, np.float32)


def _spot_sizes(burden: Burden, rng: np.random.Generator) -> NDArray[np.float64]:
    """Log-normal volumes in mm3, whose spread makes them a share of the total; each below an eighth of it."""
    total = burden.volume_ml * 1000
    share = np.clip(rng.normal(*_DEEP_SHARE), 0.06, 0.5)
    drawn = np.sort(rng.standard_normal(burden.spots))
    candidates = np.minimum(burden.small_mm3 * np.exp(_SPREADS[:, None] * drawn), total / 8)
    sizes = candidates[np.argmin(np.abs(candidates.sum(axis=1) - share * total))]
    kept = np.cumsum(sizes) <= max(share, 0.4) * total
    return np.asarray(sizes[kept][::-1])


def _periventricular(
    anatomy: Anatomy, grid: Grid, home: Volume, target_mm3: float, rng: np.random.Generator
) -> tuple[Mask, Volume]:
    """Grow caps and bands, side by side, to a volume; return the mark and the brightness."""
    distance = anatomy.ventricle_mm
    front, back = (np.exp(-(((anatomy.position[1] - y) / 14) ** 2)) for y in _HORNS_Y)
    lean = rng.random()  # caps at the front or at the back prevail
    reach = 1.1 * distance - 5.0 * (0.1 + 1.5 * lean) * front - 6.0 * (0.1 + 1.5 * (1 - lean)) * back
    reach += 0.05 * np.abs(anatomy.position[2] - 98) * np.sign(98 - anatomy.position[2])
    reach += 7 * np.exp(-(((anatomy.position[0] - MIDLINE) / 6) ** 2))  # the corpus callosum is spared
    reach += np.float32(2.0) * smooth_field(rng, grid, 11.0) + np.float32(0.8) * smooth_field(rng, grid, 5.0)
    room = (home > 0.25) & (distance < 28)
    share = np.clip(rng.normal(0.59, 0.08), 0.42, 0.78)
    right_share = share if rng.random() < 0.5 else 1 - share
    seen_by_scanner = reach + np.float32(0.9) * smooth_field(rng, grid, 6.0)
    strength = 1.0 + np.float32(0.2) * smooth_field(rng, grid, 9.0)
    mask = np.zeros(grid.shape, bool)
    flair = np.zeros(grid.shape, np.float32)
    right = anatomy.right
    for side, part in ((right, right_share), (~right, 1 - right_share)):
        candidates = room & side
        wanted = round(part * target_mm3 / grid.voxel_mm3)
        border = _border(reach[candidates], wanted)
        mask |= _without_specks(candidates & (reach < border), round(25 / grid.voxel_mm3))
        soft = np.clip((border - seen_by_scanner) / 2.0 + 0.8, 0, 1)
        flair += np.where(side & (distance > -0.5), soft, 0)
    haze = np.exp(-np.clip(distance, 0, None) / 5) * np.clip(smooth_field(rng, grid, 14.0), 0, 2) * 0.2
    rim = np.exp(-((distance - 0.6) ** 2) / 1.2) * rng.uniform(0.05, 0.4)
    healthy = np.maximum(haze, rim) * anatomy.white
    flair *= np.clip(strength, 0.4, 1.4) * np.clip(anatomy.white * 1.4, 0, 1) * (home > 0)
    return mask, np.maximum(flair, healthy).astype(np.float32)


def _border(reach: Volume, wanted: int) -> float:
    """Return the value below which ``wanted`` voxels lie."""
    if reach.size == 0:
        return -np.inf
    rank = min(max(wanted, 1), reach.size - 1)
    return float(np.partition(reach, rank)[rank])


def _without_specks(mask: Mask, smallest: int) -> Mask:
    labels, count = ndimage.label(mask, structure=_CUBE)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = sizes >= max(smallest, 2)
    keep[0] = False
    return np.asarray(keep[labels])


class _Spots:
    """Small separate lesions, added one at a time so that none touches another."""

    def __init__(self, grid: Grid, home: Volume, taken: Mask, rng: np.random.Generator) -> None:
        self._grid, self._home, self._rng = grid, home, rng
        self._free = ~ndimage.binary_dilation(taken, _CUBE) & (home > 0.02)
        self._near = np.flatnonzero(home > 0.02)
        weight = home.ravel()[self._near]
        self._cumulative = np.cumsum(weight, dtype=np.float64)
        self.marked = np.zeros(grid.shape, bool)
        self.brightness = np.zeros(grid.shape, np.float32)

    def add(self, size_mm3: float, amplitude: float, *, marked: bool) -> None:
        """Grow a spot of ``size_mm3`` at a random free place; nothing happens if there is none."""
        voxels = size_mm3 / self._grid.voxel_mm3
        count = int(voxels) + int(self._rng.random() < voxels % 1)
        centre = self._seed()
        if count == 0 or centre is None:
            return
        box, ranking = self._ellipsoid(centre, count)
        free = self._free[box]
        ranking[~free] = np.inf
        count = min(count, int(np.isfinite(ranking).sum()))
        border = np.partition(ranking.ravel(), count - 1)[count - 1]
        spot = ranking <= border
        fading = np.clip(1.25 - 0.45 * ranking / max(border, 0.5), 0.5, 1.1)
        self.brightness[box] = np.where(spot, np.clip(amplitude, 0.15, 1.5) * fading, self.brightness[box])
        if marked:
            self.marked[box] |= spot
        around = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in box)
        padded = np.zeros(self._free[around].shape, bool)
        inner = tuple(
            slice(part.start - outer.start, part.stop - outer.start)
            for part, outer in zip(box, around, strict=True)
        )
        padded[inner] = spot
        self._free[around] &= ~ndimage.binary_dilation(padded, _CUBE)

    def _seed(self) -> Index | None:
        for _ in range(40):
            if self._cumulative.size == 0:
                break
            drawn = np.searchsorted(self._cumulative, self._rng.random() * self._cumulative[-1])
            index = np.unravel_index(self._near[min(int(drawn), self._near.size - 1)], self._grid.shape)
            if self._free[index]:
                return int(index[0]), int(index[1]), int(index[2])
        return None

    def _ellipsoid(self, centre: Index, count: int) -> tuple[tuple[slice, ...], NDArray[np.float64]]:
        """Return a box around ``centre`` and the rank of its voxels, an elongated distance in mm."""
        spacing = np.array(self._grid.spacing)
        radius = (count * self._grid.voxel_mm3 * 0.75 / np.pi) ** (1 / 3)
        half = np.ceil(1.8 * radius / spacing).astype(int) + 1
        box = tuple(
            slice(max(middle - reach, 0), min(middle + reach + 1, size))
            for middle, reach, size in zip(centre, half, self._grid.shape, strict=True)
        )
        axes = np.linalg.qr(self._rng.standard_normal((3, 3)))[0] * np.exp(self._rng.normal(0, 0.25, 3))
        local = np.mgrid[box].reshape(3, -1).astype(float)
        shift = self._rng.uniform(-0.3, 0.3, 3)
        offset = (local - (np.array(centre) + shift)[:, None]) * spacing[:, None]
        distance = np.linalg.norm(axes.T @ offset, axis=0)
        distance += self._rng.normal(0, min(0.12 * radius, 0.35), distance.shape)
        shape = tuple(part.stop - part.start for part in box)
        ranking = distance.reshape(shape)
        ranking[tuple(middle - part.start for middle, part in zip(centre, box, strict=True))] = 0.0
        return box, ranking


def _infarct(
    anatomy: Anatomy, grid: Grid, volume_ml: float, rng: np.random.Generator
) -> tuple[Mask, Volume, Volume]:
    """Return an old infarct's rough mark, its cavity and its bright rim."""
    if volume_ml <= 0:
        empty = np.zeros(grid.shape, np.float32)
        return np.zeros(grid.shape, bool), empty, empty
    depth = rng.uniform(4, 30)
    places = np.flatnonzero((np.abs(anatomy.depth_mm - depth) < 1.5) & (anatomy.position[2] > 40))
    centre = np.array(np.unravel_index(places[rng.integers(places.size)], grid.shape))
    offsets = [
        (np.arange(size) - middle) * step
        for size, middle, step in zip(grid.shape, centre, grid.spacing, strict=True)
    ]
    squares = [offset**2 * np.exp(rng.normal(0, 0.4)) for offset in offsets]
    away = np.sqrt(squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :])
    away = (away + 1.5 * smooth_field(rng, grid, 8.0)).astype(np.float32)
    room = anatomy.brain & (anatomy.depth_mm > 1.5)
    border = np.float32(_border(away[room], round(volume_ml * 1000 / grid.voxel_mm3)))
    mark = room & (away < border)
    core = border - max(grid.spacing[:2])  # the mark is drawn a voxel too wide
    damage = np.clip((core - 1.5 - away) / 2, 0, 1) * np.float32(rng.uniform(0.3, 1.0)) * room
    rim = np.clip(1 - np.abs(core - away) / 3, 0, 1) * np.float32(rng.uniform(0.4, 0.9)) * room
    return mark, damage.astype(np.float32), rim.astype(np.float32)


def _blur(values: Volume, grid: Grid, sigma_mm: float) -> Volume:
    sigma = (sigma_mm / grid.spacing[0], sigma_mm / grid.spacing[1], 0)
    return ndimage.gaussian_filter(values, sigma)
