"""What may be said of pairs."""

import numpy as np

from harness.statistics.crossed import all_pairs, parts_of
from harness.statistics.multiplicity import holm_of_pairs
from harness.statistics.simulated_scores import Truth, simulate
from harness.statistics.versus import words_of_pairs

TURNED = {"better": "worse", "worse": "better"}


def test_words_of_a_pair_turn_with_it() -> None:
    scores = simulate(Truth(means=(0.0, -0.001, -0.02, -0.2)), 8, np.random.default_rng(3))
    pairs = all_pairs(tuple("abcd"), parts_of(scores))
    words = words_of_pairs(pairs, holm_of_pairs(pairs), margin=0.01)
    assert words[0][3] == "better"
    assert words[3][0] == "worse"
    for i in range(4):
        for j in range(4):
            start, *rest = words[i][j].split(",")
            assert words[j][i] == ",".join([TURNED.get(start, start), *rest])


def test_a_wide_margin_makes_close_losses_equivalent_and_far_ones_better_by_little() -> None:
    scores = simulate(Truth(means=(0.0, -0.001, -0.2)), 8, np.random.default_rng(3))
    pairs = all_pairs(tuple("abc"), parts_of(scores))
    words = words_of_pairs(pairs, holm_of_pairs(pairs), margin=0.19)
    assert words[0][1] == words[1][0] == "equivalent within the margin"
    assert words[0][2].startswith("better")
    none = words_of_pairs(pairs, np.ones((3, 3)), margin=1e-9)
    assert {none[i][j] for i in range(3) for j in range(3) if i != j} == {"not resolved"}
