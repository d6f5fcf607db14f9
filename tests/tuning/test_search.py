"""Tuning: within budget, on validation values only, and never losing or repeating a configuration."""

import pytest

from harness.data.splits import HoldoutSplit
from harness.losses import parse_loss
from harness.scheduling.trial_source import JoinedSources, PlanSource, TrialResult
from harness.store.database import open_database
from harness.strict_yaml import read, validate
from harness.study.plan import StudyDataset, fixed_trials
from harness.study.spec import Study
from harness.tuning.search import AlphaSearch, open_storage

STUDY = """\
study: demo
datasets: [msd_hippocampus]
seeds: 2
losses:
  - {label: CE, loss: ce}
  - {label: tuned, loss: gdl + boundary, alpha: tune}
tuning: {configurations: 5}
"""
DATASET = StudyDataset("demo", "f" * 64, HoldoutSplit())


@pytest.fixture
def study() -> Study:
    return validate(Study, read(STUDY, "demo.yaml"), "demo.yaml")


@pytest.fixture
def database(url):
    database = open_database(url, create=True)
    yield database
    database.close()


@pytest.fixture
def storage(database):
    storage = open_storage(database)
    yield storage
    storage.engine.dispose()


def value_of(planned) -> float:
    """A made-up objective that depends on the schedule only."""
    weights = planned.trial.loss_spec().alpha.weights(10, 200)
    return round(1 / (1 + abs(weights[1] - 0.2)), 6)


def drain(source, stop_after: int | None = None):
    """Run a source to its end, or give up after some results as a killed driver does."""
    given = []
    while not source.exhausted and (stop_after is None or len(given) < stop_after):
        planned = source.take()
        given.append(planned)
        if stop_after is None or len(given) < stop_after:
            source.report(planned, TrialResult("done", value_of(planned)))
    return given


def test_the_best_configuration_is_frozen_into_one_trial_per_seed(study, storage):
    given = drain(AlphaSearch(study, DATASET, study.losses[1], 0, storage))
    searched, winners = given[:5], given[5:]
    assert [each.trial.purpose for each in searched] == ["search"] * 5
    assert [(each.trial.purpose, each.trial.seed) for each in winners] == [("study", 0), ("study", 1)]
    best = max(searched, key=value_of)
    assert all(each.trial.loss == best.trial.loss for each in winners)


def test_configurations_differ_and_a_search_is_repeatable(study, storage, tmp_path):
    first = drain(AlphaSearch(study, DATASET, study.losses[1], 0, storage))
    other = open_storage(open_database(f"sqlite:///{tmp_path / 'other.db'}", create=True))
    second = drain(AlphaSearch(study, DATASET, study.losses[1], 0, other))
    assert [each.trial.key for each in first] == [each.trial.key for each in second]
    assert len({each.trial.key for each in first[:5]}) == 5


@pytest.mark.parametrize("killed_after", [1, 3, 5])
def test_a_killed_search_goes_on_without_losing_or_repeating(study, storage, killed_after):
    entry = study.losses[1]
    before = drain(AlphaSearch(study, DATASET, entry, 0, storage), stop_after=killed_after)
    search = AlphaSearch(study, DATASET, entry, 0, storage)
    assert search.expected == 5 - (killed_after - 1) + 2
    after = drain(search)
    assert after[0].trial.key == before[-1].trial.key  # its result never came
    searched = {each.trial.key for each in [*before, *after] if each.trial.purpose == "search"}
    assert len(searched) == 5


def test_parallel_workers_wait_for_the_last_configuration(study, storage):
    search = AlphaSearch(study, DATASET, study.losses[1], 0, storage)
    running = [search.take() for _ in range(5)]
    assert search.take() is None
    assert not search.exhausted
    for planned in running:
        search.report(planned, TrialResult("done", value_of(planned)))
    assert search.take().trial.purpose == "study"


def test_divergence_counts_zero_and_failure_is_no_result(study, storage):
    search = AlphaSearch(study, DATASET, study.losses[1], 0, storage)
    running = [search.take() for _ in range(5)]
    for planned in running[:4]:
        search.report(planned, TrialResult("failed", None))
    search.report(running[4], TrialResult("diverged", None))
    assert search.take().trial.loss == running[4].trial.loss


def test_when_every_configuration_fails_the_study_goes_on(study, storage):
    search = AlphaSearch(study, DATASET, study.losses[1], 0, storage)
    joined = JoinedSources([search, PlanSource(fixed_trials(study, [DATASET]))])
    labels = []
    while not joined.exhausted:
        planned = joined.take()
        if planned is None:
            continue
        labels.append(planned.label)
        joined.report(planned, TrialResult("failed", None))
    assert labels.count("CE") == 2
    assert labels.count("tuned") == 5


def test_each_fold_has_its_own_search(study, storage):
    first = AlphaSearch(study, DATASET, study.losses[1], 0, storage).take()
    second = AlphaSearch(study, DATASET, study.losses[1], 1, storage).take()
    assert first.trial.fold == 0
    assert second.trial.fold == 1
    assert first.trial.key != second.trial.key


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_every_suggestion_is_a_valid_schedule(study, storage):
    many = study.model_copy(update={"tuning": study.tuning.model_copy(update={"configurations": 40})})
    search = AlphaSearch(many, DATASET, many.losses[1], 0, storage)
    kinds = set()
    for _ in range(40):
        alpha = search.take().trial.loss_spec().alpha
        kinds.add(alpha.schedule)
        assert parse_loss("gdl + boundary", alpha.model_dump(exclude_none=True)).alpha == alpha
    assert kinds == {"constant", "increase", "rebalance"}
