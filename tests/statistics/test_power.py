import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.power import TTestPower

from harness.statistics.block import Unanswerable
from harness.statistics.crossed import all_pairs, parts_of
from harness.statistics.power import Aim, aim_for, detectable, power_of
from harness.statistics.seeds_and_cases import (
    Prices,
    There,
    cheapest,
    fewest_patients,
    fewest_seeds,
    floors,
    planning_grid,
)
from harness.statistics.variance_components import (
    Components,
    components_of,
    precision,
    stated_components,
    unlucky_factor,
)

Scores = NDArray[np.float64]
AIM = Aim()


def blocks(random: np.random.Generator, seeds: tuple[int, ...], patients: int = 40) -> list[Scores]:
    """Losses of equal worth: a patient adds SD 0.03 to each, a seed 0.01, the rest is 0.03."""
    shared = random.normal(0.8, 0.1, (patients, 1))
    return [
        shared
        + random.normal(0, 0.03, (patients, 1))
        + random.normal(0, 0.01, s)
        + random.normal(0, 0.03, (patients, s))
        for s in seeds
    ]


def some(count: int = 6) -> Components:
    """Components of pairs of losses as a pilot gives them."""
    parts = parts_of(blocks(np.random.default_rng(1), (4,) * count))
    first, second = np.triu_indices(count, 1)
    return components_of(parts, first, second)


def test_components_give_back_the_test_of_the_design_that_they_come_from() -> None:
    seeds = (3, 5, 4, 6, 3, 8)
    parts = parts_of(blocks(np.random.default_rng(3), seeds))
    first, second = np.triu_indices(len(seeds), 1)
    components = components_of(parts, first, second)
    found = precision(components, parts.patients, parts.seeds[first], parts.seeds[second])
    pairs = all_pairs("abcdef", parts)
    untouched = (components.case > 0) & (components.seed[0] > 0) & (components.seed[1] > 0)
    assert untouched.sum() > 5
    assert found.error[untouched] == pytest.approx(pairs.error[first, second][untouched])
    assert found.df[untouched] == pytest.approx(pairs.df[first, second][untouched])


def test_without_seed_variance_power_is_that_of_the_paired_t() -> None:
    components = stated_components(0.05, 0, 0)
    for patients, difference in ((10, 0.02), (40, 0.02), (40, 0.05), (200, 0.3)):
        expected = TTestPower().power(difference / 0.05, patients, 0.01)
        found = power_of(components, patients, 3, difference, 0.01)
        assert float(found[0]) == pytest.approx(expected, abs=1e-6)


def test_the_detectable_difference_is_found_in_eighty_of_a_hundred_studies() -> None:
    random, patients, seeds = np.random.default_rng(4), 40, 5
    truth = stated_components(np.sqrt(2) * 0.03, 0.01, 0.03)
    size = float(detectable(truth, patients, seeds, AIM)[0])
    assert float(power_of(truth, patients, seeds, size, AIM.alpha)[0]) == pytest.approx(0.8, abs=0.01)
    found = 0
    for _ in range(400):
        a, b = blocks(random, (seeds, seeds), patients)
        found += all_pairs("ab", parts_of((a + size, b))).p[0, 1] < 0.05
    assert found / 400 == pytest.approx(0.8, abs=0.06)


def test_power_has_its_limits_at_no_difference_and_at_certainty() -> None:
    components = stated_components(0.05, 0.01, 0.03)
    assert float(power_of(components, 30, 4, 0.0, 0.05)[0]) == pytest.approx(0.05)
    assert float(power_of(components, 30, 4, 5.0, 0.05)[0]) == 1.0
    assert float(power_of(components, 1e9, 1e9, 0.0, 0.05)[0]) == pytest.approx(0.05, abs=1e-4)


def test_floors_are_what_one_kind_of_effort_cannot_pass() -> None:
    components = stated_components(0.05, 0.01, 0.03)
    there = There(50, (np.array([3]), np.array([3])))
    found = floors(components, there, AIM)
    with_all_seeds = (stats.t.ppf(0.975, 49) + stats.t.ppf(0.8, 49)) * 0.05 / np.sqrt(50)
    with_all_patients = (stats.t.ppf(0.975, 4) + stats.t.ppf(0.8, 4)) * 0.01 * np.sqrt(2 / 3)
    assert float(found.seeds[0]) == pytest.approx(with_all_seeds)
    assert float(found.patients[0]) == pytest.approx(with_all_patients)
    assert np.isnan(fewest_seeds(components, 50, 0.99 * with_all_seeds, AIM)[0])
    assert np.isnan(fewest_patients(components, 3, 0.99 * with_all_patients, AIM)[0])


@pytest.mark.parametrize("target", [0.012, 0.02, 0.03])
def test_fewest_seeds_and_patients_are_those_of_a_full_search(target: float) -> None:
    components, aim = some(), aim_for(6)
    every = np.arange(2, 201)
    reached = np.array([detectable(components, 40, s, aim) <= target for s in every])
    expected = np.where(reached.any(axis=0), every[reached.argmax(axis=0)], np.nan)
    assert fewest_seeds(components, 40, target, aim) == pytest.approx(expected, nan_ok=True)
    numbers = np.arange(5, 5000)
    reached = detectable(components.of(np.arange(15)[:, None]), numbers, 6, aim) <= target
    expected = np.where(reached.any(axis=1), numbers[reached.argmax(axis=1)], np.nan)
    found = fewest_patients(components, 6, target, aim)
    assert np.where(found < 5000, found, np.nan) == pytest.approx(expected, nan_ok=True)


def test_a_loss_keeps_the_seeds_that_it_has() -> None:
    components = stated_components(0.03, 0.02, 0.03)
    there = There(60, (np.array([3]), np.array([30])))
    alone = fewest_seeds(components, 60, 0.025, AIM)[0]
    beside = fewest_seeds(components, 60, 0.025, AIM, there)[0]
    assert beside < alone
    assert detectable(components, 60, beside, AIM, 30)[0] <= 0.025
    assert detectable(components, 60, beside - 1, AIM, 30)[0] > 0.025


def test_the_cheapest_design_is_that_of_a_full_search() -> None:
    components = stated_components(0.05, 0.01, 0.03)
    there = There(20, (np.array([3]), np.array([3])))
    [found] = cheapest(components, there, Prices((1.0, 2.0), 0.25), 0.02, AIM)
    best = min(
        ((s - 3) * 3.0 + (n - 20) * 0.25, n, s)
        for s in range(3, 40)
        for n in range(20, 200)
        if float(detectable(components, n, s, AIM)[0]) <= 0.02
    )
    assert found is not None
    assert (found.hours, found.patients, found.seeds) == pytest.approx(best)
    assert cheapest(components, there, Prices((1.0, 1.0), 0.25), 1e-6, AIM) == [None]


def test_a_grid_has_a_row_for_every_design() -> None:
    found = planning_grid(some(), np.array([10, 50]), np.array([3, 5, 9]), AIM)
    assert list(found.columns) == ["patients", "seeds", "detectable"]
    assert found[["patients", "seeds"]].to_numpy().tolist() == [[n, s] for n in (10, 50) for s in (3, 5, 9)]
    assert (found.groupby("patients")["detectable"].diff().dropna() < 0).all()


def test_a_pessimist_takes_the_variance_that_one_pilot_in_five_hides() -> None:
    random = np.random.default_rng(6)
    estimates = random.chisquare(3, 20_000) / 3
    assert np.mean(estimates * float(unlucky_factor(3)) < 1) == pytest.approx(0.2, abs=0.01)
    components = some()
    assert (detectable(components.pessimistic(), 40, 4, AIM) >= detectable(components, 40, 4, AIM)).all()


def test_more_losses_ask_for_more() -> None:
    assert aim_for(25).alpha == pytest.approx(0.05 / 24)
    assert (detectable(some(), 40, 5, aim_for(25)) > detectable(some(), 40, 5, aim_for(6))).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: stated_components(-0.1, 0, 0), "'case' must be 0 or more"),
        (lambda: stated_components(0, float("nan"), 0), "'seed' must be 0 or more"),
        (lambda: stated_components(0, 0, 0), "all standard deviations are 0"),
        (lambda: Aim(alpha=0.7), "alpha must lie between"),
        (lambda: Aim(power=1.0), "power must be"),
    ],
)
def test_impossible_aims_and_variances_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(Unanswerable, match=message):
        make()
