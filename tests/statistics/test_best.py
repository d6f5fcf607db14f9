"""Comparisons with the best, against their definition, and what they promise in simulation."""

import numpy as np
import pytest
from scipy import stats

from harness.statistics.best import compare_with_best, difference_to_best
from harness.statistics.crossed import all_pairs, crossed_difference, parts_of
from harness.statistics.simulated_scores import Truth, simulate

NAMES = ("a", "b", "c")


def three(seed: int = 0, means: tuple[float, ...] = (0.0, -0.02, -0.2)) -> list[np.ndarray]:
    return simulate(Truth(means=means), 5, np.random.default_rng(seed))


def test_bounds_are_the_smallest_of_the_pairs_one_sided_bounds() -> None:
    scores = three()
    best = compare_with_best(all_pairs(NAMES, parts_of(scores)), 0.01, 0.05, [0, 0, 0])
    lower, upper = [], []
    for j in range(3):
        ends = []
        for i in range(3):
            if i != j:
                found = crossed_difference(scores[j], scores[i])
                half = stats.t.ppf(1 - 0.05 / 2, found.df) * found.standard_error
                ends.append((found.difference - half, found.difference + half))
        lower.append(min(low for low, _ in ends))
        upper.append(min(high for _, high in ends))
    assert best.lower == pytest.approx(lower)
    assert best.upper == pytest.approx(upper)


def test_a_loss_far_behind_is_inferior_and_the_leader_far_ahead_is_safe() -> None:
    best = compare_with_best(
        all_pairs(NAMES, parts_of(three(means=(0.0, -0.2, -0.3)))), 0.01, 0.05, [0, 0, 0]
    )
    assert [best.standing(name) for name in NAMES] == [
        "safe",
        "inferior beyond the margin",
        "inferior beyond the margin",
    ]
    assert best.names(best.possibly_best) == ("a",)


def test_a_loss_with_a_collapsed_run_is_never_safe() -> None:
    pairs = all_pairs(NAMES, parts_of(three(means=(0.0, -0.2, -0.3))))
    best = compare_with_best(pairs, 0.01, 0.05, [1, 0, 0])
    assert best.standing("a") == "possibly best"


def test_a_loss_that_is_not_compared_counts_as_collapsed() -> None:
    best = compare_with_best(all_pairs(NAMES, parts_of(three())), 0.01, 0.05, [0, 0, 0])
    assert best.standing("hd_dt") == "collapsed"


def test_two_copies_of_one_loss_are_in_the_same_sets() -> None:
    a, _, c = three()
    best = compare_with_best(all_pairs(NAMES, parts_of([a, a, c])), 0.01, 0.05, [0, 0, 0])
    assert best.standing("a") == best.standing("b")
    assert best.lower[0] == best.lower[1]


def test_equal_constant_scores_are_all_possibly_best_and_safe() -> None:
    same = np.full((8, 3), 0.5)
    best = compare_with_best(all_pairs(NAMES, parts_of([same, same, same])), 0.01, 0.05, [0, 0, 0])
    assert best.possibly_best.all()
    assert best.safe.all()


def test_a_single_loss_has_nothing_to_be_compared_with() -> None:
    best = compare_with_best(all_pairs(["a"], parts_of([three()[0]])), 0.01, 0.05, [0])
    assert np.isposinf(best.lower).all()
    assert best.possibly_best.all()


def test_the_difference_to_the_best_other_lies_between_the_bounds() -> None:
    pairs = all_pairs(NAMES, parts_of(three()))
    found = difference_to_best(pairs)
    best = compare_with_best(pairs, 0.01, 0.05, [0, 0, 0])
    means = [each.mean() for each in three()]
    leader, second = sorted(means, reverse=True)[:2]
    assert found == pytest.approx([m - (second if m == leader else leader) for m in means])
    assert (best.lower <= found).all()
    assert (found <= best.upper).all()
