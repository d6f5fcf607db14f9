import numpy as np
import pytest
from scipy import stats

from harness.statistics.block import Block, Runs, Unanswerable
from harness.statistics.crossed import all_pairs, parts_of_block
from harness.statistics.seed_correlation import paired_pairs, seed_correlation
from harness.statistics.simulated_scores import Truth, block_of, simulate


def correlated(share: float, seeds: int, losses: int, random: int = 1) -> Block:
    truth = Truth((0.0,) * losses, patients=30, seed_sd=0.02, rest_sd=0.01, seed_correlation=share)
    return block_of(simulate(truth, seeds, np.random.default_rng(random)))


def without_run(block: Block, loss: str, seed: int) -> Block:
    """The block where one run of one loss failed."""
    at = block.losses.index(loss)
    kept = tuple(each for each in block.runs[loss].scored if each != seed)
    scores = list(block.scores)
    scores[at] = scores[at][:, list(kept)]
    runs = {**block.runs, loss: Runs(scored=kept, failed=(seed,))}
    return Block(
        block.dataset, block.metric, block.scale, block.patients, block.losses, tuple(scores), runs, {}
    )


def test_correlation_of_pairs_is_pearsons_of_the_means_of_runs() -> None:
    block = correlated(0.5, 6, 4)
    means = np.array([each.mean(axis=0) for each in block.scores])
    assert seed_correlation(block).pairs == pytest.approx(np.corrcoef(means))


def test_only_seeds_that_both_have_count() -> None:
    block = without_run(correlated(0.5, 6, 3), "loss 1", 2)
    found = seed_correlation(block)
    kept = [0, 1, 3, 4, 5]
    r = np.corrcoef(block.scores[0].mean(axis=0)[kept], block.scores[1].mean(axis=0))[0, 1]
    assert found.pairs[0, 1] == pytest.approx(r)
    assert found.seeds.tolist() == [[6, 5, 6], [5, 5, 5], [6, 5, 6]]


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_pooled_correlation_finds_the_truth(share: float) -> None:
    assert seed_correlation(correlated(share, 60, 12)).pooled == pytest.approx(share, abs=0.1)


def test_there_is_no_correlation_of_two_seeds_or_of_none_that_vary() -> None:
    assert np.isnan(seed_correlation(correlated(0.5, 2, 3)).pooled)
    found = seed_correlation(block_of([np.full((5, 4), 0.5)] * 2))
    assert np.isnan(found.pooled)
    assert np.isnan(found.pairs).all()


def test_paired_form_of_equal_patients_is_the_paired_t_over_seeds() -> None:
    random = np.random.default_rng(2)
    a, b = (np.repeat(random.normal(size=(1, 6)), 8, axis=0) for _ in range(2))
    found = paired_pairs(block_of([a, b]))
    peer = stats.ttest_rel(a[0], b[0])
    assert (found.p[0, 1], found.df[0, 1]) == pytest.approx((peer.pvalue, 5))
    assert found.difference[1, 0] == pytest.approx(b[0].mean() - a[0].mean())


def test_paired_form_follows_the_formula() -> None:
    block = without_run(correlated(0.5, 5, 3), "loss 1", 4)
    found = paired_pairs(block)
    d = block.scores[0][:, :4] - block.scores[1]
    n, s = d.shape
    rest = d - np.add.outer(d.mean(axis=1), d.mean(axis=0)) + d.mean()
    case, seed = d.mean(axis=1).var(ddof=1) / n, d.mean(axis=0).var(ddof=1) / s
    doubled = (rest**2).sum() / ((n - 1) * (s - 1)) / (n * s)
    variance = max(case + seed - doubled, case, seed)
    df = (case + seed) ** 2 / (case**2 / (n - 1) + seed**2 / (s - 1))
    assert found.error[0, 1] == pytest.approx(np.sqrt(variance))
    assert found.df[1, 0] == pytest.approx(df)
    assert found.p[0, 1] == pytest.approx(2 * stats.t.sf(abs(d.mean()) / np.sqrt(variance), df))


def test_paired_form_is_narrower_where_seeds_go_together_and_alike_where_they_do_not() -> None:
    above = np.triu_indices(8, 1)

    def ratio(share: float) -> float:
        block = correlated(share, 20, 8)
        plain = all_pairs(block.losses, parts_of_block(block))
        return float(np.mean(paired_pairs(block).error[above] / plain.error[above]))

    assert ratio(0.8) < 0.85
    assert ratio(0.0) == pytest.approx(1, abs=0.1)


def test_twins_differ_by_nothing_and_pairs_without_common_seeds_have_no_answer() -> None:
    same = np.random.default_rng(3).random((6, 3))
    found = paired_pairs(block_of([same, same]))
    assert (found.p[0, 1], found.error[0, 1], found.df[0, 1]) == (1, 0, np.inf)
    block = block_of([same, same + 0.1])
    apart = Block(
        "d",
        "dsc",
        block.scale,
        block.patients,
        block.losses,
        block.scores,
        {"loss 0": Runs((0, 1, 2)), "loss 1": Runs((2, 3, 4))},
        {},
    )
    assert np.isnan(paired_pairs(apart).p[0, 1])
    assert paired_pairs(block_of([same])).p.tolist() == [[1]]
    with pytest.raises(Unanswerable, match="at least 5 patients"):
        paired_pairs(block_of([same[:3], same[:3]]))
