"""Decode an NRRD file: its voxels, and from its header an affine to RAS millimetres.

Source of the format: https://teem.sourceforge.net/nrrd/format.html. A ``space`` that is none of the three
anatomical ones, or missing, counts as LPS: so ITK reads such files, and with it most programs that write
them.
"""

from pathlib import Path
from typing import Any

import nrrd
import numpy as np
from numpy.typing import NDArray

_TO_RAS = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
}
_LPS = (-1, -1, 1)
"""Signs that turn a point of a space into one of RAS."""

_MILLIMETRES = {"", "mm", "millimeter", "millimeters", "millimetre", "millimetres"}
_OTHER_FILE = ("data file", "datafile")


def read_nrrd(path: Path, voxels: bool = True) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Decode a file with its header attached; raw, text, gzip and bzip2 voxels.

    Args:
        path: The file.
        voxels: Whether its voxels are read; else the array holds zeros that take no memory.

    Returns:
        The array ``(x, y, z)`` in the order of the file, or ``(x, y, z, C)`` where one axis, wherever it is
        stored, does not lie in space; and the 4x4 affine from indices to RAS millimetres.

    Raises:
        ValueError: if the file is truncated, foreign, detached from its voxels, or does not tell where its
            voxels lie; the message is a clause.
    """
    header = _parsed(nrrd.read_header, path)
    for field in _OTHER_FILE:
        if field in header:
            raise ValueError(
                f"its voxels lie in another file, {header[field]!r}; join them into one .nrrd file"
            )
    sizes = tuple(int(size) for size in header.get("sizes", ()))
    in_space, affine = _geometry(header, len(sizes))
    if voxels and 0 not in sizes:
        array, _ = _parsed(nrrd.read, path)
    else:
        array = np.broadcast_to(np.uint8(0), sizes)
    others = [axis for axis in range(len(sizes)) if axis not in in_space]
    return array.transpose(*in_space, *others), affine


def _parsed(parse: Any, path: Path) -> Any:
    try:
        return parse(str(path))
    except OSError:
        raise
    except Exception as error:  # whatever the parser stumbles over in broken text
        reason = f"{error}" if isinstance(error, nrrd.NRRDError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"broken or no NRRD file: {reason}".rstrip(": ")) from error


def _geometry(header: dict[str, Any], axes: int) -> tuple[list[int], NDArray[np.float64]]:
    """Return which three axes lie in space, and the affine of these."""
    units = {str(unit).lower() for unit in header.get("space units", ())}
    if units - _MILLIMETRES:
        raise ValueError(f"its space units are {', '.join(sorted(units))} where millimetres are due")
    if "space directions" not in header:
        return _without_space(header, axes)
    directions = np.atleast_2d(np.asarray(header["space directions"], np.float64))
    in_space = [axis for axis, vector in enumerate(directions) if np.isfinite(vector).all()]
    if directions.shape != (axes, 3) or len(in_space) != 3 or axes > 4:
        raise ValueError(
            f"{len(in_space)} of its {axes} axes lie in a space of {directions.shape[1]} dimensions where "
            "3 axes (and one of channels at most) in 3 dimensions are due"
        )
    signs = np.array(_TO_RAS.get(str(header.get("space", "")).lower(), _LPS), np.float64)
    affine = np.eye(4)
    affine[:3, :3] = signs[:, None] * directions[in_space].T
    affine[:3, 3] = signs * np.asarray(header.get("space origin", np.zeros(3)), np.float64)
    return in_space, affine


def _without_space(header: dict[str, Any], axes: int) -> tuple[list[int], NDArray[np.float64]]:
    spacings = np.asarray(header.get("spacings", ()), np.float64)
    if axes != 3 or spacings.shape != (3,) or not np.isfinite(spacings).all():
        raise ValueError(
            "its header does not tell where its voxels lie: it has no 'space directions', nor 'spacings' of "
            "3 axes"
        )
    return [0, 1, 2], np.diag([*(_LPS * spacings), 1.0])
