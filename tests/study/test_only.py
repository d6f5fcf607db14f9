"""Only some of a study's seeds and folds: to spread it over machines."""

import pytest

from harness.data.splits import HoldoutSplit, KFoldSplit
from harness.errors import InputError
from harness.strict_yaml import read, validate
from harness.study.plan import StudyDataset, check_folds, fixed_trials
from harness.study.spec import Study

STUDY = """\
study: demo
datasets: [{dataset: wmh2017, split: {kind: kfold, k: 3}}, {dataset: acdc, split: {kind: holdout}}]
seeds: 3
losses: [{label: CE, loss: ce}]
"""


def parse(only: str) -> Study:
    return validate(Study, read(f"{STUDY}only: {only}\n", "demo.yaml"), "demo.yaml")


def places(only: str) -> set[tuple[str, int, int]]:
    datasets = [
        StudyDataset("wmh2017", "f" * 64, KFoldSplit(k=3)),
        StudyDataset("acdc", "e" * 64, HoldoutSplit()),
    ]
    found = [(each.dataset, each.trial.seed, each.trial.fold) for each in fixed_trials(parse(only), datasets)]
    assert len(found) == len(set(found))
    return set(found)


def test_parts_make_up_the_whole():
    parts = [
        places("{seeds: [0]}"),
        places("{seeds: [1, 2], folds: [0, 1]}"),
        places("{seeds: [2, 1], folds: [2]}"),
    ]
    assert set.union(*parts) == places("{}")
    assert sum(map(len, parts)) == len(places("{}")) == 12


def test_a_dataset_without_these_folds_is_left_out():
    assert places("{seeds: [1], folds: [2]}") == {("wmh2017", 1, 2)}


def test_keys_are_those_of_the_whole_study():
    dataset = StudyDataset("acdc", "e" * 64, HoldoutSplit())
    whole = {each.trial.key for each in fixed_trials(parse("{}"), [dataset])}
    part = {each.trial.key for each in fixed_trials(parse("{seeds: [1]}"), [dataset])}
    assert len(part) == 1
    assert part < whole


@pytest.mark.parametrize(
    ("only", "sentence"),
    [
        (
            "{seeds: [1, 3]}",
            "5:8: only.seeds: the study has 3 seeds, counted from 0; leave the others out, or raise",
        ),
        ("{seeds: []}", "only.seeds: tuple should have at least 1 item"),
        ("{seeds: [-1]}", "only.seeds.0: input should be greater than or equal to 0"),
        ("{fold: [0]}", "only.fold: unknown key; did you mean 'folds'?"),
    ],
)
def test_what_the_study_does_not_have_is_refused_at_its_line(only, sentence):
    with pytest.raises(InputError) as caught:
        parse(only)
    assert sentence in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_fold_that_no_dataset_has_is_refused(tmp_path):
    check_folds(parse("{folds: [2]}"), tmp_path)
    with pytest.raises(InputError, match=r"only.folds: no dataset has a fold 3, the last is 2"):
        check_folds(parse("{folds: [0, 3]}"), tmp_path)
