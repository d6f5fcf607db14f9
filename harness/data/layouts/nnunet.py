"""nnU-Net v2 raw datasets: ``DatasetXXX_Name`` with ``dataset.json``, ``imagesTr`` and ``labelsTr``.

Channels and stored integers are told by ``dataset.json``; the dataset's description chooses among the
channels by name and says which class every stored integer is. Source of the format: Isensee et al.,
Nature Methods 18, 2021, and the documentation of nnU-Net v2 ("dataset format").
"""

import json
import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription
from harness.data.layouts import layout, require_channels
from harness.errors import InputError

_EXPECTS = (
    "a raw dataset of nnU-Net v2 there: dataset.json, imagesTr/<case>_0000<ending>, labelsTr/<case><ending>"
)
_PICTURES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")
_ENDINGS = (".nii.gz", ".nii", ".nrrd", *_PICTURES)
"""What the reader can decode."""


@dataclass(frozen=True)
class NnunetListing:
    """What a raw dataset's ``dataset.json`` says, and its training cases.

    Attributes:
        path: The file.
        channels: Names of the channels in their order.
        labels: Name by stored integer, background included; an integer that belongs to regions only
            is called after all regions that hold it. Without the ignore label.
        regions: Stored integers by region, in the order of the file; empty in an ordinary dataset.
        ignore: The stored integer of unlabelled voxels, if the dataset has such.
        ending: Of all files, with the dot.
        files: Images in the order of the channels (or a single one that holds all channels) and label,
            there or not, by case.
    """

    path: Path
    channels: tuple[str, ...]
    labels: dict[int, str]
    regions: dict[str, tuple[int, ...]]
    ignore: int | None
    ending: str
    files: dict[str, tuple[tuple[Path, ...], Path]]

    @property
    def cases(self) -> tuple[str, ...]:
        """Names of the training cases."""
        return tuple(self.files)

    @property
    def codes(self) -> tuple[int, ...]:
        """All integers that label maps may hold, in rising order."""
        return tuple(sorted({*self.labels, *(() if self.ignore is None else (self.ignore,))}))


@layout("nnunet", _EXPECTS)
def find(root: Path, description: DatasetDescription) -> list[CaseFiles]:
    """Return the training cases; every case is a patient.

    Raises:
        InputError: if ``dataset.json`` is missing, broken or does not fit the description, or the files
            are of a format that is not read.
    """
    listing = nnunet_listing(root)
    if listing.ending not in _ENDINGS:
        raise InputError(
            f"dataset {description.name!r}: {str(listing.path)!r} gives file_ending {listing.ending!r}, "
            f"which is not read; convert the files to one of {', '.join(_ENDINGS)}"
        )
    _require_all_codes(listing, description)
    positions = _positions(listing, description)
    return [
        CaseFiles(
            case=case,
            patient=case,
            channels=images if len(images) == 1 else tuple(images[position] for position in positions),
            label=label,
        )
        for case, (images, label) in listing.files.items()
    ]


def nnunet_listing(root: Path) -> NnunetListing:
    """Read the ``dataset.json`` of a raw dataset and list its training cases.

    Args:
        root: The dataset's folder, ``nnUNet_raw/DatasetXXX_Name``.

    Raises:
        InputError: if the file is missing or is no such listing.
    """
    path = root / "dataset.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        names = {int(index): str(name) for index, name in document["channel_names"].items()}
        channels = tuple(names[index] for index in range(len(names)))
        ending = str(document["file_ending"])
        stored = {str(name): _codes(value) for name, value in document["labels"].items()}
        ignore = _ignore_code(stored)
        files = (
            _listed_files(root, document["dataset"], len(channels))
            if "dataset" in document
            else _folder_files(root, ending, len(channels))
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{str(path)!r} is not a dataset.json of nnU-Net v2 ({type(error).__name__}: {error}); it needs "
            "'channel_names', 'labels' and 'file_ending'"
        ) from None
    regions = {name: codes for name, codes in stored.items() if isinstance(codes, tuple)}
    plain = {code: name for name, code in stored.items() if isinstance(code, int) and code != ignore}
    return NnunetListing(path, channels, _named(plain, regions), regions, ignore, ending, files)


def published_folds(path: Path) -> tuple[tuple[str, ...], ...]:
    """Return the validation cases of every fold of nnU-Net's ``splits_final.json``.

    Args:
        path: The file, which lies in ``nnUNet_preprocessed/DatasetXXX_Name``, not in the raw dataset.

    Raises:
        InputError: if it is missing or is no such list.
    """
    try:
        folds = json.loads(path.read_text(encoding="utf-8"))
        return tuple(tuple(str(case) for case in fold["val"]) for fold in folds)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{str(path)!r} is no list of folds ({type(error).__name__}: {error}); it needs entries "
            "{'train': [...], 'val': [...]}, as nnU-Net writes them"
        ) from None


def _codes(value: Any) -> int | tuple[int, ...]:
    """Return a label's stored integer, or those of a region."""
    return tuple(int(code) for code in value) if isinstance(value, list) else int(value)


def _ignore_code(stored: dict[str, int | tuple[int, ...]]) -> int | None:
    code = stored.get("ignore")
    if code is None:
        return None
    others = chain.from_iterable(
        each if isinstance(each, tuple) else (each,) for name, each in stored.items() if name != "ignore"
    )
    if not isinstance(code, int) or code <= max(others, default=-1):
        raise ValueError(f"the label 'ignore' is {code}, but must be the highest integer")
    return code


def _named(plain: dict[int, str], regions: dict[str, tuple[int, ...]]) -> dict[int, str]:
    inside_regions = sorted({code for codes in regions.values() for code in codes} - set(plain))
    joined = {
        code: " + ".join(name for name, codes in regions.items() if code in codes) for code in inside_regions
    }
    return dict(sorted({**plain, **joined}.items()))


def _listed_files(root: Path, entries: Any, channels: int) -> dict[str, tuple[tuple[Path, ...], Path]]:
    """Return the files of an explicit ``dataset``; relative paths start at its folder."""
    files = {}
    for case, entry in entries.items():
        images = tuple(root / str(image) for image in entry["images"])
        if len(images) not in {1, channels}:
            raise ValueError(f"case {case!r} has {len(images)} images for {channels} channels")
        files[str(case)] = images, root / str(entry["label"])
    return files


def _folder_files(root: Path, ending: str, channels: int) -> dict[str, tuple[tuple[Path, ...], Path]]:
    """Pair the files of ``imagesTr`` and ``labelsTr``; a case may end in digits as the channels do."""
    image = re.compile(r"(.+)_(\d{4})" + re.escape(ending))
    found = [match for match in map(image.fullmatch, _visible(root / "imagesTr")) if match]
    labels = {name.removesuffix(ending) for name in _visible(root / "labelsTr") if name.endswith(ending)}
    # Colour pictures may hold all channels in the one file _0000.
    joined = ending in _PICTURES and all(match[2] == "0000" for match in found)
    numbers = range(1 if joined else channels)
    return {
        case: (
            tuple(root / "imagesTr" / f"{case}_{number:04d}{ending}" for number in numbers),
            root / "labelsTr" / f"{case}{ending}",
        )
        for case in sorted({match[1] for match in found} | labels)
    }


def _visible(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


def _require_all_codes(listing: NnunetListing, description: DatasetDescription) -> None:
    where = f"dataset {description.name!r}: {str(listing.path)!r}"
    missing = [code for code in listing.codes if code not in description.labels]
    if missing and listing.regions:
        raise InputError(
            f"{where} trains overlapping regions ({', '.join(listing.regions)}), which lossbench does not; "
            f"give each stored integer {list(listing.codes)} one class under 'labels' of the description"
        )
    if missing:
        told = ", ".join(f"{code} {listing.labels.get(code, 'ignore')!r}" for code in missing)
        raise InputError(
            f"{where} lists the label {told}, which 'labels' of the description lacks; add it there"
        )
    if listing.ignore is not None and description.labels[listing.ignore] != "ignore":
        raise InputError(
            f"{where} calls {listing.ignore} 'ignore'; write '{listing.ignore}: ignore' under 'labels' of "
            "the description"
        )


def _positions(listing: NnunetListing, description: DatasetDescription) -> list[int]:
    """Return which images stand for the description's channels."""
    if description.channels == listing.channels:
        return list(range(len(listing.channels)))
    require_channels(description, listing.channels)
    joined = len(listing.channels) > 1 and any(len(images) == 1 for images, _ in listing.files.values())
    repeated = {name for name in listing.channels if listing.channels.count(name) > 1}
    if joined or repeated:
        why = f"calls several channels {min(repeated)!r}" if repeated else "has all channels in one file"
        raise InputError(
            f"dataset {description.name!r}: {str(listing.path)!r} {why}; write its 'channels' as they are "
            f"there: {', '.join(listing.channels)}"
        )
    return [listing.channels.index(name) for name in description.channels]
