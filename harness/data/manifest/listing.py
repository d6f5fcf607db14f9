"""The image files of a folder."""

import os
from pathlib import Path

from harness.data.layouts import is_junk
from harness.data.manifest.words import NamedFile
from harness.errors import InputError

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_UNREAD = (".nhdr", ".mha", ".mhd", ".dcm", ".gif", ".npy", ".npz", ".h5", ".mat")


def list_images(folder: Path) -> list[NamedFile]:
    """Return the image files below a folder, sorted by path; hidden ones and macOS junk left out.

    Args:
        folder: The dataset's folder.

    Raises:
        InputError: if it is no folder, or holds no image that can be read.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{str(folder)!r} {what}; give the folder that holds the dataset's images")
    found, others = [], set()
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_junk(Path(where) / name, folder))
        relative = Path(where).relative_to(folder).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        for name in sorted(names):
            suffix = _suffix(name)
            if suffix and not name.startswith("."):
                found.append(NamedFile(prefix + name, name[: -len(suffix)], suffix))
            elif name.lower().endswith(_UNREAD):
                others.add(Path(name).suffix.lower())
    if not found:
        seen = (
            f" (it holds {', '.join(sorted(others))} files, which lossbench does not read)" if others else ""
        )
        raise InputError(
            f"no image in {str(folder)!r}{seen}; give a folder with NIfTI (.nii, .nii.gz), NRRD, PNG, JPEG, "
            "TIFF or BMP files"
        )
    return sorted(found, key=lambda file: file.path)


def _suffix(name: str) -> str:
    lower = name.lower()
    length = next((len(suffix) for suffix in SUFFIXES if lower.endswith(suffix) and lower != suffix), 0)
    return name[len(name) - length :] if length else ""
