from itertools import combinations

import numpy as np
import pytest
from opda.nonparametric import EmpiricalDistribution
from scipy import integrate, stats

from harness.statistics.expected_validation import (
    BAND_METHOD,
    Lead,
    best_so_far,
    confidence_band,
    expected_best,
    leaders,
    mean_curve,
    on_grid,
)

SOME = [0.31, 0.82, 0.0, 0.64, 0.64, 0.79, 0.12]


@pytest.mark.parametrize("higher", [True, False])
def test_expected_best_is_the_mean_over_all_subsets(higher: bool) -> None:
    best = max if higher else min
    curve = expected_best(SOME, higher_is_better=higher)
    for n in range(1, len(SOME) + 1):
        assert curve[n - 1] == pytest.approx(np.mean([best(some) for some in combinations(SOME, n)]))


def test_expected_best_begins_at_the_mean_and_ends_at_the_best_found() -> None:
    curve = expected_best(SOME)
    assert curve[0] == pytest.approx(np.mean(SOME))
    assert curve[-1] == max(SOME)
    assert (np.diff(curve) >= 0).all()


@pytest.mark.parametrize("higher", [True, False])
@pytest.mark.parametrize("number", [1, 2, 20, 60])
def test_expected_best_agrees_with_opda(higher: bool, number: int) -> None:
    values = np.random.default_rng(number).beta(4, 2, number)
    peer = EmpiricalDistribution(values).u_tuning_curve(np.arange(1, number + 1), minimize=not higher)
    assert expected_best(values, higher_is_better=higher) == pytest.approx(peer, rel=1e-9)


def test_expected_best_is_unbiased_for_uniform_values() -> None:
    """The largest of n uniform values is n / (n + 1) on average; a thousand values come near it."""
    curve = expected_best(np.arange(1, 1000) / 1000)
    n = np.arange(1, 21)
    assert curve[:20] == pytest.approx(n / (n + 1), abs=1e-3)
    random = np.random.default_rng(1)
    means = np.mean([expected_best(random.uniform(size=8)) for _ in range(4000)], axis=0)
    n = np.arange(1, 9)
    assert means == pytest.approx(n / (n + 1), abs=0.01)


def test_many_configurations_neither_overflow_nor_lose_weight() -> None:
    curve = expected_best(np.ones(1500))
    assert curve == pytest.approx(np.ones(1500))


def test_without_values_there_is_no_curve() -> None:
    assert expected_best([]).tolist() == []
    assert [limit.tolist() for limit in confidence_band([])] == [[], []]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_none_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        expected_best([0.5, value])


def test_band_agrees_with_the_curves_of_opda() -> None:
    values = np.random.default_rng(5).uniform(size=12)
    n = np.arange(1, 13)
    below, _, above = EmpiricalDistribution.confidence_bands(
        values, 0.95, a=0.0, b=1.0, generator=np.random.default_rng(7), method=BAND_METHOD, n_jobs=1
    )
    low, high = confidence_band(values)
    # opda calibrates by simulation: other random numbers move the limits a little.
    assert low == pytest.approx(above.average_tuning_curve(n), abs=0.01)
    assert high == pytest.approx(below.average_tuning_curve(n), abs=0.01)


@pytest.mark.parametrize("values", [SOME, [0.4], [0.0, 0.0, 0.0], [0.0, 0.9]])
def test_band_holds_the_curve_and_stays_in_the_support(values: list[float]) -> None:
    low, high = confidence_band(values)
    curve = expected_best(values)
    assert (low <= curve).all()
    assert (curve <= high).all()
    assert low.min() >= 0
    assert high.max() <= 1
    assert (np.diff(low) >= -1e-12).all()
    assert (np.diff(high) >= -1e-12).all()


def test_band_of_a_distance_is_the_mirror_image() -> None:
    low, high = confidence_band(SOME)
    turned_low, turned_high = confidence_band([1 - value for value in SOME], higher_is_better=False)
    assert turned_low == pytest.approx(1 - high)
    assert turned_high == pytest.approx(1 - low)


def test_band_without_a_largest_value_has_no_upper_limit_only() -> None:
    low, high = confidence_band([3.0, 7.5, 12.0], support=(0.0, np.inf), higher_is_better=False)
    assert np.isinf(high).all()
    assert np.isfinite(low).all()
    assert (low <= expected_best([3.0, 7.5, 12.0], higher_is_better=False)).all()


def test_value_outside_the_support_is_refused() -> None:
    with pytest.raises(ValueError, match="within 0 and 1"):
        confidence_band([0.5, 1.2])


def test_two_calls_give_the_same_bits() -> None:
    from harness.statistics import expected_validation

    first = confidence_band(SOME)
    expected_validation._distribution_band.cache_clear()
    second = confidence_band(SOME)
    assert [limit.tobytes() for limit in first] == [limit.tobytes() for limit in second]


def coverage(number: int, studies: int) -> float:
    """Share of simulated searches whose band holds the true curve of a skewed distribution everywhere."""
    law = stats.beta(5, 2)
    n = np.arange(1, number + 1)
    truth = np.array([1 - integrate.quad(lambda y, n=n: law.cdf(y) ** n, 0, 1)[0] for n in n])
    random = np.random.default_rng(11)
    held = 0
    for _ in range(studies):
        low, high = confidence_band(law.rvs(number, random_state=random))
        held += bool((low <= truth).all() and (truth <= high).all())
    return held / studies


def test_band_covers_the_true_curve() -> None:
    assert coverage(number=10, studies=300) >= 0.93


@pytest.mark.full
@pytest.mark.parametrize("number", [5, 20, 50])
def test_band_covers_the_true_curve_in_many_searches(number: int) -> None:
    assert coverage(number, studies=4000) >= 0.945


def test_band_is_exact_for_the_distribution_behind_it() -> None:
    """The band of the distribution function covers in just 95 %: the curve's inherits at least that."""
    from harness.statistics import expected_validation

    below, above = expected_validation._distribution_band(20, 0.95)
    uniform = np.sort(np.random.default_rng(3).uniform(size=(20000, 20)), axis=1)
    inside = (below[1:21] <= uniform).all(axis=1) & (uniform <= above[:20]).all(axis=1)
    assert inside.mean() == pytest.approx(0.95, abs=0.006)


def test_best_so_far_keeps_its_value_over_pruned_and_failed_configurations() -> None:
    assert best_so_far([None, 3.0, 4.0, None, 2.0], higher_is_better=False)[1:].tolist() == [3, 3, 3, 2]
    assert np.isnan(best_so_far([None, 3.0])[0])
    assert best_so_far([]).tolist() == []


def test_best_so_far_at_a_budget_is_what_was_known_by_then() -> None:
    known = on_grid(np.array([0.0, 4.9, 5.0, 11.0]), np.array([5.0, 9.0]), np.array([0.3, 0.6]))
    assert known[2:].tolist() == [0.3, 0.6]
    assert np.isnan(known[:2]).all()
    assert np.isnan(on_grid(np.array([1.0]), np.empty(0), np.empty(0))).all()


def test_mean_curve_ends_with_the_shortest_fold() -> None:
    assert mean_curve([np.array([0.2, 0.4, 0.9]), np.array([0.4, 0.6])]) == pytest.approx([0.3, 0.5])
    assert mean_curve([]).tolist() == []
    assert mean_curve([np.empty(0), np.array([1.0])]).tolist() == []


def test_leaders_change_where_curves_cross() -> None:
    curves = {"a": np.array([0.5, 0.6, 0.62]), "b": np.array([0.4, 0.6, 0.7, 0.8])}
    assert leaders(curves) == [Lead(1, 1, ("a",)), Lead(2, 2, ("a", "b")), Lead(3, 3, ("b",))]
    assert leaders(curves, higher_is_better=False)[0] == Lead(1, 1, ("b",))
    assert leaders({}) == []
    assert leaders({"a": np.empty(0), "b": np.array([0.1])}) == []
