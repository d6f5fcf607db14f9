import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats

from harness.statistics.block import Unanswerable
from harness.statistics.crossed import Pairs, Scores, all_pairs, combination, crossed_difference, parts_of
from harness.statistics.dataset_ranks import rank_datasets
from harness.statistics.hierarchy import hierarchy
from harness.statistics.meta import random_effects
from harness.statistics.several_datasets import (
    Several,
    bring_together,
    mean_over_datasets,
    on_a_new_dataset,
    on_these_datasets,
    regions,
)
from harness.statistics.transfer import best_on_average, leave_one_dataset_out

LOSSES = ("ce", "dice", "focal", "hd")


def simulate(random: np.random.Generator, worth: np.ndarray, patients: int, seeds: int = 4) -> list[Scores]:
    """Scores of losses of that worth: (patients, seeds) of each."""
    patient = random.normal(0.7, 0.1, (patients, 1))
    return [
        patient
        + each
        + random.normal(0, 0.02, (patients, 1))
        + random.normal(0, 0.01, (1, seeds))
        + random.normal(0, 0.02, (patients, seeds))
        for each in worth
    ]


@pytest.fixture
def scores() -> dict[str, list[Scores]]:
    random = np.random.default_rng(5)
    worth = {
        "hearts": np.array([0.0, 0.02, 0.01, -0.2]),
        "livers": np.array([0.01, 0.02, -0.01, -0.1]),
        "brains": np.array([0.0, 0.03, 0.0, -0.3]),
    }
    return {name: simulate(random, each, 12 + 6 * i) for i, (name, each) in enumerate(worth.items())}


@pytest.fixture
def pairs(scores: dict[str, list[Scores]]) -> dict[str, Pairs]:
    return {name: all_pairs(LOSSES, parts_of(each)) for name, each in scores.items()}


@pytest.fixture
def several(pairs: dict[str, Pairs]) -> Several:
    return bring_together(pairs, dict.fromkeys(pairs, 0.01))


def exact(differences: list[float], losses: tuple[str, ...] = LOSSES) -> Pairs:
    """Pairs of means that are known but for a standard error of 0.01."""
    means = np.array(differences, float)
    square = np.ones((len(means),) * 2)
    error = 0.01 * (square - np.eye(len(means)))
    return Pairs(
        losses, means[:, None] - means, square * 1e-4, square * 0, error, 20 * square, np.nan * square
    )


def test_mean_of_these_datasets_follows_the_formula(
    several: Several, scores: dict[str, list[Scores]]
) -> None:
    found = on_these_datasets(several)
    each = [crossed_difference(own[1], own[3]) for own in scores.values()]
    variances = np.array([one.standard_error**2 / 9 for one in each])
    assert found.difference[1, 3] == pytest.approx(np.mean([one.difference for one in each]))
    assert found.error[1, 3] == pytest.approx(np.sqrt(variances.sum()))
    df = variances.sum() ** 2 / sum(v**2 / one.df for v, one in zip(variances, each, strict=True))
    assert found.df[1, 3] == pytest.approx(df)
    assert found.p[1, 3] == pytest.approx(2 * stats.t.sf(abs(found.difference[1, 3]) / found.error[1, 3], df))
    assert (found.p.diagonal() == 1).all()
    assert (found.difference == -found.difference.T).all()


def test_a_dataset_counted_twice_halves_the_variance(pairs: dict[str, Pairs]) -> None:
    one = pairs["hearts"]
    found = on_these_datasets(bring_together({"a": one, "b": one}, {"a": 0.01, "b": 0.01}))
    assert found.difference == pytest.approx(one.difference)
    assert found.error**2 == pytest.approx(one.error**2 / 2)
    away = ~np.eye(4, dtype=bool)
    assert found.df[away] == pytest.approx(2 * one.df[away])
    assert found.v_seed == pytest.approx(one.v_seed / 2)


def test_unequal_margins_make_the_margin_the_unit(pairs: dict[str, Pairs]) -> None:
    margins = {"hearts": 0.01, "livers": 0.02, "brains": 0.005}
    found = bring_together(pairs, margins)
    assert (found.margin, found.in_margins) == (1.0, True)
    for i, (name, margin) in enumerate(margins.items()):
        assert found.differences[i] == pytest.approx(pairs[name].difference / margin)
        assert found.pairs[i].v_case == pytest.approx(pairs[name].v_case / margin**2)
    plain = bring_together(pairs, dict.fromkeys(pairs, 0.02))
    assert (plain.margin, plain.in_margins) == (0.02, False)
    assert plain.differences[0] == pytest.approx(pairs["hearts"].difference)


def test_equal_margins_and_their_unit_lead_to_the_same_answers(pairs: dict[str, Pairs]) -> None:
    """Scores and margin scaled together change no p and no probability."""
    plain = bring_together(pairs, dict.fromkeys(pairs, 0.01))
    grown = {
        name: Pairs(
            each.losses,
            100 * each.difference,
            1e4 * each.v_case,
            1e4 * each.v_seed,
            100 * each.error,
            each.df,
            each.p,
        )
        for name, each in pairs.items()
    }
    scaled = bring_together(grown, dict.fromkeys(pairs, 1.0))
    assert on_these_datasets(scaled).p == pytest.approx(on_these_datasets(plain).p)
    assert on_a_new_dataset(scaled).p == pytest.approx(on_a_new_dataset(plain).p)
    assert regions(scaled).new.above == pytest.approx(regions(plain).new.above, abs=1e-9)


def test_only_losses_of_every_dataset_are_compared(pairs: dict[str, Pairs]) -> None:
    other = exact([0.7, 0.8, 0.75], ("focal", "new", "ce"))
    found = bring_together({"hearts": pairs["hearts"], "other": other}, {"hearts": 0.01, "other": 0.01})
    assert found.losses == ("ce", "focal")
    assert found.left_out == ("dice", "hd", "new")
    assert found.differences[1] == pytest.approx(np.array([[0, 0.05], [-0.05, 0]]))
    with pytest.raises(Unanswerable, match="1 of 4 losses"):
        bring_together({"a": pairs["hearts"], "b": exact([0.5], ("hd",))}, {"a": 0.01, "b": 0.01})


def test_one_dataset_and_margins_of_nothing_are_refused(pairs: dict[str, Pairs]) -> None:
    with pytest.raises(Unanswerable, match="at least 2"):
        bring_together({"hearts": pairs["hearts"]}, {"hearts": 0.01})
    with pytest.raises(ValueError, match="'livers'"):
        bring_together(pairs, {"hearts": 0.01, "livers": 0.0, "brains": 0.01})


def test_contrast_over_datasets_is_the_mean_of_the_contrasts(
    several: Several, scores: dict[str, list[Scores]]
) -> None:
    parts = [parts_of(own) for own in scores.values()]
    found = mean_over_datasets([combination(each, [0, 1, 0, -1]) for each in parts], [0.01] * 3)
    pair = on_these_datasets(several)
    assert (found.difference, found.standard_error, found.df, found.p) == pytest.approx(
        (pair.difference[1, 3], pair.error[1, 3], pair.df[1, 3], pair.p[1, 3])
    )
    half = stats.t.ppf(0.975, found.df) * found.standard_error
    assert (found.low, found.high) == pytest.approx((found.difference - half, found.difference + half))
    assert (found.patients, found.v_seed) == (12 + 18 + 24, pytest.approx(pair.v_seed[1, 3]))
    in_margins = mean_over_datasets([combination(each, [0, 1, 0, -1]) for each in parts], [0.01, 0.02, 0.005])
    units = np.array([0.01, 0.02, 0.005])
    assert in_margins.difference == pytest.approx(np.mean(several.differences[:, 1, 3] / units))


def test_new_dataset_and_regions_are_those_of_each_pair_alone(several: Several) -> None:
    y, errors = several.differences[:, 2, 0], several.errors[:, 2, 0]
    pair, found = random_effects(y, errors), on_a_new_dataset(several)
    assert (found.low[2, 0], found.new_high[2, 0]) == pytest.approx((float(pair.low), float(pair.new_high)))
    alone, every = hierarchy(y, errors, 0.01), regions(several)
    only = regions(several, against=["hd", "ce"])
    for name in ("below", "within", "above"):
        expected = float(getattr(alone.new, name))
        assert getattr(every.new, name)[2, 0] == pytest.approx(expected)
        assert getattr(only.new, name)[2, 1] == pytest.approx(expected)
    assert every.mean.below == pytest.approx(every.mean.above.T)
    assert every.location[2, 0] == pytest.approx(float(alone.location))
    assert every.mean.within.diagonal() == pytest.approx(np.ones(4))
    assert every.mean.decided()[1, 3] == "above"


def test_a_loss_entered_twice_is_the_same_everywhere(scores: dict[str, list[Scores]]) -> None:
    twice = {name: all_pairs((*LOSSES, "again"), parts_of([*own, own[1]])) for name, own in scores.items()}
    same = {name: each.difference[1, 4] for name, each in twice.items()}
    assert set(same.values()) == {0.0}
    found = bring_together(twice, dict.fromkeys(twice, 0.01))
    assert on_these_datasets(found).p[1, 4] == 1.0
    assert on_a_new_dataset(found).p[1, 4] == 1.0
    assert (rank_datasets(found).ranks[:, 1] == rank_datasets(found).ranks[:, 4]).all()


RANKED = [[0.8, 0.7, 0.6, 0.5], [0.8, 0.75, 0.75, 0.4], [0.6, 0.7, 0.5, 0.4], [0.9, 0.8, 0.7, 0.75]] * 2


@pytest.fixture
def ranked() -> Several:
    names = [f"d{i}" for i in range(len(RANKED))]
    each = {name: exact(means) for name, means in zip(names, RANKED, strict=True)}
    return bring_together(each, dict.fromkeys(each, 0.01))


def test_ranks_and_friedman_are_those_of_scipy(ranked: Several) -> None:
    found = rank_datasets(ranked)
    assert found.ranks[1].tolist() == [1, 2.5, 2.5, 4]
    assert found.mean == pytest.approx(stats.rankdata(-np.array(RANKED), axis=1).mean(axis=0))
    peer = stats.friedmanchisquare(*np.array(RANKED).T)
    assert (found.friedman, found.p) == pytest.approx((peer.statistic, peer.pvalue))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.2])
def test_critical_difference_parts_the_pairs_as_scikit_posthocs_does(ranked: Several, alpha: float) -> None:
    peer = scikit_posthocs.posthoc_nemenyi_friedman(pd.DataFrame(RANKED)).to_numpy()
    found = rank_datasets(ranked, alpha)
    apart = np.abs(found.mean[:, None] - found.mean) > found.critical_difference
    assert (apart == (peer < alpha)).all()
    assert apart.any()


def test_critical_differences_of_demsar() -> None:
    """His table 5 (a): q at .05 is 2.569 for 4 and 3.164 for 10 classifiers; section 3.2.2: CD 1.25 of 14."""
    fourteen = {f"d{i}": exact([0.4, 0.3, 0.2, 0.1]) for i in range(14)}
    found = rank_datasets(bring_together(fourteen, dict.fromkeys(fourteen, 0.01)))
    assert found.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)


@pytest.mark.parametrize(("datasets", "reaches"), [(2, False), (5, False), (6, True)])
def test_smallest_p_says_what_so_few_datasets_can_show(datasets: int, reaches: bool) -> None:
    means = [0.8, 0.7, 0.6, 0.5]
    each = {f"d{i}": exact(means) for i in range(datasets)}
    found = rank_datasets(bring_together(each, dict.fromkeys(each, 0.01)))
    peer = scikit_posthocs.posthoc_nemenyi_friedman(pd.DataFrame([means] * datasets)).to_numpy()
    assert found.smallest_nemenyi_p == pytest.approx(peer[0, 3], rel=1e-6)
    wilcoxon = stats.wilcoxon(np.arange(1.0, datasets + 1), method="exact")
    assert found.smallest_signed_rank_p == pytest.approx(wilcoxon.pvalue)
    assert (found.smallest_signed_rank_p < 0.05) is reaches


def test_nemenyi_depends_on_the_pool_while_the_pair_does_not(ranked: Several) -> None:
    """Terrible losses, added, change the critical difference but not the mean difference of the others."""
    more = {
        name: exact([*means, 0.01, 0.02, 0.03], (*LOSSES, "x", "y", "z"))
        for name, means in zip(ranked.datasets, RANKED, strict=True)
    }
    wide = bring_together(more, dict.fromkeys(more, 0.01))
    assert rank_datasets(wide).critical_difference > 1.5 * rank_datasets(ranked).critical_difference
    assert on_these_datasets(wide).p[:4, :4] == pytest.approx(on_these_datasets(ranked).p)


def test_ranks_of_two_losses_or_of_ties_only() -> None:
    two = {name: exact([0.5, 0.6], ("a", "b")) for name in "xyz"}
    found = rank_datasets(bring_together(two, dict.fromkeys(two, 0.01)))
    assert (found.friedman, found.p, found.mean.tolist()) == (None, None, [2, 1])
    tied = {name: exact([0.3, 0.1 + 0.2, 0.3]) for name in "xyz"}
    same = rank_datasets(
        bring_together({k: exact([0.3, 0.1 + 0.2, 0.3], LOSSES[:3]) for k in tied}, dict.fromkeys(tied, 1))
    )
    assert (same.friedman, same.p, same.mean.tolist()) == (0.0, 1.0, [2, 2, 2])


# ce, dice, focal, hd; without livers ce is best of the others, without any other dataset dice is.
MEANS = {
    "hearts": [0.70, 0.74, 0.60, 0.50],
    "livers": [0.60, 0.70, 0.71, 0.40],
    "brains": [0.90, 0.85, 0.80, 0.40],
}


@pytest.fixture
def transferred() -> Several:
    return bring_together({name: exact(means) for name, means in MEANS.items()}, dict.fromkeys(MEANS, 0.01))


def test_advice_is_chosen_on_the_others_and_paid_on_the_one(transferred: Several) -> None:
    found = leave_one_dataset_out(transferred, ["ce", "dice", "unknown"])
    table = pd.DataFrame(MEANS, index=list(LOSSES))
    paid = {}
    for name in MEANS:
        choice = table.drop(columns=name).mean(axis=1).idxmax()
        paid[name] = (choice, table[name].max() - table.loc[choice, name])
    assert found.chosen == tuple(choice for choice, _ in paid.values()) == ("dice", "ce", "dice")
    assert found.advice == pytest.approx([regret for _, regret in paid.values()])
    assert found.always["ce"] == pytest.approx([0.04, 0.11, 0])
    assert found.random == pytest.approx((table.max() - table.mean()).to_numpy())
    assert set(found.always) == set(found.saved) == {"ce", "dice"}


def test_saving_is_the_mean_difference_of_what_was_paid(transferred: Several) -> None:
    found = leave_one_dataset_out(transferred, ["ce", "dice"])
    for loss, saved in found.saved.items():
        assert saved.mean == pytest.approx(np.mean(found.always[loss] - found.advice))
    # dice against ce on two datasets, ce against itself, without error, on the third
    saved = found.saved["ce"]
    assert saved.error == pytest.approx(np.sqrt(2 * 0.01**2) / 3)
    assert saved.df == pytest.approx(40)
    half = stats.t.ppf(0.975, 40) * saved.error
    assert (saved.low, saved.high) == pytest.approx((saved.mean - half, saved.mean + half))


def test_any_rule_may_advise(transferred: Several) -> None:
    found = leave_one_dataset_out(transferred, ["hd"], choose=lambda others: others.losses[-1])
    assert set(found.chosen) == {"hd"}
    assert found.advice == pytest.approx(found.always["hd"])
    assert (found.saved["hd"].mean, found.saved["hd"].p) == (0.0, 1.0)


def test_advice_that_transfers_beats_chance_and_noise_does_not() -> None:
    random = np.random.default_rng(8)

    def mean_regrets(spread: float) -> tuple[float, float]:
        paid = []
        for _ in range(100):
            worth = random.normal(0, spread, 6)
            losses = tuple("abcdef")
            each = {k: exact(list(worth + random.normal(0, 0.01, 6)), losses) for k in "uvwxy"}
            found = leave_one_dataset_out(bring_together(each, dict.fromkeys(each, 0.01)))
            paid.append((found.advice.mean(), found.random.mean()))
        advice, chance = np.mean(paid, axis=0)
        return float(advice), float(chance)

    advice, chance = mean_regrets(0.03)
    assert advice < 0.3 * chance
    advice, chance = mean_regrets(0.0)
    assert advice == pytest.approx(chance, rel=0.15)


def test_best_on_average_has_the_least_mean_regret(transferred: Several) -> None:
    assert best_on_average(transferred) == "dice"
    assert transferred.behind.min(axis=1) == pytest.approx([0, 0, 0])
    assert best_on_average(transferred.without("hearts").without("livers")) == "ce"
