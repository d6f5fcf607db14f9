import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from harness.statistics.block import Unanswerable
from harness.statistics.meta import paule_mandel, random_effects

DIFFERENCES = [0.012, 0.021, -0.005, 0.034, 0.008]
ERRORS = [0.004, 0.006, 0.005, 0.010, 0.003]


@pytest.mark.parametrize("scale", [1.0, 0.2])
def test_statsmodels_agrees(scale: float) -> None:
    """Datasets that differ, and, with errors that dwarf the differences, datasets that do not."""
    y, errors = np.array(DIFFERENCES) * scale, np.array(ERRORS)
    peer = combine_effects(y, errors**2, method_re="iterated", use_t=True, atol=1e-14)
    found = random_effects(y, errors)
    assert found.tau**2 == pytest.approx(peer.tau2, rel=1e-6, abs=1e-15)
    assert found.mean == pytest.approx(peer.mean_effect_re, rel=1e-6)
    assert found.error == pytest.approx(peer.sd_eff_w_re_hksj, rel=1e-6)
    assert (found.low, found.high) == pytest.approx(peer.conf_int()[3], rel=1e-6)


def test_tau_solves_the_equation_of_paule_and_mandel() -> None:
    random = np.random.default_rng(1)
    y, variances = random.normal(0, 3, (7, 40)), random.uniform(0.1, 2, (7, 40)) ** 2
    tau2 = paule_mandel(y, variances)
    weights = 1 / (variances + tau2)
    mean = (weights * y).sum(0) / weights.sum(0)
    spread = (weights * (y - mean) ** 2).sum(0)
    assert (tau2 > 0).any()
    assert spread[tau2 > 0] == pytest.approx(np.full((tau2 > 0).sum(), 6.0))
    assert (spread[tau2 == 0] <= 6).all()


def test_equally_exact_datasets_give_the_plain_t_over_datasets() -> None:
    y = np.array(DIFFERENCES)
    found = random_effects(y, np.full(5, 0.001))
    peer = stats.ttest_1samp(y, 0)
    interval = peer.confidence_interval()
    assert found.p == pytest.approx(peer.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.tau**2 == pytest.approx(y.var(ddof=1) - 0.001**2)


def test_new_dataset_is_less_certain_than_the_mean() -> None:
    found = random_effects(DIFFERENCES, ERRORS)
    assert found.new_low < found.low < found.mean < found.high < found.new_high
    half = stats.t.ppf(0.975, 4) * np.hypot(found.tau, found.error)
    assert found.new_high == pytest.approx(found.mean + half)


def test_agreement_beyond_chance_shows_in_the_factor() -> None:
    assert random_effects([0.01, 0.011, 0.0105], [0.01] * 3).factor < 0.1
    assert random_effects(DIFFERENCES, ERRORS).factor == 1.0


def test_many_questions_are_answered_at_once() -> None:
    random = np.random.default_rng(2)
    y, errors = random.normal(size=(4, 3, 5)), random.uniform(0.1, 1, (4, 3, 5))
    found = random_effects(y, errors)
    assert found.mean.shape == (3, 5)
    one = random_effects(y[:, 2, 1], errors[:, 2, 1])
    for name in ("low", "new_high", "p", "tau"):
        assert getattr(found, name)[2, 1] == pytest.approx(float(getattr(one, name)))


def test_turning_the_difference_round_or_scaling_it_changes_nothing_else() -> None:
    plain = random_effects(DIFFERENCES, ERRORS)
    turned = random_effects(-100 * np.array(DIFFERENCES)[::-1], 100 * np.array(ERRORS)[::-1])
    assert turned.p == pytest.approx(plain.p)
    assert (turned.low, turned.new_high) == pytest.approx((-100 * plain.high, -100 * plain.new_low))


def test_differences_without_any_variance() -> None:
    nothing = random_effects([0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    assert (nothing.p, nothing.low, nothing.high) == (1.0, 0.0, 0.0)
    exact = random_effects([0.1, 0.1, 0.2], [0.0, 0.0, 0.0])
    assert exact.tau == pytest.approx(np.std([0.1, 0.1, 0.2], ddof=1))


def test_few_datasets_are_called_weak_and_two_are_refused() -> None:
    assert random_effects(DIFFERENCES, ERRORS).weak
    assert not random_effects([0.1] * 6, [0.1] * 6).weak
    with pytest.raises(Unanswerable, match="at least 3 datasets"):
        random_effects([0.1, 0.2], [0.1, 0.1])


@pytest.mark.parametrize(
    ("differences", "errors", "message"),
    [
        ([0.1, 0.2, 0.3], [0.1, 0.1], "for every dataset"),
        ([0.1, np.nan, 0.3], [0.1, 0.1, 0.1], "finite"),
        ([0.1, 0.2, 0.3], [0.1, -0.1, 0.1], "not negative"),
    ],
)
def test_input_that_is_none_is_refused(differences: list[float], errors: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_effects(differences, errors)


@pytest.mark.full
@pytest.mark.parametrize("tau", [0.0, 0.005, 0.02])
@pytest.mark.parametrize("datasets", [3, 5, 10])
def test_interval_covers_the_mean_and_the_prediction_interval_less_than_it_says(
    tau: float, datasets: int
) -> None:
    """Where datasets differ about as much as their errors, the latter covers 82 to 92 % instead of 95 %."""
    random = np.random.default_rng(3)
    errors = random.uniform(0.005, 0.02, (datasets, 20_000))
    y = random.normal(0.01, np.hypot(errors, tau))
    found = random_effects(y, errors)
    mean = ((found.low <= 0.01) & (found.high >= 0.01)).mean()
    new = random.normal(0.01, tau, 20_000)
    assert 0.92 <= mean <= 0.96
    covered = ((found.new_low <= new) & (found.new_high >= new)).mean()
    assert 0.8 <= covered <= 0.97
    assert covered >= 0.94 or tau > 0
