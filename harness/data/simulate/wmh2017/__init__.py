"""Simulated WMH 2017: FLAIR, T1 and white matter hyperintensities of three scanners.

Written as the archives of 2017 unpack (``Utrecht/<id>/pre/FLAIR.nii.gz``, ``pre/T1.nii.gz``,
``wmh.nii.gz``), without ``orig/`` and ``pre/3DT1.nii.gz``. The distributions that it follows were
measured on the 60 training cases and are listed with their sources in the data guide: Kuijf et
al., IEEE TMI 38(11), 2019, and the per-case tables of the public project wmh-multisite.
"""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr, ndtri

from harness.data.simulate import SIMULATORS, Options, Simulator
from harness.data.simulate.anatomy import Anatomy, grow, render
from harness.data.simulate.scanner import PERCENTILES, SITES, Grid, Site, Volume, acquire, smooth_field
from harness.data.simulate.wmh2017.lesions import Burden, Lesions, place
from harness.data.simulate.wmh2017.targets import measure

__all__ = ["VERSION", "measure", "write_case"]

VERSION = 2

_ARCHIVE_IDS: dict[str, tuple[int, ...]] = {
    "Utrecht": (0, 2, 4, 6, 8, 11, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 49),
    "Singapore": tuple(range(50, 70)),
    "GE3T": (*range(100, 111), *range(112, 117), 126, 132, 137, 144),
}
_BLOCK = 50  # the archive numbers its sites 0-49, 50-99 and 100-149
_SWAPPED = {50, 51}  # Singapore's cases whose in-plane sizes are swapped
_GOLDEN, _SILVER = 0.6180339887498949, 0.41421356237309515
_OTHER_PATHOLOGY = 0.42  # share of cases
_INFARCT_ML = (np.log(1.75), 1.2)  # mean and SD of the logarithm
_COUNT_RANKS = (0, 10, 25, 50, 75, 90, 100)
_COUNTS = (0.14, 0.35, 0.61, 1.0, 1.33, 1.75, 2.6)  # lesions a patient over their median, at these ranks
_SPOTS_A_LESION = 1.05  # some are too small for a voxel; caps and bands are lesions too
_COUNT_WITH_VOLUME = 0.6  # rank correlation of the number of lesions and their volume


def write_case(folder: Path, seed: int, index: int, options: Options) -> None:
    """Write one case below ``folder``; a registered :class:`~harness.data.simulate.Simulator`.

    Args:
        folder: Root of the dataset.
        seed: Of the simulation.
        index: Of the case.
        options: Sites and in-plane voxel size.
    """
    name = options.sites[index % len(options.sites)]
    turn = index // len(options.sites)
    site, identity = SITES[name], _identity(name, turn)
    grid = _grid(site, identity, options.inplane_mm)
    streams = np.random.SeedSequence([seed, index]).spawn(4)
    shape_rng, lesion_rng, flair_rng, t1_rng = (np.random.default_rng(stream) for stream in streams)
    anatomy = grow(grid, shape_rng)
    lesions = place(anatomy, grid, _burden(site, seed, index, turn, lesion_rng), lesion_rng)
    flair, t1 = _images(anatomy, lesions, site, grid, flair_rng, t1_rng)
    case = folder / name / str(identity)
    (case / "pre").mkdir(parents=True)
    _save(flair.astype(np.float32), grid, case / "pre" / "FLAIR.nii.gz")
    _save(np.clip(t1, 0, 65535).astype(np.uint16), grid, case / "pre" / "T1.nii.gz")
    _save(lesions.labels.astype(np.float32), grid, case / "wmh.nii.gz")


SIMULATORS.register("wmh2017")(Simulator(write_case, tuple(SITES), VERSION))


def _identity(site: str, turn: int) -> int:
    """Return the ``turn``-th id of a site: the archive's first, then free ones of its blocks."""
    known = _ARCHIVE_IDS[site]
    if turn < len(known):
        return known[turn]
    first = list(SITES).index(site) * _BLOCK
    free = [identity for identity in range(first, first + _BLOCK) if identity not in known]
    further = turn - len(known)
    if further < len(free):
        return free[further]
    lap, step = divmod(further - len(free), _BLOCK)
    return first + len(SITES) * _BLOCK * (lap + 1) + step


def _grid(site: Site, identity: int, inplane_mm: float | None) -> Grid:
    grid = Grid(site.shape, site.spacing)
    if identity in _SWAPPED:
        grid = Grid((site.shape[1], site.shape[0], site.shape[2]), site.spacing)
    return grid if inplane_mm is None else grid.coarser(inplane_mm)


def _burden(site: Site, seed: int, index: int, turn: int, rng: np.random.Generator) -> Burden:
    """Draw how much disease a case has.

    Volume, number and other pathology walk through their distributions in steps of irrational
    numbers from random starts, so that a dozen cases a site already have about the right medians.
    """
    sites = list(SITES.values())
    starts = np.random.default_rng(np.random.SeedSequence([seed])).random(1 + 2 * len(sites))
    place = sites.index(site)
    level = (starts[place] + turn * _GOLDEN) % 1
    volume = float(np.exp(np.interp(100 * level, PERCENTILES, np.log(site.volume_ml))))
    own = (starts[len(sites) + place] + turn * _SILVER) % 1
    mixed = _COUNT_WITH_VOLUME * ndtri(level) + np.sqrt(1 - _COUNT_WITH_VOLUME**2) * ndtri(own)
    lesions = site.lesions * float(np.interp(100 * ndtr(mixed), _COUNT_RANKS, _COUNTS))
    rank = (starts[-1] + index * _SILVER) % 1 / _OTHER_PATHOLOGY  # of the infarct among infarcts
    infarct = np.clip(np.exp(_INFARCT_ML[0] + _INFARCT_ML[1] * ndtri(rank)), 0.05, 33) if rank < 1 else 0.0
    return Burden(
        volume_ml=volume,
        spots=round(_SPOTS_A_LESION * lesions),
        small_mm3=site.small_mm3,
        infarct_ml=float(infarct),
        bait=int(rng.integers(10, 32)),
    )


def _images(
    anatomy: Anatomy,
    lesions: Lesions,
    site: Site,
    grid: Grid,
    flair_rng: np.random.Generator,
    t1_rng: np.random.Generator,
) -> tuple[Volume, Volume]:
    texture = smooth_field(flair_rng, grid, 9.0)
    fine = smooth_field(flair_rng, grid, 5.0)
    tissue = anatomy.white + anatomy.grey
    flair = render(anatomy, site.flair, texture)
    flair *= 1 + (0.014 * texture + 0.01 * fine) * tissue
    flair += np.float32(site.lesion) * lesions.flair * tissue
    flair += lesions.damage * tissue * (site.flair.fluid - flair)
    flair += _cortical_bait(anatomy, grid, flair_rng)
    t1 = render(anatomy, site.t1, texture)
    t1 -= np.float32(flair_rng.uniform(0.12, 0.4)) * lesions.flair * anatomy.white
    t1 += lesions.damage * tissue * (site.t1.fluid - t1)
    flair = acquire(np.clip(flair, 0, None), site.flair, site.slice_gain, grid, flair_rng)
    t1 = acquire(np.clip(t1, 0, None), site.t1, 0.0, grid, t1_rng)
    if site.defaced:
        removed = _face(anatomy, np.clip(t1_rng.normal(-8, 30), -32, 45))
        flair[removed] = 0
        t1[removed] = 0
    return np.round(flair, 1), np.round(t1)


def _cortical_bait(anatomy: Anatomy, grid: Grid, rng: np.random.Generator) -> Volume:
    """Return bright patches of cortex and of the brain's surface, which are artefacts, not lesions."""
    patches = np.clip(smooth_field(rng, grid, 13.0) - 1.7, 0, 1.2)
    bright = np.float32(rng.uniform(0.25, 0.6)) * patches * anatomy.grey
    edge = np.exp(-((anatomy.depth_mm - 1.5) ** 2) / 3) * np.clip(smooth_field(rng, grid, 20.0) - 1.3, 0, 1)
    return np.asarray(bright + 0.5 * edge * anatomy.brain, np.float32)


def _face(anatomy: Anatomy, raised_mm: float) -> NDArray[np.bool_]:
    """Return what defacing sets to zero: all in front of and below two planes, but what is near the brain."""
    _, y, z = anatomy.position
    below = (0.75 * (y - 150) - (z - 30) > -raised_mm) & (z < 70)
    removed = (below | (z < -25 + raised_mm)) & (anatomy.depth_mm < -9)
    return np.asarray(ndimage.binary_opening(removed, iterations=1))


def _save(values: NDArray[np.float32] | NDArray[np.uint16], grid: Grid, path: Path) -> None:
    """Write a NIfTI file whose bytes depend on the values only (no time stamp)."""
    image = nib.Nifti1Image(values, grid.affine)  # type: ignore[no-untyped-call]
    image.set_qform(grid.affine, code=1)  # type: ignore[no-untyped-call]
    image.set_sform(grid.affine, code=1)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm", "sec")  # type: ignore[no-untyped-call]
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))
