"""Scores of predictions made elsewhere, beside those of trials."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from harness.errors import InputError
from harness.store import frames
from harness.store.datasets import DatasetRecord, SplitRecord, register_dataset, register_splits
from harness.store.external import ExternalScores, store_external
from harness.store.schema import DatasetRow, ScoreRow, StudyRow, TrialRow
from harness.store.trials import TrialRecord, TrialStore

CASES = ("p1_a", "p1_b", "p2_a")
METRICS = {
    name: {"name": name, "version": 1, "title": name, "unit": "", "direction": "higher", "description": ""}
    for name in ("dsc", "iou")
}
SPLIT = {"kind": "holdout"}


def truths(fingerprint: str = "a" * 64, cases: tuple[str, ...] = CASES, voxels: int = 5) -> DatasetRecord:
    rows = tuple((case[:2], case, None, (2, 4, 4), (3.0, 1.0, 1.0), (32 - voxels, voxels)) for case in cases)
    return DatasetRecord(fingerprint, "folder", "folder", ("background", "lesion"), rows)


def scores(metrics: tuple[str, ...] = ("dsc",), cases: tuple[str, ...] = CASES) -> list[dict[str, object]]:
    return [
        {"case": case, "class_index": 1, "metric": metric, "value": 0.5, "imputed": 0.5, "reason": None}
        for case in cases
        for metric in metrics
    ]


FOUND = ExternalScores(
    study="mine",
    label="Net",
    seed=0,
    dataset=None,
    truths=truths(),
    predictions="1" * 64,
    metrics=list(METRICS.values()),
    scores=scores(),
    environment={"python": "3"},
)


@pytest.fixture
def trained(database):
    """A study ``mine`` with one trial of CE on ``lesions``, which tests p1_b and p2_a."""
    register_dataset(database, replace(truths("f" * 64), name="lesions"))
    sides = {"train": ["p1_a"], "test": ["p1_b", "p2_a"]}
    register_splits(database, "f" * 64, [SplitRecord(SPLIT, 0, 0, sides)])
    store = TrialStore(database, "owner")
    study = store.register_study("mine", "Mine", {"study": "mine", "seeds": 1})
    canonical = {"split": SPLIT, "seed": 0}
    record = TrialRecord(
        "key", "f" * 64, "lesions", "CE", "ce", "distribution", {"ce": 1}, 0, 0, "study", canonical
    )
    store.register_trials(study, [record], restart=True)
    return database


def count(database, table) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table))


def test_scores_become_rows_of_the_study(database):
    stored = store_external(database, FOUND)
    assert (stored.dataset, stored.new) == ("folder", True)
    rows = frames.scores(database, "mine")
    assert list(rows["case"]) == list(CASES)
    assert list(rows["patient"]) == ["p1", "p1", "p2"]
    assert set(rows["class_name"]) == {"lesion"}
    (trial,) = frames.trials(database, "mine").to_dict("records")
    assert (trial["state"], trial["family"], trial["label"]) == ("done", "external", "Net")
    assert frames.study_document(database, "mine").resolved["seeds"] == 1


def test_again_changes_nothing_and_a_new_metric_is_added(database):
    store_external(database, FOUND)
    assert not store_external(database, FOUND).new
    assert count(database, ScoreRow) == 3
    assert store_external(database, replace(FOUND, scores=scores(("dsc", "iou")))).new
    assert count(database, ScoreRow) == 6
    assert count(database, TrialRow) == 1


def test_other_predictions_are_another_label_or_seed(database):
    store_external(database, FOUND)
    other = replace(FOUND, predictions="2" * 64)
    with pytest.raises(InputError, match=r"other predictions as 'Net', seed 0, on 'folder'.*--seed 1"):
        store_external(database, other)
    store_external(database, replace(other, seed=1))
    store_external(database, replace(other, label="Net 2"))
    assert count(database, DatasetRow) == 1
    assert frames.study_document(database, "mine").resolved["seeds"] == 2


def test_other_truths_are_another_dataset(database):
    store_external(database, FOUND)
    other = replace(FOUND, truths=truths("b" * 64, voxels=6))
    with pytest.raises(InputError, match="other truths, cases, patients or class names as dataset 'folder'"):
        store_external(database, other)
    assert store_external(database, replace(other, dataset="second")).dataset == "second"


def test_what_cannot_be_stored_leaves_no_trace_in_a_study(database):
    with pytest.raises(KeyError):
        store_external(database, replace(FOUND, scores=scores(cases=(*CASES, "unknown"))))
    assert [count(database, table) for table in (StudyRow, TrialRow, ScoreRow)] == [0, 0, 0]


def test_predictions_join_a_trained_dataset_by_its_truths(trained):
    tested = ("p1_b", "p2_a")
    found = replace(FOUND, truths=truths(cases=tested), scores=scores(cases=tested))
    assert store_external(trained, found).dataset == "lesions"
    assert count(trained, DatasetRow) == 1
    assert list(frames.scores(trained, "mine")["case"]) == list(tested)
    resolved = frames.study_document(trained, "mine").resolved
    assert resolved == {"study": "mine", "seeds": 1}  # as it was declared


def test_a_later_run_of_the_study_leaves_the_network_in_it(trained):
    tested = ("p1_b", "p2_a")
    store_external(trained, replace(FOUND, truths=truths(cases=tested), scores=scores(cases=tested)))
    store = TrialStore(trained, "owner")
    store.register_trials(store.register_study("mine", "Mine", {"study": "mine"}), [], restart=True)
    assert set(frames.trials(trained, "mine")["label"]) == {"Net"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"truths": truths()}, "it tests 2 cases, these are 3, and 2 are in both"),
        ({"truths": truths(cases=("p9_a",))}, "it has no case 'p9_a', but for example 'p1_a'"),
        ({"truths": truths(voxels=6)}, "the truth of case 'p1_a' is another one"),
        ({"dataset": "other"}, "study 'mine' has no dataset 'other'; it has: lesions"),
        ({"truths": truths(cases=("p1_b", "p2_a")), "label": "CE"}, "trains a loss called 'CE'"),
    ],
)
def test_what_does_not_fit_a_trained_study_is_refused(trained, change, sentence):
    with pytest.raises(InputError, match=sentence):
        store_external(trained, replace(FOUND, **change))
    assert count(trained, TrialRow) == 1
    assert count(trained, DatasetRow) == 1
