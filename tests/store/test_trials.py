"""The results database: whole results, leases, migrations, refusals."""

import multiprocessing
import os
from dataclasses import replace

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, select, text

from harness.errors import InputError
from harness.store.database import (
    SCHEMA_VERSION,
    VERSION_TABLE,
    alembic_config,
    open_database,
    upgrade_database,
)
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.ownership import new_owner, owner_is_gone
from harness.store.schema import Base, EpochRow, EpochScoreRow, ScoreRow, TrialRow
from harness.store.summaries import failures, trial_counts
from harness.store.trials import Outcome, TrialRecord, TrialStore

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
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'results.db'}"


@pytest.fixture
def store(url):
    store = TrialStore(open_database(url, create=True), new_owner())
    study = store.register_study("demo", "Demo", {"study": "demo"})
    register_dataset(store.database, DATASET)
    store.register_metrics([METRIC])
    store.register_trials(study, [TRIAL])
    return store


def rows(store, table):
    with store.database.read() as connection:
        return connection.execute(select(table)).all()


def test_a_result_is_written_whole_and_once(store):
    assert store.claim("k1")
    assert store.finish("k1", OUTCOME)
    assert not store.finish("k1", replace(OUTCOME, best_val_dsc=0.9))
    assert store.result("k1") == ("done", 0.4)
    assert len(rows(store, ScoreRow)) == len(rows(store, EpochRow)) == 1


def test_a_wrong_score_leaves_nothing_of_the_result(store):
    store.claim("k1")
    with pytest.raises(KeyError):
        store.finish("k1", replace(OUTCOME, scores=[SCORE, {**SCORE, "case": "nobody"}]))
    assert store.result("k1")[0] == "running"
    assert rows(store, EpochRow) == []


def test_a_curve_of_a_class_belongs_to_an_epoch_of_the_trial(store):
    point = {"epoch": 0, "class_index": 1, "metric": "dsc", "mean": 0.4, "undefined": 0}
    store.claim("k1")
    with pytest.raises(Exception, match="FOREIGN KEY"):
        store.finish("k1", replace(OUTCOME, epoch_scores=[{**point, "epoch": 7}]))
    assert store.finish("k1", replace(OUTCOME, epoch_scores=[point]))
    [row] = rows(store, EpochScoreRow)
    assert (row.mean, row.undefined) == (0.4, 0)


def test_undefined_value_without_reason_is_refused_by_the_database(store):
    store.claim("k1")
    with pytest.raises(Exception, match="undefined_has_reason"):
        store.finish("k1", replace(OUTCOME, scores=[{**SCORE, "value": None}]))


def test_a_lease_keeps_other_drivers_out_until_its_owner_is_gone(store):
    other = TrialStore(store.database, new_owner())
    assert store.claim("k1")
    assert not other.claim("k1")
    store.release("k1")
    assert other.claim("k1")


def _claim_and_die(url):
    store = TrialStore(open_database(url), new_owner())
    store.claim("k1")
    os._exit(9)


def test_a_killed_drivers_trial_returns_at_once_on_the_same_machine(store, url):
    process = multiprocessing.get_context("spawn").Process(target=_claim_and_die, args=(url,))
    process.start()
    process.join()
    assert store.result("k1")[0] == "running"
    assert store.claim("k1")


def test_owner_of_another_machine_is_never_presumed_dead():
    assert not owner_is_gone("abc:01234567:999999999")
    assert not owner_is_gone(new_owner())


def test_failed_trials_wait_for_a_request(store):
    store.claim("k1")
    store.fail("k1", "ValueError: no", "traceback")
    assert not store.claim("k1")
    assert store.claim("k1", retry_failed=True)


def test_status_counts_and_reasons(store):
    store.claim("k1")
    store.fail("k1", "ValueError: no in /data/jane/x.nii", 'File "/data/jane/code.py", line 3')
    with store.database.read() as connection:
        assert connection.scalar(select(TrialRow.traceback)) == 'File "code.py", line 3'
    assert trial_counts(store.database, "demo")[0]["state"] == "failed"
    assert failures(store.database)[0]["reason"] == "ValueError: no in x.nii"
    with pytest.raises(InputError, match="did you mean 'demo'"):
        trial_counts(store.database, "dem")


def test_migrations_lead_to_the_declared_schema(store):
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == SCHEMA_VERSION
    with store.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, Base.metadata) == []


def test_missing_database_is_refused_with_the_remedy(url):
    with pytest.raises(InputError, match="run a study first"):
        open_database(url)


def test_newer_foreign_and_broken_databases_are_refused(store, url, tmp_path):
    with store.database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for opening in (open_database, upgrade_database):
        with pytest.raises(InputError, match=r"has version 9999, which this program .* does not know"):
            opening(url)
    (tmp_path / "broken.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match="cannot open database"):
        open_database(f"sqlite:///{tmp_path / 'broken.db'}")
    foreign = f"sqlite:///{tmp_path / 'foreign.db'}"
    with TrialStore(open_database(foreign, create=True), "x").database.engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
    with pytest.raises(InputError, match="is not a lossbench database"):
        open_database(foreign)


def test_an_older_database_asks_for_the_upgrade_and_keeps_its_rows(tmp_path):
    path = tmp_path / "old.db"
    url = f"sqlite:///{path}"
    engine = create_engine(url)
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (
            "INSERT INTO dataset VALUES (1, 'f', 'set', 'Set', '[]')",
            "INSERT INTO loss VALUES (1, 'd', 'ce', 'distribution', '{}')",
            "INSERT INTO trial (id, key, dataset_id, loss_id, seed, fold, purpose, canonical, state, "
            "attempts) VALUES (1, 'k1', 1, 1, 0, 0, 'study', '{}', 'done', 1)",
            "INSERT INTO epoch VALUES (1, 0, 0.3, 0.4, 0.001, NULL, NULL, 1.0)",
        ):
            connection.exec_driver_sql(statement)
    with pytest.raises(
        InputError,
        match=rf"older version 0001, this program needs {SCHEMA_VERSION}; run 'lossbench db upgrade'",
    ):
        open_database(url)
    assert upgrade_database(url) == ("0001", SCHEMA_VERSION)
    with open_database(url).read() as connection:
        assert connection.scalar(select(TrialRow.key)) == "k1"
        assert connection.scalar(select(EpochRow.val_dsc)) == 0.4


def test_passwords_are_never_shown():
    with pytest.raises(InputError) as caught:
        open_database("postgresql+nodriver://user:secret@host/db")
    assert "secret" not in str(caught.value)


def test_foreign_keys_and_wal_are_on(store):
    with store.database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_reader_is_not_kept_waiting_by_a_writer(store):
    with store.database.write(), store.database.read() as connection:
        assert connection.scalar(select(TrialRow.key)) == "k1"
