"""Adjusted p against statsmodels, rank sets by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from harness.statistics.crossed import all_pairs, parts_of
from harness.statistics.multiplicity import benjamini_hochberg, holm, holm_of_pairs, rank_sets
from harness.statistics.simulated_scores import Truth, simulate

RANDOM = np.random.default_rng(7)
P_VALUES = [np.round(RANDOM.uniform(size=n) ** 3, digits) for n in (1, 2, 5, 12, 40) for digits in (1, 2, 17)]
"""With ties, zeros and ones among those that are rounded."""


@pytest.mark.parametrize("p", P_VALUES)
def test_holm_is_that_of_statsmodels(p: NDArray[np.float64]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


@pytest.mark.parametrize("p", P_VALUES)
def test_false_discovery_rate_is_that_of_statsmodels(p: NDArray[np.float64]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


def test_no_p_values_give_no_adjusted_ones() -> None:
    assert len(holm(np.empty(0))) == 0


def test_pairs_are_adjusted_once_each() -> None:
    scores = simulate(Truth(means=(0.0, -0.01, -0.02)), 4, np.random.default_rng(2))
    pairs = all_pairs("abc", parts_of(scores))
    upper = np.triu_indices(3, 1)
    adjusted = holm_of_pairs(pairs)
    assert adjusted[upper] == pytest.approx(multipletests(pairs.p[upper], method="holm")[1])
    assert (adjusted == adjusted.T).all()


def test_losses_far_apart_have_one_rank_each_and_close_ones_share() -> None:
    scores = simulate(Truth(means=(0.0, 0.0, -0.3)), 5, np.random.default_rng(1))
    assert rank_sets(all_pairs("abc", parts_of(scores)), 0.05) == [(1, 2), (1, 2), (3, 3)]
