import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr

from harness.statistics.block import Unanswerable
from harness.statistics.hierarchy import hierarchy

DIFFERENCES = [0.012, 0.021, -0.005, 0.034]
ERRORS = [0.004, 0.006, 0.005, 0.010]


def brute_force(margin: float) -> NDArray[np.float64]:
    """P(mu below, within), P(new below, within), means of mu and tau: sums over a fine grid of both.

    The points lie in the middle of cells, and the margins between two cells.
    """
    mu = (np.arange(-800, 800)[:, None] + 0.5) * margin / 25
    tau = (np.arange(300) + 0.5) * 12 * margin / 300
    joint = np.exp(-0.5 * (tau / (2 * margin)) ** 2)
    for y, error in zip(DIFFERENCES, ERRORS, strict=True):
        spread = np.hypot(error, tau)
        joint = joint * np.exp(-0.5 * ((y - mu) / spread) ** 2) / spread
    joint /= joint.sum()
    new_below, new_up_to = ndtr((-margin - mu) / tau), ndtr((margin - mu) / tau)
    events = [mu < -margin, np.abs(mu) <= margin, new_below, new_up_to - new_below, mu, tau]
    return np.array([(joint * each).sum() for each in events])


@pytest.mark.parametrize("margin", [0.01, 0.003])
def test_posterior_is_that_of_a_sum_over_both_unknowns(margin: float) -> None:
    found = hierarchy(DIFFERENCES, ERRORS, margin)
    ours = [found.mean.below, found.mean.within, found.new.below, found.new.within, found.location, found.tau]
    assert [float(each) for each in ours] == pytest.approx(list(brute_force(margin)), rel=0.002)


def test_posterior_is_that_of_draws() -> None:
    """Importance sampling: tau and mu from the prior and a wide normal, weighted by the likelihood."""
    random = np.random.default_rng(1)
    number = 100_000
    tau = np.abs(random.normal(0, 0.02, number))
    proposal = stats.norm(0.012, 0.02)
    mu = proposal.rvs(number, random_state=random)
    spread = np.hypot(np.array(ERRORS)[:, None], tau)
    weight = np.exp(stats.norm.logpdf(np.array(DIFFERENCES)[:, None], mu, spread).sum(0))
    weight /= proposal.pdf(mu)
    new = random.normal(mu, tau)
    found = hierarchy(DIFFERENCES, ERRORS, 0.01)

    def share(event: NDArray[np.bool_]) -> float:
        return float(np.average(event, weights=weight))

    assert found.mean.above == pytest.approx(share(mu > 0.01), abs=0.01)
    assert found.mean.within == pytest.approx(share(np.abs(mu) <= 0.01), abs=0.01)
    assert found.new.above == pytest.approx(share(new > 0.01), abs=0.01)
    assert found.new.below == pytest.approx(share(new < -0.01), abs=0.01)
    assert found.location == pytest.approx(np.average(mu, weights=weight), abs=5e-4)
    assert found.tau == pytest.approx(np.average(tau, weights=weight), abs=5e-4)


def test_wide_margins_leave_the_datasets_to_speak_and_narrow_ones_tie_them_together() -> None:
    """As tau is tied to zero, the mean becomes the one weighted by the errors alone."""
    tied = hierarchy(DIFFERENCES, ERRORS, 1e-7)
    weights = 1 / np.array(ERRORS) ** 2
    assert tied.location == pytest.approx(np.average(DIFFERENCES, weights=weights), rel=1e-6)
    assert tied.deviation == pytest.approx(weights.sum() ** -0.5, rel=1e-6)


def test_probabilities_sum_to_one_and_turn_round_with_the_difference() -> None:
    found = hierarchy(DIFFERENCES, ERRORS, 0.01)
    turned = hierarchy([-each for each in DIFFERENCES], ERRORS, 0.01)
    for one, other in ((found.mean, turned.mean), (found.new, turned.new)):
        ours = [float(each) for each in (one.below, one.within, one.above)]
        assert sum(ours) == pytest.approx(1)
        assert ours == pytest.approx([float(each) for each in (other.above, other.within, other.below)])


def test_unit_does_not_matter_as_long_as_the_margin_follows() -> None:
    found = hierarchy(DIFFERENCES, ERRORS, 0.01)
    in_margins = hierarchy([each / 0.01 for each in DIFFERENCES], [each / 0.01 for each in ERRORS], 1.0)
    assert in_margins.new.above == pytest.approx(found.new.above)
    assert in_margins.location * 0.01 == pytest.approx(found.location)


def test_decisions_need_the_probability() -> None:
    columns = np.array([[0.1, 0.0, -0.1, 0.01]] * 4)
    found = hierarchy(columns, np.full_like(columns, 0.002), 0.01)
    assert found.mean.decided().tolist() == ["above", "within", "below", "open"]
    close = hierarchy([0.015] * 4, [0.002] * 4, 0.01)
    assert close.mean.decided(0.6) == "above"
    assert close.mean.decided(0.9999) == "open"


def test_a_new_dataset_is_less_certain_than_the_mean() -> None:
    found = hierarchy([0.03] * 3, [0.004] * 3, 0.01)
    assert 0.5 < found.new.above < found.mean.above


def test_two_calls_give_the_same_bits_and_questions_do_not_touch_each_other() -> None:
    random = np.random.default_rng(4)
    y, errors = random.normal(0, 0.02, (3, 7, 9)), random.uniform(0.002, 0.01, (3, 7, 9))
    first, second = (hierarchy(y, errors, 0.01) for _ in range(2))
    assert first.new.above.tobytes() == second.new.above.tobytes()
    alone = hierarchy(y[:, 6, 4], errors[:, 6, 4], 0.01)
    assert first.mean.within[6, 4] == pytest.approx(alone.mean.within)
    assert first.deviation.shape == (7, 9)


def test_the_same_loss_twice_is_within_the_margins() -> None:
    found = hierarchy([0.0, 0.0], [0.0, 0.0], 0.01)
    assert found.new.within == pytest.approx(1, abs=1e-3)


def test_grid_has_room_for_large_differences_between_datasets() -> None:
    """Differences of a hundred margins: the posterior of tau must not be cut off at the end of the grid."""
    found = hierarchy([0.0, 0.5, 1.0], [0.01] * 3, 0.01)
    assert found.tau < 0.9 * 8 * 0.02
    assert found.mean.above > 0.95


def test_what_gives_no_posterior_is_refused() -> None:
    with pytest.raises(Unanswerable, match="at least 2"):
        hierarchy([0.1], [0.1], 0.01)
    with pytest.raises(ValueError, match="above zero"):
        hierarchy([0.1, 0.2], [0.1, 0.1], 0.0)
