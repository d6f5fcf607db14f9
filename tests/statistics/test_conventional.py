from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from harness.statistics.conventional import HEADING, case_only, effect_sizes, hodges_lehmann, signed_ranks


def peer(differences: NDArray[np.float64], alternative: str = "two-sided") -> float:
    """Scipy's p, after rounding: floating point would break ties."""
    found = stats.wilcoxon(
        np.round(differences, 12),
        method="asymptotic",
        correction=False,
        zero_method="wilcox",
        alternative=alternative,
    )
    return float(found.pvalue)


def rounded(random: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Differences with ties and zeros."""
    return np.round(np.random.default_rng(random).normal(0.3, 1, shape), 1)


def test_signed_ranks_agree_with_scipy_row_by_row() -> None:
    rows = rounded(1, (20, 30))
    found = signed_ranks(rows)
    assert found.p == pytest.approx([peer(row) for row in rows])
    assert found.p_greater == pytest.approx([peer(row, "greater") for row in rows])
    statistic = [stats.wilcoxon(row, method="asymptotic", correction=False).statistic for row in rows]
    assert np.minimum(found.plus, found.minus) == pytest.approx(statistic)


def test_no_difference_anywhere_is_no_finding() -> None:
    found = signed_ranks(np.zeros((2, 7)))
    assert (found.p.tolist(), found.rank_biserial.tolist()) == ([1, 1], [0, 0])
    assert signed_ranks(np.empty((3, 0))).p.tolist() == [1, 1, 1]


def test_differences_that_floating_point_makes_are_none() -> None:
    assert signed_ranks(np.array([0.90 - 0.88 - 0.02] * 6)).p == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_undefined_differences_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        signed_ranks(np.array([0.1, value]))


def test_all_pairs_are_corrected_together_under_their_heading() -> None:
    cases = rounded(2, (4, 25))
    found = case_only(("a", "b", "c", "d"), cases)
    pairs = list(combinations(range(4), 2))
    p = [peer(cases[i] - cases[j]) for i, j in pairs]
    for (i, j), raw, adjusted in zip(pairs, p, multipletests(p, method="holm")[1], strict=True):
        assert (found.p[i, j], found.p[j, i]) == pytest.approx((raw, raw))
        assert (found.adjusted[i, j], found.adjusted[j, i]) == pytest.approx((adjusted, adjusted))
    assert np.diag(found.p).tolist() == [1] * 4
    assert found.heading == HEADING


def test_with_a_reference_only_its_comparisons_count() -> None:
    cases = rounded(3, (4, 25))
    found = case_only(("a", "b", "c", "d"), cases, reference="b")
    p = [peer(cases[i] - cases[1]) for i in (0, 2, 3)]
    assert found.adjusted[[0, 2, 3], 1] == pytest.approx(multipletests(p, method="holm")[1])
    assert np.isnan(found.p[0, 2])
    with pytest.raises(ValueError, match="reference 'z' is none of the losses a, b, c, d"):
        case_only(("a", "b", "c", "d"), cases, reference="z")


def test_effect_sizes_equal_counts_by_hand() -> None:
    random = np.random.default_rng(4)
    a, b = np.round(random.normal(0.1, 1, (9, 3)), 1), np.round(random.normal(0, 1, (9, 4)), 1)
    found = effect_sizes(a, b, margin=0.2)
    d = np.round(a.mean(axis=1) - b.mean(axis=1), 12)
    walsh = [(x + y) / 2 for x, y in combinations_with_replacement(d, 2)]
    assert found.hodges_lehmann == pytest.approx(np.median(walsh))
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert found.harmed == np.mean(d < -0.2)
    assert found.helped == np.mean(d > 0.2)
    won = [(x > y) + 0.5 * (x == y) for i in range(9) for x in a[i] for y in b[i]]
    assert found.superiority == pytest.approx(np.mean(won))
    ranks = stats.rankdata(np.abs(d))
    assert found.rank_biserial == pytest.approx((ranks * np.sign(d)).sum() / ranks.sum())
    turned = effect_sizes(b, a, margin=0.2)
    assert turned.superiority == pytest.approx(1 - found.superiority)
    assert turned.rank_biserial == pytest.approx(-found.rank_biserial)


def test_a_loss_and_itself_differ_by_nothing() -> None:
    same = np.random.default_rng(5).random((6, 3))
    found = effect_sizes(same, same, 0.01)
    assert (found.difference, found.rank_biserial, found.hodges_lehmann, found.harmed) == (0, 0, 0, 0)
    assert found.superiority == pytest.approx(0.5)


def test_hodges_lehmann_of_one_patient_is_its_difference() -> None:
    assert hodges_lehmann(np.array([0.25])) == 0.25


def test_other_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="same patients"):
        effect_sizes(np.zeros((5, 2)), np.zeros((6, 2)), 0.01)
