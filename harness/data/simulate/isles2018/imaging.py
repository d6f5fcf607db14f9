"""What is stored of a slab: CT in HU, four perfusion maps and the marked infarct."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.data.simulate.anatomy import MIDLINE, Anatomy
from harness.data.simulate.isles2018.patient import MARKED_TISSUE, Patient
from harness.data.simulate.isles2018.perfusion import Perfusion, perfuse
from harness.data.simulate.isles2018.protocol import HeadGrid, Slab
from harness.data.simulate.isles2018.stroke import levels
from harness.data.simulate.scanner import Volume

_GREY_HU, _WHITE_HU, _FLUID_HU = 37.0, 29.0, 7.0
_COMPACT_HU, _SPONGY_HU, _MUSCLE_HU, _SCALP_HU = 1800.0, 900.0, 50.0, 14.0
_SKULL_MM, _SCALP_MM = 7.5, 6.5  # mean thickness
_GAP_MM = 0.8  # of fluid between brain and skull
_CBF_UNIT, _CBV_UNIT, _MTT_S = 265.0, 46.0, 7.2  # of normal tissue
_SMOOTHING_MM = 1.6
_NOISE = 0.10
_LONGEST_S = 24.0
_LEAST_MM3 = 1000.0  # of infarct on the planes, some of which is lost in thick slices


@dataclass(frozen=True)
class Images:
    """A case's images, (x, y, z), in the archive's units and types."""

    ct: NDArray[np.int32]
    cbf: NDArray[np.uint16]
    cbv: NDArray[np.uint16]
    mtt: NDArray[np.float64]
    tmax: NDArray[np.float64]
    infarct: NDArray[np.uint8]


def scan(patient: Patient, slab: Slab, inplane_mm: float | None, rng: np.random.Generator) -> Images:
    """Return the images of one slab.

    Args:
        patient: The patient.
        slab: One of its slabs.
        inplane_mm: Voxel size, the protocol's if None.
        rng: Random numbers of this scan (noise).
    """
    grid = slab.planes(inplane_mm)
    head = patient.head(grid)
    at = levels(patient.stroke, grid, head)
    healthy = perfuse(head, at, patient.borders, patient.course)
    shared = np.random.default_rng(patient.seed)
    texture = grid.field(shared, 9.0)
    vessels = _vessels(head, grid, shared)
    patches = grid.field(shared, 24.0), grid.field(shared, 24.0)
    spacing = grid.spacing[0]
    ct = _ct(head, healthy, texture, patient.course.hypodensity_hu)
    cbf, cbv, mtt, tmax = _Maps(head, healthy, vessels, patches, slab, spacing).noisy(shared, rng)
    marked = _marked(at.infarct, patient.borders.infarct, head.grey + head.white, grid.voxel_mm3)
    in_skull = slab.thick((head.depth_mm > -_GAP_MM).astype(np.float32)) >= 0.5
    return Images(
        ct=_stored_ct(slab.thick(ct), spacing, rng),
        cbf=cbf,
        cbv=cbv,
        mtt=mtt,
        tmax=tmax,
        infarct=_drawn(slab.thick(marked.astype(np.float32)), in_skull, patient.shift_mm, spacing),
    )


def _vessels(head: Anatomy, grid: HeadGrid, rng: np.random.Generator) -> Volume:
    """Return the share of large vessels in the voxel: threads in the sulci, trunks at the base, sinus."""
    first, second = (grid.field(rng, 13.0) for _ in range(2))
    thread = np.exp(-((first / np.float32(0.16)) ** 2) - (second / np.float32(0.16)) ** 2)
    across, along, height = head.position
    outer = np.clip(1.5 - np.abs(head.depth_mm - 8) / 8, 0, 1) * np.clip(head.fluid * 3, 0, 1)
    trunks = np.exp(-(((height - 55) / 8) ** 2) - ((along - 130) / 25) ** 2) * (np.abs(across - MIDLINE) < 35)
    sinus = np.exp(-(((across - MIDLINE) / 2.5) ** 2) - ((head.depth_mm - 2) / 2.5) ** 2)
    sinus *= (along < 170) & (height > 60)
    return np.asarray(np.clip(thread * (outer + 1.5 * trunks) + 0.8 * sinus, 0, 1) * head.brain, np.float32)


def _ct(head: Anatomy, perfusion: Perfusion, texture: Volume, hypodensity_hu: float) -> Volume:
    """Return HU of the planes, air 0; the core is barely darker."""
    hu = _GREY_HU * head.grey + _WHITE_HU * head.white + _FLUID_HU * head.fluid
    hu -= hypodensity_hu * perfusion.dead * (head.grey + head.white)
    outside = ~head.brain
    hu[outside] = _around_brain(-head.depth_mm[outside], head.head_mm[outside], texture[outside])
    return np.asarray(hu, np.float32)


def _around_brain(from_brain: Volume, from_head: Volume, texture: Volume) -> Volume:
    """Return HU outside the brain: fluid, skull with spongy bone between two tables, soft tissue, air.

    Args:
        from_brain: Millimetres from the brain, (n,).
        from_head: Signed millimetres from brain, face and neck.
        texture: Field of SD 1 that varies thickness and texture.
    """
    skull = _SKULL_MM * np.clip(1 + 0.12 * texture, 0.7, 1.4)
    within = np.clip(from_brain - _GAP_MM, 0, None) / skull
    spongy = np.clip(2.2 - 5.5 * np.abs(within - 0.5), 0, 1) * np.clip(0.8 + 0.5 * texture, 0, 1)
    scalp = skull + _SCALP_MM
    layers = (
        (from_brain < _GAP_MM, np.float32(_FLUID_HU)),
        (within < 1, _COMPACT_HU + (_SPONGY_HU - _COMPACT_HU) * spongy),
        (from_head < 5.0, np.clip(_MUSCLE_HU * (1 + 0.4 * texture), 0, None)),
        (from_brain < scalp - 1.5, np.clip(_SCALP_HU * (1 + 0.6 * texture), 0, None)),
        ((from_brain < scalp) | (from_head < 8), np.float32(_MUSCLE_HU)),
    )
    values = [np.broadcast_to(np.asarray(level, np.float32), from_brain.shape) for _, level in layers]
    return np.asarray(np.select([inside for inside, _ in layers], values, np.float32(0)), np.float32)


def _stored_ct(hu: Volume, spacing_mm: float, rng: np.random.Generator) -> NDArray[np.int32]:
    noise = _noise(hu.shape, 0.55 / spacing_mm, rng) * rng.uniform(3.0, 5.0)
    return np.asarray(np.round(np.clip(hu + noise * (hu > 2), 0, None)), np.int32)


def _marked(level: Volume, border: float, tissue: Volume, voxel_mm3: float) -> NDArray[np.bool_]:
    """Return the infarct on the planes; the border gives way where the slab would hold almost none."""
    can_be = tissue > MARKED_TISSUE
    ordered = np.sort(level[can_be])
    least = min(round(_LEAST_MM3 / voxel_mm3), ordered.size - 1)
    return np.asarray((level <= max(border, float(ordered[least]))) & can_be)


def _drawn(
    share: Volume, in_skull: NDArray[np.bool_], shift_mm: tuple[float, float], spacing_mm: float
) -> NDArray[np.uint8]:
    """Return the marked voxels, displaced as another scan is, but not into bone; at least one."""
    voxels = (-shift_mm[0] / spacing_mm, -shift_mm[1] / spacing_mm, 0)
    moved = ndimage.shift(share, voxels, order=1) * in_skull
    return np.asarray((moved >= 0.5) | (moved == max(moved.max(), 1e-6)), np.uint8)


@dataclass(frozen=True)
class _Maps:
    """Noise-free planes of a slab, to be averaged and stored.

    Attributes:
        head: Anatomy of the planes.
        perfusion: Maps of the planes.
        vessels: Share of large vessels.
        patches: Two smooth fields of SD 1 that vary flow and arrival over the brain.
        slab: Averages planes.
        spacing_mm: In-plane.
    """

    head: Anatomy
    perfusion: Perfusion
    vessels: Volume
    patches: tuple[Volume, Volume]
    slab: Slab
    spacing_mm: float

    def noisy(
        self, shared: np.random.Generator, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.float64], NDArray[np.float64]]:
        """Return CBF, CBV, MTT and Tmax as stored: noise, units, 0 outside the perfused brain."""
        maps, late = self.perfusion, self.perfusion.late
        gain = 1 + np.float32(0.09) * self.patches[0]
        feeding = self.vessels * (1 - 0.6 * late)
        cbf = self._smooth(maps.cbf * gain + 3.2 * feeding)
        cbv = self._smooth(maps.cbv * (1 + 0.5 * (gain - 1)) + 4.0 * feeding)
        tmax = self._smooth(maps.tmax + 0.35 * self.patches[1] - 0.8 * feeding)
        fluid, mask = self._smooth(self.head.fluid), self._mask()
        size = (cbf.shape, self._sigma)
        first, second, third, fourth = (_noise(*size, rng) for _ in range(4))
        thin = np.clip(1.2 - cbf, 0, 1) + fluid
        cbf = cbf * (1 + _NOISE * first) + 0.02 * second
        cbv = cbv * (1 + _NOISE * (0.8 * first + 0.6 * second)) + 0.02 * third
        mtt = _MTT_S * np.clip(cbv, 0.02, None) / np.clip(cbf, 0.05, None) * (1 + 0.05 * third)
        tmax = tmax * (1 + 0.06 * fourth) + (0.3 + 0.7 * thin) * fourth
        flow_unit, blood_unit = (
            _CBF_UNIT * np.exp(shared.normal(0, 0.12)),
            _CBV_UNIT * np.exp(shared.normal(0, 0.1)),
        )
        return (
            _counts(cbf * flow_unit, mask),
            _counts(cbv * blood_unit, mask),
            np.where(mask, np.clip(mtt, 0.5, _LONGEST_S), 0).astype(np.float64),
            np.where(mask, np.clip(tmax, 0, _LONGEST_S), 0).astype(np.float64),
        )

    @property
    def _sigma(self) -> float:
        return _SMOOTHING_MM / self.spacing_mm

    def _smooth(self, planes: NDArray[Any]) -> Volume:
        return np.asarray(ndimage.gaussian_filter(self.slab.thick(planes), (self._sigma, self._sigma, 0)))

    def _mask(self) -> NDArray[np.bool_]:
        """Brain, but for its outermost rim and wide spaces of fluid."""
        solid = self._smooth(self.head.brain * (self.head.depth_mm > 2.0).astype(np.float32))
        return (solid > 0.5) & (self._smooth(self.head.fluid) < 0.72)


def _counts(values: Volume, mask: NDArray[np.bool_]) -> NDArray[np.uint16]:
    return np.where(mask, np.round(np.clip(values, 0, 65535)), 0).astype(np.uint16)


def _noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Volume:
    """Return noise of SD 1, smooth in-plane by ``sigma`` voxels."""
    white = rng.standard_normal(shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, (sigma, sigma, 0))
    return np.asarray(smooth / max(float(smooth.std()), 1e-6), np.float32)
