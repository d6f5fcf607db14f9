"""A predicted label map beside the truth on one grid, whatever orientation the files store."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import (
    aff2axcodes,
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
)
from numpy.typing import NDArray

from harness.data.label_folders import LabelFiles
from harness.data.read import AFFINE_TOLERANCE_MM
from harness.data.volume import Spacing, UnreadableError, Volume, as_stored, read_volume
from harness.errors import InputError

Plane = Literal["axial", "coronal", "sagittal"]

_SLICE_AXIS = {"axial": 0, "coronal": 1, "sagittal": 2}
"""Which axis of an axial stack ``(Z, H, W)`` counts the slices of a plane."""


@dataclass(frozen=True)
class Grid:
    """How two label maps are put on one grid.

    Attributes:
        plane: The plane whose slices the first axis counts.
        ignore_affine: Whether a prediction's voxels are taken in the order in which the truth's file
            stores them, whatever its own header says.
    """

    plane: Plane = "axial"
    ignore_affine: bool = False


@dataclass(frozen=True)
class LabelPair:
    """Two decoded label maps, values as stored.

    Attributes:
        truth: ``(Z, H, W)``.
        prediction: ``(Z, H, W)``, or None where there is none.
        spacing: Millimetres along (Z, H, W), from pixdim of the truth.
        odd_spacing: Whether pixdim and affine of the truth tell different voxel sizes.
    """

    truth: NDArray[Any]
    prediction: NDArray[Any] | None
    spacing: Spacing
    odd_spacing: bool


def read_pair(files: LabelFiles, grid: Grid) -> LabelPair:
    """Decode the label maps of one case in canonical (RAS) orientation.

    Args:
        files: Its files.
        grid: How the two are put on one grid.

    Raises:
        InputError: if a file cannot be decoded or holds several values per voxel, or the two lie on
            different grids.
    """
    truth = _read(files.case, files.truth, "truth")
    prediction = None
    if files.prediction is not None:
        prediction = _read(files.case, files.prediction, "prediction")
        if grid.ignore_affine:
            prediction = _in_order_of(truth, prediction)
        _compare(files, truth, prediction)
    axis = _SLICE_AXIS[grid.plane]
    assert truth.spacing is not None
    spacing = list(truth.spacing)
    spacing.insert(0, spacing.pop(axis))
    odd = truth.affine_spacing is not None and not np.allclose(truth.spacing, truth.affine_spacing, rtol=1e-3)
    return LabelPair(
        np.moveaxis(truth.array[0], axis, 0),
        None if prediction is None else np.moveaxis(prediction.array[0], axis, 0),
        (spacing[0], spacing[1], spacing[2]),
        odd,
    )


def codes_in(stored: NDArray[Any]) -> NDArray[np.float64]:
    """Return the distinct values of a label map, sorted; NaN once, at the end."""
    if stored.dtype.kind == "u" and stored.dtype.itemsize <= 2:  # much quicker than sorting
        return np.flatnonzero(np.bincount(stored.ravel())).astype(np.float64)
    return np.unique(stored).astype(np.float64)


def stored_shape(path: Path) -> tuple[int, ...]:
    """Return the lengths of the axes that a header tells; nothing where there is no header to read."""
    try:
        image: Any = nib.load(path)
    except (ImageFileError, OSError, EOFError, ValueError):
        return ()
    return tuple(int(length) for length in image.shape)


def _read(case: str, path: Path, kind: str) -> Volume:
    try:
        volume = _one_slice(path) if len(stored_shape(path)) == 2 else read_volume(path)
    except UnreadableError as error:
        raise InputError(
            f"case {case!r}: cannot read the {kind} {str(path)!r} ({error}); replace or remove the file"
        ) from None
    if len(volume.array) != 1:
        raise InputError(
            f"case {case!r}: the {kind} {str(path)!r} holds {len(volume.array)} values per voxel (4D); store "
            "one label per voxel"
        )
    return volume


def _one_slice(path: Path) -> Volume:
    """Read a 2D file as a volume of one slice."""
    image: Any = nib.load(path)
    try:
        array = np.asanyarray(image.dataobj)[..., None]
    except (OSError, EOFError, ValueError) as error:
        raise UnreadableError(str(error).splitlines()[0]) from error
    affine = np.array(image.affine, np.float64)
    if not affine[:3, 2].any():
        affine[2, 2] = 1.0
    if not np.isfinite(affine).all() or np.linalg.det(affine[:3, :3]) == 0:
        raise UnreadableError("its affine is not invertible")
    order = io_orientation(affine)  # type: ignore[no-untyped-call]
    canonical = affine @ inv_ornt_aff(order, array.shape)  # type: ignore[no-untyped-call]
    lengths = np.linalg.norm(canonical[:3, :3], axis=0)[::-1].tolist()
    spacing = (float(lengths[0]), float(lengths[1]), float(lengths[2]))
    return Volume(
        path,
        apply_orientation(array, order).transpose(2, 1, 0)[None],  # type: ignore[no-untyped-call]
        spacing,
        canonical,
        "".join(aff2axcodes(affine)),  # type: ignore[no-untyped-call]
        spacing,
    )


def _in_order_of(truth: Volume, prediction: Volume) -> Volume:
    """Take the voxels of a prediction as its file stores them, and orient them as the truth's."""
    stored = as_stored(prediction.array[0], prediction.orientation, "axial")
    others = axcodes2ornt(tuple(truth.orientation))  # type: ignore[no-untyped-call]
    oriented = apply_orientation(stored, others)  # type: ignore[no-untyped-call]
    return replace(prediction, array=oriented.transpose(2, 1, 0)[None], affine=truth.affine)


def _compare(files: LabelFiles, truth: Volume, prediction: Volume) -> None:
    """Refuse two label maps that do not lie on one grid."""
    assert files.prediction is not None
    assert truth.affine is not None
    assert prediction.affine is not None
    shapes = [each.array.shape[1:] for each in (prediction, truth)]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"case {files.case!r}: the prediction has shape {shapes[0]}, the truth {shapes[1]} (slices, "
            f"rows, columns); resample {str(files.prediction)!r} onto the truth, nearest neighbour"
        )
    apart = float(np.abs(truth.affine - prediction.affine).max())
    if apart > AFFINE_TOLERANCE_MM:
        raise InputError(
            f"case {files.case!r}: the affines of prediction and truth differ by {apart:.3g} mm; repair the "
            f"header of {str(files.prediction)!r}, or give --ignore-affine if its voxels are stored in the "
            "truth's order"
        )
