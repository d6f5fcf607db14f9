"""Images without labels: found in a folder by name, and looked at before any voxel is read."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.data.case import Case, ImageFiles
from harness.data.checks.within import normalisation_regions
from harness.data.description import DatasetDescription, FilePatterns
from harness.data.findings import refuse_errors
from harness.data.layouts import is_junk, natural_order
from harness.data.layouts.patterns import find
from harness.data.read import decode_images, examine_headers
from harness.data.volume import UnreadableError, read_volume
from harness.errors import InputError

SUFFIXES = (".nii.gz", ".nii")

_CASE = "{case}"
_NUMBERED = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")


@dataclass(frozen=True)
class ImageFolder:
    """A folder of NIfTI images.

    Attributes:
        path: The folder.
        channels: Paths below it in which ``{case}`` stands for the name of the case, one per channel, or a
            single one if a 4D file holds all; if there are none, the names of the files tell.
        mask: Likewise, the region used for intensity normalisation.
    """

    path: Path
    channels: tuple[str, ...] = ()
    mask: str | None = None


def find_images(folder: ImageFolder, description: DatasetDescription) -> list[ImageFiles]:
    """Return the cases of a folder in natural order.

    Without patterns, ``<case>_0000.nii.gz``, ``<case>_0001.nii.gz``, ... are the channels in their order
    (nnU-Net); else the patterns under ``files`` of the description count, if a file matches; else
    every file is a case.

    Args:
        folder: Where to look.
        description: Names the channels, and tells whether a mask is needed.

    Raises:
        InputError: if there is no such folder or no case, or a case lacks a file.
    """
    root = folder.path
    if not root.is_dir():
        raise InputError(f"--images: folder {str(root)!r} does not exist; give a folder of NIfTI files")
    masks = _masks(folder, description)
    if folder.channels:
        _require_patterns(folder.channels, description)
        cases = _by_patterns(root, folder.channels)
    else:
        files = _files_by_name(root, set(masks.values()))
        cases = next((found for way in _WAYS if (found := way(root, files, description))), {})
    if not cases:
        wanted = " or ".join(map(repr, folder.channels)) or "NIfTI file (.nii, .nii.gz)"
        raise InputError(
            f"--images: no {wanted} in folder {str(root)!r}; give another folder, or --channel with "
            f"'{_CASE}' for the name of the case"
        )
    if _needs_mask(description):
        cases = {name: replace(files, mask=_mask_of(name, masks)) for name, files in cases.items()}
    return [cases[name] for name in sorted(cases, key=natural_order)]


def check_images(cases: Iterable[ImageFiles], description: DatasetDescription) -> None:
    """Look at the headers of all files.

    Args:
        cases: From :func:`find_images`.
        description: Names the channels.

    Raises:
        InputError: with a sentence for everything that reading would find wrong, but broken voxels.
    """
    names = description.channels
    findings = []
    for files in cases:
        if len(files.channels) == 1 < len(names):
            _require_4d(files, description)
        findings += examine_headers(files, description)
    refuse_errors(findings)


def read_images(files: ImageFiles, description: DatasetDescription) -> Case:
    """Decode the images of a case as ``prepare`` does, with background for labels.

    Raises:
        InputError: with a sentence for everything that is wrong.
    """
    case, findings = decode_images(files, description)
    if case is not None:
        findings = [*findings, *normalisation_regions(case, files.case, description)]
    refuse_errors(findings)
    assert case is not None
    return case


def _files_by_name(root: Path, masks: set[Path]) -> dict[str, Path]:
    """Return the NIfTI files directly in a folder by name without suffix, masks left out."""
    found: dict[str, Path] = {}
    for path in sorted(root.iterdir()):
        suffix = next((each for each in SUFFIXES if path.name.endswith(each)), None)
        if suffix is None or not path.is_file() or is_junk(path, root) or path in masks:
            continue
        name = path.name.removesuffix(suffix)
        if name in found:
            raise InputError(
                f"--images: {name!r} is there twice, {found[name].name!r} and {path.name!r}; keep one of them"
            )
        found[name] = path
    return found


def _numbered(
    _root: Path, files: Mapping[str, Path], description: DatasetDescription
) -> dict[str, ImageFiles]:
    """Read ``<case>_0000``, ``<case>_0001``, ... if all files are named so."""
    channels = description.channels
    parts = {name: _NUMBERED.fullmatch(name) for name in files}
    cases: dict[str, dict[int, Path]] = {}
    for name, match in parts.items():
        if match is None or (len(channels) == 1 and int(match["channel"]) > 0):
            return {}
        cases.setdefault(match["case"], {})[int(match["channel"])] = files[name]
    for case, found in cases.items():
        for index, channel in enumerate(channels):
            if index not in found:
                raise InputError(
                    f"case {case!r} has no channel {channel} ('{case}_{index:04d}.nii.gz'); add the file, or "
                    f"give --channel once for each of {', '.join(channels)} if names say something else"
                )
        if len(found) > len(channels):
            raise InputError(
                f"case {case!r} has {len(found)} channels, but the network takes {len(channels)}: "
                f"{', '.join(channels)}; take {found[max(found)].name!r} away"
            )
    return {
        case: ImageFiles(case, tuple(found[index] for index in range(len(channels))))
        for case, found in cases.items()
    }


def _by_manifest(
    root: Path, _files: Mapping[str, Path], description: DatasetDescription
) -> dict[str, ImageFiles]:
    """Follow the patterns with which the training data was found."""
    patterns = description.files.channels if description.files else ()
    if not patterns or not all(pattern.endswith(SUFFIXES) for pattern in patterns):
        return {}
    return _by_patterns(root, patterns)


def _plain(_root: Path, files: Mapping[str, Path], _description: DatasetDescription) -> dict[str, ImageFiles]:
    """Take every file as a case."""
    return {name: ImageFiles(name, (path,)) for name, path in files.items()}


_WAYS: tuple[Callable[[Path, Mapping[str, Path], DatasetDescription], dict[str, ImageFiles]], ...] = (
    _numbered,
    _by_manifest,
    _plain,
)
"""``(folder, its NIfTI files by name, dataset)`` -> cases by name; empty where names are of another kind."""


def _require_patterns(patterns: Sequence[str], description: DatasetDescription) -> None:
    names = description.channels
    if len(patterns) not in {1, len(names)}:
        raise InputError(
            f"--channel is given {len(patterns)} times, but the network takes {len(names)} channels; give "
            f"one for each of {', '.join(names)}, in this order"
        )
    for pattern in patterns:
        _require_pattern("--channel", pattern)


def _require_pattern(option: str, pattern: str) -> None:
    if _CASE not in pattern or not pattern.endswith(SUFFIXES):
        raise InputError(
            f"{option} {pattern!r} must hold '{_CASE}', which names the case, and end in .nii or .nii.gz"
        )


def _by_patterns(root: Path, patterns: Sequence[str], option: str = "--channel") -> dict[str, ImageFiles]:
    """Return every case of which a file is there.

    Raises:
        InputError: if another one of its files is missing, or a pattern matches several.
    """
    cases = {}
    for pattern in patterns:
        for each in find(root, _described(patterns, pattern, option)):
            if each.problems:
                raise InputError(f"{option}: case {each.case!r} {each.problems[0]}")
            missing = next((path for path in each.channels if not path.is_file()), None)
            if missing is not None:
                raise InputError(f"case {each.case!r} has no image {str(missing)!r}; add the file")
            cases[each.case] = ImageFiles(each.case, each.channels)
    return cases


def _described(patterns: Sequence[str], named_by: str, option: str) -> DatasetDescription:
    """Wrap patterns for the layout that knows how they are read; one of them tells the cases."""
    return DatasetDescription(
        name=option,
        title="",
        layout="files",
        files=FilePatterns(channels=tuple(patterns), label=named_by),
        channels=tuple(f"channel {index}" for index in range(len(patterns))),
        classes={1: "any"},
        labels={0: 0},
        size=(1, 1),
    )


def _needs_mask(description: DatasetDescription) -> bool:
    return any(how.mask == "file" for how in description.normalisations)


def _masks(folder: ImageFolder, description: DatasetDescription) -> dict[str, Path]:
    """Return the mask files by case; none if intensities are normalised without."""
    if not _needs_mask(description):
        if folder.mask is not None:
            raise InputError(
                "--mask: intensities are normalised without a mask file for this network; leave it out"
            )
        return {}
    pattern = folder.mask or (description.files.mask if description.files else None)
    if pattern is None:
        raise InputError(
            "intensities are normalised inside a mask file for this network; give --mask with "
            f"'{_CASE}' for the name of the case"
        )
    _require_pattern("--mask", pattern)
    return {
        case: files.channels[0] for case, files in _by_patterns(folder.path, (pattern,), "--mask").items()
    }


def _mask_of(case: str, masks: Mapping[str, Path]) -> Path:
    if case not in masks:
        raise InputError(
            f"case {case!r} has no mask, inside which intensities are normalised for this network; add the "
            f"file, or give --mask with '{_CASE}' for the name of the case"
        )
    return masks[case]


def _require_4d(files: ImageFiles, description: DatasetDescription) -> None:
    """Refuse a 3D file that should hold all channels."""
    path, names = files.channels[0], description.channels
    try:
        volumes = len(read_volume(path, description.slices, voxels=False).array)
    except UnreadableError:
        return  # told when the headers are looked at
    if volumes == 1:
        raise InputError(
            f"case {files.case!r}: {path.name!r} is one volume, but the network takes {len(names)} channels; "
            f"name the files {files.case}_0000.nii.gz and so on for {', '.join(names)}, or give --channel "
            f"once for each, with '{_CASE}' for the name of the case"
        )
