"""Merge datasets with their patients, cases and splits: what trials are compared on."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from harness.store.exchange.findings import short
from harness.store.exchange.keyed import Ends, Ids, add_rows, join_by_key
from harness.store.schema import CaseRow, DatasetRow, PatientRow, SplitCaseRow, SplitRow

Content = Mapping[tuple[str, str], tuple[Any, ...]]
"""Site, shape, spacing and voxels by patient and case."""


@dataclass(frozen=True)
class Cohorts:
    """Our ids by theirs of the datasets that are the same on both sides, and of what hangs on them."""

    datasets: Ids
    cases: Ids
    splits: Ids


def merge_cohorts(ends: Ends) -> Cohorts:
    """Add datasets and splits that ours lacks, and leave out those that are others under the same key."""
    refused = _other_datasets(ends)
    datasets = join_by_key(
        ends, DatasetRow, ("fingerprint",), accepts=lambda row: row["fingerprint"] not in refused
    )
    patients = join_by_key(ends, PatientRow, ("dataset_id", "name"), {"dataset_id": datasets})
    cases = join_by_key(ends, CaseRow, ("patient_id", "name"), {"patient_id": patients})
    return Cohorts(datasets, cases, _merge_splits(ends, datasets, cases))


def _other_datasets(ends: Ends) -> set[str]:
    """Compare the datasets of both sides; return the fingerprints under which theirs is another."""
    ours, theirs = _datasets(ends.ours), _datasets(ends.theirs)
    refused = set()
    for fingerprint in theirs.keys() & ours.keys():
        difference = _difference(ends, ours[fingerprint], theirs[fingerprint])
        if difference:
            refused.add(fingerprint)
            ends.findings.conflict(
                "dataset",
                f"dataset {ours[fingerprint].name!r} (fingerprint {short(fingerprint)}) is another one "
                f"there: {difference}; ours stays, its trials there are left out",
            )
        elif _names(ours[fingerprint]) != _names(theirs[fingerprint]):
            ends.findings.warnings.append(
                f"dataset {ours[fingerprint].name!r} (fingerprint {short(fingerprint)}) is called "
                f"{theirs[fingerprint].name!r}, {theirs[fingerprint].title!r} there; our name stays"
            )
    _warn_of_namesakes(ends, ours, theirs)
    return refused


def _warn_of_namesakes(ends: Ends, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    by_name: dict[str, list[str]] = defaultdict(list)
    for fingerprint, row in ours.items():
        by_name[row.name].append(fingerprint)
    for fingerprint in sorted(theirs.keys() - ours.keys()):
        name = theirs[fingerprint].name
        for namesake in by_name.get(name, ()):
            ends.findings.warnings.append(
                f"dataset {name!r} has other content there (fingerprint {short(fingerprint)}, ours "
                f"{short(namesake)}); both are kept, and their trials cannot be compared"
            )


def _difference(ends: Ends, ours: Any, theirs: Any) -> str:
    """Say in a few words how two datasets differ; empty if they do not."""
    if ours.classes != theirs.classes:
        return f"classes {theirs.classes} instead of {ours.classes}"
    here, there = _content(ends.ours, ours.id), _content(ends.theirs, theirs.id)
    if here.keys() != there.keys():
        lacks, has = len(here.keys() - there.keys()), len(there.keys() - here.keys())
        return f"it lacks {lacks} of our {len(here)} cases and has {has} others"
    others = sorted(case for (patient, case), content in here.items() if there[patient, case] != content)
    if others:
        return (
            f"{len(others)} cases have another site, shape, spacing or number of voxels, first {others[0]!r}"
        )
    return ""


def _names(dataset: Any) -> tuple[str, str]:
    return dataset.name, dataset.title


def _datasets(connection: Connection) -> dict[str, Any]:
    question = select(
        DatasetRow.id, DatasetRow.fingerprint, DatasetRow.name, DatasetRow.title, DatasetRow.classes
    )
    return {row.fingerprint: row for row in connection.execute(question)}


def _content(connection: Connection, dataset_id: int) -> Content:
    question = (
        select(PatientRow.name, CaseRow.name, CaseRow.site, CaseRow.shape, CaseRow.spacing, CaseRow.voxels)
        .join(PatientRow, PatientRow.id == CaseRow.patient_id)
        .where(PatientRow.dataset_id == dataset_id)
    )
    return {(row[0], row[1]): tuple(row[2:]) for row in connection.execute(question)}


def _merge_splits(ends: Ends, datasets: Ids, cases: Ids) -> dict[int, int]:
    """Add splits that ours lacks with their sides; leave out those whose sides are others."""
    known = set(ends.ours.scalars(select(SplitRow.id)))
    splits = join_by_key(ends, SplitRow, ("dataset_id", "digest", "seed", "fold"), {"dataset_id": datasets})
    new = {theirs: ours for theirs, ours in splits.items() if ours not in known}
    sides = _sides(ends.theirs, cases)
    for theirs, ours in new.items():
        rows = [{"split_id": ours, "case_id": case, "part": part} for case, part in sides[theirs].items()]
        add_rows(ends, SplitCaseRow, rows)
    here = _sides(ends.ours)
    others = {theirs for theirs, ours in splits.items() if here[ours] != sides[theirs]}
    if others:
        _report_splits(ends, {splits[theirs] for theirs in others})
    return {theirs: ours for theirs, ours in splits.items() if theirs not in others}


def _sides(connection: Connection, cases: Ids | None = None) -> dict[int, dict[int, str]]:
    """Return the side of every case by split, with our ids of cases."""
    sides: dict[int, dict[int, str]] = defaultdict(dict)
    for split, case, part in connection.execute(
        select(SplitCaseRow.split_id, SplitCaseRow.case_id, SplitCaseRow.part)
    ):
        if cases is None or case in cases:
            sides[split][case if cases is None else cases[case]] = part
    return sides


def _report_splits(ends: Ends, splits: set[int]) -> None:
    question = (
        select(DatasetRow.name, SplitRow.digest, SplitRow.seed, SplitRow.fold)
        .join(DatasetRow, DatasetRow.id == SplitRow.dataset_id)
        .where(SplitRow.id.in_(splits))
        .order_by(SplitRow.id)
    )
    for row in ends.ours.execute(question):
        ends.findings.conflict(
            "split",
            f"split {short(row.digest)} of dataset {row.name!r}, seed {row.seed}, fold {row.fold} has other "
            "cases on its sides there; ours stays, its trials there are left out",
        )
