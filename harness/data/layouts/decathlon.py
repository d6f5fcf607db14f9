"""Medical Segmentation Decathlon: one task folder with ``imagesTr`` and ``labelsTr``.

Image and label of a case have the same file name; a 4D image holds all channels. Source of the
tree: Antonelli et al., Nature Communications 13, 2022, medicaldecathlon.com.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription
from harness.data.layouts import inside, layout
from harness.errors import InputError

_EXPECTS = "the Decathlon tree there: imagesTr/, labelsTr/ (dataset.json if present)"
_SUFFIX = ".nii.gz"


@dataclass(frozen=True)
class DecathlonListing:
    """What a task's ``dataset.json`` lists.

    Attributes:
        path: The file.
        channels: Names of the channels in their order, from ``modality``; empty if it does not tell.
        labels: Name by stored integer, background included; empty if it does not tell.
        pairs: Image and label of every training case, there or not.
    """

    path: Path
    channels: tuple[str, ...]
    labels: dict[int, str]
    pairs: tuple[tuple[Path, Path], ...]

    @property
    def cases(self) -> tuple[str, ...]:
        """Names of the training cases, in the order of the file."""
        return tuple(label.name.removesuffix(_SUFFIX) for _, label in self.pairs)


@layout("decathlon", _EXPECTS)
def find(root: Path, description: DatasetDescription) -> list[CaseFiles]:
    """Return the training cases, from ``dataset.json`` if present, else from the two folders.

    Raises:
        InputError: if ``dataset.json`` is no such listing, or does not fit the description.
    """
    if (root / "dataset.json").is_file():
        listing = decathlon_listing(root)
        _require_agreement(listing, description)
        pairs = listing.pairs
    else:
        pairs = _folder_pairs(root)
    names = [label.name.removesuffix(_SUFFIX) for _, label in pairs]
    return [
        CaseFiles(case=name, patient=name, channels=(image,), label=label)
        for name, (image, label) in zip(names, pairs, strict=True)
    ]


def decathlon_listing(root: Path) -> DecathlonListing:
    """Read the ``dataset.json`` of a task; only what is said about training cases, channels and labels.

    Args:
        root: The task's folder.

    Raises:
        InputError: if the file is missing or is no such listing.
    """
    path = root / "dataset.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        pairs = [
            (_listed(root, entry["image"]), _listed(root, entry["label"])) for entry in document["training"]
        ]
        channels = _by_integer(document.get("modality", {}))
        labels = _by_integer(document.get("labels", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{str(path)!r} is not a Decathlon listing ({type(error).__name__}: {error}); give it a "
            "'training' list of {'image': ..., 'label': ...}, or delete it to pair files by name"
        ) from None
    return DecathlonListing(
        path=path,
        channels=tuple(channels[index] for index in sorted(channels)),
        labels=labels,
        pairs=tuple(pair for pair in pairs if not any(path.name.startswith(".") for path in pair)),
    )


def _by_integer(names: Any) -> dict[int, str]:
    return {int(index): str(name) for index, name in names.items()}


def _listed(root: Path, relative: Any) -> Path:
    path = root / str(relative)
    if not inside(path.parent, root):
        raise ValueError(f"{relative!r} lies outside the dataset's folder")
    return path


def _folder_pairs(root: Path) -> tuple[tuple[Path, Path], ...]:
    """Pair the files of ``imagesTr`` and ``labelsTr`` by name; a partner may be missing on disk."""
    names = {
        path.name
        for folder in ("imagesTr", "labelsTr")
        for path in (root / folder).glob(f"*{_SUFFIX}")
        if not path.name.startswith(".")
    }
    return tuple((root / "imagesTr" / name, root / "labelsTr" / name) for name in sorted(names))


def _require_agreement(listing: DecathlonListing, description: DatasetDescription) -> None:
    """Compare channels and labels by integer; names only where they show that two were exchanged."""
    channels = dict(enumerate(description.channels))
    if listing.channels:
        _compare(listing.path, "channels", dict(enumerate(listing.channels)), channels, description)
    names = {0: "background", **description.classes}
    labels = {
        code: "" if target == "ignore" else names[target] for code, target in description.labels.items()
    }
    if listing.labels:
        _compare(listing.path, "labels", listing.labels, labels, description)


def _compare(
    path: Path,
    what: str,
    listed: Mapping[int, str],
    described: Mapping[int, str],
    description: DatasetDescription,
) -> None:
    known = {name.casefold() for name in described.values()}
    exchanged = any(
        name.casefold() in known and name.casefold() != described[index].casefold()
        for index, name in listed.items()
        if index in described
    )
    if exchanged or set(listed) != set(described):
        raise InputError(
            f"dataset {description.name!r}: {str(path)!r} has the {what} {_told(listed)}, but the dataset's "
            f"description has {_told(described)}; correct {what!r} there, or restore the archive's file"
        )


def _told(names: Mapping[int, str]) -> str:
    return ", ".join(f"{index} {name or '(ignored)'}" for index, name in sorted(names.items()))
