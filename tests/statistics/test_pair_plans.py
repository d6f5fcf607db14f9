import numpy as np
import pytest
from numpy.typing import NDArray

from harness.statistics.advisor import budget_shares, next_runs
from harness.statistics.block import Unanswerable
from harness.statistics.crossed import all_pairs, parts_of
from harness.statistics.discriminability import discriminability, discriminability_of, variance_shares
from harness.statistics.pair_plans import open_pairs, pair_table
from harness.statistics.power import Aim, aim_for, detectable
from harness.statistics.variance_components import components_of, precision

Scores = NDArray[np.float64]


def scores(
    means: tuple[float, ...], patients: int = 50, seeds: int = 5, case: float = 0.02, rest: float = 0.02
) -> list[Scores]:
    random = np.random.default_rng(11)
    shared = random.normal(0.8, 0.1, (patients, 1))
    return [
        shared
        + mean
        + random.normal(0, case, (patients, 1))
        + random.normal(0, 0.005, seeds)
        + random.normal(0, rest, (patients, seeds))
        for mean in means
    ]


def test_open_are_comparisons_that_show_neither_a_difference_nor_equivalence() -> None:
    parts = parts_of(scores((0.0, -0.006, -0.5)))
    [plan] = open_pairs(parts, ("best", "near", "far"), 0.01, seconds={"best": 3600, "near": 7200, "far": 1})
    assert (plan.loss_a, plan.loss_b, plan.purpose) == ("best", "near", "margin")
    assert (plan.patients, plan.seeds) == (50, (5, 5))
    components = components_of(parts, np.array([0]), np.array([1]))
    aim = aim_for(3)
    assert plan.detectable == pytest.approx(float(detectable(components, 50, 5, aim)[0]))
    assert open_pairs(parts, ("best", "near", "far"), 0.2) == []  # near is equivalent, far is worse
    assert open_pairs(parts_of(scores((0.0,))), ("alone",), 0.01) == []


def test_a_plan_counts_runs_and_hours_of_both_losses() -> None:
    parts = parts_of(scores((0.0, 0.0), case=0.0))
    [plan] = open_pairs(parts, "ab", 0.004, seconds={"a": 3600, "b": 7200}, pairs=[("a", "b")])
    assert plan.outcome == "seeds"
    assert plan.seeds_needed is not None
    assert plan.seeds_needed > 5
    assert plan.more_runs == 2 * (plan.seeds_needed - 5)
    assert plan.hours == pytest.approx(3 * (plan.seeds_needed - 5))
    assert plan.power < 0.8
    assert not plan.impossible_here
    [unknown] = open_pairs(parts, "ab", 0.004, pairs=[("a", "b")])
    assert unknown.hours is None


def test_a_small_test_set_makes_it_impossible_and_says_what_would_do() -> None:
    parts = parts_of(scores((0.0, 0.001), patients=8, case=0.05))
    [plan] = open_pairs(parts, "ab", 0.01, pairs=[("a", "b")])
    assert plan.impossible_here
    assert plan.seeds_needed is plan.hours is None
    assert plan.floor_seeds > 0.01
    patients, seeds = plan.together or (plan.patients_needed, 5)
    components = components_of(parts, np.array([0]), np.array([1]))
    assert patients is not None
    assert patients > 8
    assert detectable(components, patients, seeds, Aim())[0] <= 0.01


def test_what_is_enough_needs_no_more() -> None:
    [plan] = open_pairs(parts_of(scores((0.0, 0.0))), "ab", 0.1, pairs=[("b", "a")])
    assert (plan.outcome, plan.seeds_needed, plan.patients_needed) == ("enough", 5, 50)
    assert (plan.more_runs, plan.hours) == (0, 0.0)


def test_plans_become_a_table_with_counts_that_may_be_absent() -> None:
    parts = parts_of(scores((0.0, 0.001, 0.002), patients=8, case=0.05))
    plans = open_pairs(parts, "abc", 0.01)
    table = pair_table(plans)
    assert len(table) == len(plans) == 2
    assert {"loss_a", "seeds_a", "seeds_b", "detectable", "floor_seeds", "hours"} <= {*table.columns}
    assert str(table["seeds_needed"].dtype) == "Int64"
    assert pair_table([]).empty


def test_a_hundred_losses_are_planned_in_a_moment() -> None:
    parts = parts_of(scores((0.0,) * 100, patients=300))
    assert len(open_pairs(parts, [f"loss {i}" for i in range(100)], 0.001)) > 50


def test_runs_go_where_losses_are_close_and_noisy() -> None:
    # Chen et al. 2000, theorem 1: n_1 / n_2 = ((sd_1 / gap_1) / (sd_2 / gap_2))^2.
    share = budget_shares(np.array([1.0, 0.8, 0.6]), np.array([0.1, 0.2, 0.1]), 1e-6)
    assert share[1] / share[2] == pytest.approx(((0.2 / 0.2) / (0.1 / 0.4)) ** 2)
    assert share[0] == pytest.approx(0.1 * np.sqrt(share[1] ** 2 / 0.2**2 + share[2] ** 2 / 0.1**2))
    assert share.sum() == pytest.approx(1)
    parts = parts_of(scores((0.0, -0.005, -0.3)))
    advice = next_runs("abc", parts, 7, 0.01)
    assert sum(each.more for each in advice) == 7
    assert advice[2].more == 0
    with pytest.raises(Unanswerable, match="margin above 0"):
        next_runs("abc", parts, 7, 0.0)


def test_discriminability_is_the_correlation_with_a_repetition() -> None:
    random = np.random.default_rng(2)
    true = random.normal(0, 1.0, 4000)
    once, again = (true + random.normal(0, 0.7, 4000) for _ in range(2))
    noise = np.full(10, 2 * 0.7**2)
    found = discriminability(once, noise)
    assert found.value == pytest.approx(np.corrcoef(once, again)[0, 1], abs=0.03)
    assert discriminability(once, noise, np.zeros(10)).value == 1.0
    assert discriminability(np.zeros(3), np.ones(3)).value == 0.0
    assert np.isnan(discriminability(np.zeros(3), np.zeros(3)).value)


def test_hard_patients_do_not_blur_the_order_of_losses() -> None:
    parts = parts_of(scores((0.0, -0.02, -0.04, -0.06)))  # patients differ by SD 0.1, whatever the loss
    found = discriminability_of(parts.means, all_pairs("abcd", parts))
    assert found.enough
    assert found.value > 0.9


def test_shares_of_the_variance_add_up() -> None:
    parts = parts_of(scores((0.0, 0.0, 0.0)))
    first, second = np.array([0, 0]), np.array([1, 2])
    seeds = parts.seeds[first], parts.seeds[second]
    table = variance_shares([("a", "b"), ("a", "c")], components_of(parts, first, second), 50, seeds)
    assert list(table["source"]) == ["patients", "seeds", "residual"] * 2
    assert table.groupby("loss_b")["share"].sum().tolist() == pytest.approx([1, 1])
    error = precision(components_of(parts, first, second), 50, 5).error
    assert table.groupby("loss_b")["variance"].sum().to_numpy() == pytest.approx(error**2)
