"""Which scores finished trials lack, and adding them without touching what is there."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from harness.errors import InputError
from harness.store.database import Database
from harness.store.integrity import faults
from harness.store.missing_scores import IncompleteTrial, add_scores, missing_scores, newer_metrics
from harness.store.schema import TrialRow
from tests.store.labs import HOSTILE, Lab, all_scores

NEW = {"name": "new", "version": 1, "title": "New", "unit": "", "direction": "higher", "description": "New."}
DSC = ("dsc", 1)


def incomplete(database: Database) -> list[IncompleteTrial]:
    return list(missing_scores(database, "s", {"dsc": 1, "new": 1}, DSC).trials)


def score(**values: Any) -> dict[str, Any]:
    places = {"case": f"{HOSTILE}p2", "metric": "new", "part": "test", "checkpoint": "best", "class_index": 1}
    return places | {"value": 0.5, "imputed": 0.5, "reason": None} | values


def test_a_trial_lacks_what_it_has_scores_of_other_metrics_for(database: Database) -> None:
    Lab().fill(database)
    found = missing_scores(database, "s", {"dsc": 1, "new": 1}, DSC)
    assert found.finished == 2
    assert [trial.label for trial in found.trials] == ["CE", HOSTILE]
    (gap,) = found.trials[0].gaps
    assert (gap.part, gap.cases, gap.wanted) == ("test", (f"{HOSTILE}p2",), ("new",))
    assert gap.metrics == {"best": ("new",), "last": ("new",)}  # the best epoch is the last one
    assert gap.known == {(f"{HOSTILE}p2", 1): 0.0}
    assert missing_scores(database, "s", {"dsc": 1, "hd": 1}, DSC).trials == ()
    assert missing_scores(database, "s", {"dsc": 2}, DSC).trials[0].gaps[0].wanted == ("dsc",)


def test_the_checkpoint_whose_weights_are_not_kept_is_told_apart(database: Database) -> None:
    Lab().fill(database)
    with database.write() as connection:
        connection.execute(
            update(TrialRow).values(best_epoch=3, canonical={"protocol": {"checkpoint": "last"}})
        )
    for trial in incomplete(database):
        assert trial.gaps[0].metrics == {"last": ("new",)}
        assert trial.other == ("new",)


def test_scores_are_added_once_and_nothing_else_changes(database: Database) -> None:
    Lab().fill(database)
    before = all_scores(database)
    trial = incomplete(database)[0]
    assert add_scores(database, trial, [NEW], [score()]) == 1
    assert add_scores(database, trial, [NEW], [score(value=0.9, imputed=0.9), score(checkpoint="last")]) == 1
    added = all_scores(database) - before
    assert before < all_scores(database)
    assert {(row[0], *row[2:6]) for row in added} == {
        (trial.key, "new", "best", "test", 0.5),
        (trial.key, "new", "last", "test", 0.5),
    }
    assert [each.label for each in incomplete(database)] == [HOSTILE]
    assert faults(database) == []


@pytest.mark.parametrize(
    ("change", "now"),
    [
        ({"state": "running", "lease_owner": "o", "finished": None, "collapsed": None}, "running"),
        ({"finished": datetime(2031, 1, 1, tzinfo=UTC)}, "trained anew"),
    ],
)
def test_a_trial_that_has_changed_meanwhile_gets_nothing(
    change: dict[str, Any], now: str, database: Database
) -> None:
    Lab().fill(database)
    trial, before = incomplete(database)[0], all_scores(database)
    if "lease_owner" in change:
        change = change | {"lease_expires": datetime(2031, 1, 1, tzinfo=UTC)}
    with database.write() as connection:
        connection.execute(update(TrialRow).where(TrialRow.key == trial.key).values(**change))
    with pytest.raises(InputError, match=f"has changed meanwhile and is {now}"):
        add_scores(database, trial, [NEW], [score()])
    with pytest.raises(InputError, match="is gone"):
        add_scores(database, replace(trial, key="0" * 64), [NEW], [score()])
    assert all_scores(database) == before
    assert newer_metrics(database, {"new": 0}) == {}  # the metric is not there either


def test_another_definition_of_a_metric_is_refused_whole(database: Database) -> None:
    Lab().fill(database)
    trial, before = incomplete(database)[0], all_scores(database)
    with pytest.raises(InputError, match="'hd' version 1 has another unit or direction"):
        add_scores(database, trial, [NEW, NEW | {"name": "hd"}], [score()])
    assert all_scores(database) == before


def test_newer_versions_in_the_database_are_found(database: Database) -> None:
    Lab().fill(database)
    assert newer_metrics(database, {"dsc": 0, "hd": 1, "new": 1}) == {"dsc": 1}
