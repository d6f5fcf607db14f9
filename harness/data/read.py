"""Decode the files of a case; every doubt is a finding that names the case and the file."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.case import IGNORE, Case, CaseFiles, ImageFiles
from harness.data.description import DatasetDescription
from harness.data.findings import Finding, errors_in, refuse_errors
from harness.data.volume import Spacing, UnreadableError, Volume, read_volume, resample_onto

AFFINE_TOLERANCE_MM = 1e-3
"""Affines of one case may differ by this much: official WMH headers differ by 2e-5."""

_MASK_VALUES = {1, 255}
"""What a mask of one class may hold beside 0."""

_PAIRS_NAMED = 3
"""Pairs of classes that share voxels, of which more are not named."""


def read_case(files: CaseFiles, description: DatasetDescription) -> Case:
    """Decode one case in canonical (RAS) orientation.

    Args:
        files: From a layout.
        description: Names the channels and maps label codes to classes.

    Raises:
        InputError: with a sentence for everything that :func:`decode` finds wrong.
    """
    case, findings = decode(files, description)
    refuse_errors(findings)
    assert case is not None
    return case


def decode(files: CaseFiles, description: DatasetDescription) -> tuple[Case | None, list[Finding]]:
    """Decode one case as far as it can be, and tell everything that is wrong with its files.

    Args:
        files: From a layout.
        description: Names the channels and maps label codes to classes.

    Returns:
        The case, or None if a finding is an error; and the findings about its files.
    """
    reading = _Reading(files, description)
    case = reading.run()
    return (None if errors_in(reading.findings) else case), reading.findings


def decode_images(files: ImageFiles, description: DatasetDescription) -> tuple[Case | None, list[Finding]]:
    """Decode the images of a case as :func:`decode` does; its labels are background everywhere.

    Where channels have grids of their own, they are resampled onto that of the first one.
    """
    reading = _Reading(files, description)
    case = reading.run()
    return (None if errors_in(reading.findings) else case), reading.findings


def examine_headers(files: ImageFiles, description: DatasetDescription) -> list[Finding]:
    """Return what :func:`decode_images` finds wrong that can be seen without reading a voxel."""
    reading = _Reading(files, description, voxels=False)
    reading.read()
    return reading.findings


@dataclass(frozen=True)
class _Volumes:
    """The files of a case, decoded and on one grid."""

    channels: list[Volume]
    labels: list[Volume]
    masks: list[Volume]


@dataclass
class _Reading:
    """One case on its way from files to arrays."""

    files: CaseFiles | ImageFiles
    description: DatasetDescription
    voxels: bool = True
    findings: list[Finding] = field(default_factory=list)

    def run(self) -> Case | None:
        """Return the case; later steps are left out where earlier ones have failed."""
        volumes = self.read()
        if volumes is None or errors_in(self.findings):
            return None
        channels, masks = volumes.channels, volumes.masks
        image = np.concatenate([channel.array.astype(np.float32, copy=False) for channel in channels])
        self._require_finite(channels, image)
        return Case(
            image=image,
            labels=self._classes(volumes),
            mask=masks[0].array[0] > 0 if masks else None,
            spacing=self._spacing(channels[0]),
        )

    def read(self) -> _Volumes | None:
        """Read all files and compare them; None if one cannot be read."""
        read = [(kind, self._read(path)) for kind, path in self.files.by_kind]
        volumes = [(kind, volume) for kind, volume in read if volume is not None]
        if len(volumes) < len(read):
            return None
        channels = [volume for kind, volume in volumes if kind == "image"]
        labels = [self._one_value(volume) for kind, volume in volumes if kind == "label"]
        masks = [self._one_value(volume) for kind, volume in volumes if kind == "mask"]
        self._count_channels(channels)
        if self.description.own_grids == "resample":
            grid = (labels or channels)[0]
            channels = [self._placed(channel, grid) if self.voxels else grid for channel in channels]
        self._compare_grids([*channels, *labels, *masks])
        self._look_at_headers([*channels, *labels, *masks])
        return _Volumes(channels, labels, masks)

    def _classes(self, volumes: _Volumes) -> NDArray[np.uint8]:
        if not volumes.labels:
            return np.zeros(volumes.channels[0].array.shape[1:], np.uint8)
        if isinstance(self.files, CaseFiles) and self.files.structures:
            return self._merge(volumes.labels)
        return self._map_codes(volumes.labels[0])

    def _tell(self, check: str, message: str, remedy: str) -> None:
        self.findings.append(Finding(check, self.files.case, message, remedy))

    def _read(self, path: Any) -> Volume | None:
        try:
            return read_volume(path, self.description.slices, self.voxels)
        except UnreadableError as error:
            self._tell(
                "unreadable", f"cannot read image {str(path)!r} ({error})", "replace or remove the file"
            )
            return None

    def _one_value(self, volume: Volume) -> Volume:
        """Return a label or mask with one value per voxel; colours that are all grey count as one."""
        values = volume.array
        if len(values) > 1 and volume.affine is None:
            colours = values[:3] if len(values) >= 3 else values[:1]
            if (colours == colours[0]).all():
                return Volume(volume.path, colours[:1], volume.spacing, None)
        if len(values) > 1:
            self._tell(
                "dimensions",
                f"{volume.path.name} holds {len(values)} values per voxel where a label map has one",
                "store one class index per voxel",
            )
        return volume

    def _count_channels(self, channels: list[Volume]) -> None:
        wanted, found = self.description.channels, sum(len(volume.array) for volume in channels)
        if found == len(wanted):
            return
        several = [volume for volume in channels if len(volume.array) > 1]
        if several and len(channels) == len(wanted):
            self._tell(
                "dimensions",
                f"{several[0].path.name} holds {len(several[0].array)} volumes where one is due (4D)",
                f"give one 3D file for each of {', '.join(wanted)}, or name all its volumes under 'channels'",
            )
        else:
            self._tell(
                "dimensions",
                f"{found} image channels found, but 'channels' of dataset {self.description.name!r} names "
                f"{len(wanted)}: {', '.join(wanted)}",
                "correct 'channels' or the files",
            )

    def _placed(self, channel: Volume, label: Volume) -> Volume:
        if channel.affine is None or label.affine is None or _on_one_grid(channel, label):
            return channel
        return resample_onto(channel, label, self.description.slices)

    def _compare_grids(self, volumes: list[Volume]) -> None:
        first = volumes[0]
        for other in volumes[1:]:
            if first.array.shape[1:] != other.array.shape[1:]:
                self._tell(
                    "shape",
                    f"{other.path.name} has shape {other.array.shape[1:]}, but {first.path.name} has "
                    f"{first.array.shape[1:]} (slices, rows, columns)",
                    "resample one onto the other, or set 'own_grids: resample'",
                )
            elif not _on_one_grid(first, other):
                self._tell(
                    "affine",
                    f"the affines of {first.path.name} and {other.path.name} differ by "
                    f"{_affine_difference(first, other):.3g} mm",
                    "resample one onto the other or repair its header",
                )

    def _look_at_headers(self, volumes: list[Volume]) -> None:
        stored = {volume.orientation: volume.path.name for volume in volumes if volume.orientation}
        if len(stored) > 1:
            listed = ", ".join(f"{name} {code}" for code, name in stored.items())
            self._tell(
                "orientation",
                f"its files are stored in different orientations ({listed})",
                "all are read as RAS; look at the case if one of the headers may be wrong",
            )
        first = volumes[0]
        if (
            first.spacing
            and first.affine_spacing
            and not np.allclose(first.spacing, first.affine_spacing, rtol=1e-3)
        ):
            self._tell(
                "spacing",
                f"pixdim of {first.path.name} says {_mm(first.spacing)}, its affine "
                f"{_mm(first.affine_spacing)}",
                "pixdim is believed; correct the header if that is wrong",
            )

    def _require_finite(self, channels: list[Volume], image: NDArray[np.float32]) -> None:
        names = [volume.path.name for volume in channels for _ in volume.array]
        for name, voxels in zip(names, image, strict=True):
            wrong = voxels.size - int(np.count_nonzero(np.isfinite(voxels)))
            if wrong:
                self._tell(
                    "not_finite",
                    f"the image holds NaN or infinite values ({wrong} voxels of {name})",
                    "repair the file",
                )

    def _spacing(self, first: Volume) -> Spacing:
        given = self.description.files.spacing if self.description.files else None
        return first.spacing or given or (1.0, 1.0, 1.0)

    def _map_codes(self, label: Volume) -> NDArray[np.uint8]:
        stored = label.array[0]
        labels = np.zeros(stored.shape, np.uint8)
        unknown = []
        for code in np.unique(stored).tolist():
            if code not in self.description.labels:
                unknown.append(code)
                continue
            target = self.description.labels[int(code)]
            labels[stored == code] = IGNORE if target == "ignore" else target
        if unknown:
            self._tell(
                "label_code",
                f"label {unknown[0]:g} is not in the label map {sorted(self.description.labels)}"
                + (f", nor are {len(unknown) - 1} other values" if len(unknown) > 1 else ""),
                f"{_label_advice(unknown, self.description.name)} or fix {str(label.path)!r}",
            )
        return labels

    def _merge(self, masks: list[Volume]) -> NDArray[np.uint8]:
        """Merge one mask per class; where masks overlap the later one wins."""
        assert self.description.files is not None
        assert isinstance(self.description.files.label, dict)
        labels = np.zeros(masks[0].array.shape[1:], np.uint8)
        shared: dict[tuple[int, int], int] = {}
        for target, mask in zip(self.description.files.label, masks, strict=True):
            codes = set(np.unique(mask.array[0]).tolist()) - {0}
            if len(codes) > 1 or not codes <= _MASK_VALUES:
                self._tell(
                    "label_code",
                    f"{mask.path.name} holds {sorted(codes)[:4]} where a mask of one class holds 0 and 1",
                    "fix the file, or give one label map under 'files.label'",
                )
            inside = mask.array[0] > 0
            shared |= {(code, target): number for code, number in _partly_covered(labels, inside)}
            labels[inside] = target
        if shared:
            names = self.description.classes
            most = sorted(shared, key=lambda pair: -shared[pair])[:_PAIRS_NAMED]
            listed = ", ".join(f"{names[one]} and {names[two]} {shared[one, two]}" for one, two in most)
            self._tell(
                "overlap",
                f"{sum(shared.values())} voxels are in the masks of two classes ({listed}"
                f"{', ...' if len(shared) > len(most) else ''})",
                "the class that is later under 'files.label' has them; see that the order is right",
            )
        return labels


def _partly_covered(labels: NDArray[np.uint8], inside: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the classes from which a mask takes voxels, and how many, but where one lies in the other."""
    taken, sizes = (np.bincount(each, minlength=256) for each in (labels[inside], labels.ravel()))
    for code in np.flatnonzero(taken[1:]) + 1:
        if taken[code] < min(sizes[code], int(inside.sum())):
            yield int(code), int(taken[code])


def _on_one_grid(first: Volume, other: Volume) -> bool:
    if first.array.shape[1:] != other.array.shape[1:]:
        return False
    return _affine_difference(first, other) <= AFFINE_TOLERANCE_MM


def _affine_difference(first: Volume, other: Volume) -> float:
    if first.affine is None or other.affine is None:
        return 0.0
    return float(np.abs(first.affine - other.affine).max())


def _mm(spacing: Spacing) -> str:
    return " x ".join(f"{length:.3g}" for length in spacing) + " mm"


def _label_advice(unknown: list[float], dataset: str) -> str:
    if any(code != int(code) for code in unknown if np.isfinite(code)):
        return "threshold the mask, which holds fractions,"
    if unknown == [255]:
        return f"write '255: 1' under 'labels' of dataset {dataset!r} if 255 stands for class 1,"
    return f"add it under 'labels' of dataset {dataset!r}"
