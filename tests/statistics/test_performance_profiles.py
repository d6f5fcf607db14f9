import numpy as np
import pytest

from harness.statistics.performance_profiles import performance_profiles, profile_share, thresholds_of


def made_up(patients: int = 30, runs: int = 5, seed_sd: float = 0.0, random: int = 1) -> np.ndarray:
    draw = np.random.default_rng(random)
    return (
        0.7
        + draw.normal(0, 0.1, (patients, 1))
        + draw.normal(0, seed_sd, runs)
        + draw.normal(0, 0.02, (patients, runs))
    )


def test_the_share_counts_values_at_or_above_the_threshold() -> None:
    scores = np.array([[0.2, 0.4], [0.6, 0.8]])
    assert profile_share(scores, np.array([0.0, 0.2, 0.3, 0.6, 0.9])).tolist() == [1, 1, 0.75, 0.5, 0]


def test_the_area_between_two_profiles_is_the_difference_of_the_means() -> None:
    a, b = made_up(random=1), made_up(random=2)
    thresholds = np.linspace(0, 1.5, 30_001)
    area = np.trapezoid(profile_share(a, thresholds) - profile_share(b, thresholds), thresholds)
    assert area == pytest.approx(a.mean() - b.mean(), abs=1e-4)


def test_thresholds_cover_all_losses_and_survive_constant_scores() -> None:
    found = thresholds_of([np.zeros((4, 2)), np.ones((4, 3))], 11)
    assert (found[0], found[-1], len(found)) == (0, 1, 11)
    assert (np.diff(thresholds_of([np.zeros((4, 2))])) > 0).all()


def test_bands_hold_the_profile_and_are_the_same_every_time() -> None:
    scores = {"a": made_up(), "b": made_up(runs=3, random=2)}
    thresholds = thresholds_of(list(scores.values()))
    once, again = (performance_profiles(scores, thresholds, entropy=(7, 1), draws=200) for _ in range(2))
    other = performance_profiles(scores, thresholds, entropy=(8, 1), draws=200)
    for loss, found in once.items():
        assert (found.low <= found.share + 0.05).all()
        assert (found.high >= found.share - 0.05).all()
        assert (np.diff(found.share) <= 0).all()
        assert np.array_equal(found.low, again[loss].low)
        assert not np.array_equal(found.low, other[loss].low)
    assert once["b"].runs == 3


def test_bands_widen_where_seeds_differ_and_equal_case_only_ones_with_one_seed() -> None:
    thresholds = np.array([0.7])

    def width(scores: np.ndarray) -> float:
        found = performance_profiles({"a": scores}, thresholds, draws=4000)["a"]
        return float(found.high[0] - found.low[0])

    assert width(made_up(seed_sd=0.1)) > 1.2 * width(made_up())
    one = made_up(patients=200, runs=1)
    share = float((one >= 0.7).mean())
    assert width(one) == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 200), rel=0.1)


def test_a_band_covers_the_truth_about_as_often_as_it_says() -> None:
    inside = 0
    for random in range(200):
        scores = made_up(patients=60, runs=10, seed_sd=0.02, random=random)
        found = performance_profiles({"a": scores}, np.array([0.7]), entropy=(random,), draws=300)["a"]
        inside += bool(found.low[0] <= 0.5 <= found.high[0])
    assert inside / 200 >= 0.9


@pytest.mark.parametrize("scores", [{"a": np.ones((3, 2)), "b": np.ones((4, 2))}, {"a": np.ones((3, 0))}])
def test_scores_that_do_not_fit_are_refused(scores: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="same patients"):
        performance_profiles(scores, np.array([0.5]))
