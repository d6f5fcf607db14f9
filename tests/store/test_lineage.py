"""The chain behind a trial, whatever became of it, on both engines."""

import hashlib
from dataclasses import replace

import pytest
from sqlalchemy import update

from harness.errors import InputError
from harness.store.datasets import DatasetRecord, SplitRecord, register_dataset, register_splits
from harness.store.external import store_external
from harness.store.lineage import Lineage, trace
from harness.store.outcome import ArtifactRecord, Outcome
from harness.store.ownership import new_owner
from harness.store.rows import digest_of
from harness.store.runs import register_run
from harness.store.schema import TrialRow
from harness.store.trials import Selection, TrialRecord, TrialStore
from tests.store.test_external import FOUND, truths

SPLIT = {"kind": "holdout", "test": 2}
CASES = ("p1_a", "p1_b", "p2_a", "p3_a", "p4_a")
DATASET = DatasetRecord(
    "f" * 64,
    "set",
    "Set",
    ("background", "left", "right"),
    tuple((case[:2], case, None, (2, 4, 4), (3.0, 1.0, 1.0), (30, 1, 1)) for case in CASES),
)
SIDES = {"train": ["p4_a"], "validation": ["p3_a"], "test": ["p1_a", "p1_b", "p2_a"]}
METRIC = {"version": 1, "title": "", "unit": "", "direction": "higher", "description": ""}
FACTS = {"lossbench": "0.1.0", "commit": "c" * 40, "dirty": "d" * 16, "processor": "P", "torch": "2"}
VALUES = {("p1_a", 1): 0.2, ("p1_a", 2): 0.4, ("p1_b", 1): 0.6, ("p1_b", 2): 0.8, ("p2_a", 1): 1.0}
TEXT = {"study": "demo", "seeds": 9, "datasets": ["set"]}


def record(seed: int) -> TrialRecord:
    canonical = {"fingerprint": "f" * 64, "split": SPLIT, "seed": seed, "protocol": {"epochs": 2}}
    key = digest_of(canonical)
    return TrialRecord(
        key, "f" * 64, "set", "CE", "ce", "distribution", {"ce": 1}, seed, 0, "study", canonical
    )


DONE, DIVERGED, FAILED, WAITING, RUNNING = (record(seed) for seed in range(5))


def scores() -> list[dict[str, object]]:
    values = {**VALUES, ("p2_a", 2): None}
    return [
        {
            "case": case,
            "metric": "dsc",
            "class_index": index,
            "checkpoint": "best",
            "part": "test",
            "value": value,
            "imputed": 0.0 if value is None else value,
            "reason": "no foreground" if value is None else None,
        }
        for (case, index), value in values.items()
    ]


@pytest.fixture
def store(database, tmp_path):
    """Trials in every state, of two studies; the file of one of them is there."""
    register_dataset(database, DATASET)
    register_splits(database, "f" * 64, [SplitRecord(SPLIT, 0, 0, SIDES)])
    run = register_run(database, "demo", TEXT, "lossbench run demo.yaml --local")
    store = TrialStore(database, new_owner(), run)
    store.register_metrics([{"name": "dsc", **METRIC}])
    study = store.register_study("demo", "Demo", {**TEXT, "seeds": 5})
    other = store.register_study("another", "", {"study": "another"})
    store.register_trials(study, [DONE, DIVERGED, FAILED, WAITING, RUNNING])
    store.register_trials(other, [replace(DONE, label="Cross entropy")])
    for each in (DONE, DIVERGED, FAILED, RUNNING):
        store.claim([each.key])
    content = b"weights"
    (tmp_path / "model.pt").write_bytes(content)
    kept = ArtifactRecord("model", "model.pt", hashlib.sha256(content).hexdigest(), len(content))
    outcome = Outcome("done", False, None, 1, 0.25, 3.0, [], scores(), [kept], FACTS, numerics="cpu, float32")
    store.finish(DONE.key, outcome)
    diverged = replace(
        outcome, state="diverged", reason="loss is nan", reason_epoch=1, scores=[], artifacts=[]
    )
    store.finish(DIVERGED.key, diverged)
    store.fail(FAILED.key, "no memory", "Traceback", FACTS)
    return store


def traced(store: TrialStore, trial: TrialRecord, folder=None) -> Lineage:
    return trace(store.database, trial.key[:10].upper(), folder)


def test_a_result_is_traced_to_command_code_and_data(store):
    found = traced(store, DONE)
    assert (found.key, found.key_verified) == (DONE.key, True)
    assert (found.outcome.state, found.outcome.best_epoch, found.outcome.attempts) == ("done", 1, 1)
    assert found.run is not None
    assert (found.run.command, found.run.digest) == ("lossbench run demo.yaml --local", digest_of(TEXT))
    assert (found.code, found.numerics) == (
        f"lossbench 0.1.0, commit {'c' * 40}, with changes {'d' * 16}",
        "cpu, float32",
    )
    assert (found.dataset.cases, found.dataset.patients, found.dataset.fingerprint) == (5, 4, "f" * 64)
    assert found.sides == {"train": 1, "validation": 1, "test": 3}
    assert found.environment == FACTS


def test_means_are_over_patients_as_reports_count_them(store):
    (number,) = traced(store, DONE).numbers
    # p1: cases 0.3 and 0.7; p2: 1 and an undefined 0.
    assert number.mean == pytest.approx(0.5)
    assert (number.patients, number.undefined, number.part) == (2, 1, "test")


def test_all_studies_that_have_the_trial_are_named_and_the_label_is_that_of_the_run(store):
    found = traced(store, DONE)
    assert [(place.study, place.label) for place in found.places] == [
        ("another", "Cross entropy"),
        ("demo", "CE"),
    ]
    assert (found.study, found.place.label, found.text["seeds"]) == ("demo", "CE", 9)


def test_a_place_of_an_earlier_plan_says_so(store):
    study = store.register_study("demo", "", {})
    store.register_trials(study, [WAITING], restart=True)
    assert [(place.study, place.current) for place in traced(store, DONE).places] == [
        ("another", True),
        ("demo", False),
    ]


def test_a_part_of_a_study_leaves_the_places_of_other_seeds(store):
    study = store.register_study("demo", "", {})
    store.register_trials(study, [replace(WAITING, label="new")], True, Selection(seeds=[1, 3]))
    current = [
        {(place.label, place.current) for place in traced(store, trial).places if place.study == "demo"}
        for trial in (DONE, DIVERGED, WAITING)
    ]
    assert current == [{("CE", True)}, {("CE", False)}, {("CE", False), ("new", True)}]
    store.register_trials(study, [], True, Selection(folds=[1]))
    assert traced(store, DONE).places[1].current


@pytest.mark.parametrize(
    ("trial", "state", "reason", "has_run"),
    [
        (DIVERGED, "diverged", "loss is nan", True),
        (FAILED, "failed", "no memory", True),
        (WAITING, "waiting", None, False),
        (RUNNING, "running", None, False),
    ],
)
def test_trials_without_scores_are_traced_as_far_as_they_got(store, trial, state, reason, has_run):
    found = traced(store, trial)
    assert (found.outcome.state, found.outcome.reason, found.run is not None) == (state, reason, has_run)
    assert (found.key_verified, list(found.numbers)) == (True, [])
    assert (found.environment == FACTS) == has_run


def test_a_trial_of_an_older_database_has_no_run_but_the_text_of_its_study(store):
    with store.database.write() as connection:
        connection.execute(update(TrialRow).values(run_id=None))
    found = traced(store, DIVERGED)
    assert found.run is None
    assert (found.study, found.place.label, found.text["seeds"]) == ("demo", "CE", 5)


def test_predictions_made_elsewhere_are_traced_too(database):
    store_external(database, replace(FOUND, truths=truths(), command="lossbench score --label Net"))
    with database.read() as connection:
        key = connection.scalar(TrialRow.__table__.select().with_only_columns(TrialRow.key))
    found = trace(database, key)
    assert found.external
    assert found.key_verified
    assert found.run is not None
    assert (found.run.command, found.study) == ("lossbench score --label Net", "mine")
    assert found.canonical["predictions"] == "1" * 64


def test_a_key_that_is_not_the_digest_of_its_fields_is_told(store):
    with store.database.write() as connection:
        changed = {**DONE.canonical, "seed": 7}
        connection.execute(update(TrialRow).where(TrialRow.key == DONE.key).values(canonical=changed))
    assert not traced(store, DONE).key_verified


def test_files_are_compared_with_what_was_written(store, tmp_path):
    def condition(folder):
        return [artifact.condition for artifact in traced(store, DONE, folder).artifacts]

    assert condition(None) == [None]
    assert condition(tmp_path) == ["intact"]
    (tmp_path / "model.pt").write_bytes(b"other")
    assert condition(tmp_path) == ["changed"]
    (tmp_path / "model.pt").unlink()
    assert condition(tmp_path) == ["missing"]


@pytest.mark.parametrize(
    ("trial", "told"), [("abc", "give at least 6 characters"), ("%%%%%%", "no trial '%%%%%%'")]
)
def test_what_is_no_beginning_of_a_key_is_refused(store, trial, told):
    with pytest.raises(InputError, match=f"{told}.*lossbench db query"):
        trace(store.database, trial)


def test_trying_again_forgets_where_a_trial_failed(store):
    assert store.claim([FAILED.key], retry={"failed"})[FAILED.key].taken
    found = traced(store, FAILED)
    assert (found.run, found.environment, found.outcome.attempts) == (None, {}, 2)
