"""Errors of the whole procedure, by simulation: a small version of ``lossbench error-rates``."""

import numpy as np
import pytest

from harness.statistics.error_rates import CHECKS, Rate


def rates(check: str, studies: int) -> list[Rate]:
    return list(CHECKS[check](studies, np.random.default_rng(20261130)))


def test_two_equal_losses_are_seldom_told_apart_with_independent_or_correlated_seeds() -> None:
    found = rates("pair", 300)
    assert all(rate.kept for rate in found)
    independent = [rate.found for rate in found if "correlation 0" in rate.setting.split(",")[-1][:26]]
    assert max(independent) >= 0.01  # it is a test, not a refusal


def test_case_only_tests_claim_differences_of_equal_losses_and_the_crossed_t_does_not() -> None:
    found = [rate for rate in rates("family", 40) if "5 seeds, log-SD of seed SD 0.5" in rate.setting]
    crossed, beyond, usual = found
    assert (crossed.kept, beyond.kept) == (True, True)
    assert usual.found > 0.3


@pytest.mark.full
@pytest.mark.parametrize(
    ("check", "studies"), [("pair", 3000), ("family", 400), ("best", 1000), ("stages", 300)]
)
def test_every_promise_holds(check: str, studies: int) -> None:
    broken = [rate for rate in rates(check, studies) if rate.kept is False]
    assert not broken


@pytest.mark.full
def test_adding_seeds_until_decided_saves_trials_where_there_is_a_winner() -> None:
    found = {(rate.check, rate.setting): rate.found for rate in rates("stages", 200)}
    share = found["trials, as a share of the full design", "one of 10 better by 0.03, 60 patients"]
    assert share < 0.6
