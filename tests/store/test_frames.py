"""Frames of a small hand-made study: two losses, one of them with an undefined score."""

import pandas as pd
import pytest

from harness.errors import InputError
from harness.store import frames
from harness.store.database import Database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.outcome import ArtifactRecord, Outcome
from harness.store.trials import TrialRecord, TrialStore


def record(key: str, label: str, purpose: str = "study") -> TrialRecord:
    return TrialRecord(
        key=key,
        fingerprint="f",
        dataset="wmh",
        label=label,
        loss_expression=label.lower(),
        loss_family="region",
        loss_canonical={"name": label},
        seed=0,
        fold=0,
        purpose=purpose,
        canonical={"seed": 0},
    )


def outcome(value: float | None) -> Outcome:
    score = {"case": "a1", "part": "test", "checkpoint": "best", "class_index": 2, "metric": "hd"}
    epoch = {"epoch": 0, "train_loss": 1.0, "val_dsc": 0.5, "learning_rate": 0.1, "seconds": 2.0}
    curve = {"epoch": 0, "class_index": 2, "metric": "hd", "mean": 4.5, "undefined": 1}
    return Outcome(
        state="done",
        collapsed=value is None,
        reason="collapsed" if value is None else None,
        best_epoch=0,
        best_val_dsc=0.5,
        seconds=2.0,
        epochs=[
            epoch
            | {"region_weight": None, "boundary_weight": None}
            | {"validation_seconds": 0.5, "peak_bytes": 3 * 2**30}
        ],
        epoch_scores=[curve],
        reason_epoch=0 if value is None else None,
        numerics="cpu, float32",
        scores=[
            score
            | {"value": value, "imputed": 70.0 if value is None else value}
            | {"reason": "prediction empty" if value is None else None}
        ],
        artifacts=[ArtifactRecord("predictions", "k/predictions.npz", "0", 1)],
        environment={"threads": "1"},
    )


@pytest.fixture
def database(database: Database) -> Database:
    store = TrialStore(database, "test")
    study = store.register_study("s", "A study", {"seeds": 1})
    cases = (("a", "a1", None, [2, 3, 4], [1.0, 1.0, 1.0], [20, 3, 1]),)
    register_dataset(store.database, DatasetRecord("f", "wmh", "WMH", ("background", "wmh", "other"), cases))
    for version in (1, 2):
        metric = {"name": "hd", "title": f"HD v{version}", "unit": "mm", "direction": "lower"}
        store.register_metrics([metric | {"version": version}])
    store.register_trials(study, [record("stale", "Old")], restart=True)
    now = [
        record("one", "Dice"),
        record("two", "CE"),
        record("search", "CE", "search"),
        record("open", "GDL"),
    ]
    store.register_trials(study, now, restart=True)
    for key, value in (("stale", 1.0), ("one", 3.5), ("two", None), ("search", 9.0)):
        store.claim([key])
        store.finish(key, outcome(value))
    return database


def test_scores_hold_current_study_trials_only(database: Database) -> None:
    scores = frames.scores(database, "s")
    assert scores["label"].tolist() == ["CE", "Dice"]
    assert scores["class_name"].tolist() == ["other", "other"]
    assert scores[["dataset", "patient", "case", "metric", "unit"]].iloc[0].tolist() == [
        "wmh",
        "a",
        "a1",
        "hd",
        "mm",
    ]


def test_undefined_values_are_missing_with_reason_and_imputation(database: Database) -> None:
    row = frames.scores(database, "s").iloc[0]
    assert pd.isna(row["value"])
    assert (row["imputed"], row["reason"]) == (70.0, "prediction empty")


def test_text_columns_are_categories(database: Database) -> None:
    scores = frames.scores(database, "s")
    for column in ("dataset", "label", "family", "part", "checkpoint", "metric", "reason"):
        assert isinstance(scores[column].dtype, pd.CategoricalDtype)


def test_trials_keep_states_purposes_and_environments(database: Database) -> None:
    trials = frames.trials(database, "s").set_index("key")
    assert sorted(trials.index) == ["one", "open", "search", "two"]
    assert trials.loc["open", "state"] == "waiting"
    assert trials.loc["open", "environment"] == {}
    assert trials.loc["one", "environment"] == {"threads": "1"}
    assert trials["collapsed"].to_dict() == {"one": False, "two": True, "search": False, "open": False}


def test_curves_and_artifacts_leave_searches_out(database: Database) -> None:
    assert frames.curves(database, "s")["label"].tolist() == ["CE", "Dice"]
    assert frames.artifacts(database, "s")["path"].tolist() == ["k/predictions.npz"] * 2


def test_cases_and_newest_metrics(database: Database) -> None:
    (case,) = frames.cases(database, "s").to_dict("records")
    assert (case["dataset"], case["title"], case["voxels"]) == ("wmh", "WMH", [20, 3, 1])
    assert frames.metrics(database)["title"].tolist() == ["HD v2"]


def test_document_of_an_unknown_study_is_refused(database: Database) -> None:
    assert frames.study_document(database, "s").resolved == {"seeds": 1}
    with pytest.raises(InputError, match="no study 'x'"):
        frames.study_document(database, "x")


def test_frames_of_a_study_without_scores_are_empty_but_typed(database: Database) -> None:
    TrialStore(database, "test").register_study("empty", "", {})
    for frame in (frames.scores, frames.curves, frames.trials, frames.cases, frames.artifacts, frames.looks):
        assert len(frame(database, "empty")) == 0


def test_curves_of_every_class_name_class_and_metric(database: Database) -> None:
    curves = frames.class_curves(database, "s")
    assert curves["label"].tolist() == ["CE", "Dice"]
    first = curves.iloc[0]
    assert (first["class_name"], first["metric"], first["mean"], first["undefined"]) == (
        "other",
        "hd",
        4.5,
        1,
    )


def test_memory_beyond_two_gibibytes_is_kept(database: Database) -> None:
    curves = frames.curves(database, "s")
    assert curves["peak_bytes"].tolist() == [3 * 2**30] * 2
    assert curves["validation_seconds"].tolist() == [0.5] * 2


def test_trials_tell_when_they_went_wrong_and_on_what_numerics(database: Database) -> None:
    trials = frames.trials(database, "s").set_index("key")
    assert trials.loc["two", "reason_epoch"] == 0
    assert pd.isna(trials.loc["one", "reason_epoch"])
    assert trials.loc["one", "numerics"] == "cpu, float32"
    assert frames.metrics(database)["description"].isna().all()
