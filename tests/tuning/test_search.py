"""A search: within its budget, repeatable, on validation cases only, and never losing a configuration."""

import random

import pytest

from harness.scheduling.trial_source import TrialResult
from harness.store.summaries import failures
from harness.study.seeds import INNER_SEED
from tests.tuning.lab import Workers, parameters_of, rate_of, study_of

COMPOUND = [{"label": "GDL + BL", "loss": "gdl + boundary", "alpha": {"schedule": "rebalance", "over": 1.0}}]
TUNING = {"losses": "all", "configurations": 6}
MEDIAN = {"name": "median", "startup": 2, "warmup": 0.2}
PRUNED = {**TUNING, "pruner": MEDIAN}


def trained(lab, purpose):
    wanted = purpose == "study"
    return [job for job in lab.jobs if job.score_test == wanted]


def test_the_best_configuration_is_frozen_into_trials_with_the_studys_own_seeds(lab):
    study = study_of()
    summary = lab.run(study)
    history = lab.history(study)
    assert (history.count("complete"), history.finished) == (6, True)
    assert {job.seed for job in trained(lab, "search")} == {INNER_SEED}
    own = trained(lab, "study")
    rates = {rate_of(job): {each.seed for each in own if rate_of(each) == rate_of(job)} for job in own}
    best = max(history.tried, key=lambda each: each.value)
    assert rates == {best.parameters["learning_rate"]: {0, 1}, study.protocol.optimizer.lr: {0, 1}}
    assert (summary.trained, summary.failed, summary.left) == (10, 0, 0)


def test_a_second_run_asks_and_trains_nothing(lab):
    study = study_of()
    lab.run(study)
    lab.jobs.clear()
    assert lab.run(study).trained == 0
    assert lab.jobs == []
    assert len(lab.history(study).tried) == 6


def test_only_the_searches_can_be_run(lab):
    study = study_of()
    assert lab.run(study, winners=False).trained == 6
    assert trained(lab, "study") == []
    assert lab.run(study).trained == 4


def test_a_larger_budget_goes_on_with_the_same_search(lab):
    lab.run(study_of(), winners=False)
    more = study_of(tuning={**TUNING, "configurations": 9})
    assert lab.run(more, winners=False).trained == 3
    assert len(lab.history(more).tried) == 9


def test_inner_seeds_are_averaged(new_lab):
    lab = new_lab(lambda job, epoch: 0.2 if job.seed == INNER_SEED else 0.6)
    study = study_of(tuning={**TUNING, "configurations": 2, "inner_seeds": 2})
    lab.run(study)
    history = lab.history(study)
    assert [each.value for each in history.tried] == [pytest.approx(0.4)] * 2
    assert [each.epochs for each in history.tried] == [10, 10]
    assert {job.seed for job in trained(lab, "search")} == {INNER_SEED, INNER_SEED + 1}


def test_another_metric_decides_by_validation_cases_and_its_own_direction(lab):
    study = study_of(tuning={**TUNING, "metric": "hd95"})
    lab.run(study)
    history = lab.history(study)
    assert not history.higher_is_better
    assert history.best.value == min(each.value for each in history.tried)
    # The lab's hd95 is 100 (1 - DSC): so both metrics must choose alike.
    assert history.best.value == pytest.approx(100 * (1 - max(lab_values(lab))))


def lab_values(lab):
    return [lab.objective(job, job.protocol.epochs - 1) for job in trained(lab, "search")]


@pytest.mark.parametrize("sampler", ["random", {"name": "tpe", "startup": 3}])
@pytest.mark.parametrize("pruner", ["none", MEDIAN])
def test_with_one_worker_a_search_is_repeatable(new_lab, sampler, pruner):
    study = study_of(losses=COMPOUND, tuning={**TUNING, "sampler": sampler, "pruner": pruner})
    first, second = new_lab(), new_lab()
    first.run(study)
    second.run(study)
    assert parameters_of(first.histories(study)) == parameters_of(second.histories(study))
    values = [
        [(each.state, each.value) for each in lab.history(study, "GDL + BL (tuned)").tried]
        for lab in (first, second)
    ]
    assert values[0] == values[1]


def test_another_seed_draws_other_configurations(new_lab):
    lab = new_lab()
    for seed in (0, 1):
        lab.run(study_of(study=f"s{seed}", tuning={**TUNING, "seed": seed}), winners=False)
    first, second = (lab.history(study_of(study=f"s{seed}")) for seed in (0, 1))
    assert {each.parameters["learning_rate"] for each in first.tried}.isdisjoint(
        each.parameters["learning_rate"] for each in second.tried
    )


@pytest.mark.parametrize("pruner", ["none", MEDIAN])
@pytest.mark.parametrize("workers", [1, 4])
def test_every_loss_spends_the_same_epochs_to_the_last_one(new_lab, pruner, workers):
    losses = [{"label": "CE", "loss": "ce"}, {"label": "Focal", "loss": "focal"}, *COMPOUND]
    study = study_of(losses=losses, tuning={**TUNING, "pruner": pruner})
    lab = new_lab()
    executor = Workers(lab.train, workers)
    lab.run(study, executor, winners=False)
    spent = {each.label: sum(tried.epochs for tried in each.tried) for each in lab.histories(study)}
    assert spent == dict.fromkeys(("CE (tuned)", "Focal (tuned)", "GDL + BL (tuned)"), 6 * 5)
    assert executor.epochs == 3 * 6 * 5
    assert executor.most_running == workers


def test_pruning_ends_the_worse_half_and_buys_more_configurations(new_lab):
    lab = new_lab()
    study = study_of(protocol={"epochs": 10}, tuning={**PRUNED, "configurations": 10})
    lab.run(study, winners=False)
    history = lab.history(study)
    assert history.count("pruned") > 2
    assert len(history.tried) > 10
    assert sum(each.epochs for each in history.tried) == 100
    assert all(each.epochs < 10 for each in history.tried if each.state == "pruned")
    best = max(lab.objective(job, 9) for job in lab.jobs)
    assert history.best.value == pytest.approx(best)  # the best one is never ended


def test_a_pruned_configuration_keeps_its_later_seeds_untrained(new_lab):
    lab = new_lab()
    study = study_of(tuning={**PRUNED, "inner_seeds": 2})
    lab.run(study, winners=False)
    history = lab.history(study)
    ended = [each for each in history.tried if each.state == "pruned" and each.epochs < 5]
    assert ended
    keys = {job.key for job in lab.jobs}
    assert all(each.keys[1] not in keys for each in ended)
    assert sum(each.epochs for each in history.tried) == 6 * 2 * 5


def test_pruning_sees_validation_values_only(new_lab):
    lab = new_lab()
    lab.run(study_of(tuning=PRUNED))
    searched = {job.key for job in trained(lab, "search")}
    assert searched
    with lab.database.read() as connection:
        parts = connection.exec_driver_sql(
            "SELECT DISTINCT part FROM score JOIN trial ON trial.id = trial_id WHERE purpose = 'search'"
        ).scalars()
        assert list(parts) == ["validation"]


@pytest.mark.parametrize(
    "killed_after", [1, 12, *(pytest.param(epochs, marks=pytest.mark.full) for epochs in (4, 5, 29))]
)
@pytest.mark.parametrize("tuning", [TUNING, PRUNED], ids=["unpruned", "pruned"])
def test_a_killed_search_goes_on_and_ends_as_one_that_was_not(new_lab, tuning, killed_after):
    study, lab, other = study_of(tuning=tuning), new_lab(), new_lab()
    lab.killed(study, killed_after)
    lab.run(study)
    other.run(study)
    assert parameters_of(lab.histories(study)) == parameters_of(other.histories(study))
    assert [each.value for each in lab.history(study).tried] == [
        each.value for each in other.history(study).tried
    ]
    assert sum(each.epochs for each in lab.history(study).tried) == 30


@pytest.mark.parametrize(
    "order", [0, *(pytest.param(order, marks=pytest.mark.full) for order in range(1, 5))]
)
def test_parallel_searches_that_are_killed_lose_and_repeat_nothing(new_lab, order):
    losses = [{"label": "CE", "loss": "ce"}, *COMPOUND]
    study, lab = study_of(losses=losses, tuning=PRUNED), new_lab()
    lab.killed(study, 20 + 7 * order, workers=4)
    lab.run(study, Workers(lab.train, 4, random.Random(order)))
    for history in lab.histories(study):
        assert sum(each.epochs for each in history.tried) == 30
        assert history.finished
        assert len({key for each in history.tried for key in each.keys}) == len(history.tried)


def test_a_second_driver_waits_for_what_the_first_one_trains(lab):
    study = study_of()
    (first,), (second,) = lab.searches(study), lab.searches(study)
    asked = [first.take() for _ in range(4)] + [second.take() for _ in range(2)]
    assert len({each.trial.key for each in asked}) == 6
    assert first.take().trial.key == asked[4].trial.key  # nothing is left to ask: it waits for the other's
    for planned in asked[4:]:
        second.report(planned, TrialResult("done", 0.5))
    assert second.take().trial.purpose == "search"
    assert not second.exhausted


def test_two_drivers_that_ask_at_once_do_not_exceed_the_budget(lab):
    study = study_of(tuning={**TUNING, "configurations": 3})
    (first,), (second,) = lab.searches(study), lab.searches(study)
    asked = [search.take() for search in (first, second, first, second, first)]
    assert len({each.trial.key for each in asked}) == 3
    assert len(lab.history(study).tried) == 3


def test_divergence_counts_zero_and_failure_is_no_result(lab):
    (search,) = lab.searches(study_of())
    running = [search.take() for _ in range(6)]
    for planned in running[:5]:
        search.report(planned, TrialResult("failed", None))
    search.report(running[5], TrialResult("diverged", 0.7))
    winner = search.take()
    assert winner.trial.purpose == "study"
    assert winner.trial.protocol == running[5].trial.protocol
    assert lab.history(study_of()).best.value == 0


@pytest.mark.parametrize("tuning", [TUNING, PRUNED, {"losses": "all", "hours": 1}])
def test_when_every_configuration_fails_the_search_ends(lab, tuning):
    (search,) = lab.searches(study_of(tuning=tuning))
    asked = 0
    while not search.exhausted:
        planned = search.take()
        if planned is not None:
            asked += 1
            search.report(planned, TrialResult("failed", None))
    assert asked == (3 if "hours" in tuning else 6)


def test_a_budget_of_hours_is_kept(new_lab):
    lab = new_lab()
    study = study_of(tuning={"losses": "all", "hours": 33 / 3600})  # a configuration takes 5 s here
    lab.run(study, Workers(lab.train, 4), winners=False)
    history = lab.history(study)
    assert len(history.tried) == 6
    assert sum(each.seconds for each in history.tried) <= 33


def test_each_fold_has_its_own_search(lab):
    study = study_of(datasets=[{"dataset": "msd_hippocampus", "split": {"kind": "kfold", "k": 3}}])
    lab.run(study)
    assert [each.fold for each in lab.histories(study)] == [0, 1, 2]
    assert {each.folds for each in lab.histories(study)} == {3}
    assert {job.fold for job in trained(lab, "search")} == {0, 1, 2}


def test_another_space_is_another_search(lab):
    study = study_of()
    lab.run(study, winners=False)
    narrowed = study_of(tuning={**TUNING, "learning_rate": {"low": 1e-3, "high": 4e-3}})
    assert lab.run(narrowed, winners=False).trained == 6
    assert all(1e-3 <= each.parameters["learning_rate"] <= 4e-3 for each in lab.history(narrowed).tried)


def test_a_configuration_that_collapses_is_no_failure_of_the_study(new_lab):
    lab = new_lab(lambda job, epoch: 0.01)
    study = study_of()
    lab.run(study)
    assert {row["loss"]: row["seed"] for row in failures(lab.database)}.keys() == {"CE", "CE (tuned)"}
    assert all(row["seed"] < study.seeds for row in failures(lab.database))
