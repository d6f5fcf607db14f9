"""What the database keeps of datasets: patients, cases, and who is on which side of a split."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from harness.store.bulk import insert_rows
from harness.store.database import Database
from harness.store.rows import digest_of, insert_row
from harness.store.schema import CaseRow, DatasetRow, PatientRow, SplitCaseRow, SplitRow


@dataclass(frozen=True)
class DatasetRecord:
    """What the database keeps of a dataset: (patient, case, site, shape, spacing, voxels) per case."""

    fingerprint: str
    name: str
    title: str
    classes: tuple[str, ...]
    cases: tuple[tuple[str, str, str | None, Sequence[int], Sequence[float], Sequence[int]], ...]


@dataclass(frozen=True)
class SplitRecord:
    """One division of a dataset's cases.

    Attributes:
        canonical: The split as trial keys have it.
        seed: Seed index.
        fold: Which fold is tested.
        sides: Names of the cases by side: train, validation, test.
    """

    canonical: Mapping[str, Any]
    seed: int
    fold: int
    sides: Mapping[str, Sequence[str]]


def register_dataset(database: Database, dataset: DatasetRecord) -> None:
    """Insert a dataset with its patients and cases, once."""
    with database.write() as connection:
        known = select(DatasetRow.id).where(DatasetRow.fingerprint == dataset.fingerprint)
        if connection.scalar(known) is not None:
            return
        dataset_id = insert_row(
            connection,
            DatasetRow,
            fingerprint=dataset.fingerprint,
            name=dataset.name,
            title=dataset.title,
            classes=list(dataset.classes),
        )
        patients: dict[str, int] = {}
        for patient, case, site, shape, spacing, voxels in dataset.cases:
            if patient not in patients:
                patients[patient] = insert_row(connection, PatientRow, dataset_id=dataset_id, name=patient)
            connection.execute(
                insert(CaseRow).values(
                    patient_id=patients[patient],
                    name=case,
                    site=site,
                    shape=list(shape),
                    spacing=list(spacing),
                    voxels=list(voxels),
                )
            )


def register_splits(database: Database, fingerprint: str, splits: Iterable[SplitRecord]) -> None:
    """Insert divisions of a registered dataset, each once: which case trained, validated, was tested.

    A case can be on one side only: the table's primary key is (split, case).
    """
    with database.write() as connection:
        dataset_id = connection.scalars(select(DatasetRow.id).filter_by(fingerprint=fingerprint)).one()
        of_dataset = (
            select(CaseRow.name, CaseRow.id).join(PatientRow).where(PatientRow.dataset_id == dataset_id)
        )
        cases = {row.name: row.id for row in connection.execute(of_dataset)}
        for record in splits:
            identity = _identity(dataset_id, record.canonical, record.seed, record.fold)
            if connection.scalar(select(SplitRow.id).filter_by(**identity)) is not None:
                continue
            row = insert_row(connection, SplitRow, **identity, canonical=dict(record.canonical))
            members = [
                {"split_id": row, "case_id": cases[case], "part": part}
                for part, names in record.sides.items()
                for case in names
            ]
            insert_rows(connection, SplitCaseRow, members)


def _identity(dataset_id: int | None, canonical: Mapping[str, Any], seed: int, fold: int) -> dict[str, Any]:
    return {"dataset_id": dataset_id, "digest": digest_of(canonical), "seed": seed, "fold": fold}
