"""The network of a trial is found by the beginning of its key."""

from dataclasses import replace

import pytest

from harness.errors import InputError
from harness.store.datasets import register_dataset
from harness.store.models import kept_model, kept_models
from harness.store.outcome import ArtifactRecord
from harness.store.ownership import new_owner
from harness.store.trials import TrialStore
from tests.store.test_trials import DATASET, METRIC, OUTCOME, TRIAL

FIRST, SECOND = ("abcdef12" + end * 56 for end in "34")
BARE, WAITING, COLLAPSED = "b" * 64, "c" * 64, "d" * 64


@pytest.fixture
def database(database):
    store = TrialStore(database, new_owner())
    study = store.register_study("demo", "Demo", {"study": "demo"})
    register_dataset(database, DATASET)
    store.register_metrics([METRIC])
    keys = (FIRST, SECOND, BARE, WAITING, COLLAPSED)
    store.register_trials(study, [replace(TRIAL, key=key, seed=seed) for seed, key in enumerate(keys)])
    for key in (FIRST, SECOND, COLLAPSED):
        kept = replace(OUTCOME, artifacts=[ArtifactRecord("model", f"{key[:16]}/model.pt", "5" * 64, 9)])
        if key == COLLAPSED:
            kept = replace(kept, collapsed=True, reason="predicts nothing")
        store.finish(key, kept)
    store.finish(BARE, replace(OUTCOME, artifacts=[ArtifactRecord("predictions", "p.npz", "5" * 64, 9)]))
    return database


def test_a_beginning_is_enough(database):
    found = kept_model(database, FIRST[:9].upper())
    assert (found.key, found.path, found.sha256) == (FIRST, "abcdef1233333333/model.pt", "5" * 64)
    assert found.flaw is None
    assert kept_model(database, SECOND).key == SECOND


def test_a_collapsed_trial_says_so(database):
    assert kept_model(database, COLLAPSED[:8]).flaw == "predicts nothing"


@pytest.mark.parametrize(
    ("trial", "told"),
    [
        ("abcde", "give at least 6 characters"),
        ("abcdef", r"2 trials begin with 'abcdef' \(abcdef123333, abcdef124444\); give more"),
        ("ffffff", "no trial 'ffffff' in the database; 'lossbench predict --list' shows"),
        ("abc%ef", "no trial"),
        (BARE, "is done and has kept no network; run its study with --keep-models"),
        (WAITING, "is waiting and has kept no network"),
    ],
)
def test_others_are_refused_in_a_sentence(trial, told, database):
    with pytest.raises(InputError, match=told):
        kept_model(database, trial)


def test_the_list_shows_trials_that_kept_their_network(database):
    rows = kept_models(database)
    assert [row["trial"] for row in rows] == [FIRST[:12], SECOND[:12], COLLAPSED[:12]]
    assert rows[0] | {"trial": ""} == {
        "trial": "",
        "study": "demo",
        "dataset": "set",
        "loss": "CE",
        "seed": 0,
        "fold": 0,
        "best val dsc": 0.4,
    }
