"""The catalogue: published splits as their code drew them, and defaults that fit any number of cases."""

import random

import numpy as np
import pytest

from harness.data.description import DatasetDescription, catalogue
from harness.data.layouts.isles2018_patients import patient_of
from harness.data.splits import FixedSplit, HoldoutSplit, KFoldSplit, Patient, folds, partition, torn_patients

CATALOGUE = catalogue()

UTRECHT = (0, 2, 4, 6, 8, 11, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 49)
SINGAPORE = tuple(range(50, 70))
GE3T = (*range(100, 111), *range(112, 117), 126, 132, 137, 144)

WMH = [
    Patient(str(number), (str(number),), number / 1e4, site)
    for site, numbers in (("Utrecht", UTRECHT), ("Singapore", SINGAPORE), ("GE3T", GE3T))
    for number in numbers
]
ACDC = [
    Patient(
        f"patient{number:03d}", tuple(f"patient{number:03d}_{frame}" for frame in ("ed", "es")), number / 1e4
    )
    for number in range(1, 101)
]
GROUPS: dict[str, list[int]] = {}
for each in range(1, 95):
    GROUPS.setdefault(patient_of(each), []).append(each)
ISLES = [
    Patient(name, tuple(f"case_{number}" for number in numbers), numbers[0] / 1e4)
    for name, numbers in GROUPS.items()
]
PATIENTS = {"wmh2017": WMH, "isles2018": ISLES, "acdc": ACDC}


def drawn(names: list[str], count: int) -> set[str]:
    """Draw as the published code did: sorted as text, seed 0, without regard to sites or patients."""
    return set(random.Random(0).sample(sorted(names), count))


def shuffled_acdc() -> list[str]:
    names = sorted(patient.name for patient in ACDC)
    random.Random(0).shuffle(names)
    return names


PUBLISHED = {
    "wmh2017": drawn([patient.name for patient in WMH], 10),
    "isles2018": drawn([case for patient in ISLES for case in patient.cases], 20),
    "acdc": set(shuffled_acdc()[:25]),
}


def test_draws_equal_the_printed_lists() -> None:
    assert PUBLISHED["wmh2017"] == {"2", "6", "21", "23", "33", "35", "65", "67", "101", "115"}
    printed = "4 14 20 25 34 39 42 44 50 54 56 58 65 66 68 69 71 77 81 91"
    assert PUBLISHED["isles2018"] == {f"case_{number}" for number in printed.split()}
    printed = "2 3 7 8 9 11 12 14 17 20 24 25 42 48 49 53 55 60 64 67 79 81 88 92 95"
    assert PUBLISHED["acdc"] == {f"patient{int(number):03d}" for number in printed.split()}


def test_draws_have_the_printed_number_of_slices() -> None:
    slices = {name: 83 if int(name) >= 100 else 48 for name in PUBLISHED["wmh2017"]}
    assert sum(slices.values()) == 550
    ends = {9: 8, 17: 4, 22: 2, 33: 4, 79: 2, 81: 22, 94: 16}  # last case number -> slices a case
    numbers = [int(name.removeprefix("case_")) for name in PUBLISHED["isles2018"]]
    assert sum(next(count for end, count in ends.items() if number <= end) for number in numbers) == 84


@pytest.mark.parametrize("name", PATIENTS)
def test_published_split_tests_the_published_validation_cases(name: str) -> None:
    published, printed = (CATALOGUE[name].splits[split] for split in ("published", "as_printed"))
    assert isinstance(published, HoldoutSplit)
    assert isinstance(printed, FixedSplit)
    assert set(published.test) == set(printed.validation) == PUBLISHED[name]
    assert published.by == printed.by


@pytest.mark.parametrize(
    ("name", "unit", "train", "tested"),
    [("wmh2017", "patient", 50, 10), ("isles2018", "case", 74, 20), ("acdc", "patient", 75, 25)],
)
def test_printed_split_has_the_printed_sizes(name: str, unit: str, train: int, tested: int) -> None:
    cases_each = 2 if name == "acdc" else 1
    description, patients = CATALOGUE[name], PATIENTS[name]
    printed = partition(description.splits["as_printed"], patients, seed=3)
    assert (len(printed.train), len(printed.validation), len(printed.test)) == (
        cases_each * train,
        cases_each * tested,
        0,
    )
    published = [partition(description.splits["published"], patients, seed) for seed in range(3)]
    assert {sides.test for sides in published} == {printed.validation}
    assert len({sides.validation for sides in published}) > 1
    assert description.splits["published"].by == unit


def test_published_isles_split_tears_patients_and_the_default_does_not() -> None:
    description = CATALOGUE["isles2018"]
    torn = torn_patients(partition(description.splits["published"], ISLES, 0), ISLES)
    assert patient_of(64) in torn
    sides = partition(description.chosen_split, ISLES, 0)
    assert description.split == "by_patient"
    assert torn_patients(sides, ISLES) == []
    assert 10 <= len(sides.test) <= 30  # the published one has 20


def test_default_wmh_split_mixes_sites() -> None:
    sides = partition(CATALOGUE["wmh2017"].chosen_split, WMH, 0)
    site_of = {patient.name: patient.site for patient in WMH}
    counts = [sum(site_of[name] == site for name in sides.test) for site in ("Utrecht", "Singapore", "GE3T")]
    assert counts == [4, 4, 4]


def test_folds_of_acdc_are_those_of_the_published_code() -> None:
    names = shuffled_acdc()
    published = CATALOGUE["acdc"].splits["published_folds"]
    assert isinstance(published, KFoldSplit)
    assert [set(fold) for fold in published.folds or ()] == [
        set(names[25 * k : 25 * k + 25]) for k in range(4)
    ]
    patients = sorted(patient.name for patient in ACDC)
    np.random.RandomState(1234).shuffle(patients)  # nnU-Net's generator
    nnunet = CATALOGUE["acdc"].splits["nnunet_folds"]
    assert isinstance(nnunet, KFoldSplit)
    assert [set(fold) for fold in nnunet.folds or ()] == [set(patients[k::5]) for k in range(5)]


@pytest.mark.parametrize("name", ["published_folds", "nnunet_folds"])
def test_listed_folds_test_every_patient_once(name: str) -> None:
    split = CATALOGUE["acdc"].splits[name]
    tested = [case for fold in folds(split) for case in partition(split, ACDC, 0, fold).test]
    assert sorted(tested) == sorted(case for patient in ACDC for case in patient.cases)


@pytest.mark.parametrize("description", CATALOGUE.values(), ids=list(CATALOGUE))
@pytest.mark.parametrize("patients", [6, 40, 300])
def test_default_split_fits_any_number_of_patients(description: DatasetDescription, patients: int) -> None:
    people = [
        Patient(f"p{number}", (f"p{number}_a", f"p{number}_b"), number / 1e3, f"site{number % 3}")
        for number in range(patients)
    ]
    split = description.chosen_split
    for fold in folds(split):
        sides = partition(split, people, 1, fold)
        assert min(len(cases) for _, cases in sides) >= 2
        assert torn_patients(sides, people) == []


def test_tasks_of_the_nnunet_ablation_are_there() -> None:
    tasks = {"brain_tumour", "liver", "hippocampus", "prostate", "lung", "pancreas"}
    folders = {CATALOGUE[f"msd_{task}"].folders[0]: len(CATALOGUE[f"msd_{task}"].channels) for task in tasks}
    assert folders == {
        "Task01_BrainTumour": 4,
        "Task03_Liver": 1,
        "Task04_Hippocampus": 1,
        "Task05_Prostate": 2,
        "Task06_Lung": 1,
        "Task07_Pancreas": 1,
    }


@pytest.mark.parametrize("description", CATALOGUE.values(), ids=list(CATALOGUE))
def test_every_dataset_tells_its_terms_and_what_to_cite(description: DatasetDescription) -> None:
    assert description.licence
    assert description.citation
