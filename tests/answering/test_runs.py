"""Runs are made of folds; scores of a run that is not whole are no scores."""

import pandas as pd

from harness.answering.runs import run_states, whole_runs
from harness.store.schema import EXTERNAL


def trials(*rows: tuple[str, int, str, bool]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["label", "seed", "state", "collapsed"])
    return frame.assign(dataset="d", family="region", seconds=1.5)


def test_a_run_is_scored_only_with_all_folds() -> None:
    states = run_states(
        trials(
            ("a", 0, "done", False),
            ("a", 0, "done", True),
            ("a", 1, "done", False),
            ("a", 1, "diverged", True),
            ("a", 2, "done", False),
            ("a", 2, "running", False),
        ),
        {"d": 2},
    )
    assert states["scored"].tolist() == [True, False, False]
    assert states["collapsed"].tolist() == [True, False, False]
    assert states["diverged"].tolist() == [False, True, False]
    assert states["seconds"].tolist() == [3.0, 3.0, 3.0]


def test_a_run_has_failed_once_nothing_of_it_is_still_to_come() -> None:
    states = run_states(
        trials(
            ("a", 0, "failed", False),
            ("a", 0, "done", False),
            ("a", 1, "failed", False),
            ("a", 1, "waiting", False),
            ("a", 2, "failed", False),
            ("a", 2, "diverged", True),
        ),
        {"d": 2},
    )
    assert states["failed"].tolist() == [True, False, False]


def test_predictions_made_elsewhere_are_whole_however_many_folds_others_have() -> None:
    frame = trials(("network", 0, "done", False), ("a", 0, "done", False))
    frame["family"] = [EXTERNAL, "region"]
    states = run_states(frame, {"d": 5}).set_index("label")
    assert states["scored"].to_dict() == {"network": True, "a": False}


def test_only_scores_of_whole_runs_are_kept() -> None:
    states = run_states(
        trials(("a", 0, "done", False), ("a", 1, "done", False), ("a", 1, "waiting", False)), {"d": 1}
    )
    states.loc[states["seed"] == 1, "scored"] = False
    scores = pd.DataFrame({"dataset": "d", "label": "a", "seed": [0, 1, 0, 2], "imputed": [1.0, 2, 3, 4]})
    scores = scores.astype({"dataset": "category", "label": "category"})
    assert whole_runs(scores, states)["imputed"].tolist() == [1.0, 3.0]
