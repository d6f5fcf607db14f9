"""Budgets decide from what was asked: never more than is there, and to the last epoch."""

from hypothesis import given
from hypothesis import strategies as st

from harness.tuning.budget import Asked, ConfigurationBudget, EpochBudget, HourBudget, budget_of


@given(st.integers(1, 40), st.integers(1, 12), st.lists(st.integers(1, 12), min_size=80, max_size=80))
def test_epochs_are_spent_to_the_last_one_and_no_further(configurations, whole, ends):
    budget = EpochBudget(configurations * whole, whole)
    asked: list[Asked] = []
    while (allowance := budget.allowance(asked)) != 0:
        assert 1 <= allowance <= whole
        end = min(ends[len(asked) % len(ends)], allowance)
        asked.append(Asked(is_over=True, epochs=end, allowance=allowance))
    assert sum(each.epochs for each in asked) == configurations * whole
    assert budget.is_spent(asked)
    assert len(asked) >= configurations


@given(st.integers(1, 10), st.integers(1, 10), st.integers(1, 8))
def test_what_runs_is_counted_with_all_that_it_may_spend(configurations, whole, workers):
    budget = EpochBudget(configurations * whole, whole)
    running: list[Asked] = []
    while len(running) < workers and (allowance := budget.allowance(running)):
        running.append(Asked(is_over=False, allowance=allowance))
    assert sum(each.allowance or 0 for each in running) <= configurations * whole
    assert len(running) == min(workers, configurations)


def test_a_failed_configuration_costs_all_that_it_was_allowed():
    failed = Asked(is_over=True, epochs=1, allowance=5, failed=True)
    assert EpochBudget(20, 5).left([failed]) == 3
    assert ConfigurationBudget(4).left([failed]) == 3


def test_hours_begin_with_one_configuration_and_go_on_by_the_longest():
    budget = HourBudget(1.0)
    assert budget.allowance([]) is None
    assert budget.allowance([Asked(is_over=False)]) == 0
    assert not budget.is_spent([Asked(is_over=False)]) or budget.left([Asked(is_over=False)]) == 0
    first = Asked(is_over=True, seconds=1000.0)
    assert budget.left([first]) == 2
    assert budget.left([first, Asked(is_over=False), Asked(is_over=False)]) == 0
    assert budget.left([first, Asked(is_over=True, seconds=2000.0)]) == 0


def test_the_first_configuration_runs_however_short_the_hours_are():
    assert HourBudget(1e-6).allowance([]) is None


def test_a_number_buys_epochs_only_where_configurations_may_be_ended():
    assert budget_of(4, None, 10, prunes=False) == ConfigurationBudget(4)
    assert budget_of(4, None, 10, prunes=True) == EpochBudget(40, 10)
    assert budget_of(None, 2.0, 10, prunes=True) == HourBudget(2.0)
