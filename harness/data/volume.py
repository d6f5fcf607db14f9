"""Decode one file: NIfTI or NRRD in canonical orientation, or a picture."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import (
    aff2axcodes,
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

from harness.data.nrrd_file import read_nrrd

Spacing = tuple[float, float, float]

_PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}
_PLANES = {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}
"""Plane -> the RAS axes along (slices, rows, columns)."""


class UnreadableError(Exception):
    """A file that cannot be decoded; the message says why."""


@dataclass(frozen=True)
class Volume:
    """One decoded file.

    Attributes:
        path: The file.
        array: ``(C, Z, H, W)``, values as stored.
        spacing: Millimetres along (Z, H, W) from the header's zooms; None where the format has none.
        affine: 4x4, from indices along the RAS axes (x, y, z) to millimetres; None for pictures.
        orientation: How the file stores its axes, such as ``LPS``; empty for pictures.
        affine_spacing: Millimetres along (Z, H, W) as the affine has it; differs from ``spacing`` in
            files whose sform has unit scale.
    """

    path: Path
    array: NDArray[Any]
    spacing: Spacing | None
    affine: NDArray[np.float64] | None
    orientation: str = ""
    affine_spacing: Spacing | None = None


def read_volume(path: Path, plane: str = "axial", voxels: bool = True) -> Volume:
    """Decode a file.

    Args:
        path: NIfTI, NRRD, PNG, JPEG, TIFF or BMP; the pages of a TIFF are its slices.
        plane: Which slices to cut from a volume: axial, coronal or sagittal.
        voxels: Whether the voxels of a NIfTI or NRRD file are read; else the array holds zeros that take
            no memory.

    Raises:
        UnreadableError: if it is truncated, broken, of another format or has no sensible geometry.
    """
    try:
        suffix = path.suffix.lower()
        if suffix in _PICTURES:
            return _picture(path)
        return _nrrd(path, plane, voxels) if suffix == ".nrrd" else _nifti(path, plane, voxels)
    except (ImageFileError, UnidentifiedImageError, OSError, EOFError, zlib.error, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableError(reason) from error


def _picture(path: Path) -> Volume:
    with Image.open(path) as picture:
        pages = [np.asarray(page) for page in ImageSequence.Iterator(picture)]
    if len({page.shape for page in pages}) != 1:
        raise ValueError(f"its {len(pages)} pages have different sizes")
    stack = np.stack(pages)
    return Volume(path, stack[None] if stack.ndim == 3 else np.moveaxis(stack, -1, 0), None, None)


def _nifti(path: Path, plane: str, voxels: bool) -> Volume:
    image: Any = nib.load(path)
    _refuse_empty(image.shape)
    array = np.asanyarray(image.dataobj) if voxels else np.broadcast_to(np.uint8(0), image.shape)
    if array.ndim == 5 and array.shape[3] == 1:  # (x, y, z, 1, t), as some exports have it
        array = array[:, :, :, 0]
    # Spacing from the header's zooms: the sform of ACDC has unit scale.
    affine, zooms = np.asarray(image.affine, np.float64), image.header.get_zooms()[:3]
    return _in_slices(path, array, affine, zooms, plane)


def _nrrd(path: Path, plane: str, voxels: bool) -> Volume:
    array, affine = read_nrrd(path, voxels)
    _refuse_empty(array.shape)
    return _in_slices(path, array, affine, np.linalg.norm(affine[:3, :3], axis=0).tolist(), plane)


def _refuse_empty(shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise ValueError(f"its shape {shape} has an axis of length zero")


def _in_slices(
    path: Path, array: NDArray[Any], affine: NDArray[np.float64], zooms: Sequence[float], plane: str
) -> Volume:
    """Turn a volume into RAS orientation and cut it.

    Args:
        path: Where it was read.
        array: As stored, ``(x, y, z)`` or ``(x, y, z, C)``.
        affine: From the stored indices to RAS millimetres.
        zooms: Millimetres along the stored axes.
        plane: Of the slices.
    """
    if array.ndim not in {3, 4}:
        raise ValueError(f"{array.ndim} axes where 3 (or 4 with channels last) are due")
    if not np.isfinite(affine).all() or np.linalg.det(affine[:3, :3]) == 0:
        raise ValueError("its affine is not invertible")
    orientation = io_orientation(affine)  # type: ignore[no-untyped-call]
    canonical = affine @ inv_ornt_aff(orientation, array.shape[:3])  # type: ignore[no-untyped-call]
    array = apply_orientation(array, orientation)  # type: ignore[no-untyped-call]
    along = np.zeros(3)
    along[orientation[:, 0].astype(int)] = zooms
    if along.min() <= 0:
        raise ValueError(f"voxel spacing {along.tolist()} is not positive")
    axes = _PLANES[plane]
    channels_first = np.moveaxis(array, -1, 0) if array.ndim == 4 else array[None]
    return Volume(
        path,
        channels_first.transpose(0, *(axis + 1 for axis in axes)),
        _along(along, axes),
        canonical,
        "".join(aff2axcodes(affine)),  # type: ignore[no-untyped-call]
        _along(np.linalg.norm(canonical[:3, :3], axis=0), axes),
    )


def _along(millimetres: NDArray[np.float64], axes: tuple[int, ...]) -> Spacing:
    first, second, third = (float(millimetres[axis]) for axis in axes)
    return first, second, third


def as_stored(array: NDArray[Any], orientation: str, plane: str) -> NDArray[Any]:
    """Return an array ``(Z, H, W)`` with its axes as the file has them: what reading did, undone.

    Args:
        array: On the grid of a volume that :func:`read_volume` gave.
        orientation: Of that volume.
        plane: In which it was cut.
    """
    canonical = array.transpose(_back(plane))
    ras, own = axcodes2ornt("RAS"), axcodes2ornt(tuple(orientation))  # type: ignore[no-untyped-call]
    stored: NDArray[Any] = apply_orientation(canonical, ornt_transform(ras, own))  # type: ignore[no-untyped-call]
    return stored


def _back(plane: str) -> tuple[int, ...]:
    """Return the array axes along the RAS axes x, y, z."""
    return tuple(_PLANES[plane].index(axis) for axis in range(3))


def resample_onto(moving: Volume, grid: Volume, plane: str) -> Volume:
    """Return a volume interpolated linearly on another's grid; zero outside.

    Args:
        moving: Any volume with an affine.
        grid: Gives shape and affine.
        plane: In which both were cut.
    """
    from nibabel.processing import resample_from_to

    back = _back(plane)
    shape = tuple(np.array(grid.array.shape[1:])[list(back)])
    channels = []
    for channel in moving.array:
        image = nib.Nifti1Image(channel.transpose(back).astype(np.float32), moving.affine)  # type: ignore[no-untyped-call]
        placed = resample_from_to(image, (shape, grid.affine), order=1)  # type: ignore[no-untyped-call]
        channels.append(np.asarray(placed.dataobj).transpose(_PLANES[plane]))
    return Volume(
        moving.path, np.stack(channels), grid.spacing, grid.affine, moving.orientation, grid.affine_spacing
    )
