"""Bring the datasets of a study to their prepared form."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.home import Home
from harness.cli.output import stderr
from harness.cli.prepare_one import prepare_with_progress
from harness.data.augment import check_augmentations
from harness.data.prepared import PreparedDataset
from harness.data.simulate import SIMULATORS, simulate
from harness.data.splits import FixedSplit, HoldoutSplit, folds, partition, torn_patients
from harness.errors import InputError
from harness.store.datasets import DatasetRecord, SplitRecord
from harness.study.plan import StudyDataset, inner_seeds
from harness.study.spec import DatasetEntry, Study
from harness.study.variants import rows

FEWEST_TEST_PATIENTS = 10


@dataclass(frozen=True)
class ReadyDataset:
    """A prepared dataset and how the study divides it."""

    prepared: PreparedDataset
    study_dataset: StudyDataset


def prepare_study(study: Study, folder: Path, home: Home, data: Path) -> list[ReadyDataset]:
    """Simulate, read and cache every dataset of a study; what is there already is only opened."""
    return [_prepare_entry(entry, folder, home, data) for entry in study.dataset_entries]


def prepared_if_there(study: Study, folder: Path, home: Home, data: Path) -> list[ReadyDataset | None]:
    """Like :func:`prepare_study`, with None for datasets whose files are not here."""
    ready: list[ReadyDataset | None] = []
    for entry in study.dataset_entries:
        description = entry.describe(folder)
        source = data if entry.simulate is None else _simulated_root(entry, home)
        there = description.folder_in(source).is_dir()
        ready.append(_prepare_entry(entry, folder, home, data) if there else None)
    return ready


def split_warnings(ready: Iterable[ReadyDataset | None]) -> Iterator[str]:
    """Yield a sentence for every split that weakens what the study can say."""
    for each in ready:
        if each is None:
            continue
        split, patients = each.study_dataset.split, each.prepared.patients
        where = f"dataset {each.prepared.name!r}"
        sides = partition(split, patients, seed=0)
        if torn := torn_patients(sides, patients):
            yield (
                f"{where}: the split divides cases, not patients (on both sides: {_listed(torn)}), so scores "
                "are too good; use a split by patient unless you repeat a published one"
            )
        tested = {case.patient for case in each.prepared.cases_named(sides.test)}
        if isinstance(split, HoldoutSplit) and len(tested) < FEWEST_TEST_PATIENTS:
            yield (
                f"{where}: {len(tested)} test patients are few; "
                "with 'split: {kind: kfold, k: 5}' every patient is tested"
            )


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def divisions(study: Study, each: ReadyDataset) -> Iterator[SplitRecord]:
    """Yield every division of a dataset that the study's seeds and folds make.

    Raises:
        InputError: if a set would be empty, or the split has no test set and the study wants test scores.
    """
    split = each.study_dataset.split
    if isinstance(split, FixedSplit) and study.evaluation == "test":
        raise InputError(
            f"dataset {each.prepared.name!r}: its split has no test set; set 'evaluation: validation' in the "
            "study, or choose another split"
        )
    for fold in folds(split):
        for seed in (*range(study.seeds), *inner_seeds(study)):
            try:
                sides = partition(split, each.prepared.patients, seed, fold)
            except InputError as error:
                raise InputError(f"dataset {each.prepared.name!r}: {error}") from None
            yield SplitRecord(split.model_dump(mode="json"), seed, fold, dict(sides))


def check_augmented(study: Study, ready: Iterable[ReadyDataset | None]) -> None:
    """Refuse augmentations that the study's losses or slices do not go with, before anything is trained.

    Raises:
        InputError: naming the loss or the dataset.
    """
    found = [(row.label, row.entry, row.study.protocol) for row in rows(study)]
    found += [(entry.label, entry, study.protocol) for entry in study.losses if entry.tuned]
    oversample = max(protocol.oversample_foreground for _, _, protocol in found)
    for each in ready:
        if each is None:
            continue
        prepared = each.prepared
        height, width = prepared.labels(prepared.cases[0]).shape[1:]
        for label, loss, protocol in found:
            try:
                check_augmentations(protocol.augment, loss.like().needs, (height, width))
            except InputError as error:
                raise InputError(f"loss {label!r} on dataset {prepared.name!r}: {error}") from None
        if oversample and not any(any(case.voxels[1:]) for case in prepared.cases):
            raise InputError(
                f"dataset {prepared.name!r} has no foreground to oversample; leave out "
                "'oversample_foreground'"
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
    description = entry.describe(folder)
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
    return ReadyDataset(prepared, StudyDataset(prepared.name, prepared.fingerprint, description.chosen_split))


def _simulated_root(entry: DatasetEntry, home: Home) -> Path:
    assert entry.simulate is not None
    version = SIMULATORS[entry.dataset].version
    options = json.dumps([version, entry.simulate.model_dump(mode="json")], sort_keys=True)
    return home.simulated / hashlib.sha256(options.encode()).hexdigest()[:12]
