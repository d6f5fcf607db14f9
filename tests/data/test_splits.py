"""Splits: by patient, disjoint, fixed where they should be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.splits import HoldoutSplit, KFoldSplit, folds, partition
from harness.errors import InputError

LOAD = {f"p{number:02d}": number / 100 for number in range(20)}


@given(
    st.integers(10, 60),
    st.integers(0, 5),
    st.sampled_from([HoldoutSplit(), KFoldSplit(k=5), KFoldSplit(k=3)]),
)
@settings(max_examples=40, deadline=None)
def test_sets_are_disjoint_and_cover_all_patients(n, seed, split):
    load = {f"p{number}": number / n for number in range(n)}
    for fold in folds(split):
        sides = partition(split, load, seed, fold)
        everyone = [*sides.train, *sides.validation, *sides.test]
        assert len(everyone) == len(set(everyone)) == n


def test_test_set_is_the_same_for_every_seed_and_validation_is_not():
    by_seed = [partition(HoldoutSplit(), LOAD, seed) for seed in range(6)]
    assert len({each.test for each in by_seed}) == 1
    assert len({each.validation for each in by_seed}) > 1


def test_kfold_tests_every_patient_once_and_folds_do_not_move_with_the_seed():
    split = KFoldSplit(k=5)
    tested = [patient for fold in range(5) for patient in partition(split, LOAD, 0, fold).test]
    assert sorted(tested) == sorted(LOAD)
    assert partition(split, LOAD, 0, 2).test == partition(split, LOAD, 7, 2).test


def test_folds_are_balanced_by_lesion_load():
    split = KFoldSplit(k=4)
    means = []
    for fold in range(4):
        test = partition(split, LOAD, 0, fold).test
        means.append(sum(LOAD[patient] for patient in test) / len(test))
    assert max(means) - min(means) < 0.04  # the range of loads is 0.19


def test_named_test_patients_and_a_limited_training_set():
    split = HoldoutSplit(test=("p03", "p11"), validation=2, train=4)
    sides = partition(split, LOAD, 0)
    assert sides.test == ("p03", "p11")
    assert (len(sides.validation), len(sides.train)) == (2, 4)


def test_empty_training_set_is_refused_with_a_sentence():
    with pytest.raises(InputError, match="the training set is empty: 3 patients are too few"):
        partition(HoldoutSplit(test=1, validation=2), {"a": 0.1, "b": 0.1, "c": 0.1}, 0)


def test_unknown_test_patient_is_named():
    with pytest.raises(InputError, match=r"test patients \['p99'\] are not in the dataset"):
        partition(HoldoutSplit(test=("p99",)), LOAD, 0)


def test_more_folds_than_patients_is_refused():
    with pytest.raises(InputError, match="5 folds need at least 5 patients, the dataset has 3"):
        partition(KFoldSplit(k=5), {"a": 0.1, "b": 0.1, "c": 0.1}, 0)
