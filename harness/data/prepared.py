"""A prepared dataset: the cache folder that trials read, memory-mapped."""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.derived import DERIVED
from harness.data.slices import restack
from harness.data.splits import Patient, group_patients

INDEX = "index.json"


@dataclass(frozen=True)
class PreparedCase:
    """One case in the cache.

    Attributes:
        case: Its name.
        patient: Its patient's name.
        site: Centre or scanner, if the archive tells.
        shape: (Z, H, W) of the source volume.
        spacing: Millimetres along (Z, H, W) of the source volume.
        grid: Rows and columns after resampling, before crop and padding; those of ``shape`` without.
        slice_spacing: Millimetres along (Z, H, W) of the prepared slices.
        voxels: Number of voxels of each class in the source volume, background first.
    """

    case: str
    patient: str
    site: str | None
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    grid: tuple[int, int]
    slice_spacing: tuple[float, float, float]
    voxels: tuple[int, ...]

    @property
    def foreground_fraction(self) -> float:
        """Share of foreground among all voxels whose truth is known."""
        return sum(self.voxels[1:]) / max(1, sum(self.voxels))


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset ready for training; arrays are read-only memory maps.

    Attributes:
        folder: Where the cache lies.
        name: Name for tables; ends in ``-sim`` if the source is simulated.
        title: Title for tables.
        fingerprint: sha256 over decoded voxels, labels, spacing, names and options.
        channels: Names of the image channels.
        classes: Names of all classes, background first.
        ignores: Whether label maps hold :data:`harness.data.case.IGNORE`.
        cases: In the order of the layout.
        warnings: What the checks found that is no error, in sentences.
        description: What turned images into slices: the dataset's description as JSON values, without names
            of patients and folders; None in caches of older versions.
    """

    folder: Path
    name: str
    title: str
    fingerprint: str
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    ignores: bool
    cases: tuple[PreparedCase, ...]
    warnings: tuple[str, ...] = ()
    description: Mapping[str, Any] | None = None

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {case.case: position for position, case in enumerate(self.cases)}

    @property
    def n_classes(self) -> int:
        """Number of classes, background included."""
        return len(self.classes)

    @cached_property
    def patients(self) -> tuple[Patient, ...]:
        """The patients in the order of their first case, as splits want them."""
        return group_patients(
            (case.patient, case.case, case.foreground_fraction, case.site) for case in self.cases
        )

    def cases_named(self, names: Iterable[str]) -> tuple[PreparedCase, ...]:
        """Return some cases, in the dataset's order."""
        wanted = set(names)
        return tuple(case for case in self.cases if case.case in wanted)

    def images(self, case: PreparedCase) -> NDArray[np.float32]:
        """Return the normalised slices ``(Z, C, H, W)`` of a case, resampled, cropped or padded."""
        return self._array(case, "images")

    def labels(self, case: PreparedCase) -> NDArray[np.uint8]:
        """Return the class indices ``(Z, H, W)`` that belong to :meth:`images`."""
        return self._array(case, "labels")

    def truth(self, case: PreparedCase) -> NDArray[np.uint8]:
        """Return the class indices ``(Z, H, W)`` on the source grid, for scoring."""
        return self._array(case, "truth")

    def restack(self, case: PreparedCase, slices: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Put predicted slices ``(Z, h, w)`` back on the source grid, background where cropped.

        Without resampling every voxel returns to its place exactly; with it, each voxel of the source
        takes the nearest pixel.
        """
        return restack(slices, case.grid, case.shape[1:])

    def derived(self, case: PreparedCase, name: str, margin: int = 0) -> NDArray[Any]:
        """Return an array that follows from :meth:`labels`, such as their distance maps.

        Computed on first use and kept in the cache.

        Args:
            case: One of the cases.
            name: One of :data:`harness.data.derived.DERIVED`.
            margin: Pixels of background to add on each side of the slices first: the array then tells
                what lies beyond their frame.

        Returns:
            ``(Z, ..., H + 2 margin, W + 2 margin)``, what the function of that name says.

        Raises:
            InputError: if nothing is derived under that name.
        """
        derive = DERIVED[name]
        kind = f"{name}-margin{margin}" if margin else name
        path = self._path(case, kind)
        if not path.exists():
            labels = np.pad(self.labels(case), ((0, 0), (margin, margin), (margin, margin)))
            save_array(path, derive(labels, self.n_classes, case.slice_spacing))
        return self._array(case, kind)

    def _path(self, case: PreparedCase, kind: str) -> Path:
        return array_path(self.folder, self._positions[case.case], kind)

    def _array(self, case: PreparedCase, kind: str) -> NDArray[Any]:
        array: NDArray[Any] = np.load(self._path(case, kind), mmap_mode="r")
        return array


def open_prepared(folder: Path) -> PreparedDataset:
    """Open a cache folder that :func:`harness.data.prepare.prepare` wrote."""
    index = json.loads((folder / INDEX).read_text())
    return PreparedDataset(
        folder=folder,
        name=index["name"],
        title=index["title"],
        fingerprint=index["fingerprint"],
        channels=tuple(index["channels"]),
        classes=tuple(index["classes"]),
        ignores=index["ignores"],
        cases=tuple(case_from_json(entry) for entry in index["cases"]),
        warnings=tuple(index["warnings"]),
        description=index.get("description"),
    )


def find_prepared(folder: Path, fingerprint: str) -> PreparedDataset | None:
    """Return the cache of a dataset below a folder of caches, or None if it is not there."""
    for index in sorted(folder.glob(f"*/{INDEX}")):
        try:
            found = json.loads(index.read_text()).get("fingerprint")
        except (OSError, ValueError):  # the cache of another dataset is damaged
            continue
        if found == fingerprint:
            return open_prepared(index.parent)
    return None


def case_from_json(entry: dict[str, Any]) -> PreparedCase:
    """Return a case from the mapping of its fields, lists made tuples again."""
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    return PreparedCase(**fields)


def array_path(folder: Path, position: int, kind: str) -> Path:
    """Return the file of one array of the case at a position."""
    return folder / f"{position:05d}-{kind}.npy"


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array so that a reader sees all of it or nothing."""
    handle, scratch = tempfile.mkstemp(prefix=".", suffix=".npy", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            np.save(stream, array)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
