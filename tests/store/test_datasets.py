"""Datasets and splits in the database: who trained, validated and was tested."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from harness.data.splits import HoldoutSplit, Patient, partition
from harness.store.datasets import DatasetRecord, SplitRecord, register_dataset, register_splits
from harness.store.schema import CaseRow, PatientRow, SplitCaseRow, SplitRow, TrialRow
from harness.store.trials import TrialRecord, TrialStore

PATIENTS = tuple(Patient(f"p{n}", (f"p{n}_ed", f"p{n}_es"), n / 10) for n in range(10))
DATASET = DatasetRecord(
    "f" * 64,
    "set",
    "Set",
    ("background", "lesion"),
    tuple(
        (patient.name, case, None, (2, 4, 4), (3.0, 1.0, 1.0), (30, 2))
        for patient in PATIENTS
        for case in patient.cases
    ),
)
SPLIT = HoldoutSplit()
CANONICAL = SPLIT.model_dump(mode="json")


@pytest.fixture
def database(database):
    register_dataset(database, DATASET)
    return database


def division(seed: int) -> SplitRecord:
    return SplitRecord(CANONICAL, seed, 0, dict(partition(SPLIT, PATIENTS, seed)))


def test_every_case_of_every_seed_has_its_side(database):
    register_splits(database, DATASET.fingerprint, [division(0), division(1)])
    register_splits(database, DATASET.fingerprint, [division(1)])  # again: nothing happens
    question = (
        select(SplitRow.seed, PatientRow.name, SplitCaseRow.part)
        .join(SplitCaseRow, SplitCaseRow.split_id == SplitRow.id)
        .join(CaseRow, CaseRow.id == SplitCaseRow.case_id)
        .join(PatientRow, PatientRow.id == CaseRow.patient_id)
    )
    with database.read() as connection:
        rows = connection.execute(question).all()
    assert len(rows) == 2 * 20
    for seed in (0, 1):
        sides = {patient: {row.part for row in rows if row.seed == seed and row.name == patient} for
                 patient in (each.name for each in PATIENTS)}  # fmt: skip
        assert all(len(parts) == 1 for parts in sides.values())
    tested = [{row.name for row in rows if row.seed == seed and row.part == "test"} for seed in (0, 1)]
    assert tested[0] == tested[1]


def test_a_case_on_two_sides_is_impossible(database):
    torn = SplitRecord(CANONICAL, 0, 0, {"train": ("p0_ed",), "test": ("p0_ed",)})
    with pytest.raises(IntegrityError):
        register_splits(database, DATASET.fingerprint, [torn])
    with database.read() as connection:
        assert connection.scalars(select(SplitRow.id)).all() == []


def test_a_trial_points_to_its_division(database):
    register_splits(database, DATASET.fingerprint, [division(0), division(1)])
    store = TrialStore(database, "me")
    study = store.register_study("demo", "Demo", {})
    for seed in (0, 1):
        trial = TrialRecord(
            f"k{seed}", "f" * 64, "set", "CE", "ce", "distribution", {"name": "ce"}, seed, 0, "study",
            {"split": CANONICAL},
        )  # fmt: skip
        store.register_trials(study, [trial])
    with database.read() as connection:
        pairs = connection.execute(
            select(TrialRow.seed, SplitRow.seed).join(SplitRow, SplitRow.id == TrialRow.split_id)
        ).all()
    assert sorted(map(tuple, pairs)) == [(0, 0), (1, 1)]
