"""Medical Segmentation Decathlon: one task folder with ``imagesTr`` and ``labelsTr``.

Image and label of a case have the same file name; a 4D image holds all channels. Source of the
tree: Antonelli et al., Nature Communications 13, 2022, medicaldecathlon.com.
"""

import json
from pathlib import Path
from typing import Any

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription
from harness.data.layouts import inside, layout
from harness.errors import InputError

_EXPECTS = "the Decathlon tree there: imagesTr/, labelsTr/ (dataset.json if present)"
_SUFFIX = ".nii.gz"


@layout("decathlon", _EXPECTS)
def find(root: Path, description: DatasetDescription) -> list[CaseFiles]:
    """Return the training cases, from ``dataset.json`` if present, else from the two folders.

    Raises:
        InputError: if ``dataset.json`` is no such listing.
    """
    listing = root / "dataset.json"
    where = f"dataset {description.name!r}"
    pairs = _listed_pairs(listing, where) if listing.is_file() else _folder_pairs(root)
    names = [label.name.removesuffix(_SUFFIX) for _, label in pairs]
    return [
        CaseFiles(case=name, patient=name, channels=(image,), label=label)
        for name, (image, label) in zip(names, pairs, strict=True)
    ]


def _folder_pairs(root: Path) -> list[tuple[Path, Path]]:
    """Pair the files of ``imagesTr`` and ``labelsTr`` by name; a partner may be missing on disk."""
    names = {
        path.name
        for folder in ("imagesTr", "labelsTr")
        for path in (root / folder).glob(f"*{_SUFFIX}")
        if not path.name.startswith(".")
    }
    return [(root / "imagesTr" / name, root / "labelsTr" / name) for name in sorted(names)]


def _listed_pairs(listing: Path, where: str) -> list[tuple[Path, Path]]:
    try:
        document = json.loads(listing.read_text(encoding="utf-8"))
        entries = document["training"]
        pairs = [(_listed(listing, entry["image"]), _listed(listing, entry["label"])) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{where}: {str(listing)!r} is not a Decathlon listing ({type(error).__name__}: {error}); "
            "give it a 'training' list of {'image': ..., 'label': ...}, or delete it to pair files by name"
        ) from None
    return [pair for pair in pairs if not any(path.name.startswith(".") for path in pair)]


def _listed(listing: Path, relative: Any) -> Path:
    path = listing.parent / str(relative)
    if not inside(path.parent, listing.parent):
        raise ValueError(f"{relative!r} lies outside the dataset's folder")
    return path
