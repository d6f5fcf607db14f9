"""Bring the datasets of a study to their prepared form."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from harness.cli.home import Home
from harness.cli.output import stderr
from harness.data.description import DatasetDescription, describe
from harness.data.prepare import PreparedDataset, prepare
from harness.data.simulate import SIMULATORS, simulate
from harness.data.splits import KFoldSplit, partition
from harness.errors import InputError
from harness.store.trials import DatasetRecord
from harness.study.plan import StudyDataset
from harness.study.spec import DatasetEntry, Study

FEWEST_TEST_PATIENTS = 10


@dataclass(frozen=True)
class ReadyDataset:
    """A prepared dataset and how the study divides it."""

    prepared: PreparedDataset
    study_dataset: StudyDataset


def describe_entry(entry: DatasetEntry, folder: Path) -> DatasetDescription:
    """Return the dataset's description with the study's overrides."""
    overrides = {
        key: value for key, value in (("split", entry.split), ("size", entry.size)) if value is not None
    }
    return describe(entry.dataset, folder).model_copy(update=overrides)


def prepare_study(study: Study, folder: Path, home: Home, data: Path) -> list[ReadyDataset]:
    """Simulate, read and cache every dataset of a study; what is there already is only opened."""
    return [_prepare_entry(entry, folder, home, data) for entry in study.dataset_entries]


def prepared_if_there(study: Study, folder: Path, home: Home, data: Path) -> list[ReadyDataset | None]:
    """Like :func:`prepare_study`, with None for datasets whose files are not here."""
    ready: list[ReadyDataset | None] = []
    for entry in study.dataset_entries:
        description = describe_entry(entry, folder)
        source = data if entry.simulate is None else _simulated_root(entry, home)
        there = description.folder_in(source).is_dir()
        ready.append(_prepare_entry(entry, folder, home, data) if there else None)
    return ready


def split_warnings(ready: Iterable[ReadyDataset | None]) -> Iterator[str]:
    """Yield a sentence for every dataset whose test set is too small to compare losses on."""
    for each in ready:
        if each is None or isinstance(each.study_dataset.split, KFoldSplit):
            continue
        sides = partition(each.study_dataset.split, each.prepared.load_by_patient(), seed=0)
        if len(sides.test) < FEWEST_TEST_PATIENTS:
            yield (
                f"dataset {each.prepared.name!r}: {len(sides.test)} test patients are few; "
                "with 'split: {kind: kfold, k: 5}' every patient is tested"
            )


def prepare_with_progress(description: DatasetDescription, data: Path, home: Home) -> PreparedDataset:
    """Prepare one dataset and draw a bar if it takes long."""
    columns = (TextColumn("preparing {task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(description.name, total=None)
        return prepare(
            description,
            data,
            home.prepared,
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def dataset_record(prepared: PreparedDataset) -> DatasetRecord:
    """Return what the results database keeps of a dataset."""
    return DatasetRecord(
        fingerprint=prepared.fingerprint,
        name=prepared.name,
        title=prepared.title,
        classes=prepared.classes,
        cases=tuple(
            (case.patient, case.case, case.site, case.shape, case.spacing, case.voxels)
            for case in prepared.cases
        ),
    )


def _prepare_entry(entry: DatasetEntry, folder: Path, home: Home, data: Path) -> ReadyDataset:
    description = describe_entry(entry, folder)
    if entry.simulate is not None:
        data = _simulated_root(entry, home)
        if not (data / description.name).exists():
            stderr.print(f"simulating {entry.simulate.cases} cases in the layout of {description.name}")
        options = entry.simulate
        simulate(
            description.name,
            data / description.name,
            cases=options.cases,
            seed=options.seed,
            workers=os.cpu_count() or 1,
            inplane_mm=options.inplane_mm,
            sites=options.sites,
        )
    elif not data.is_dir():
        raise InputError(
            f"data folder {str(data)!r} does not exist; expected a folder there that holds "
            f"{description.name!r} (give it with --data)"
        )
    prepared = prepare_with_progress(description, data, home)
    return ReadyDataset(prepared, StudyDataset(prepared.name, prepared.fingerprint, description.split))


def _simulated_root(entry: DatasetEntry, home: Home) -> Path:
    assert entry.simulate is not None
    version = SIMULATORS[entry.dataset].version
    options = json.dumps([version, entry.simulate.model_dump(mode="json")], sort_keys=True)
    return home.simulated / hashlib.sha256(options.encode()).hexdigest()[:12]
