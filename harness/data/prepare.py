"""Prepare a dataset: read every case once, check it, and cache what trials need.

Cases are prepared side by side in processes, each holding one case at a time. Each leaves its arrays and
then a record; an interrupted call is taken up after the last record. The cache appears under its
name when all cases are there and no check has found an error, else not at all.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from harness.data.case import Case, CaseFiles
from harness.data.checks import Examination, compare_cases, examine
from harness.data.checks.examine import digest
from harness.data.description import DatasetDescription
from harness.data.findings import Finding, refuse_errors
from harness.data.layouts import find_cases
from harness.data.left_out import left_out
from harness.data.parallel import run_each
from harness.data.prepared import (
    INDEX,
    PreparedCase,
    PreparedDataset,
    array_path,
    case_from_json,
    open_prepared,
    save_array,
)
from harness.data.slices import image_slices, label_slices, slice_grid
from harness.data.source_digest import SourceDigests

CACHE_VERSION = 2
"""Part of every fingerprint: raise it when preparing writes other arrays from the same files."""

_NAMES_CASES = {"folders", "split", "splits", "accept"}
"""Keys that hold names of patients or folders and do not move a voxel: model files go without them."""

Progress = Callable[[int, int], None]
"""``(cases done, cases in all)``."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Source:
    """What is to be prepared, before anything is decoded."""

    name: str
    description: DatasetDescription
    cases: list[CaseFiles]
    digests: list[str]

    @property
    def digest(self) -> str:
        """Of file bytes and options: finds the cache without decoding, and notices tampering."""
        content = json.dumps([options_of(self.description), self.digests])
        return hashlib.sha256(content.encode()).hexdigest()

    def partial_in(self, cache_root: Path) -> Path:
        """Hidden folder to work in; the same although files change, so that unchanged cases stay done."""
        options = hashlib.sha256(options_of(self.description).encode()).hexdigest()
        return cache_root / f".{self.name}-{options[:12]}.partial"


@dataclass(frozen=True)
class _Record:
    """What preparing one case leaves beside its arrays.

    Attributes:
        source: Digest of the case's files.
        content: Digest of the decoded voxels, labels, spacing and names.
        case: As the index has it; None if the case has errors.
        examination: What the checks saw.
    """

    source: str
    content: str
    case: PreparedCase | None
    examination: Examination

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "_Record":
        fields = json.loads(text)
        return cls(
            fields["source"],
            fields["content"],
            case_from_json(fields["case"]) if fields["case"] else None,
            Examination.from_json(fields["examination"]),
        )


def prepare(
    description: DatasetDescription,
    data_root: Path,
    cache_root: Path,
    progress: Progress = lambda done, total: None,
    workers: int = 1,
) -> PreparedDataset:
    """Read a dataset, check it, and cache what trials need. A second call only opens the cache.

    With several workers the caller must be importable (``if __name__ == "__main__":`` in scripts):
    they are spawned.

    Args:
        description: The dataset.
        data_root: Folder that holds the dataset's folder.
        cache_root: Folder for caches. An interrupted call leaves hidden files there, with which the
            next one goes on.
        progress: Called as cases are done.
        workers: Cases prepared at a time.

    Raises:
        InputError: if files are missing or wrong, with a sentence for each; no cache is left then.
    """
    folder = description.folder_in(data_root)
    cases = find_cases(folder, description)
    digests = SourceDigests(cache_root, workers)
    name = dataset_name(description, folder)
    source = _Source(name, description, cases, digests.of_cases(cases, folder))
    target = cache_root / f"{name}-{source.digest[:16]}"
    if not (target / INDEX).exists():
        _tell_changes(source, cache_root)
        with _alone(source.partial_in(cache_root)) as partial:
            if not (target / INDEX).exists():  # another process may have been quicker
                _fill(partial, source, progress, workers)
                partial.replace(target)
    digests.remember()
    prepared = open_prepared(target)
    # Not in the cache: it belongs to the cases that are there, whichever others lie beside them.
    missing = [finding.sentence for finding in left_out(folder, description)]
    if missing:
        _log.warning(
            "dataset %r: %d of %d cases are left out, for they lack the mask of a class; "
            "'lossbench data check' names them",
            name,
            len(missing),
            len(missing) + len(cases),
        )
    return replace(prepared, warnings=(*missing, *prepared.warnings))


def dataset_name(description: DatasetDescription, folder: Path) -> str:
    """Return the name for tables: ``-sim`` is added if the folder says that it is simulated."""
    simulated = (folder / "SIMULATED.json").exists()
    return f"{description.name}-sim" if simulated else description.name


def options_of(description: DatasetDescription) -> str:
    """Return what preparing depends on, apart from the voxels."""
    fields = {"channels", "classes", "labels", "normalise", "resample", "own_grids", "slices", "size"}
    options = description.model_dump(mode="json", include=fields) | {"cache_version": CACHE_VERSION}
    if description.files:  # the pictures' own voxel size, and masks in the order in which they are merged
        options["files"] = [description.files.spacing, isinstance(description.files.label, dict)]
    return json.dumps(options, sort_keys=True)


def _fill(partial: Path, source: _Source, progress: Progress, workers: int) -> None:
    """Write the whole cache into a hidden folder, or remove that again."""
    partial.mkdir(exist_ok=True)
    records = _prepare_cases(partial, source, progress, workers)
    seen = [record.examination for record in records]
    findings = [finding for each in seen for finding in each.findings]
    findings += compare_cases(seen, source.description)
    try:
        refuse_errors(findings, f"dataset {source.name!r}: ")
    except BaseException:
        shutil.rmtree(partial)
        raise
    arrays = {path for position in range(len(records)) for path in _arrays_of(partial, position)}
    for path in partial.iterdir():  # records, and what an earlier call left of cases that are gone
        if path not in arrays:
            path.unlink()
    (partial / INDEX).write_text(json.dumps(_index(source, records, findings), indent=1), encoding="utf-8")


def _prepare_cases(partial: Path, source: _Source, progress: Progress, workers: int) -> list[_Record]:
    """Return the record of every case; those that an earlier call left are taken as they are."""
    records: dict[int, _Record] = {}
    for position, wanted in enumerate(source.digests):
        found = _load_record(partial, position)
        if found is not None and found.source == wanted:
            records[position] = found
    jobs = {
        position: (partial, position, files, wanted, source.description)
        for position, (files, wanted) in enumerate(zip(source.cases, source.digests, strict=True))
        if position not in records
    }
    progress(len(records), len(source.cases))
    for position, record in run_each(_prepare_case, jobs, workers):
        records[position] = record
        progress(len(records), len(source.cases))
    return [records[position] for position in range(len(source.cases))]


def _prepare_case(
    folder: Path, position: int, files: CaseFiles, source: str, description: DatasetDescription
) -> _Record:
    """Prepare one case: arrays first, then the record that says that they are whole."""
    case, examination = examine(files, description)
    prepared, content = None, ""
    if case is not None:
        content = _content_digest(files, case)
        prepared = _write_case(folder, position, files, case, description)
    record = _Record(source, content, prepared, examination)
    path = _record_path(folder, position)
    scratch = path.with_suffix(".part")
    scratch.write_text(record.to_json(), encoding="utf-8")
    scratch.replace(path)
    return record


def _write_case(
    folder: Path, position: int, files: CaseFiles, case: Case, description: DatasetDescription
) -> PreparedCase:
    grid = slice_grid(case, description)
    images, labels = image_slices(case, description), label_slices(case, description)
    arrays: list[NDArray[Any]] = [images, labels, case.labels]
    for path, array in zip(_arrays_of(folder, position), arrays, strict=True):
        save_array(path, array)
    counts = np.bincount(case.labels.ravel(), minlength=256)[: description.n_classes]
    return PreparedCase(
        case=files.case,
        patient=files.patient,
        site=files.site,
        shape=case.labels.shape,
        spacing=case.spacing,
        grid=grid.size,
        slice_spacing=grid.spacing,
        voxels=tuple(counts.tolist()),
    )


def _index(source: _Source, records: Sequence[_Record], findings: Sequence[Finding]) -> dict[str, Any]:
    description = source.description
    fingerprint = hashlib.sha256(options_of(description).encode())
    for record in records:
        fingerprint.update(bytes.fromhex(record.content))
    return {
        "name": source.name,
        "title": description.title + (" (simulated)" if source.name != description.name else ""),
        "fingerprint": fingerprint.hexdigest(),
        "options": options_of(description),
        "description": description.model_dump(mode="json", exclude=_NAMES_CASES),
        "sources": source.digests,
        "channels": description.channels,
        "classes": ["background", *(description.classes[key] for key in sorted(description.classes))],
        "ignores": description.ignores,
        "cases": [asdict(record.case) for record in records if record.case],
        "warnings": [finding.sentence for finding in findings],
    }


def _content_digest(files: CaseFiles, case: Case) -> str:
    names = json.dumps([files.case, files.patient, case.spacing])
    arrays = [digest(array) for array in (case.image, case.labels, case.mask) if array is not None]
    return hashlib.sha256(json.dumps([names, arrays]).encode()).hexdigest()


def _arrays_of(folder: Path, position: int) -> list[Path]:
    return [array_path(folder, position, kind) for kind in ("images", "labels", "truth")]


def _record_path(folder: Path, position: int) -> Path:
    return folder / f"{position:05d}.json"


def _load_record(folder: Path, position: int) -> _Record | None:
    try:
        return _Record.from_json(_record_path(folder, position).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _tell_changes(source: _Source, cache_root: Path) -> None:
    """Say which cases have changed since the same dataset was prepared with the same options."""
    indexes = sorted(cache_root.glob(f"{source.name}-*/{INDEX}"), key=lambda path: path.stat().st_mtime)
    for path in reversed(indexes):
        before = json.loads(path.read_text(encoding="utf-8"))
        if before.get("options") != options_of(source.description):
            continue
        old = {entry["case"]: found for entry, found in zip(before["cases"], before["sources"], strict=True)}
        new = {files.case: found for files, found in zip(source.cases, source.digests, strict=True)}
        changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
        if changed:
            shown = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
            _log.warning(
                "dataset %r: the files of %s have changed since it was prepared; it gets a new fingerprint",
                source.name,
                shown,
            )
        return


@contextmanager
def _alone(partial: Path) -> Iterator[Path]:
    """Let one process at a time work in a folder; the lock ends with its process."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    path = partial.with_suffix(".lock")
    with FileLock(path):
        try:
            yield partial
        finally:
            # A process that waits holds the old file; it then finds the cache, or fills it just as well.
            with suppress(OSError):
                path.unlink()
