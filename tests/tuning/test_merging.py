"""Searches travel between databases with their trials, and again changes nothing."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect, update

from harness.store.database import Database, open_database
from harness.store.exchange.merging import merge
from harness.store.ownership import new_owner
from harness.store.schema import TrialRow
from harness.tuning.merging import merge_searches
from harness.tuning.storage import OPTUNA_SCHEMA, has_storage
from tests.tuning.lab import Lab, study_of

TUNING = {"losses": "all", "configurations": 4}
STUDY = study_of(tuning=TUNING)


@pytest.fixture
def theirs(new_lab) -> Lab:
    """The other lab, which has finished a search of four configurations."""
    lab: Lab = new_lab()
    lab.run(STUDY)
    return lab


@pytest.fixture
def ours(database: Database) -> Database:
    """Our database, empty, on both engines."""
    return database


def bring(ours: Database, theirs: Database, dry_run: bool = False) -> dict[str, int]:
    """Merge as the command does."""
    merge(ours, theirs, dry_run)
    return dict(merge_searches(ours, theirs, dry_run))


def optuna_tables(database: Database) -> bool:
    inspector = inspect(database.engine)
    return OPTUNA_SCHEMA in inspector.get_schema_names() or inspector.has_table("studies")


def test_a_search_comes_in_as_it_is_and_goes_on_there(ours, theirs, tmp_path):
    assert bring(ours, theirs.database) == {"added": 1}
    lab = Lab(ours, tmp_path, theirs.objective)
    assert lab.histories(STUDY) == theirs.histories(STUDY)
    assert lab.run(STUDY).trained == 0
    more = study_of(tuning={**TUNING, "configurations": 6})
    lab.run(more, winners=False)
    tried = lab.history(more).tried
    assert len(tried) == 6
    assert tried[:4] == theirs.history(STUDY).tried
    theirs.run(more, winners=False)
    assert [each.parameters for each in theirs.history(more).tried] == [each.parameters for each in tried]


def test_again_changes_nothing(ours, theirs, tmp_path):
    bring(ours, theirs.database)
    lab = Lab(ours, tmp_path, theirs.objective)
    before = lab.histories(STUDY)
    assert bring(ours, theirs.database) == {"equal": 1}
    assert lab.histories(STUDY) == before


def test_a_dry_run_counts_and_makes_no_tables(ours, theirs, tmp_path):
    assert bring(ours, theirs.database, dry_run=True) == {"added": 1}
    assert not has_storage(ours)
    assert not optuna_tables(ours)
    assert Lab(ours, tmp_path, theirs.objective).histories(STUDY) == []


def test_without_searches_there_nothing_happens(ours, new_lab):
    assert bring(ours, new_lab().database) == {}
    assert not optuna_tables(ours)


def test_the_search_with_more_results_stays(ours, theirs, tmp_path):
    few = study_of(tuning={**TUNING, "configurations": 2})
    lab = Lab(ours, tmp_path, theirs.objective)
    lab.run(few, winners=False)
    assert bring(ours, theirs.database, dry_run=True) == {"completed": 1}
    assert len(lab.history(few).tried) == 2
    assert bring(ours, theirs.database) == {"completed": 1}
    assert lab.histories(STUDY) == theirs.histories(STUDY)
    more = study_of(tuning={**TUNING, "configurations": 5})
    lab.run(more, winners=False)
    assert bring(ours, theirs.database) == {"kept": 1}
    assert len(lab.history(more).tried) == 5


def test_a_search_that_somebody_is_asking_is_not_replaced(ours, theirs, tmp_path):
    lab = Lab(ours, tmp_path, theirs.objective)
    few = study_of(tuning={**TUNING, "configurations": 2})
    lab.run(few, winners=False)
    far = datetime(2999, 1, 1, tzinfo=UTC)
    with ours.write() as connection:
        held = {"state": "running", "lease_owner": new_owner(), "lease_expires": far}
        cleared = {"finished": None, "collapsed": None}
        connection.execute(update(TrialRow).where(TrialRow.id == 1).values(**held, **cleared))
    assert dict(merge_searches(ours, theirs.database)) == {"kept": 1}
    assert len(lab.history(few).tried) == 2


def test_a_configuration_that_was_running_there_is_trained_here(ours, new_lab, tmp_path):
    there = new_lab()
    there.killed(STUDY, after=7)
    lab = Lab(ours, tmp_path, there.objective)
    assert bring(ours, there.database) == {"added": 1}
    assert lab.history(STUDY).count("running") == 1
    lab.run(STUDY, winners=False)
    assert (lab.history(STUDY).count("complete"), len(lab.history(STUDY).tried)) == (4, 4)


def test_theirs_is_only_read(ours, theirs, tmp_path):
    theirs.close()
    file = Path(theirs.database.engine.url.database)
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    again = open_database(f"sqlite:///{file}")
    bring(ours, again)
    again.close()
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
