"""One case of WMH 2017 in numbers, from its files.

Definitions (sizes in mm, so that they hold for every scanner):

* **Lesion**: a 26-connected piece of label 1. Shares are of the voxels of label 1.
* **Robust z**: FLAIR less the brain's median, over 1.4826 times its median absolute deviation.
* **Normal tissue**: brain without label 1 and 2. Regions as :mod:`.tissue` estimates them.
* **SNR**: median over standard deviation of NAWM.
* **One threshold**: Dice of label 1 with ``z > t``, label 2 taken out, for each ``t`` of
  :data:`THRESHOLDS`; ``cleaned`` also drops voxels within 14 mm of the surface and pieces below
  40 mm3, the best such rule on the real training cases.
"""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.data.case import CaseFiles
from harness.data.simulate.scanner import Volume
from harness.data.simulate.wmh2017.tissue import Mask, Spacing, Tissue, distance_mm, segment

THRESHOLDS = np.round(np.arange(1.4, 3.45, 0.1), 2)
_CUBE = np.ones((3, 3, 3), bool)
_NEAR_VENTRICLES_MM, _NEAR_SURFACE_MM, _DEPTH_MM = 10, 3, 16
_CLEAN_DEPTH_MM, _CLEAN_SIZE_MM3 = 14, 40


@dataclass(frozen=True)
class LesionNumbers:
    """Sizes and places of a case's lesions, NaN where it has none.

    Attributes:
        count: Number of lesions.
        sizeable: Share of them of 10 mm3 or more.
        median_mm3: Their median size.
        largest: The largest one's share of the volume.
        near_ventricles: Share of voxels within 10 mm of the lateral ventricles.
        shallow: Share of voxels closer than 16 mm to the brain's surface.
        depth_mm: 5th percentile of the voxels' depth.
    """

    count: int
    sizeable: float
    median_mm3: float
    largest: float
    near_ventricles: float
    shallow: float
    depth_mm: float


@dataclass(frozen=True)
class ContrastNumbers:
    """Contrast in one image, medians over that of NAWM.

    Attributes:
        lesion: Of lesions, NaN where there are none.
        cortex: Of cortex.
        snr: Of NAWM.
    """

    lesion: float
    cortex: float
    snr: float


@dataclass(frozen=True)
class BrightnessNumbers:
    """How far brightness on FLAIR tells lesions from normal tissue, NaN where there are no such voxels.

    Attributes:
        lesion: Median robust z of lesion voxels inside the brain.
        lesion_low: Their 10th percentile.
        normal_high: 99th percentile of z in normal tissue.
        at_surface: Of the normal voxels above z 3, the share within 3 mm of the surface.
        dice: Of one threshold, by :data:`THRESHOLDS`.
        dice_cleaned: The same after the removal of shallow voxels and small pieces.
    """

    lesion: float
    lesion_low: float
    normal_high: float
    at_surface: float
    dice: tuple[float, ...]
    dice_cleaned: tuple[float, ...]


@dataclass(frozen=True)
class CaseNumbers:
    """What is measured of one case.

    Attributes:
        case: Its id.
        site: Scanner.
        voxels: Of the volume.
        lesion_voxels: Of label 1.
        lesion_ml: Volume of label 1.
        other_ml: Volume of label 2, 0 if absent.
        slices: Of the volume.
        empty_slices: Without label 1.
        zeros: Share of voxels whose FLAIR is 0.
        brain_ml: Volume of the brain with its fluid.
        lesions: Sizes and places.
        flair: Contrast.
        t1: Contrast.
        z: Brightness on FLAIR.
    """

    case: str
    site: str
    voxels: int
    lesion_voxels: int
    lesion_ml: float
    other_ml: float
    slices: int
    empty_slices: int
    zeros: float
    brain_ml: float
    lesions: LesionNumbers
    flair: ContrastNumbers
    t1: ContrastNumbers
    z: BrightnessNumbers


def measure_case(case: CaseFiles) -> CaseNumbers:
    """Measure one case.

    Args:
        case: With the channels FLAIR and T1.
    """
    image = nib.Nifti1Image.from_filename(case.channels[0])
    zooms = image.header.get_zooms()  # type: ignore[no-untyped-call]
    spacing = (float(zooms[0]), float(zooms[1]), float(zooms[2]))
    flair = np.asarray(image.dataobj, np.float32)
    t1, stored = (
        np.asarray(nib.Nifti1Image.from_filename(path).dataobj, np.float32)
        for path in (case.channels[1], case.label)
    )
    labels = np.round(stored).astype(np.uint8)
    box = _around(flair > 0, labels > 0)
    tissue = segment(flair[box], t1[box], labels[box], spacing)
    lesion, volume_ml = labels == 1, float(np.prod(spacing)) / 1000
    by_slice = lesion.any(axis=(0, 1))
    return CaseNumbers(
        case=case.case,
        site=str(case.site),
        voxels=labels.size,
        lesion_voxels=int(lesion.sum()),
        lesion_ml=float(lesion.sum() * volume_ml),
        other_ml=float((labels == 2).sum() * volume_ml),
        slices=by_slice.size,
        empty_slices=int((~by_slice).sum()),
        zeros=float((flair == 0).mean()),
        brain_ml=float(tissue.brain.sum() * volume_ml),
        lesions=_lesions(lesion[box], tissue, spacing),
        flair=_contrast(flair[box], lesion[box], tissue),
        t1=_contrast(t1[box], lesion[box], tissue),
        z=_brightness(flair[box], labels[box], tissue, spacing),
    )


def _around(*masks: Mask) -> tuple[slice, slice, slice]:
    """Return the box that holds all masks."""
    union = np.logical_or.reduce(masks)
    bounds = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(union.any(axis=others))
        bounds.append(slice(int(found[0]), int(found[-1]) + 1))
    return bounds[0], bounds[1], bounds[2]


def _lesions(lesion: Mask, tissue: Tissue, spacing: Spacing) -> LesionNumbers:
    if not lesion.any():
        return LesionNumbers(0, *(np.nan,) * 6)
    pieces, count = ndimage.label(lesion, _CUBE)
    sizes = np.bincount(pieces.ravel())[1:] * np.prod(spacing)
    depth = tissue.depth_mm[lesion]
    near = distance_mm(tissue.ventricles, spacing)[lesion] <= _NEAR_VENTRICLES_MM
    return LesionNumbers(
        count=count,
        sizeable=float((sizes >= 10).mean()),
        median_mm3=float(np.median(sizes)),
        largest=float(sizes.max() / sizes.sum()),
        near_ventricles=float(near.mean()),
        shallow=float((depth < _DEPTH_MM).mean()),
        depth_mm=float(np.percentile(depth, 5)),
    )


def _contrast(image: Volume, lesion: Mask, tissue: Tissue) -> ContrastNumbers:
    white = _median(image[tissue.nawm])
    return ContrastNumbers(
        lesion=_median(image[lesion]) / white,
        cortex=_median(image[tissue.cortex]) / white,
        snr=white / float(image[tissue.nawm].std()),
    )


def _brightness(
    flair: Volume, labels: NDArray[np.uint8], tissue: Tissue, spacing: Spacing
) -> BrightnessNumbers:
    z = _robust_z(flair, tissue.brain)
    lesion, scored = labels == 1, tissue.brain & (labels != 2)
    normal = tissue.brain & (labels == 0)
    in_lesion = z[lesion & tissue.brain]
    bright_depth = tissue.depth_mm[normal & (z > 3)]
    deep = scored & (tissue.depth_mm > _CLEAN_DEPTH_MM)
    smallest = _CLEAN_SIZE_MM3 / float(np.prod(spacing))
    return BrightnessNumbers(
        lesion=_median(in_lesion),
        lesion_low=float(np.percentile(in_lesion, 10)) if in_lesion.size else np.nan,
        normal_high=float(np.percentile(z[normal], 99)),
        at_surface=float((bright_depth <= _NEAR_SURFACE_MM).mean()) if bright_depth.size else np.nan,
        dice=tuple(_dice(scored & (z > level), lesion) for level in THRESHOLDS),
        dice_cleaned=tuple(
            _dice(_without_small(deep & (z > level), smallest), lesion) for level in THRESHOLDS
        ),
    )


def _robust_z(flair: Volume, brain: Mask) -> Volume:
    middle = np.median(flair[brain])
    spread = 1.4826 * np.median(np.abs(flair[brain] - middle))
    return np.asarray((flair - middle) / spread, np.float32)


def _without_small(mask: Mask, smallest: float) -> Mask:
    pieces, _ = ndimage.label(mask, _CUBE)
    large = np.bincount(pieces.ravel()) >= smallest
    large[0] = False
    return np.asarray(large[pieces])


def _dice(predicted: Mask, lesion: Mask) -> float:
    total = int(predicted.sum()) + int(lesion.sum())
    return 2 * int((predicted & lesion).sum()) / total if total else np.nan


def _median(values: Volume) -> float:
    return float(np.median(values)) if values.size else np.nan
