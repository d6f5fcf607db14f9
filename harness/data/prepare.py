"""The prepared cache: one folder per dataset content and options, written once, then memory-mapped."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.case import IGNORE, Case, CaseFiles
from harness.data.derived import DERIVED
from harness.data.description import DatasetDescription
from harness.data.layouts import find_cases
from harness.data.normalise import fit, normalise
from harness.data.read import read_case

CACHE_VERSION = 1
"""Part of every fingerprint: raise it when preparing writes other arrays from the same files."""

_INDEX = "index.json"


@dataclass(frozen=True)
class PreparedCase:
    """One case in the cache.

    Attributes:
        case: Its name.
        patient: Its patient's name.
        site: Centre or scanner, if the archive tells.
        shape: (Z, H, W) of the source volume.
        spacing: Millimetres along (Z, H, W).
        voxels: Number of voxels of each class in the source volume, background first.
    """

    case: str
    patient: str
    site: str | None
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
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
        ignores: Whether label maps hold :data:`IGNORE`.
        cases: In the order of the layout.
    """

    folder: Path
    name: str
    title: str
    fingerprint: str
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    ignores: bool
    cases: tuple[PreparedCase, ...]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {case.case: position for position, case in enumerate(self.cases)}

    @property
    def n_classes(self) -> int:
        """Number of classes, background included."""
        return len(self.classes)

    def cases_of(self, patients: Iterable[str]) -> tuple[PreparedCase, ...]:
        """Return the cases of some patients, in the dataset's order."""
        wanted = set(patients)
        return tuple(case for case in self.cases if case.patient in wanted)

    def load_by_patient(self) -> dict[str, float]:
        """Return the foreground fraction of every patient, the mean over its cases."""
        fractions: dict[str, list[float]] = {}
        for case in self.cases:
            fractions.setdefault(case.patient, []).append(case.foreground_fraction)
        return {patient: float(np.mean(values)) for patient, values in fractions.items()}

    def images(self, case: PreparedCase) -> NDArray[np.float32]:
        """Return the normalised slices ``(Z, C, H, W)`` of a case, cropped or padded."""
        return self._array(case, "images")

    def labels(self, case: PreparedCase) -> NDArray[np.uint8]:
        """Return the class indices ``(Z, H, W)`` that belong to :meth:`images`."""
        return self._array(case, "labels")

    def truth(self, case: PreparedCase) -> NDArray[np.uint8]:
        """Return the class indices ``(Z, H, W)`` on the source grid, for scoring."""
        return self._array(case, "truth")

    def restack(self, case: PreparedCase, slices: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Put predicted slices ``(Z, h, w)`` back on the source grid, background where cropped."""
        return fit(slices, case.shape[1:]).astype(np.uint8)

    def derived(self, case: PreparedCase, name: str) -> NDArray[Any]:
        """Return an array that follows from :meth:`labels`, such as their distance maps.

        Computed on first use and kept in the cache.

        Args:
            case: One of the cases.
            name: One of :data:`harness.data.derived.DERIVED`.

        Returns:
            ``(Z, ..., H, W)``, what the function of that name says.

        Raises:
            InputError: if nothing is derived under that name.
        """
        derive = DERIVED[name]
        path = self._path(case, name)
        if not path.exists():
            _save_array(path, derive(np.asarray(self.labels(case)), self.n_classes, case.spacing))
        return self._array(case, name)

    def _path(self, case: PreparedCase, kind: str) -> Path:
        return self.folder / f"{self._positions[case.case]:05d}-{kind}.npy"

    def _array(self, case: PreparedCase, kind: str) -> NDArray[Any]:
        array: NDArray[Any] = np.load(self._path(case, kind), mmap_mode="r")
        return array


def prepare(
    description: DatasetDescription,
    data_root: Path,
    cache_root: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PreparedDataset:
    """Read a dataset, check it, and cache what trials need. A second call only opens the cache.

    Args:
        description: The dataset.
        data_root: Folder that holds the dataset's folder.
        cache_root: Folder for caches; written atomically, so that an interrupted call leaves nothing.
        progress: Called with (cases done, cases in all).

    Raises:
        InputError: if files are missing or wrong; nothing is written then.
    """
    source = description.folder_in(data_root)
    found = find_cases(source, description)
    simulated = (source / "SIMULATED.json").exists()
    name = f"{description.name}-sim" if simulated else description.name
    target = cache_root / f"{name}-{_source_digest(found, source, description)[:16]}"
    if not (target / _INDEX).exists():
        with _new_folder(target) as scratch:
            _write_cache(scratch, found, description, name, progress)
    return open_prepared(target)


def open_prepared(folder: Path) -> PreparedDataset:
    """Open a cache folder that :func:`prepare` wrote."""
    index = json.loads((folder / _INDEX).read_text())
    cases = tuple(
        PreparedCase(
            case=entry["case"],
            patient=entry["patient"],
            site=entry["site"],
            shape=tuple(entry["shape"]),
            spacing=tuple(entry["spacing"]),
            voxels=tuple(entry["voxels"]),
        )
        for entry in index["cases"]
    )
    return PreparedDataset(
        folder=folder,
        name=index["name"],
        title=index["title"],
        fingerprint=index["fingerprint"],
        channels=tuple(index["channels"]),
        classes=tuple(index["classes"]),
        ignores=index["ignores"],
        cases=cases,
    )


def _write_cache(
    folder: Path,
    found: list[CaseFiles],
    description: DatasetDescription,
    name: str,
    progress: Callable[[int, int], None],
) -> None:
    digest = hashlib.sha256(_options(description).encode())
    entries = []
    for position, files in enumerate(found):
        case = read_case(files, description)
        digest.update(_content_digest(files, case))
        entries.append(asdict(_write_case(folder, position, files, case, description)))
        progress(position + 1, len(found))
    index = {
        "name": name,
        "title": description.title + (" (simulated)" if name != description.name else ""),
        "fingerprint": digest.hexdigest(),
        "channels": description.channels,
        "classes": ["background", *(description.classes[key] for key in sorted(description.classes))],
        "ignores": description.ignores,
        "cases": entries,
    }
    (folder / _INDEX).write_text(json.dumps(index, indent=1))


def _write_case(
    folder: Path, position: int, files: CaseFiles, case: Case, description: DatasetDescription
) -> PreparedCase:
    image = fit(normalise(case, description.normalise, files.case), description.size)
    _save_array(folder / f"{position:05d}-images.npy", np.ascontiguousarray(image.swapaxes(0, 1)))
    _save_array(folder / f"{position:05d}-labels.npy", fit(case.labels, description.size))
    _save_array(folder / f"{position:05d}-truth.npy", case.labels)
    counts = np.bincount(case.labels.ravel(), minlength=IGNORE + 1)[: description.n_classes]
    z, height, width = case.labels.shape
    return PreparedCase(
        files.case, files.patient, files.site, (z, height, width), case.spacing, tuple(int(n) for n in counts)
    )


def _options(description: DatasetDescription) -> str:
    """What preparing depends on, apart from the voxels."""
    fields = {"channels", "classes", "labels", "normalise", "size"}
    options = description.model_dump(mode="json", include=fields) | {"cache_version": CACHE_VERSION}
    return json.dumps(options, sort_keys=True)


def _content_digest(files: CaseFiles, case: Case) -> bytes:
    digest = hashlib.sha256()
    digest.update(json.dumps([files.case, files.patient, case.image.shape, case.spacing]).encode())
    for array in (case.image, case.labels, case.mask):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def _source_digest(found: list[CaseFiles], source: Path, description: DatasetDescription) -> str:
    """Digest of file bytes and options: finds the cache without decoding, and notices tampering."""
    digest = hashlib.sha256(_options(description).encode())
    for files in found:
        digest.update(json.dumps([files.case, files.patient, files.site]).encode())
        for path in files.all_files:
            digest.update(os.path.relpath(path, source).encode())
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """Give a scratch folder beside ``target`` and move it there once the body has succeeded."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield scratch
        try:
            scratch.replace(target)
        except OSError:
            if not (target / _INDEX).exists():  # otherwise another process was quicker
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array so that a reader sees all of it or nothing."""
    handle, scratch = tempfile.mkstemp(prefix=".", suffix=".npy", dir=path.parent)
    with os.fdopen(handle, "wb") as stream:
        np.save(stream, array)
    Path(scratch).replace(path)
