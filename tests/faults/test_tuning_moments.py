"""What happens to a search between two of its questions to the database, where no test kills in time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from harness.scheduling.trial_source import TrialResult
from harness.store.database import open_database
from harness.tuning.configurations import Configurations
from harness.tuning.storage import open_storage
from tests.tuning.lab import Lab, rate_of, study_of

TUNING = {"losses": "all", "configurations": 6}
PRUNED = {**TUNING, "pruner": {"name": "median", "startup": 2, "warmup": 0.2}}
LONG_AGO = datetime.now() - timedelta(minutes=5)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}", create=True)
    yield Lab(database, tmp_path, lambda job, epoch: round(0.1 / (1 + rate_of(job)) * (1 + epoch), 6))
    database.close()


def the_search(lab: Lab) -> optuna.Study:
    storage = open_storage(lab.database)
    (summary,) = optuna.get_all_study_summaries(storage)
    return optuna.load_study(study_name=summary.study_name, storage=storage)


def states(lab: Lab) -> list[str]:
    return [each.state.name for each in the_search(lab).trials]


@pytest.mark.parametrize("tuning", [TUNING, PRUNED], ids=["random", "pruned"])
def test_what_was_being_asked_when_its_driver_was_killed_is_none(lab, tuning):
    study = study_of(tuning=tuning)
    lab.killed(study, 7)
    asked = optuna.trial.create_trial(state=TrialState.RUNNING)
    asked.datetime_start = LONG_AGO
    search = the_search(lab)
    search._storage.create_new_trial(search._study_id, template_trial=asked)
    lab.run(study)
    history = lab.history(study)
    assert history.finished
    assert sum(each.epochs for each in history.tried) == 6 * 5
    assert "RUNNING" not in states(lab)
    assert states(lab).count("FAIL") == 1


@pytest.mark.parametrize("tuning", [TUNING, PRUNED], ids=["random", "pruned"])
def test_a_database_that_goes_away_while_a_configuration_is_asked_costs_none(lab, tuning, monkeypatch):
    study, admit, failures = study_of(tuning=tuning), Configurations.admit, [2, 4]

    def away(self: Configurations, number: int) -> int | None:
        if failures and number >= failures[0]:
            failures.pop(0)
            gone = OperationalError("", {}, Exception())
            gone.connection_invalidated = True
            raise gone
        return admit(self, number)

    monkeypatch.setattr(Configurations, "admit", away)
    lab.run(study)
    assert failures == []
    history = lab.history(study)
    assert history.finished
    assert sum(each.epochs for each in history.tried) == 6 * 5
    assert "RUNNING" not in states(lab)


@pytest.mark.parametrize("sampler", ["random", "tpe", "cmaes"])
def test_two_drivers_that_ask_at_the_same_time_draw_different_configurations(lab, sampler, monkeypatch):
    study = study_of(losses=[{"label": "Focal", "loss": "focal"}], tuning={**TUNING, "sampler": sampler})
    (first,), (second,) = lab.searches(study), lab.searches(study)
    monkeypatch.setattr(Configurations, "next_number", lambda self: 0)  # what both have read
    assert first.take() != second.take()


def test_who_slept_while_asking_asks_for_nothing(lab, monkeypatch):
    study, admit = study_of(), Configurations.admit
    (search, *_) = lab.searches(study)

    def slow(self: Configurations, number: int) -> int | None:
        the_search(lab).tell(number, state=TrialState.FAIL)  # as another driver does after a minute
        return admit(self, number)

    with monkeypatch.context() as asleep:
        asleep.setattr(Configurations, "admit", slow)
        assert search.take() is None
    lab.run(study)
    assert states(lab) == ["FAIL"] + ["COMPLETE"] * 6


def test_a_search_hears_nothing_new_of_a_configuration_that_another_driver_has_ended(lab):
    study = study_of(tuning=PRUNED)
    (slept,), (awake,) = lab.searches(study), lab.searches(study)
    planned = slept.take()
    while awake.take() != planned:
        pass
    assert slept.goes_on(planned, 0, 0.1)
    awake.report(planned, TrialResult("done", 0.5))
    assert not slept.goes_on(planned, 1, 0.2)
    slept.report(planned, TrialResult("pruned", 0.2))
    assert the_search(lab).trials[0].value == pytest.approx(0.5)


def test_two_searches_may_tell_the_same_result_at_the_same_time(lab, monkeypatch):
    study = study_of()
    (one,), (other,) = lab.searches(study), lab.searches(study)
    planned = one.take()
    while other.take() != planned:
        pass
    tell = optuna.Study.tell

    def both(self: optuna.Study, *arguments, **options):
        monkeypatch.setattr(optuna.Study, "tell", tell)
        other.report(planned, TrialResult("done", 0.5))
        return tell(self, *arguments, **options)

    monkeypatch.setattr(optuna.Study, "tell", both)
    one.report(planned, TrialResult("done", 0.5))
    assert the_search(lab).trials[0].value == pytest.approx(0.5)


def test_a_budget_that_ends_between_two_seeds_is_not_exceeded(lab, monkeypatch):
    study = study_of(tuning={**PRUNED, "inner_seeds": 2})
    monkeypatch.setattr(Configurations, "admit", lambda self, number: 5)  # what is left
    (search,) = lab.searches(study)
    first = search.take()
    assert [search.goes_on(first, epoch, 0.5) for epoch in range(5)] == [True] * 4 + [False]
    search.report(first, TrialResult("done", 0.5))
    assert [each.state.name for each in the_search(lab).trials] == ["PRUNED"]


def test_a_first_seed_that_is_hopeless_at_its_end_keeps_the_second_one_untrained(lab):
    study = study_of(tuning={**PRUNED, "inner_seeds": 2})
    (search,) = lab.searches(study)
    for _ in range(4):
        good = search.take()
        for epoch in range(5):
            search.goes_on(good, epoch, 0.5)
        search.report(good, TrialResult("done", 0.5))
    bad = search.take()
    search.goes_on(bad, 4, 0.1)
    (again,) = lab.searches(study)  # its driver was killed after the result, before the search heard of it
    for each in (search, again):
        while each is again and each.take() != bad:
            pass
        each.report(bad, TrialResult("done", 0.1))
    assert states(lab) == ["COMPLETE"] * 2 + ["PRUNED"]


def test_a_verdict_that_was_not_written_is_given_again_at_the_same_epoch(lab):
    study = study_of(tuning=PRUNED)
    (search,) = lab.searches(study)
    for _ in range(2):
        good = search.take()
        for epoch in range(5):
            search.goes_on(good, epoch, 0.5)
        search.report(good, TrialResult("done", 0.5))
    bad = search.take()
    told = [0.4, 0.3]  # no configuration is ended after its first epoch
    assert [search.goes_on(bad, epoch, value) for epoch, value in enumerate(told)] == [True, False]
    (again,) = lab.searches(study)
    while again.take() != bad:
        pass
    assert [again.goes_on(bad, epoch, value) for epoch, value in enumerate(told)] == [True, False]
