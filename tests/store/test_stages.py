"""What a run until decided has decided: it stays, travels with its study, and goes with it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from harness.store.database import Database, open_database
from harness.store.exchange.exporting import export
from harness.store.exchange.importing import loaded
from harness.store.exchange.merging import merge
from harness.store.removal import delete_study
from harness.store.schema import StageRow
from harness.store.stages import StageRecord, read_stages, record_stage
from tests.store.labs import HOSTILE, Lab

FIRST = StageRecord(
    "set", 0, "q1", "t1", "d1", "go on", f"{HOSTILE!r} leads", 0.01, (3, 5), {"CE": 3}, (), {"CE": 5}
)
LAST = replace(FIRST, look=1, question="q2", digest="d2", outcome="decided", dropped=(HOSTILE,), wanted={})


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    found = open_database(f"sqlite:///{tmp_path / 'other.db'}", create=True)
    yield found
    found.close()


def recorded(database: Database) -> list[StageRecord]:
    return [replace(each, at=None) for each in read_stages(database, "s")]


def test_looks_are_read_in_the_order_of_time(database: Database) -> None:
    assert read_stages(database, "s") == []
    Lab().fill(database)
    for stage in (FIRST, LAST):
        assert record_stage(database, "s", stage) == stage
    assert recorded(database) == [FIRST, LAST]
    assert [stage.is_last for stage in recorded(database)] == [False, True]


def test_the_first_answer_to_a_question_stays(database: Database) -> None:
    Lab().fill(database)
    record_stage(database, "s", FIRST)
    kept = record_stage(database, "s", replace(FIRST, outcome="decided", digest="other"))
    assert replace(kept, at=None) == FIRST
    assert recorded(database) == [FIRST]


def test_an_unknown_outcome_cannot_be_stored(database: Database) -> None:
    Lab().fill(database)
    with pytest.raises(IntegrityError, match="ck_stage_outcome"):
        record_stage(database, "s", replace(FIRST, outcome="undecided"))


def test_decisions_come_along_with_a_merge_once(database: Database, other: Database) -> None:
    for lab, stages in ((database, [FIRST]), (other, [FIRST, LAST])):
        Lab().fill(lab)
        for stage in stages:
            record_stage(lab, "s", stage)
    assert merge(database, other).added["stage"] == 1
    assert recorded(database) == [FIRST, LAST]
    assert not merge(database, other).changed


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_decisions_come_back_from_an_export_of_their_study(
    file_format: str, other: Database, tmp_path: Path
) -> None:
    source = open_database(f"sqlite:///{tmp_path / 'source.db'}", create=True)
    Lab().fill(source)
    record_stage(source, "s", LAST)
    export(source, tmp_path / "out", ("s",), file_format)
    with loaded(tmp_path / "out") as found:
        merge(other, found)
    assert read_stages(other, "s") == read_stages(source, "s")
    source.close()


def test_a_deleted_study_takes_its_decisions_along(database: Database) -> None:
    Lab().fill(database)
    record_stage(database, "s", LAST)
    delete_study(database, "s")
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(StageRow)) == 0


def test_another_question_of_the_same_trials_is_told_and_ours_stays(
    database: Database, other: Database
) -> None:
    text = {"study": "s", "seeds": 2}
    Lab(resolved=text | {"analysis": {"alpha": 0.05}}).fill(database)
    Lab(seeds=(1,), resolved=text | {"analysis": {"alpha": 0.1}}).fill(other)
    (conflict,) = merge(database, other).conflicts
    assert "asks another question there (it differs in 'analysis'); ours stays" in conflict.sentence
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM study_trial WHERE current").scalar() == 4


def test_a_study_of_a_version_without_questions_is_the_same_study(
    database: Database, other: Database
) -> None:
    text = {"study": "s", "seeds": 2}
    Lab(resolved=text | {"analysis": {"alpha": 0.05}, "contrasts": []}).fill(database)
    Lab(seeds=(1,), resolved=text).fill(other)
    assert merge(database, other).conflicts == ()
