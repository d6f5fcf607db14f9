"""One case of ISLES 2018 in numbers, from its files.

Definitions, meant for the real archive as much as for a simulated one:

* **Perfused**: CBF or Tmax above 0. Both maps are first smoothed in-plane by a Gaussian of SD 2 mm
  that leaves out voxels that are not perfused.
* **Late**: Tmax above 6 s, pieces (26-connected) of at least 1 ml.
* **Normal flow**: mean CBF of the half of the brain with less late tissue, where Tmax is at most 4 s,
  without the upper 2 % (vessels). Halves are told apart by the middle of the perfused mask.
* **Core**: late, CBF below 30 % of normal flow, pieces of at least 0.5 ml.
* **Against the mirrored side**: median over a region over the median of the same voxels of the other
  half, mirrored at that middle.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.data.simulate.isles2018.perfusion import CORE_SHARE, LATE_S
from harness.errors import InputError

Mask = NDArray[np.bool_]
Volume = NDArray[np.float32]
Spacing = tuple[float, float, float]

KINDS = ("CT", "CBF", "CBV", "MTT", "Tmax", "OT")
_FILE = re.compile(r"SMIR\.Brain\.XX\.O\.(?:(?:CT|MR)_(CBF|CBV|MTT|Tmax)|(CT|OT))\.\d+\.nii")
_CASE = re.compile(r"case_(\d+)")
_SMOOTHING_MM = 2.0
_LATE_ML, _CORE_ML = 1.0, 0.5
_NORMAL_S, _VESSELS = 4.0, 98
_CUBE = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class CaseNumbers:
    """What is measured of one case; NaN where there is nothing to measure.

    Attributes:
        number: Of the case.
        coverage_mm: Height of the slab.
        voxels: Of the volume.
        slices: Of the volume.
        empty_slices: Without infarct.
        infarct_voxels: Marked.
        infarct_ml: Their volume.
        late_ml: Volume with Tmax above 6 s.
        core_ml: Volume of the core.
        dice_core: Of core and infarct.
        dice_late: Of late tissue and infarct.
        means: Of the whole images, by kind.
        penumbra: Late tissue without core against the mirrored side, by kind; CT as a difference in HU.
        core: The same of the core.
    """

    number: int
    coverage_mm: float
    voxels: int
    slices: int
    empty_slices: int
    infarct_voxels: int
    infarct_ml: float
    late_ml: float
    core_ml: float
    dice_core: float
    dice_late: float
    means: Mapping[str, float]
    penumbra: Mapping[str, float]
    core: Mapping[str, float]


def find_files(folder: Path) -> dict[int, dict[str, Path]]:
    """Return the training files by case number and kind (:data:`KINDS`).

    Args:
        folder: Holds ``TRAINING/`` or the folders of the cases themselves.

    Raises:
        InputError: if there is no case, or one lacks a file.
    """
    root = folder / "TRAINING" if (folder / "TRAINING").is_dir() else folder
    cases: dict[int, dict[str, Path]] = {}
    for path in sorted(root.glob("case_*/SMIR.*/SMIR.*.nii")):
        case, file = _CASE.fullmatch(path.parts[-3]), _FILE.fullmatch(path.name)
        if case and file:
            cases.setdefault(int(case[1]), {})[file[1] or file[2]] = path
    if not cases:
        raise InputError(
            f"no case of ISLES 2018 in {str(folder)!r}; expected TRAINING/case_<n>/SMIR.Brain..."
        )
    for number, files in cases.items():
        for kind in KINDS:
            if kind not in files:
                raise InputError(
                    f"case_{number} in {str(root)!r} has no {kind} file; add it or remove the case"
                )
    return dict(sorted(cases.items()))


def measure_case(number: int, files: Mapping[str, Path]) -> CaseNumbers:
    """Measure one case.

    Args:
        number: Of the case.
        files: By kind.
    """
    images = {kind: nib.Nifti1Image.from_filename(path) for kind, path in files.items()}
    first, second, third = (float(size) for size in images["OT"].header.get_zooms()[:3])  # type: ignore[no-untyped-call]
    arrays = {kind: np.asarray(image.dataobj, np.float32) for kind, image in images.items()}
    infarct = arrays["OT"] > 0
    voxel_ml = first * second * third / 1000
    regions = find_regions(arrays, (first, second, third))
    return CaseNumbers(
        number=number,
        coverage_mm=third * infarct.shape[2],
        voxels=infarct.size,
        slices=infarct.shape[2],
        empty_slices=int((~infarct.any(axis=(0, 1))).sum()),
        infarct_voxels=int(infarct.sum()),
        infarct_ml=float(infarct.sum() * voxel_ml),
        late_ml=float(regions.late.sum() * voxel_ml),
        core_ml=float(regions.core.sum() * voxel_ml),
        dice_core=_dice(regions.core, infarct),
        dice_late=_dice(regions.late, infarct),
        means={kind: float(arrays[kind].mean()) for kind in KINDS},
        penumbra=_against_mirror(arrays, regions.late & ~regions.core, regions),
        core=_against_mirror(arrays, regions.core, regions),
    )


@dataclass(frozen=True)
class Regions:
    """Regions of a case, (x, y, z).

    Attributes:
        perfused: Where the maps have values.
        late: Tmax above 6 s.
        core: Its part with little flow.
        middle: Column of the mid-sagittal plane, in voxels.
    """

    perfused: Mask
    late: Mask
    core: Mask
    middle: float


def find_regions(arrays: Mapping[str, Volume], spacing: Spacing) -> Regions:
    """Find late tissue and core by thresholds, as the module's docstring says.

    Args:
        arrays: ``CBF`` and ``Tmax``.
        spacing: Voxel size in mm.
    """
    perfused = (arrays["CBF"] > 0) | (arrays["Tmax"] > 0)
    voxel_ml = float(np.prod(spacing)) / 1000
    sigma = (_SMOOTHING_MM / spacing[0], _SMOOTHING_MM / spacing[1], 0)
    weight = np.maximum(ndimage.gaussian_filter(perfused.astype(np.float32), sigma), np.float32(1e-3))
    cbf, tmax = (
        ndimage.gaussian_filter(np.where(perfused, arrays[kind], 0), sigma) / weight
        for kind in ("CBF", "Tmax")
    )
    late = _large_pieces(perfused & (tmax > LATE_S), _LATE_ML / voxel_ml)
    columns = np.flatnonzero(perfused.any(axis=(1, 2)))
    middle = float(columns.mean()) if columns.size else (perfused.shape[0] - 1) / 2
    left = np.arange(perfused.shape[0])[:, None, None] < middle
    other = left if (late & left).sum() < (late & ~left).sum() else ~left
    flow = cbf[perfused & other & (tmax <= _NORMAL_S)]
    if flow.size == 0:
        return Regions(perfused, late, np.zeros_like(late), middle)
    normal = flow[flow <= np.percentile(flow, _VESSELS)].mean()
    core = _large_pieces(late & (cbf < CORE_SHARE * normal), _CORE_ML / voxel_ml)
    return Regions(perfused, late, core, middle)


def _large_pieces(mask: Mask, smallest: float) -> Mask:
    pieces, count = ndimage.label(mask, structure=_CUBE)
    keep = np.bincount(pieces.ravel(), minlength=count + 1) >= smallest
    keep[0] = False
    return np.asarray(keep[pieces])


def _dice(first: Mask, second: Mask) -> float:
    total = int(first.sum() + second.sum())
    return 2 * int((first & second).sum()) / total if total else np.nan


def _against_mirror(arrays: Mapping[str, Volume], region: Mask, regions: Regions) -> dict[str, float]:
    """Return the medians of a region over those of its mirror image, by kind."""
    kinds = ("CT", "CBF", "CBV", "MTT", "Tmax")
    columns = np.arange(region.shape[0])
    mirrored = np.clip(np.round(2 * regions.middle - columns), 0, region.shape[0] - 1).astype(int)
    other = region[mirrored] & regions.perfused & ~region
    inside = region & regions.perfused
    if not inside.any() or not other.any():
        return dict.fromkeys(kinds, np.nan)
    values = {
        kind: (float(np.median(arrays[kind][inside])), float(np.median(arrays[kind][other])))
        for kind in kinds
    }
    ratios = {kind: here / there if there else np.nan for kind, (here, there) in values.items()}
    return {**ratios, "CT": values["CT"][0] - values["CT"][1]}
