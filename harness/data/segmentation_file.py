"""Write a segmentation on the grid of the image that it belongs to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from harness.data.description import DatasetDescription
from harness.data.volume import as_stored, read_volume
from harness.errors import InputError

_GEOMETRY = (
    "qform_code",
    "sform_code",
    *(f"quatern_{axis}" for axis in "bcd"),
    *(f"qoffset_{axis}" for axis in "xyz"),
    *(f"srow_{axis}" for axis in "xyz"),
    "xyzt_units",
)
"""Header fields that place voxels in space. The others may tell names of patients, and are not copied."""

_TYPES = (np.uint8, np.int16, np.int32)


def codes_of_classes(description: DatasetDescription) -> tuple[int, ...]:
    """Return the code that label maps of a dataset have for every class, background first.

    The smallest one where several are merged into a class; the class index where every class has a
    mask of its own.

    Raises:
        InputError: if no code stands for a class.
    """
    if description.files is not None and isinstance(description.files.label, dict):
        return tuple(range(description.n_classes))
    codes: dict[int, int] = {}
    for code, target in description.labels.items():
        if target != "ignore":
            codes[target] = min(code, codes.get(target, code))
    if 0 not in codes and 0 not in description.labels:
        codes[0] = 0
    for index in range(description.n_classes):
        if index not in codes:
            name = description.classes.get(index, "background")
            raise InputError(
                f"dataset {description.name!r}: no code under 'labels' stands for class {name!r}; give it "
                "one, and train again"
            )
    return tuple(codes[index] for index in range(description.n_classes))


def write_segmentation(
    path: Path, classes: NDArray[np.uint8], image: Path, plane: str, codes: tuple[int, ...]
) -> None:
    """Write a label map as NIfTI with the geometry of an image file; a reader sees all of it or nothing.

    Args:
        path: Ends in ``.nii.gz``; replaced if there.
        classes: Class indices ``(Z, H, W)`` of slices in the plane.
        image: NIfTI file; its affine is kept to the bit.
        plane: axial, coronal or sagittal.
        codes: What to store for every class.
    """
    orientation = read_volume(image, plane, voxels=False).orientation
    dtype = next(each for each in _TYPES if _fits(codes, each))
    stored = as_stored(np.array(codes, dtype)[classes], orientation, plane)
    source: Any = nib.load(image)
    kind = nib.Nifti2Image if isinstance(source, nib.Nifti2Image) else nib.Nifti1Image
    header = _header(kind, source.header, stored)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name.removesuffix('.nii.gz')}.part.nii.gz")
    try:
        nib.save(kind(stored, None, header), scratch)  # type: ignore[no-untyped-call]
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def _fits(codes: tuple[int, ...], dtype: type[np.integer[Any]]) -> bool:
    limits = np.iinfo(dtype)
    return limits.min <= min(codes) and max(codes) <= limits.max


def _header(kind: Any, source: Mapping[str, Any], stored: NDArray[Any]) -> Any:
    header = kind.header_class()
    header.set_data_dtype(stored.dtype)
    header.set_data_shape(stored.shape)
    for name in _GEOMETRY:
        header[name] = source[name]
    header["pixdim"][:4] = source["pixdim"][:4]  # the first one tells left from right
    return header
