"""The results database: whole results and leases."""

import multiprocessing
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from harness.errors import InputError
from harness.store.database import open_database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.outcome import Outcome
from harness.store.ownership import new_owner, owner_is_gone
from harness.store.schema import EpochRow, EpochScoreRow, MetricRow, ScoreRow, TrialRow
from harness.store.summaries import failures, study_sizes, trial_counts
from harness.store.trials import Beat, Claim, TrialRecord, TrialStore

DATASET = DatasetRecord(
    "f" * 64,
    "set",
    "Set",
    ("background", "lesion"),
    (("p1", "c1", None, (2, 4, 4), (3.0, 1.0, 1.0), (30, 2)),),
)
TRIAL = TrialRecord(
    "k1", "f" * 64, "set", "CE", "ce", "distribution", {"name": "ce"}, 0, 0, "study", {"seed": 0}
)
METRIC = {
    "name": "dsc",
    "version": 1,
    "title": "DSC",
    "unit": "",
    "direction": "higher",
    "description": "Dice similarity coefficient.",
}
SCORE = {
    "case": "c1",
    "metric": "dsc",
    "class_index": 1,
    "checkpoint": "best",
    "part": "test",
    "value": 0.5,
    "imputed": 0.5,
    "reason": None,
}
EPOCH = {
    "epoch": 0,
    "train_loss": 0.3,
    "val_dsc": 0.4,
    "learning_rate": 1e-3,
    "region_weight": None,
    "boundary_weight": None,
    "seconds": 1.0,
}
OUTCOME = Outcome("done", False, None, 0, 0.4, 1.0, [EPOCH], [SCORE], [], {"torch": "2"})


@pytest.fixture
def store(database):
    store = TrialStore(database, new_owner())
    study = store.register_study("demo", "Demo", {"study": "demo"})
    register_dataset(store.database, DATASET)
    store.register_metrics([METRIC])
    store.register_trials(study, [TRIAL])
    return store


def rows(store, table):
    with store.database.read() as connection:
        return connection.execute(select(table)).all()


def result_of(store):
    [row] = rows(store, TrialRow)
    return row.state, row.best_val_dsc


def test_a_result_is_written_whole_and_once(store):
    assert store.claim(["k1"])["k1"].taken
    assert store.finish("k1", OUTCOME)
    assert not store.finish("k1", replace(OUTCOME, best_val_dsc=0.9))
    assert result_of(store) == ("done", 0.4)
    assert len(rows(store, ScoreRow)) == len(rows(store, EpochRow)) == 1


def test_scores_go_under_the_version_that_their_program_computes(store):
    store.claim(["k1"])
    TrialStore(store.database, "newer program").register_metrics([{**METRIC, "version": 2}])
    assert store.finish("k1", OUTCOME)
    [score] = rows(store, ScoreRow)
    versions = {row.id: row.version for row in rows(store, MetricRow)}
    assert sorted(versions.values()) == [1, 2]
    assert versions[score.metric_id] == 1


def test_a_wrong_score_leaves_nothing_of_the_result(store):
    store.claim(["k1"])
    with pytest.raises(KeyError):
        store.finish("k1", replace(OUTCOME, scores=[SCORE, {**SCORE, "case": "nobody"}]))
    assert result_of(store)[0] == "running"
    assert rows(store, EpochRow) == []


def test_a_curve_of_a_class_belongs_to_an_epoch_of_the_trial(store):
    point = {"epoch": 0, "class_index": 1, "metric": "dsc", "mean": 0.4, "undefined": 0}
    store.claim(["k1"])
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        store.finish("k1", replace(OUTCOME, epoch_scores=[{**point, "epoch": 7}]))
    assert store.finish("k1", replace(OUTCOME, epoch_scores=[point]))
    [row] = rows(store, EpochScoreRow)
    assert (row.mean, row.undefined) == (0.4, 0)


def test_undefined_value_without_reason_is_refused_by_the_database(store):
    store.claim(["k1"])
    with pytest.raises(IntegrityError, match="undefined_has_reason"):
        store.finish("k1", replace(OUTCOME, scores=[{**SCORE, "value": None}]))


def test_a_lease_keeps_other_drivers_out_until_its_owner_is_gone(store):
    other = TrialStore(store.database, new_owner())
    assert store.claim(["k1"])["k1"].taken
    assert not other.claim(["k1"])["k1"].taken
    store.release(["k1"])
    assert other.claim(["k1"])["k1"].taken


def _claim_and_die(url):
    store = TrialStore(open_database(url), new_owner())
    store.claim(["k1"])
    os._exit(9)


def test_a_killed_drivers_trial_returns_at_once_on_the_same_machine(store):
    process = multiprocessing.get_context("spawn").Process(target=_claim_and_die, args=(store.database.url,))
    process.start()
    process.join()
    assert result_of(store)[0] == "running"
    assert store.claim(["k1"])["k1"].taken


def test_owner_of_another_machine_is_never_presumed_dead():
    assert not owner_is_gone("abc:01234567:999999999")
    assert not owner_is_gone(new_owner())


def test_failed_trials_wait_for_a_request(store):
    store.claim(["k1"])
    store.fail("k1", "ValueError: no", "traceback")
    assert not store.claim(["k1"])["k1"].taken
    assert store.claim(["k1"], retry={"failed"})["k1"].taken


def test_status_counts_and_reasons(store):
    store.claim(["k1"])
    store.fail("k1", "ValueError: no in /data/jane/x.nii", 'File "/data/jane/code.py", line 3')
    with store.database.read() as connection:
        assert connection.scalar(select(TrialRow.traceback)) == 'File "code.py", line 3'
    assert trial_counts(store.database, "demo")[0]["state"] == "failed"
    assert failures(store.database)[0]["reason"] == "ValueError: no in x.nii"
    with pytest.raises(InputError, match="did you mean 'demo'"):
        trial_counts(store.database, "dem")


def test_a_reader_is_not_kept_waiting_by_a_writer(store):
    with store.database.write(), store.database.read() as connection:
        assert connection.scalar(select(TrialRow.key)) == "k1"


def points(*epochs):
    return [
        {"epoch": epoch, "train_loss": 0.5, "val_dsc": 0.1 * epoch, "learning_rate": 1e-3, "seconds": 1.0}
        for epoch in epochs
    ]


def test_a_heartbeat_writes_the_curve_of_a_running_trial(store):
    store.claim(["k1"])
    score = {"epoch": 1, "class_index": 1, "metric": "dsc", "mean": 0.4, "undefined": 0}
    assert store.heartbeat({"k1": Beat(2, points(0, 1), [score], since=0)}) == set()
    assert store.heartbeat({"k1": Beat(3, points(2))}) == set()
    assert [row.epoch for row in rows(store, EpochRow)] == [0, 1, 2]
    [row] = rows(store, TrialRow)
    assert (row.epoch_now, row.state) == (3, "running")
    assert store.finish("k1", OUTCOME)
    assert len(rows(store, EpochRow)) == 1  # the result's own, whole


def test_a_resumed_trial_replaces_the_epochs_that_it_trains_again(store):
    store.claim(["k1"])
    store.heartbeat({"k1": Beat(3, points(0, 1, 2), since=0)})
    store.heartbeat({"k1": Beat(2, points(1), since=1)})
    assert [row.epoch for row in rows(store, EpochRow)] == [0, 1]


def test_a_driver_that_was_silent_for_too_long_learns_what_it_has_lost(store):
    store.claim(["k1"])
    with store.database.write() as connection:
        connection.execute(update(TrialRow).values(lease_expires=datetime(2020, 1, 1, tzinfo=UTC)))
    other = TrialStore(store.database, new_owner())
    assert other.claim(["k1"])["k1"].taken
    assert store.heartbeat({"k1": Beat(1, points(0), since=0)}) == {"k1"}
    assert rows(store, EpochRow) == []


def test_only_free_trials_are_taken_and_the_state_of_the_others_is_told(store):
    other = TrialStore(store.database, new_owner())
    assert store.claim(["k1"]) == {"k1": Claim(True, "waiting", None)}
    assert other.claim(["k1"]) == {"k1": Claim(False, "running", None)}
    store.finish("k1", OUTCOME)
    assert other.claim(["k1"]) == {"k1": Claim(False, "done", 0.4)}


PRUNED = replace(
    OUTCOME, state="pruned", collapsed=None, reason="ended after epoch 1 of 9", scores=[], numerics="x86_64"
)


def test_a_pruned_trial_keeps_its_curve_and_is_a_result_for_its_search_alone(store):
    store.claim(["k1"])
    assert store.finish("k1", PRUNED)
    [row] = rows(store, TrialRow)
    assert (row.state, row.collapsed, row.lease_owner, row.seconds) == ("pruned", None, None, 1.0)
    assert row.finished is not None
    assert store.claim(["k1"], retry=()) == {"k1": Claim(False, "pruned", 0.4)}
    assert store.claim(["k1"], retry={"failed"}) == {"k1": Claim(False, "pruned", 0.4)}
    assert len(rows(store, EpochRow)) == 1
    assert store.claim(["k1"]) == {"k1": Claim(True, "pruned", 0.4)}
    [row] = rows(store, TrialRow)
    assert (row.state, row.best_val_dsc, row.seconds, row.reason) == ("running", None, None, None)
    assert rows(store, EpochRow) == []


def test_a_result_is_not_pruned_and_neither_is_what_another_driver_has_taken_over(store):
    other = TrialStore(store.database, new_owner())
    store.claim(["k1"])
    store.release(["k1"])
    other.claim(["k1"])
    assert not store.finish("k1", PRUNED)
    assert result_of(store)[0] == "running"
    assert other.finish("k1", OUTCOME)
    assert not other.finish("k1", PRUNED)
    assert result_of(store) == ("done", 0.4)


def test_pruned_trials_are_counted_and_are_no_failures(store):
    store.claim(["k1"])
    store.finish("k1", PRUNED)
    assert trial_counts(store.database, "demo")[0]["state"] == "pruned"
    assert failures(store.database) == []
    [study] = study_sizes(store.database)
    assert (study["pruned"], study["done"], study["failed"]) == (1, 0, 0)
