"""Views show what the reports show, on both engines."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert, select, update

from harness.answering.runs import run_states
from harness.store import frames
from harness.store.database import Database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.outcome import Outcome
from harness.store.rows import insert_row
from harness.store.schema import RunRow, StudyTrialRow, TrialRow
from harness.store.trials import TrialRecord, TrialStore
from harness.store.views import VIEWS, create_views, drop_views
from reports.aggregate import patient_values, run_values, seed_statistics
from tests.store.made_up import COMMIT, STUDY, filled


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def made_up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with filled(request.param, request, tmp_path_factory.mktemp("made_up")) as database:
        yield database


def rows(database: Database, sql: str) -> pd.DataFrame:
    with database.read() as connection:
        result = connection.exec_driver_sql(sql)
        return pd.DataFrame(result.fetchall(), columns=list(result.keys()))


def cells_of_reports(database: Database, study: str, checkpoint: str, folds: int = 1) -> pd.DataFrame:
    """Count as the reports do."""
    trials = frames.trials(database, study)
    states = run_states(trials, dict.fromkeys(trials["dataset"].unique(), folds))
    runs = states[states["scored"]]
    scores = frames.scores(database, study, checkpoint=checkpoint).astype({"dataset": str, "label": str})
    scores = scores.merge(runs[["dataset", "label", "seed"]].astype({"label": str}))
    cells = []
    for part, own in scores.groupby("part", observed=True):
        values = run_values(patient_values(own))
        statistics = seed_statistics(values).assign(part=part)
        patients = values.groupby(["dataset", "label", "metric"])["patients"].max().reset_index()
        undefined = own.groupby(["dataset", "label", "metric"], observed=True)["value"].agg(
            lambda found: found.isna().sum()
        )
        cells.append(statistics.merge(patients).merge(undefined.rename("undefined").reset_index()))
    return pd.concat(cells)


def assert_same_board(board: pd.DataFrame, expected: pd.DataFrame) -> None:
    key = ["dataset", "part", "metric", "loss"]
    numbers = ["mean", "sd", "seeds", "patients", "undefined"]
    found = board.set_index(key).sort_index()[numbers].astype(float)
    wanted = expected.rename(columns={"label": "loss"}).set_index(key).sort_index()[numbers].astype(float)
    assert found.index.tolist() == wanted.index.tolist()
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_leaderboard_has_the_numbers_of_the_reports(made_up: Database) -> None:
    board = rows(made_up, "SELECT * FROM v_leaderboard")
    assert set(board["study"]) == {STUDY}
    assert_same_board(board, cells_of_reports(made_up, STUDY, "best"))


def test_leaderboard_counts_what_went_wrong(made_up: Database) -> None:
    wrong = rows(made_up, "SELECT DISTINCT dataset, loss, collapsed, diverged FROM v_leaderboard")
    wrong = wrong[(wrong["collapsed"] > 0) | (wrong["diverged"] > 0)]
    assert sorted(wrong.itertuples(index=False, name=None)) == [
        ("heads-sim", "Boundary", 1, 1),
        ("heads-sim", "a&b_<c>|$x$", 1, 0),
    ]


def test_ranks_follow_the_direction_of_the_metric(made_up: Database) -> None:
    board = rows(made_up, "SELECT * FROM v_leaderboard")
    for (_, _, metric), cell in board.groupby(["dataset", "part", "metric"]):
        best_first = cell.sort_values("mean", ascending=metric != "dsc")
        assert best_first["rank"].tolist() == list(range(1, len(cell) + 1))


def test_case_scores_are_the_rows_of_the_frame(made_up: Database) -> None:
    view = rows(made_up, "SELECT * FROM v_case_score")
    frame = frames.scores(made_up, STUDY)
    frame = frame.rename(columns={"label": "loss", "key": "trial", "case": "case_name"})
    order = ["trial", "part", "checkpoint", "case_name", "class_index", "metric"]
    shared = [column for column in VIEWS["v_case_score"].columns if column in frame]
    assert set(view.columns) - set(shared) == {"study", "truth_voxels", "truth_ml"}
    left, right = (
        each[shared].astype(dict.fromkeys(shared, object)).sort_values(order, ignore_index=True)
        for each in (view, frame)
    )
    pd.testing.assert_frame_equal(left.fillna(-1), right.fillna(-1), check_dtype=False)


def test_case_scores_tell_the_size_of_the_class_in_the_truth(made_up: Database) -> None:
    sizes = rows(made_up, "SELECT DISTINCT case_name, class_index, truth_voxels, truth_ml FROM v_case_score")
    cases = frames.cases(made_up, STUDY).set_index("case")
    for row in sizes.itertuples():
        case = cases.loc[row.case_name]
        assert row.truth_voxels == case["voxels"][row.class_index]
        assert row.truth_ml == pytest.approx(row.truth_voxels * np.prod(case["spacing"]) / 1000)


def test_curves_are_the_rows_of_the_frame(made_up: Database) -> None:
    view = rows(made_up, "SELECT * FROM v_curve ORDER BY dataset, loss, seed, fold, epoch")
    frame = frames.curves(made_up, STUDY).rename(columns={"label": "loss"})
    assert len(view) == len(frame)
    for column in ("train_loss", "val_dsc", "seconds", "boundary_weight"):
        assert view[column].sum() == pytest.approx(frame[column].sum())


def test_a_trial_tells_what_made_it(made_up: Database) -> None:
    (one,) = rows(made_up, "SELECT * FROM v_trial WHERE git_commit IS NOT NULL").to_dict("records")
    assert (one["git_commit"], one["git_dirty"], one["threads"]) == (COMMIT, "0123", "1")
    assert (one["study"], one["loss"], one["state"], one["purpose"]) == (STUDY, "Dice", "done", "study")
    assert len(rows(made_up, "SELECT * FROM v_trial")) == len(frames.trials(made_up, STUDY))


SPLIT = {"kind": "kfold", "k": 2}


def fold_trial(label: str, seed: int, fold: int) -> TrialRecord:
    key = f"{label}-{seed}-{fold}"
    canonical = {"split": SPLIT, "seed": seed, "fold": fold}
    return TrialRecord(
        key, "f", "lesions", label, label.lower(), "region", {"name": label}, seed, fold, "study", canonical
    )


def fold_outcome(fold: int, seed: int, state: str = "done") -> Outcome:
    """Two patients a fold, the first with two cases; two classes; 'last' is better than 'best'."""
    random = np.random.default_rng([fold, seed])
    scores = [
        {
            "case": f"p{2 * fold + patient}_{case}",
            "part": "test",
            "checkpoint": checkpoint,
            "class_index": index,
            "metric": "hd",
            "value": None if index == 2 and case == 1 else float(random.random()),
            "imputed": float(random.random()),
            "reason": "truth empty" if index == 2 and case == 1 else None,
        }
        for patient in (0, 1)
        for case in range(2 - patient)
        for index in (1, 2)
        for checkpoint in ("best", "last")
    ]
    for score in scores:
        score["imputed"] = score["imputed"] if score["value"] is None else score["value"]
    return Outcome(
        state=state,
        collapsed=state == "diverged",
        reason="not finite" if state == "diverged" else None,
        best_epoch=0,
        best_val_dsc=0.5,
        seconds=1.0,
        epochs=[],
        scores=scores if state == "done" else [],
        artifacts=[],
        environment={"threads": "1"},
    )


@pytest.fixture
def folded(database: Database) -> Database:
    """Two folds and a study that shows the last checkpoint; one run lacks a fold, one loss only diverges."""
    store = TrialStore(database, "test")
    study = store.register_study("folds", "", {"protocol": {"checkpoint": "last"}, "seeds": 3})
    cases = tuple(
        (f"p{patient}", f"p{patient}_{case}", None, [1, 2, 2], [1.0, 1.0, 1.0], [2, 1, 1])
        for patient in range(4)
        for case in range(2)
    )
    register_dataset(
        database, DatasetRecord("f", "lesions", "Lesions", ("background", "big", "small"), cases)
    )
    for version in (1, 2):
        metric = {"name": "hd", "title": "HD", "unit": "mm", "direction": "lower", "version": version}
        store.register_metrics([metric])
    runs = [("Dice", 0), ("Dice", 1), ("Dice", 2), ("CE", 0), ("Bad", 0)]
    records = [fold_trial(label, seed, fold) for label, seed in runs for fold in (0, 1)]
    store.register_trials(study, records, restart=True)
    for record in records:
        if record.key == "Dice-2-1":
            continue
        store.claim([record.key])
        state = "diverged" if record.label == "Bad" else "done"
        store.finish(record.key, fold_outcome(record.fold, record.seed, state))
    return database


def test_a_run_counts_when_all_folds_are_done(folded: Database) -> None:
    board = rows(folded, "SELECT * FROM v_leaderboard")
    ranked = board[board["rank"].notna()]
    assert ranked["checkpoint"].unique().tolist() == ["last"]
    assert_same_board(ranked, cells_of_reports(folded, "folds", "last", folds=2))
    by_loss = ranked.set_index("loss")
    assert by_loss["seeds"].to_dict() == {"Dice": 2, "CE": 1}
    assert by_loss["patients"].tolist() == [4, 4]
    assert pd.isna(by_loss.loc["CE", "sd"])


def test_a_loss_without_a_result_is_on_the_board_without_a_rank(folded: Database) -> None:
    (bad,) = rows(folded, "SELECT * FROM v_leaderboard WHERE loss = 'Bad'").to_dict("records")
    assert (bad["seeds"], bad["diverged"], bad["collapsed"]) == (0, 2, 2)
    assert bad["mean"] is None or np.isnan(bad["mean"])
    assert bad["rank"] is None or np.isnan(bad["rank"])


def test_earlier_plans_searches_and_old_metrics_are_left_out(folded: Database) -> None:
    before = len(rows(folded, "SELECT * FROM v_case_score"))
    with folded.write() as connection:
        one = connection.scalar(select(TrialRow.id).where(TrialRow.key == "Dice-0-0"))
        connection.execute(update(StudyTrialRow).where(StudyTrialRow.trial_id == one).values(current=False))
        connection.execute(update(TrialRow).where(TrialRow.key == "CE-0-0").values(purpose="search"))
    after = rows(folded, "SELECT * FROM v_case_score")
    assert len(after) == before - 24
    assert not set(after["trial"]) & {"Dice-0-0", "CE-0-0"}
    assert (rows(folded, "SELECT trial FROM v_trial WHERE trial = 'Dice-0-0'")["trial"]).tolist() == [
        "Dice-0-0"
    ]
    TrialStore(folded, "test").register_metrics(
        [{"name": "hd", "title": "HD", "unit": "mm", "direction": "lower", "version": 3}]
    )
    assert rows(folded, "SELECT * FROM v_case_score").empty
    assert rows(folded, "SELECT * FROM v_leaderboard").empty


def test_a_trial_without_a_place_stays_visible(folded: Database) -> None:
    with folded.write() as connection:
        values: dict[str, Any] = {"study": "gone", "command": "lossbench run gone", "resolved": {}}
        run = insert_row(connection, RunRow, uid="0" * 32, started=datetime.now(UTC), **values)
        one = connection.scalar(select(TrialRow.id).where(TrialRow.key == "CE-0-0"))
        connection.execute(StudyTrialRow.__table__.delete().where(StudyTrialRow.trial_id == one))
        connection.execute(update(TrialRow).where(TrialRow.id == one).values(run_id=run))
    (found,) = rows(folded, "SELECT * FROM v_trial WHERE study IS NULL").to_dict("records")
    assert (found["trial"], found["dataset"], found["loss"]) == ("CE-0-0", "lesions", "ce")
    assert (found["run"], found["command"]) == ("0" * 32, "lossbench run gone")


def test_a_trial_with_two_labels_has_two_rows(folded: Database) -> None:
    with folded.write() as connection:
        place = connection.execute(
            select(StudyTrialRow.study_id, StudyTrialRow.trial_id)
            .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
            .where(TrialRow.key == "CE-0-0")
        ).one()
        again = {"label": "CE again", "dataset": "lesions", "current": True}
        connection.execute(insert(StudyTrialRow).values(**place._mapping, **again))
    found = rows(folded, "SELECT loss FROM v_trial WHERE trial = 'CE-0-0' ORDER BY loss")
    assert found["loss"].tolist() == ["CE", "CE again"]
    scores = frames.scores(folded, "folds")
    counts = scores[scores["key"] == "CE-0-0"].groupby("label", observed=True).size()
    assert counts.to_dict() == {"CE": 12, "CE again": 12}


def test_views_can_be_made_anew(database: Database) -> None:
    with database.write() as connection:
        for _ in range(2):
            drop_views(connection)
            create_views(connection)
        drop_views(connection)
        drop_views(connection)
