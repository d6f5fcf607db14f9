"""Merging the databases of two labs: complete, idempotent, honest about conflicts."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import event, select

from harness.errors import InputError
from harness.store import frames
from harness.store.bulk import insert_rows
from harness.store.database import Database, open_database
from harness.store.exchange import merging
from harness.store.exchange.artifact_files import copy_artifacts
from harness.store.exchange.merging import merge
from harness.store.integrity import faults
from harness.store.schema import LookRow, StudyRow
from tests.store.labs import HOSTILE, Lab, all_scores, states, study_frames


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    """The other lab's database, a file."""
    database = open_database(f"sqlite:///{tmp_path / 'other.db'}", create=True)
    yield database
    database.close()


def test_an_empty_database_takes_all_and_a_second_merge_changes_nothing(
    database: Database, other: Database
) -> None:
    Lab(seeds=(0, 1)).fill(other)
    first = merge(database, other)
    assert first.changed
    assert first.trials["added"] == 4
    assert first.conflicts == ()
    for name, expected in study_frames(other).items():
        pd.testing.assert_frame_equal(study_frames(database)[name], expected, obj=name)
    again = merge(database, other)
    assert not again.changed
    assert (again.added, again.trials["equal"], again.conflicts, again.warnings) == ({}, 4, (), ())
    assert faults(database) == []


def test_results_come_back_from_the_other_engine_unchanged(database: Database, other: Database) -> None:
    Lab(seeds=(0, 1)).fill(database)
    merge(other, database)
    assert all_scores(other) == all_scores(database)
    assert len(all_scores(other)) == 16
    assert faults(other) == []
    with other.read() as connection:
        assert connection.exec_driver_sql("SELECT command FROM run").scalars().all() == [
            "lossbench run s.yaml"
        ]
        assert connection.exec_driver_sql("SELECT count(*) FROM trial WHERE run_id IS NULL").scalar() == 0


def test_looks_at_test_scores_come_along(database: Database, other: Database) -> None:
    for lab, digests in ((database, "ab"), (other, "bc")):
        Lab().fill(lab)
        with lab.write() as connection:
            study = connection.scalar(select(StudyRow.id))
            looks = [
                {"study_id": study, "digest": digest * 64, "at": datetime.now(UTC), "complete": True}
                for digest in digests
            ]
            insert_rows(connection, LookRow, looks)
    assert merge(database, other).added == {"run": 1, "look": 1}
    assert len(frames.looks(database, "s")) == 3


def test_seeds_of_two_labs_add_up_whichever_merges_first(database: Database, other: Database) -> None:
    Lab(seeds=(0,)).fill(database)
    Lab(seeds=(1,)).fill(other)
    united = all_scores(database) | all_scores(other)
    report = merge(database, other)
    assert report.conflicts == ()
    assert all_scores(database) == united
    merge(other, database)
    assert all_scores(other) == united
    assert sorted(frames.scores(database, "s")["seed"].unique()) == [0, 1]
    assert set(frames.scores(database, "s")["label"]) == {"CE", HOSTILE}


def test_two_labs_end_with_the_same_scores_whoever_takes_the_others(
    database: Database, other: Database, tmp_path: Path
) -> None:
    copies = [open_database(f"sqlite:///{tmp_path / name}.db", create=True) for name in ("a", "b")]
    for here, there in ((database, other), (copies[0], copies[1])):
        Lab(seeds=(0, 1), metrics=("dsc",)).fill(here)
        Lab(seeds=(1, 2), metrics=("dsc", "hd")).fill(there)
    assert merge(database, other).conflicts == ()
    assert merge(copies[1], copies[0]).conflicts == ()
    assert all_scores(database) == all_scores(copies[1])
    assert len(all_scores(database)) == 2 * 2 * (1 + 2 + 2)  # losses, checkpoints, metrics of each seed
    assert faults(database) == faults(copies[1]) == []
    for copy in copies:
        copy.close()


@pytest.mark.parametrize("state", ["waiting", "failed", "pruned"])
def test_a_result_takes_the_place_of_a_trial_without_one(
    state: str, database: Database, other: Database
) -> None:
    keys = Lab(state=state).fill(database)
    Lab().fill(other)
    report = merge(database, other)
    assert report.trials["completed"] == 2
    assert states(database) == dict.fromkeys(keys, "done")
    assert all_scores(database) == all_scores(other)
    assert faults(database) == []
    assert not merge(database, other).changed


def test_a_trial_without_a_result_takes_no_place(database: Database, other: Database) -> None:
    keys = Lab().fill(database)
    Lab(state="failed").fill(other)
    report = merge(database, other)
    assert report.trials["kept"] == 2
    assert states(database) == dict.fromkeys(keys, "done")
    assert report.added == {"run": 1}


@pytest.mark.parametrize("state", ["waiting", "failed", "pruned", None])
def test_a_pruned_trial_comes_with_its_curve_where_there_is_no_result(
    state: str | None, database: Database, other: Database
) -> None:
    if state is not None:
        Lab(state=state).fill(database)
    keys = Lab(state="pruned").fill(other)
    merge(database, other)
    assert states(database) == dict.fromkeys(keys, "pruned")
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM epoch").scalar() == len(keys)
    assert faults(database) == []
    assert not merge(database, other).changed


def test_a_pruned_trial_takes_the_place_of_no_result(database: Database, other: Database) -> None:
    keys = Lab().fill(database)
    Lab(state="pruned").fill(other)
    before = all_scores(database)
    assert merge(database, other).trials["kept"] == 2
    assert states(database) == dict.fromkeys(keys, "done")
    assert all_scores(database) == before


def test_a_trial_that_runs_there_waits_here(database: Database, other: Database) -> None:
    keys = Lab(state="running").fill(other)
    assert set(states(other).values()) == {"running"}
    merge(database, other)
    assert states(database) == dict.fromkeys(keys, "waiting")


def test_a_trial_that_runs_here_is_left_alone(database: Database, other: Database) -> None:
    Lab(state="running").fill(database)
    Lab().fill(other)
    with database.write() as connection:  # by somebody who lives
        connection.exec_driver_sql("UPDATE trial SET lease_owner = 'lab:01234567:1'")
    report = merge(database, other)
    assert set(states(database).values()) == {"running"}
    assert "2 trials have a result there and are running here" in report.warnings[0]


def test_metrics_that_ours_lacks_are_added_to_equal_trials(database: Database, other: Database) -> None:
    Lab(metrics=("dsc",)).fill(database)
    Lab().fill(other)
    report = merge(database, other)
    assert report.conflicts == ()
    assert report.added["score"] == 4
    assert all_scores(database) == all_scores(other)


def test_a_checkpoint_that_ours_lacks_of_a_metric_is_added(database: Database, other: Database) -> None:
    for each in (database, other):
        Lab().fill(each)
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM score WHERE metric_id = 2 AND checkpoint = 'last'")
    assert merge(other, database).conflicts == ()
    report = merge(database, other)
    assert report.conflicts == ()
    assert report.added["score"] == 2
    assert all_scores(database) == all_scores(other)


def test_another_result_is_a_conflict_that_says_how_far_and_why(database: Database, other: Database) -> None:
    Lab().fill(database)
    Lab(shift=0.25, numerics="NVIDIA H100, CUDA 13").fill(other)
    before = all_scores(database)
    report = merge(database, other)
    assert all_scores(database) == before
    assert report.trials["in conflict"] == 2
    sentence = report.conflicts[0].sentence
    assert "2 of 4 scores" in sentence
    assert "0.25" in sentence
    assert "NVIDIA H100, CUDA 13" in sentence
    assert "x86_64 AVX2, 1 thread" in sentence
    assert merge(database, other).conflicts == report.conflicts


def test_another_text_of_a_study_stays_beside_ours(database: Database, other: Database) -> None:
    Lab(seeds=(0,)).fill(database)
    Lab(seeds=(1,), resolved={"study": "s", "seeds": 9}).fill(other)
    report = merge(database, other)
    assert [conflict.kind for conflict in report.conflicts] == ["study"]
    assert "it differs in 'seeds'" in report.conflicts[0].sentence
    assert frames.study_document(database, "s").resolved == {"study": "s", "seeds": 2}
    assert frames.scores(database, "s")["seed"].unique().tolist() == [0]
    assert len(states(database)) == 4


def test_parts_of_a_study_are_one_text(database: Database, other: Database) -> None:
    text = {"study": "s", "seeds": 3}
    Lab(seeds=(0,), resolved=text | {"only": {"seeds": [0], "folds": None}}).fill(database)
    Lab(seeds=(1,), resolved=text | {"only": {"seeds": [1], "folds": None}}).fill(other)
    assert merge(database, other).conflicts == ()
    assert frames.study_document(database, "s").resolved["only"] == {"seeds": [0, 1], "folds": None}
    assert not merge(database, other).changed


def test_a_whole_study_stays_whole_when_a_part_comes_in(database: Database, other: Database) -> None:
    text = {"study": "s", "seeds": 2}
    Lab(seeds=(0,), resolved=text).fill(database)
    Lab(seeds=(1,), resolved=text | {"only": {"seeds": [1], "folds": None}}).fill(other)
    assert merge(database, other).conflicts == ()
    assert frames.study_document(database, "s").resolved == text


def test_a_place_that_another_trial_of_ours_fills_stays_ours(database: Database, other: Database) -> None:
    Lab().fill(database)
    Lab(loss="dice").fill(other)
    report = merge(database, other)
    assert [conflict.kind for conflict in report.conflicts] == ["place"]
    assert "as 'CE' on 'set' (seed/fold 0/0)" in report.conflicts[0].sentence
    scores = frames.scores(database, "s")
    assert scores.groupby(["label", "seed", "metric", "checkpoint"], observed=True).size().max() == 1


def test_another_dataset_under_the_same_fingerprint_is_left_out(database: Database, other: Database) -> None:
    Lab().fill(database)
    Lab(seeds=(1,), voxels=99).fill(other)
    report = merge(database, other)
    [conflict] = report.conflicts
    assert conflict.kind == "dataset"
    assert "2 cases have another site, shape, spacing or number of voxels" in conflict.sentence
    assert report.trials["left out"] == 2
    assert len(states(database)) == 2


def test_another_content_of_a_dataset_of_that_name_is_a_warning(database: Database, other: Database) -> None:
    Lab().fill(database)
    Lab(fingerprint="e" * 64).fill(other)
    report = merge(database, other)
    assert "dataset 'set' has other content there" in report.warnings[0]
    assert len(states(database)) == 4


def test_another_definition_of_a_metric_is_left_out(database: Database, other: Database) -> None:
    Lab().fill(database)
    Lab(seeds=(1,), unit="cm").fill(other)
    report = merge(database, other)
    assert "metric 'hd', version 1, has unit 'cm'" in report.conflicts[0].sentence
    assert {row[2] for row in all_scores(database) if row[0] not in states(database)} == set()
    assert sum(row[2] == "hd" for row in all_scores(database)) == 4


def test_a_dry_run_says_the_same_and_writes_nothing(database: Database, other: Database) -> None:
    Lab().fill(other)
    planned = merge(database, other, dry_run=True)
    assert states(database) == {}
    assert merge(database, other) == planned


def test_a_merge_that_breaks_leaves_nothing(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    Lab().fill(other)

    def break_down(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(merging, "merge_studies", break_down)
    with pytest.raises(RuntimeError):
        merge(database, other)
    assert states(database) == {}
    assert all_scores(database) == set()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM dataset").scalar() == 0


def test_a_row_that_ours_refuses_stops_the_whole_merge(database: Database, other: Database) -> None:
    Lab().fill(other)
    with other.engine.connect() as connection:  # as no program of ours could have written it
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = 1")
        connection.exec_driver_sql("UPDATE score SET part = 'trial' WHERE imputed > 0.1")
        connection.commit()
    with pytest.raises(InputError, match=r"nothing was merged, .*ck_score_part"):
        merge(database, other)
    assert states(database) == {}


def test_a_database_is_not_merged_with_itself(database: Database) -> None:
    again = open_database(database.url)
    with pytest.raises(InputError, match="cannot be merged with itself"):
        merge(database, again)
    again.close()


def test_the_other_database_is_only_read(database: Database, other: Database) -> None:
    Lab().fill(other)
    statements: list[str] = []
    event.listen(other.engine, "before_cursor_execute", lambda *found: statements.append(found[2]))
    merge(database, other)
    assert {statement.split()[0] for statement in statements} <= {"SELECT", "BEGIN"}


def test_files_come_along_with_their_sha256_checked(
    database: Database, other: Database, tmp_path: Path
) -> None:
    keys = Lab().fill(other)
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for key, content in zip(keys, (b"{}", b"[]"), strict=True):
        (theirs / key[:16]).mkdir(parents=True)
        (theirs / key[:16] / "model.pt").write_bytes(content)
    merge(database, other)
    copied = copy_artifacts(database, other, theirs, ours)
    assert (copied.copied, copied.there) == (1, 0)
    [problem] = copied.problems
    assert "has another sha256 than its database says" in problem
    assert [path.read_bytes() for path in ours.rglob("*.pt")] == [b"{}"]
    again = copy_artifacts(database, other, theirs, ours)
    assert (again.copied, again.there) == (0, 1)


def test_a_path_of_a_foreign_database_cannot_leave_the_folder(
    database: Database, other: Database, tmp_path: Path
) -> None:
    Lab().fill(other)
    (tmp_path / "secret").write_bytes(b"{}")
    with other.write() as connection:
        connection.exec_driver_sql("UPDATE artifact SET path = '../secret' WHERE id = 1")
    merge(database, other)
    copied = copy_artifacts(database, other, tmp_path / "theirs", tmp_path / "a" / "ours")
    assert copied.copied == 0
    assert "leaves the artifact folder" in copied.problems[0]
