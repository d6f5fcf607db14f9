"""Splits: by patient, disjoint, stratified, fixed where they should be."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.data.splits import (
    FixedSplit,
    HoldoutSplit,
    KFoldSplit,
    Patient,
    folds,
    partition,
    torn_patients,
)
from harness.errors import InputError


def people(n: int, sites: tuple[str, ...] = (), cases: int = 1) -> list[Patient]:
    return [
        Patient(
            f"p{number:02d}",
            tuple(f"p{number:02d}_{letter}" for letter in "abc"[:cases]),
            number / 100,
            sites[number % len(sites)] if sites else None,
        )
        for number in range(n)
    ]


TWENTY = people(20)


def names(cases: tuple[str, ...]) -> list[str]:
    return sorted({case.split("_")[0] for case in cases})


@given(
    st.lists(st.tuples(st.integers(1, 3), st.floats(0, 1), st.sampled_from("ABC")), min_size=10, max_size=60),
    st.integers(0, 5),
    st.sampled_from(
        [
            HoldoutSplit(),
            HoldoutSplit(test=3, validation=2, train=3, stratify=()),
            HoldoutSplit(stratify=("load",)),
            KFoldSplit(k=5),
            KFoldSplit(k=3, stratify=("site",)),
        ]
    ),
)
@settings(max_examples=80, deadline=None)
def test_no_patient_is_ever_on_two_sides(drawn, seed, split):
    patients = [
        Patient(f"p{n}", tuple(f"p{n}_{k}" for k in range(count)), load, site)
        for n, (count, load, site) in enumerate(drawn)
    ]
    tested = []
    for fold in folds(split):
        sides = partition(split, patients, seed, fold)
        assert torn_patients(sides, patients) == []
        everyone = [*sides.train, *sides.validation, *sides.test]
        assert len(everyone) == len(set(everyone))
        if split.train is None:
            assert len(everyone) == sum(len(patient.cases) for patient in patients)
        tested += sides.test
    if isinstance(split, KFoldSplit):
        assert sorted(tested) == sorted(case for patient in patients for case in patient.cases)


def test_all_cases_of_a_patient_go_together():
    sides = partition(HoldoutSplit(), people(12, cases=2), seed=3)
    for _, cases in sides:
        assert all(count == 2 for count in Counter(case.split("_")[0] for case in cases).values())


def test_test_set_is_the_same_for_every_seed_and_validation_is_not():
    by_seed = [partition(HoldoutSplit(), TWENTY, seed) for seed in range(6)]
    assert len({each.test for each in by_seed}) == 1
    assert len({each.validation for each in by_seed}) > 1


def test_order_of_the_patients_does_not_matter():
    for split in (HoldoutSplit(), KFoldSplit(k=4), HoldoutSplit(stratify=())):
        forwards, backwards = partition(split, TWENTY, 1), partition(split, TWENTY[::-1], 1)
        assert {side: set(cases) for side, cases in forwards} == {
            side: set(cases) for side, cases in backwards
        }


def test_kfold_tests_every_patient_once_and_folds_do_not_move_with_the_seed():
    split = KFoldSplit(k=5)
    tested = [case for fold in range(5) for case in partition(split, TWENTY, 0, fold).test]
    assert sorted(tested) == sorted(case for patient in TWENTY for case in patient.cases)
    assert partition(split, TWENTY, 0, 2).test == partition(split, TWENTY, 7, 2).test


def load_of(cases: tuple[str, ...]) -> float:
    loads = [int(case[1:3]) / 100 for case in cases]
    return sum(loads) / len(loads)


def test_folds_are_balanced_by_lesion_load():
    means = [load_of(partition(KFoldSplit(k=4), TWENTY, 0, fold).test) for fold in range(4)]
    assert max(means) - min(means) < 0.04  # the range of loads is 0.19


@pytest.mark.parametrize("seed", range(5))
def test_drawn_sets_mix_sites_and_loads_as_the_dataset_does(seed):
    patients = people(60, sites=("Utrecht", "Singapore", "GE3T"))
    sites = {patient.name: patient.site for patient in patients}
    sides = partition(HoldoutSplit(test=12, validation=9), patients, seed)
    for cases, each in ((sides.test, 4), (sides.validation, 3)):
        assert Counter(sites[name] for name in names(cases)) == dict.fromkeys(sites.values(), each)
        assert load_of(cases) == pytest.approx(0.295, abs=0.05)


def test_unstratified_sets_are_drawn_at_random():
    drawn = [partition(HoldoutSplit(test=4, validation=4, stratify=()), TWENTY, seed) for seed in range(30)]
    assert len({load_of(each.validation) for each in drawn}) > 10
    assert max(load_of(each.validation) for each in drawn) > 0.12


def test_named_test_patients_and_a_limited_training_set():
    sides = partition(HoldoutSplit(test=("p03", "p11"), validation=2, train=4), TWENTY, 0)
    assert sides.test == ("p03_a", "p11_a")
    assert (len(sides.validation), len(sides.train)) == (2, 4)


def test_a_range_names_the_test_patients_that_are_there():
    patients = [patient for patient in TWENTY if patient.name != "p05"]
    sides = partition(HoldoutSplit(test=("p04..p06", "p11"), validation=2), patients, 0)
    assert sides.test == ("p04_a", "p06_a", "p11_a")
    with pytest.raises(InputError, match=r"test patients \['p40..p50'\] are not in the dataset"):
        partition(HoldoutSplit(test=("p40..p50",)), TWENTY, 0)
    with pytest.raises(ValidationError, match=r"'folds' lists the range 'a1..a3'; name its patients one by"):
        KFoldSplit(k=2, folds=(("a1..a3",), ("a4",)))


def test_a_limited_training_set_keeps_the_validation_set():
    full, small = (partition(HoldoutSplit(train=train), TWENTY, 2) for train in (None, 5))
    assert (full.validation, full.test) == (small.validation, small.test)
    assert set(small.train) < set(full.train)


def test_a_published_list_of_cases_may_tear_patients_and_is_told():
    patients = people(10, cases=2)
    split = HoldoutSplit(test=("p03_a", "p04_a", "p04_b"), by="case")
    sides = partition(split, patients, 0)
    assert sides.test == ("p03_a", "p04_a", "p04_b")
    assert torn_patients(sides, patients)[:1] != []
    assert "p03" in torn_patients(sides, patients)


def test_only_lists_may_divide_cases():
    with pytest.raises(ValidationError, match="name the cases under 'test'"):
        HoldoutSplit(test=0.2, by="case")


def test_fixed_split_has_the_printed_validation_set_and_no_test_set():
    split = FixedSplit(kind="fixed", validation=("p01", "p02"))
    for seed in range(3):
        sides = partition(split, TWENTY, seed)
        assert sides.validation == ("p01_a", "p02_a")
        assert sides.test == ()
        assert len(sides.train) == 18


def test_folds_may_be_listed():
    split = KFoldSplit(k=2, folds=(("p00", "p01"), ("p02", "p03")))
    assert partition(split, TWENTY, 0, 1).test == ("p02_a", "p03_a")
    with pytest.raises(ValidationError, match="lists 2 folds, but k is 3"):
        KFoldSplit(k=3, folds=(("a",), ("b",)))
    with pytest.raises(ValidationError, match="tests 'a' in two folds"):
        KFoldSplit(k=2, folds=(("a",), ("a",)))


def test_empty_training_set_is_refused_with_a_sentence():
    with pytest.raises(InputError, match="the training set is empty: 3 patients are too few"):
        partition(HoldoutSplit(test=1, validation=2), people(3), 0)


def test_unknown_test_patient_is_named():
    with pytest.raises(InputError, match=r"test patients \['p99'\] are not in the dataset"):
        partition(HoldoutSplit(test=("p99",)), TWENTY, 0)


def test_more_folds_than_patients_is_refused():
    with pytest.raises(InputError, match="5 folds need at least 5 patients, the dataset has 3"):
        partition(KFoldSplit(k=5), people(3), 0)
