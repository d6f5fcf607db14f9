import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from harness.statistics.crossed import (
    Difference,
    all_pairs,
    combination,
    crossed_difference,
    parts_of,
)
from harness.statistics.moderation import Prior

Scores = NDArray[np.float64]


def simulate(random: np.random.Generator, patients: int, seeds: int, seed_sd: float) -> tuple[Scores, Scores]:
    """Two losses of equal worth: patients differ most, seeds a little, the rest is noise."""
    patient = random.normal(0.8, 0.1, (patients, 1))
    by_loss = [patient + random.normal(0, 0.03, (patients, 1)) for _ in range(2)]
    return (
        by_loss[0] + random.normal(0, seed_sd, seeds) + random.normal(0, 0.03, (patients, seeds)),
        by_loss[1] + random.normal(0, seed_sd, seeds) + random.normal(0, 0.03, (patients, seeds)),
    )


@pytest.fixture
def pair() -> tuple[Scores, Scores]:
    return simulate(np.random.default_rng(2), 30, 4, 0.01)


def by_formula(a: Scores, b: Scores) -> tuple[float, float]:
    """Variance and degrees of freedom, written out with sums."""
    n, s_a, s_b = len(a), a.shape[1], b.shape[1]
    d = a.mean(1) - b.mean(1)
    case = sum((d - d.mean()) ** 2) / (n - 1) / n
    duplicate = 0.0
    for y, s in ((a, s_a), (b, s_b)):
        rest = y - np.add.outer(y.mean(1), y.mean(0)) + y.mean()
        duplicate += (rest**2).sum() / ((n - 1) * (s - 1)) / (n * s)
    q_a, q_b = np.var(a.mean(0), ddof=1) / s_a, np.var(b.mean(0), ddof=1) / s_b
    seed = q_a + q_b
    df_seed = seed**2 / (q_a**2 / (s_a - 1) + q_b**2 / (s_b - 1))
    df = (case + seed) ** 2 / (case**2 / (n - 1) + seed**2 / df_seed)
    return max(case + seed - duplicate, case, seed), df


def test_interval_follows_the_formula(pair: tuple[Scores, Scores]) -> None:
    a, b = pair[0], pair[1][:, :3]
    variance, df = by_formula(a, b)
    found = crossed_difference(a, b)
    half = stats.t.ppf(0.975, df) * np.sqrt(variance)
    assert found.df == pytest.approx(df)
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert (found.low, found.high) == pytest.approx((found.difference - half, found.difference + half))
    assert (found.patients, found.seeds, found.scope) == (30, (4, 3), "these losses")


def test_without_seed_variance_it_is_the_paired_t_over_patients() -> None:
    random = np.random.default_rng(3)
    a, b = (np.repeat(random.uniform(size=(12, 1)), 3, axis=1) for _ in range(2))
    found = crossed_difference(a, b)
    peer = stats.ttest_rel(a[:, 0], b[:, 0])
    interval = peer.confidence_interval()
    assert (found.p, found.df) == pytest.approx((peer.pvalue, 11))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_without_patient_variance_it_is_welchs_t_over_seeds() -> None:
    random = np.random.default_rng(4)
    a, b = (np.repeat(random.uniform(size=(1, seeds)), 10, axis=0) for seeds in (5, 3))
    found = crossed_difference(a, b)
    peer = stats.ttest_ind(a[0], b[0], equal_var=False)
    interval = peer.confidence_interval()
    assert (found.p, found.df) == pytest.approx((peer.pvalue, peer.df))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_one_seed_gives_the_case_only_interval_under_its_name(pair: tuple[Scores, Scores]) -> None:
    a, b = pair
    found = crossed_difference(a[:, :1], b)
    assert found.scope == "these trained networks, not these losses"
    peer = stats.ttest_rel(a[:, 0], b.mean(axis=1))
    assert found.p == pytest.approx(peer.pvalue)
    assert found.df == 29


def test_identical_scores_differ_by_nothing() -> None:
    same = np.full((6, 2), 0.5)
    assert crossed_difference(same, same) == Difference(
        0.0, 0.0, 0.0, 0.0, float("inf"), 1.0, 6, (2, 2), "these losses"
    )
    assert crossed_difference(same + 0.25, same).p == 0.0


def test_other_losses_lend_their_seed_variance_upwards_only(pair: tuple[Scores, Scores]) -> None:
    plain = crossed_difference(*pair)
    larger = crossed_difference(*pair, prior=Prior(10.0, 0.01))
    smaller = crossed_difference(*pair, prior=Prior(10.0, 1e-9))
    assert larger.standard_error > plain.standard_error
    assert smaller.standard_error == plain.standard_error
    assert smaller.df > plain.df
    assert larger.difference == plain.difference


def test_all_pairs_at_once_are_the_pairs_one_by_one(pair: tuple[Scores, Scores]) -> None:
    scores = [pair[0], pair[1][:, :3], pair[0] + 0.1 * pair[1]]
    parts = parts_of(scores)
    pairs = all_pairs("abc", parts)
    for i in range(3):
        for j in range(3):
            if i != j:
                one = crossed_difference(scores[i], scores[j])
                found = pairs.difference[i, j], pairs.error[i, j], pairs.df[i, j], pairs.p[i, j]
                assert found == pytest.approx((one.difference, one.standard_error, one.df, one.p))
    assert pairs.equivalence_p(0.05)[0, 1] == pytest.approx(
        crossed_difference(scores[0], scores[1]).equivalence_p(0.05)
    )


def test_equivalence_is_two_one_sided_t_tests() -> None:
    random = np.random.default_rng(3)
    a, b = (np.repeat(random.normal(0.5, 0.01, (12, 1)), 3, axis=1) for _ in range(2))
    differences = a[:, 0] - b[:, 0]
    peer = max(
        stats.ttest_1samp(differences, -0.01, alternative="greater").pvalue,
        stats.ttest_1samp(differences, 0.01, alternative="less").pvalue,
    )
    assert crossed_difference(a, b).equivalence_p(0.01) == pytest.approx(peer)


def test_one_loss_alone_has_an_interval_too(pair: tuple[Scores, Scores]) -> None:
    a = np.repeat(pair[0][:, :1], 3, axis=1)
    found = combination(parts_of([a]), [1.0])
    peer = stats.ttest_1samp(a[:, 0], 0.0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high))


def test_order_of_patients_and_seeds_does_not_matter(pair: tuple[Scores, Scores]) -> None:
    a, b = pair
    found, turned = crossed_difference(a, b), crossed_difference(a[::-1, ::-1], b[::-1])
    assert (turned.low, turned.high, turned.df) == pytest.approx((found.low, found.high, found.df))
    back = crossed_difference(b, a)
    assert (back.low, back.high, back.p) == pytest.approx((-found.high, -found.low, found.p))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((4, 3)), np.zeros((4, 3)), "at least 5 patients"),
        (np.zeros((6, 3)), np.zeros((7, 3)), "same patients"),
        (np.zeros((6, 0)), np.zeros((6, 3)), "same patients"),
        (np.full((6, 2), np.nan), np.zeros((6, 2)), "finite"),
    ],
)
def test_scores_that_give_no_interval_are_refused(a: Scores, b: Scores, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crossed_difference(a, b)


def false_claims(studies: int, seed_sd: float, seeds: int = 5) -> tuple[float, float]:
    """Share of studies of equal losses that claim a difference: crossed, and over patients only."""
    random = np.random.default_rng(6)
    crossed = only = 0
    for _ in range(studies):
        a, b = simulate(random, 30, seeds, seed_sd)
        crossed += crossed_difference(a, b).p < 0.05
        only += stats.ttest_rel(a.mean(axis=1), b.mean(axis=1)).pvalue < 0.05
    return crossed / studies, only / studies


def test_equal_losses_are_seldom_told_apart_while_patients_alone_tell_them_apart_often() -> None:
    crossed, only = false_claims(300, seed_sd=0.02)
    assert crossed <= 0.08
    assert only > 0.15


@pytest.mark.full
@pytest.mark.parametrize("seed_sd", [0.0, 0.005, 0.01, 0.03])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_error_rate_holds_for_small_and_large_seed_effects(seed_sd: float, seeds: int) -> None:
    crossed, _ = false_claims(3000, seed_sd, seeds)
    assert crossed <= 0.065
