import numpy as np
import pytest
from scipy import stats

from harness.statistics.block import Block, Runs, Unanswerable
from harness.statistics.crossed import all_pairs, parts_of_block
from harness.statistics.draws import Draws, combine, joint_draws, stability
from harness.statistics.scale import Scale
from harness.statistics.simulated_scores import Truth, block_of, simulate


def block_with(means: tuple[float, ...], seeds: int = 5, random: int = 1, **truth: float) -> Block:
    return block_of(simulate(Truth(means, patients=40, **truth), seeds, np.random.default_rng(random)))


def with_collapse(block: Block, loss: str, useless: int, keep: int) -> Block:
    """The block where a loss kept some runs, and others ended at zero."""
    runs = dict(block.runs)
    runs[loss] = Runs(scored=tuple(range(keep)), collapsed=tuple(range(keep, keep + useless)))
    at = block.losses.index(loss)
    raw = dict(block.raw)
    raw[loss] = np.column_stack([block.scores[at][:, :keep], np.zeros((len(block.patients), useless))])
    inside = [i for i, name in enumerate(block.losses) if name != loss or keep >= 2]
    return Block(
        block.dataset,
        block.metric,
        block.scale,
        block.patients,
        tuple(block.losses[i] for i in inside),
        tuple(block.scores[i][:, :keep] if i == at else block.scores[i] for i in inside),
        runs,
        raw,
    )


def test_draws_have_the_moments_of_the_formula() -> None:
    block = block_with((0.0, 0.01, 0.02, 0.0, 0.0, 0.01))
    parts = parts_of_block(block)
    theta = joint_draws(block, 0.01, number=40_000).theta
    patients = len(block.patients)
    assert theta.mean(axis=0) == pytest.approx(parts.means, abs=5e-4)
    expected = np.cov(parts.case_means, ddof=0) / patients
    df = parts.variances.df
    noise = np.maximum(parts.variances.moderated - parts.residual / patients, 0) / parts.seeds * df / (df - 2)
    np.testing.assert_allclose(np.cov(theta.T), expected + np.diag(noise), rtol=0.06)


def test_share_of_being_best_of_two_is_that_of_the_normal_law() -> None:
    block = block_of(simulate(Truth((0.0, 0.006), patients=60), 40, np.random.default_rng(3)))
    pairs = all_pairs(block.losses, parts_of_block(block))
    found = stability(joint_draws(block, 0.0, number=20_000))
    expected = stats.norm.cdf(pairs.difference[1, 0] / pairs.error[1, 0])
    assert found.best[1] == pytest.approx(expected, abs=0.02)
    assert found.best.sum() == pytest.approx(1)


def test_summary_equals_a_count_draw_by_draw() -> None:
    block = block_with((0.0, 0.005, 0.01, 0.012))
    draws = joint_draws(block, 0.01, number=400)
    found = stability(draws)
    ranks = np.array([stats.rankdata(-row, method="min") for row in draws.theta])
    top = draws.theta.max(axis=1)
    for j in range(4):
        assert found.best[j] == pytest.approx(np.mean(ranks[:, j] == 1))
        assert found.within[j] == pytest.approx(np.mean(draws.theta[:, j] >= top - 0.01))
        assert found.regret[j] == pytest.approx(np.mean(top - draws.theta[:, j]))
        assert found.top[j] == pytest.approx([np.mean(ranks[:, j] <= k) for k in range(1, 5)])
        shares = np.percentile(ranks[:, j], [2.5, 50, 97.5], method="inverted_cdf")
        assert found.percentiles[j].tolist() == shares.tolist()
    tau = [stats.kendalltau(draws.means, row).statistic for row in draws.theta]
    assert found.agreement.mean == pytest.approx(np.mean(tau))
    assert (found.agreement.low, found.agreement.high) == pytest.approx(np.percentile(tau, [2.5, 97.5]))
    assert found.agreement.undefined == 0


def test_another_order_or_one_more_loss_changes_no_draw() -> None:
    scores = simulate(Truth((0.0, 0.01, 0.02)), 4, np.random.default_rng(5))
    names = ("a", "b", "c")
    three = joint_draws(block_of(scores, names=names), 0.01, number=50)
    turned = joint_draws(block_of(scores[::-1], names=names[::-1]), 0.01, number=50)
    two = joint_draws(block_of(scores[:2], names=names[:2]), 0.01, number=50)
    assert turned.theta[:, ::-1] == pytest.approx(three.theta)
    assert two.theta == pytest.approx(three.theta[:, :2])
    again = joint_draws(block_of(scores, names=names), 0.01, number=50)
    assert again.theta.tobytes() == three.theta.tobytes()
    assert not np.allclose(joint_draws(block_of(scores), 0.01, number=50, entropy=(1,)).theta, three.theta)


def test_a_constant_shifts_draws_and_nothing_else() -> None:
    block = block_with((0.0, 0.01, 0.02))
    moved = block_of([each + 0.1 for each in block.scores])
    plain, shifted = (stability(joint_draws(each, 0.01, number=300)) for each in (block, moved))
    assert shifted.regret == pytest.approx(plain.regret)
    assert shifted.ranks.tolist() == plain.ranks.tolist()


def test_constant_scores_give_no_tau_and_that_is_counted() -> None:
    found = stability(joint_draws(block_of([np.full((6, 3), 0.5)] * 4), 0.01, number=100))
    assert found.agreement.undefined == 100
    assert np.isnan(found.agreement.mean)
    assert found.best.tolist() == [0.25] * 4
    assert found.regret.tolist() == [0] * 4
    assert found.percentiles.tolist() == [[1, 1, 1]] * 4


def test_one_loss_is_the_best_of_one() -> None:
    found = stability(joint_draws(block_with((0.0,)), 0.01, number=20))
    assert (found.best.tolist(), found.ranks.tolist(), found.regret.tolist()) == ([1], [[1]], [0])
    assert found.agreement.undefined == 20


def test_useless_runs_raise_regret_by_what_they_cost_and_leave_ranks_alone() -> None:
    block = block_with((0.0, 0.0, 0.0))
    collapsed = with_collapse(block, "loss 1", useless=1, keep=4)
    draws = joint_draws(collapsed, 0.01, number=20_000)
    at = draws.listed.index("loss 1")
    assert draws.treated[:, at].mean() == pytest.approx(collapsed.raw["loss 1"].mean(), abs=0.006)
    assert draws.theta[:, at].mean() == pytest.approx(collapsed.scores[at].mean(), abs=0.002)
    found = stability(draws)
    assert found.regret[at] == pytest.approx(0.2 * collapsed.scores[at].mean(), abs=0.02)
    assert found.best[at] > 0.1


@pytest.mark.parametrize("keep", [0, 1])
def test_a_loss_that_collapsed_stands_outside_and_is_listed_with_its_regret(keep: int) -> None:
    block = with_collapse(block_with((0.0, 0.0, 0.0)), "loss 0", useless=5 - keep, keep=keep)
    found = stability(joint_draws(block, 0.01, number=2000))
    assert found.losses == ("loss 1", "loss 2")
    assert found.listed == ("loss 1", "loss 2", "loss 0")
    assert found.regret[2] == pytest.approx(0.7 * (5 - keep) / 5, abs=0.05)
    assert found.best.sum() == pytest.approx(1)


def test_a_block_without_a_seed_has_no_intention_to_treat_and_still_gives_draws() -> None:
    block = with_collapse(block_with((0.0, 0.0, 0.0)), "loss 1", useless=1, keep=4).without(seed=0)
    draws = joint_draws(block, 0.01, number=10)
    assert draws.listed == block.losses
    assert draws.treated == pytest.approx(draws.theta)


def test_two_seeds_without_moderation_give_a_finite_regret() -> None:
    found = stability(joint_draws(block_with((0.0, 0.0), seeds=2), 0.01))
    assert found.regret.max() < 0.1


def test_unequal_seeds_and_distances_are_ranked_on_the_scale_of_scores() -> None:
    random = np.random.default_rng(8)
    millimetres = [random.gamma(4, size, (12, seeds)) for size, seeds in ((1.0, 3), (2.0, 5))]
    scale = Scale("lower", log=True)
    block = Block(
        "d",
        "hd95",
        scale,
        tuple(map(str, range(12))),
        ("near", "far"),
        tuple(map(scale.scores, millimetres)),
        {"near": Runs((0, 1, 2)), "far": Runs((0, 1, 2, 3, 4))},
        dict(zip(("near", "far"), millimetres, strict=True)),
    )
    assert stability(joint_draws(block, scale.margin(), number=500)).best[0] > 0.9


def test_too_little_is_refused_with_a_reason() -> None:
    with pytest.raises(Unanswerable, match="at least 5 patients"):
        joint_draws(block_of([np.random.default_rng(0).random((3, 4)) for _ in range(3)]), 0.01)
    nothing = with_collapse(block_with((0.0,)), "loss 0", useless=5, keep=0)
    with pytest.raises(Unanswerable, match="no loss has two runs"):
        joint_draws(nothing, 0.01)


def drawn(losses: tuple[str, ...], theta: list[list[float]], margin: float, outside: str = "") -> Draws:
    values = np.array(theta)
    listed = (*losses, *([outside] if outside else []))
    treated = np.column_stack([values, np.zeros((len(values), len(listed) - len(losses)))])
    return Draws(losses, values.mean(axis=0), values, listed, treated, margin)


def test_datasets_weigh_the_same_in_the_unit_of_their_margins() -> None:
    one = drawn(("a", "b"), [[1.0, 2.0], [3.0, 4.0]], 0.5)
    alike = combine([one, drawn(("b", "a"), [[2.0, 5.0], [2.0, 5.0]], 0.5)])
    assert (alike.losses, alike.theta.tolist(), alike.margin) == (("a", "b"), [[3, 2], [4, 3]], 0.5)
    other = combine([one, drawn(("a", "b"), [[2.0, 4.0], [2.0, 4.0]], 2.0)])
    assert (other.theta.tolist(), other.margin) == ([[1.5, 3], [3.5, 5]], 1.0)
    assert other.means.tolist() == [2.5, 4]


def test_a_loss_outside_on_one_dataset_is_outside_together() -> None:
    found = combine([drawn(("a", "b"), [[1.0, 2.0]], 1.0), drawn(("a",), [[1.0]], 1.0, outside="b")])
    assert (found.losses, found.listed) == (("a",), ("a", "b"))
    assert found.treated.tolist() == [[1, 1]]
    with pytest.raises(Unanswerable, match="compared on every dataset"):
        combine([drawn(("a",), [[1.0]], 1.0), drawn(("b",), [[1.0]], 1.0)])
    with pytest.raises(ValueError, match="equally many"):
        combine([])


@pytest.mark.full
def test_a_hundred_losses_and_hundreds_of_patients_take_about_a_second() -> None:
    from time import process_time

    truth = Truth(tuple(np.linspace(0, 0.1, 100)), patients=200)
    block = block_of(simulate(truth, 5, np.random.default_rng(9)))
    started = process_time()
    found = stability(joint_draws(block, 0.01))
    assert process_time() - started < 3
    assert found.best.sum() == pytest.approx(1)
