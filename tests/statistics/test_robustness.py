import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from harness.statistics.block import Block, Runs
from harness.statistics.ranking import leaders_of, ranks_of, tau_matrix, tau_with
from harness.statistics.robustness import (
    RULES,
    Basis,
    case_means,
    leave_one_seed_out,
    rankings_without_datasets,
    robustness_grid,
)
from harness.statistics.scale import Scale
from harness.statistics.simulated_scores import Truth, block_of, simulate


def tied(random: int, rankings: int, losses: int) -> NDArray[np.float64]:
    return np.random.default_rng(random).integers(0, 4, (rankings, losses)).astype(float)


def test_tau_agrees_with_scipy_with_ties_and_missing_losses() -> None:
    values = tied(1, 12, 6)
    values[np.random.default_rng(2).random(values.shape) < 0.2] = np.nan
    found = tau_matrix(values)
    for i, a in enumerate(values):
        for j, b in enumerate(values):
            both = np.isfinite(a) & np.isfinite(b)
            peer = stats.kendalltau(a[both], b[both]).statistic if both.sum() > 1 else np.nan
            assert found[i, j] == pytest.approx(peer, nan_ok=True)


@pytest.mark.parametrize("values", [tied(3, 40, 5), np.random.default_rng(4).random((40, 7))])
def test_tau_with_one_ranking_agrees_with_scipy(values: NDArray[np.float64]) -> None:
    for reference in values[:5]:
        peer = [stats.kendalltau(reference, row).statistic for row in values]
        assert tau_with(reference, values) == pytest.approx(peer, nan_ok=True)


def test_tau_of_a_constant_ranking_does_not_exist() -> None:
    constant, other = np.ones(3), np.array([1.0, 2.0, 3.0])
    assert np.isnan(tau_matrix(np.stack([constant, other]))[0]).all()
    assert np.isnan(tau_with(constant, other[None])).all()
    assert np.isnan(tau_with(other, constant[None])).all()


def test_noise_of_floating_point_breaks_no_tie() -> None:
    values = np.array([0.90 - 0.88, 0.02, 0.70 - 0.65])
    assert ranks_of(values).tolist() == [2, 2, 1]
    assert leaders_of(("a", "b", "c"), np.array([0.90 - 0.88, 0.02, np.nan])) == ("a", "b")
    assert leaders_of((), np.array([])) == ()


def test_rules_agree_with_scipy() -> None:
    cases = np.round(np.random.default_rng(5).normal([[0.0], [0.3], [0.6], [0.6]], 1.0, (4, 25)), 1)
    assert RULES["mean"](cases) == pytest.approx(cases.mean(axis=1))
    assert RULES["median"](cases) == pytest.approx(np.median(cases, axis=1))
    ranks = np.array([stats.rankdata(-column) for column in cases.T])
    assert RULES["rank then mean"](cases) == pytest.approx(-ranks.mean(axis=0))


def test_test_then_rank_counts_one_sided_wins_after_holm() -> None:
    cases = np.random.default_rng(6).normal([[0.0], [0.3], [0.9], [1.2]], 1.0, (4, 40))
    order = [(i, j) for i in range(4) for j in range(4) if i != j]
    p = [
        stats.wilcoxon(
            np.round(cases[i] - cases[j], 12),
            method="asymptotic",
            correction=False,
            zero_method="wilcox",
            alternative="greater",
        ).pvalue
        for i, j in order
    ]
    proven = multipletests(p, 0.05, "holm")[0]
    expected = [sum(won for (i, _), won in zip(order, proven, strict=True) if i == own) for own in range(4)]
    assert RULES["test then rank"](cases).tolist() == expected
    assert max(expected) > 0


def distances(block: Block, losses: tuple[str, ...]) -> Block:
    """Distances in which the order of the losses is turned round."""
    scale = Scale("lower", log=True)
    raw = [np.abs(each) * 10 for each in block.scores]
    return Block(
        block.dataset,
        "hd95",
        scale,
        block.patients,
        losses,
        tuple(map(scale.scores, raw)),
        block.runs,
        dict(zip(losses, raw, strict=True)),
    )


def test_grid_shows_which_choices_overturn_the_recommendation() -> None:
    block = block_of(simulate(Truth((0.0, 0.1, 0.2)), 3, np.random.default_rng(7)), names=("a", "b", "c"))
    blocks = {Basis("dsc"): block, Basis("hd95"): distances(block, block.losses)}
    grid = robustness_grid(blocks, "c")
    assert len(grid.rankings) == 2 * 2 * 4
    assert {each.basis.metric for each in grid.changed} == {"hd95"}
    assert len(grid.changed) == 8
    assert grid.tau.shape == (16, 16)
    assert grid.tau[0, 8] == pytest.approx(-1)
    assert np.diag(grid.tau) == pytest.approx(np.ones(16))
    assert grid.undefined == 0
    assert grid.rankings[0].ranks.tolist() == [3, 2, 1]


def test_intention_to_treat_ranks_the_loss_that_collapsed_last() -> None:
    block = block_of(simulate(Truth((0.0, 0.1)), 3, np.random.default_rng(8)), names=("a", "b"))
    runs = {**block.runs, "gone": Runs(collapsed=(0, 1, 2))}
    raw = {**block.raw, "gone": np.zeros((len(block.patients), 3))}
    whole = Block("d", "dsc", Scale(), block.patients, block.losses, block.scores, runs, raw)
    losses, cases = case_means(whole, "intention to treat")
    assert losses == ("a", "b", "gone")
    assert ranks_of(cases.mean(axis=1)).tolist() == [2, 1, 3]
    grid = robustness_grid({Basis("dsc"): whole}, "b")
    assert [len(each.losses) for each in grid.rankings] == [2] * 4 + [3] * 4
    assert grid.tau[0, 4] == pytest.approx(1)


def test_constant_scores_are_counted_as_rankings_without_tau() -> None:
    grid = robustness_grid({Basis("dsc"): block_of([np.full((5, 2), 0.5)] * 3)}, "loss 0")
    assert grid.undefined == 8 * 7 // 2
    assert grid.changed == ()
    assert robustness_grid({}).tau.shape == (0, 0)


def test_a_seed_that_made_the_winner_is_found() -> None:
    steady = np.full((6, 4), 0.7)
    lucky = np.full((6, 4), 0.65)
    lucky[:, 2] = 0.9
    found = leave_one_seed_out(block_of([steady, lucky], names=("steady", "lucky")))
    assert [each.left_out for each in found] == ["seed 0", "seed 1", "seed 2", "seed 3"]
    assert [each.changed for each in found] == [False, False, True, False]
    assert found[2].leaders == ("steady",)
    assert [each.tau for each in found] == pytest.approx([1, 1, -1, 1])


def test_seeds_that_only_some_losses_have_are_left_out_of_those() -> None:
    block = block_of([np.full((5, 2), 0.5), np.full((5, 4), 0.6)])
    assert [each.means.tolist() for each in leave_one_seed_out(block)] == [pytest.approx([0.5, 0.6])] * 4


def test_a_dataset_that_decides_alone_is_found() -> None:
    small = block_of([np.full((5, 2), 0.50), np.full((5, 2), 0.51)], names=("a", "b"))
    large = block_of([np.full((5, 2), 0.9), np.full((5, 2), 0.3)], names=("a", "b"))
    found = rankings_without_datasets([small, small, large], [0.01, 0.01, 0.01])
    assert [each.changed for each in found] == [False, False, True]
    assert rankings_without_datasets([small], [0.01]) == ()
    weighed = rankings_without_datasets([small, small, large], [0.01, 0.01, 10.0])
    assert not any(each.changed for each in weighed)
