"""What a search may know of trials: what they cost, and their validation scores."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from harness.store.database import Database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.outcome import Outcome
from harness.store.ownership import new_owner
from harness.store.spending import KEYS_AT_ONCE, Spending, spending
from harness.store.trials import Beat, TrialRecord, TrialStore
from harness.store.validation import validation_means

CASES = tuple((patient, case, None, (1, 2, 2), (1.0, 1.0, 1.0), (2, 1, 1)) for patient, case in (
    ("p1", "a"), ("p1", "b"), ("p2", "c"), ("p3", "tested"),
))  # fmt: skip
RECORD = TrialRecord("k0", "f" * 64, "set", "CE", "ce", "distribution", {"name": "ce"}, 0, 0, "search", {})
VALUES = {("a", 1): 0.2, ("a", 2): 0.4, ("b", 1): 0.8, ("b", 2): 1.0, ("c", 1): 0.1, ("c", 2): 0.3}
"""Classes: 0.3, 0.9 and 0.2; patients: 0.6 and 0.2; the mean of all would be 0.467."""


@pytest.fixture
def store(database: Database) -> TrialStore:
    store = TrialStore(database, new_owner())
    register_dataset(database, DatasetRecord("f" * 64, "set", "Set", ("background", "x", "y"), CASES))
    for name, version in (("dsc", 1), ("dsc", 2), ("hd95", 1)):
        facts = {"title": name, "unit": "", "direction": "higher", "description": ""}
        store.register_metrics([{"name": name, "version": version, **facts}])
    return store


def score(case: str, class_index: int, value: float, **other: Any) -> dict[str, Any]:
    place = {"case": case, "metric": "dsc", "class_index": class_index, "checkpoint": "best"}
    return place | {"part": "validation", "value": value, "imputed": value, "reason": None} | other


def point(epoch: int, seconds: float = 2.0) -> dict[str, Any]:
    numbers = {"train_loss": 0.5, "val_dsc": 0.5, "learning_rate": 1e-3, "seconds": seconds}
    return {"epoch": epoch, "region_weight": None, "boundary_weight": None, **numbers}


Finish = Callable[..., None]


@pytest.fixture
def finish(store: TrialStore) -> Finish:
    def write(key: str, scores: Sequence[dict[str, Any]], state: str = "done", **canonical: Any) -> None:
        study = store.register_study("demo", "", {})
        store.register_trials(study, [replace(RECORD, key=key, canonical=canonical)])
        store.claim([key])
        collapsed = None if state == "pruned" else False
        epochs = [point(0), point(1)]
        store.finish(key, Outcome(state, collapsed, "why", 0, 0.5, 7.0, epochs, scores, [], {"torch": "2"}))

    return write


def test_the_mean_is_over_patients_of_the_validation_cases(database: Database, finish: Finish) -> None:
    finish("k1", [score(*place, value) for place, value in VALUES.items()])
    assert validation_means(database, ["k1", "nobody"], "dsc") == {"k1": pytest.approx(0.4)}
    assert validation_means(database, ["k1"], "hd95") == {}


def test_test_scores_move_nothing(database: Database, finish: Finish) -> None:
    scores = [score(*place, value) for place, value in VALUES.items()]
    finish("k1", scores)
    tested = [score("tested", index, 1.0, part="test") for index in (1, 2)]
    finish("k2", [*scores, *tested], purpose="study")
    means = validation_means(database, ["k1", "k2"], "dsc")
    assert means["k2"] == means["k1"] == pytest.approx(0.4)
    finish("k3", tested, purpose="study")
    assert validation_means(database, ["k3"], "dsc") == {}


def test_the_checkpoint_is_the_one_that_the_trial_reports(database: Database, finish: Finish) -> None:
    scores = [score("a", 1, 0.3), score("a", 1, 0.7, checkpoint="last")]
    finish("best", scores, protocol={"checkpoint": "best_val_dsc"})
    finish("last", scores, protocol={"checkpoint": "last"})
    assert validation_means(database, ["best", "last"], "dsc") == {
        "best": pytest.approx(0.3),
        "last": pytest.approx(0.7),
    }


def test_an_undefined_value_counts_as_what_is_put_in_its_place(database: Database, finish: Finish) -> None:
    undefined = score("a", 2, 0.0) | {"value": None, "reason": "prediction empty"}
    finish("k1", [score("a", 1, 0.6), undefined])
    assert validation_means(database, ["k1"], "dsc") == {"k1": pytest.approx(0.3)}


def test_what_has_no_scores_has_no_mean(database: Database, finish: Finish) -> None:
    finish("k1", [], "diverged")
    finish("k2", [], "pruned")
    assert validation_means(database, ["k1", "k2"], "dsc") == {}


def test_trials_cost_the_epochs_that_were_trained(
    database: Database, store: TrialStore, finish: Finish
) -> None:
    finish("done", [])
    finish("pruned", [], "pruned")
    store.register_trials(store.register_study("demo", "", {}), [RECORD])
    store.claim(["k0"])
    store.heartbeat({"k0": Beat(3, [point(epoch) for epoch in range(3)], since=0)})
    keys = ["done", "pruned", "k0", *map(str, range(KEYS_AT_ONCE))]
    found = spending(database, keys)
    assert found["done"] == found["pruned"] == Spending(2, 7.0)
    assert found["k0"] == Spending(3, 6.0)
    assert sum(each.epochs for each in found.values()) == 7
    assert len(found) == len(keys)
