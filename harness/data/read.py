"""Decode the files of a case; every doubt is an error that names the case and the file."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import apply_orientation, io_orientation
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from harness.data.case import IGNORE, Case, CaseFiles
from harness.data.description import DatasetDescription
from harness.errors import InputError

AFFINE_TOLERANCE_MM = 1e-3
"""Affines of one case may differ by this much: official WMH headers differ by 2e-5."""

_PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}


@dataclass(frozen=True)
class _Volume:
    """One decoded file: ``(C, Z, H, W)``, with its geometry for comparison."""

    path: Path
    array: NDArray[Any]
    spacing: tuple[float, float, float]
    affine: NDArray[np.float64] | None


def read_case(files: CaseFiles, description: DatasetDescription) -> Case:
    """Decode one case in canonical (RAS) orientation.

    Args:
        files: From a layout.
        description: Names the channels and maps label codes to classes.

    Raises:
        InputError: if a file cannot be read, has another shape or affine than the first channel,
            holds NaN or infinity, lacks channels, or has a label code that is not in the map.
    """
    volumes = [_read_volume(path, files.case) for path in files.channels]
    first = volumes[0]
    label = _read_volume(files.label, files.case)
    mask = _read_volume(files.mask, files.case) if files.mask else None
    for other in (*volumes[1:], label, *((mask,) if mask else ())):
        _require_same_grid(files.case, first, other)
    image = np.concatenate([volume.array for volume in volumes]).astype(np.float32)
    if image.shape[0] != len(description.channels):
        raise InputError(
            f"case {files.case!r}: {image.shape[0]} image channels found, but 'channels' of dataset "
            f"{description.name!r} names {len(description.channels)}: {', '.join(description.channels)}"
        )
    if not np.isfinite(image).all():
        raise InputError(f"case {files.case!r}: the image holds NaN or infinite values; repair {first.path}")
    return Case(
        image=image,
        labels=_map_labels(label, files.case, description),
        mask=None if mask is None else mask.array[0] > 0,
        spacing=first.spacing,
    )


def _read_volume(path: Path, case: str) -> _Volume:
    try:
        volume = _read_picture(path) if path.suffix.lower() in _PICTURES else _read_nifti(path)
    except (ImageFileError, UnidentifiedImageError, OSError, EOFError, zlib.error, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"case {case!r}: cannot read image {str(path)!r} ({reason}); replace or remove the file"
        ) from error
    if 0 in volume.array.shape:
        raise InputError(f"case {case!r}: image {str(path)!r} has an axis of length zero; replace the file")
    return volume


def _read_picture(path: Path) -> _Volume:
    with Image.open(path) as picture:
        array = np.asarray(picture)
    channels_first = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    return _Volume(path, channels_first[:, None], (1.0, 1.0, 1.0), None)


def _read_nifti(path: Path) -> _Volume:
    image: Any = nib.load(path)
    array = np.asanyarray(image.dataobj)
    if array.ndim not in {3, 4}:
        raise ValueError(f"{array.ndim} axes where 3 (or 4 with channels last) are due")
    orientation = io_orientation(image.affine)  # type: ignore[no-untyped-call]
    array = apply_orientation(array, orientation)  # type: ignore[no-untyped-call]
    # Spacing from the header's zooms: the sform of ACDC has unit scale.
    zooms = [0.0, 0.0, 0.0]
    for axis, target in enumerate(orientation[:, 0].astype(int)):
        zooms[target] = float(image.header.get_zooms()[axis])
    channels_first = np.moveaxis(array, -1, 0) if array.ndim == 4 else array[None]
    spacing = (zooms[2], zooms[1], zooms[0])
    if min(spacing) <= 0:
        raise ValueError(f"voxel spacing {spacing} is not positive")
    return _Volume(path, channels_first.transpose(0, 3, 2, 1), spacing, image.affine)


def _require_same_grid(case: str, first: _Volume, other: _Volume) -> None:
    if first.array.shape[1:] != other.array.shape[1:]:
        raise InputError(
            f"case {case!r}: {other.path.name} has shape {other.array.shape[1:]}, but {first.path.name} has "
            f"{first.array.shape[1:]} (slices, rows, columns); resample one onto the other"
        )
    if first.affine is None or other.affine is None:
        return
    difference = float(np.abs(first.affine - other.affine).max())
    if difference > AFFINE_TOLERANCE_MM:
        raise InputError(
            f"case {case!r}: the affines of {first.path.name} and {other.path.name} differ by "
            f"{difference:.3g} mm; resample one onto the other or repair its header"
        )


def _map_labels(label: _Volume, case: str, description: DatasetDescription) -> NDArray[np.uint8]:
    stored = label.array[0]
    codes = np.unique(stored)
    unknown = [code.item() for code in codes if code not in description.labels]
    if unknown:
        raise InputError(
            f"case {case!r}: label {unknown[0]:g} is not in the label map {sorted(description.labels)}; "
            f"add it under 'labels' of dataset {description.name!r} or fix {str(label.path)!r}"
        )
    labels = np.zeros(stored.shape, np.uint8)
    for code in codes:
        target = description.labels[int(code)]
        labels[stored == code] = IGNORE if target == "ignore" else target
    return labels
