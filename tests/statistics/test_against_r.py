"""Numbers computed with R 4.2.2 on small data sets written out here; each test states the call.

limma 3.54.1, lme4 1.1-31, lmerTest 3.1-3, metafor 3.8-1, of Debian 12. R is not needed to run these.
"""

import numpy as np
import pytest

from harness.statistics.crossed import Scores, all_pairs, combination, crossed_difference, parts_of
from harness.statistics.meta import random_effects
from harness.statistics.moderation import Prior, fit_prior, moderate

VARIANCES = [1.2e-5, 8.4e-5, 3.1e-5, 4.7e-4, 5.9e-5, 2.2e-6, 1.5e-4, 9.8e-5]

# fitFDist(v, d)$scale and $df2, squeezeVar(v, d)$var.post
LIMMA = {
    "variances differ": (
        VARIANCES,
        [4] * 8,
        3.16623657104e-05,
        1.71540772114,
        [
            1.79014116929e-05,
            6.82915175352e-05,
            3.11988007346e-05,
            0.000338438473856,
            5.07949530066e-05,
            1.10427583977e-05,
            0.000114482447891,
            7.80895936712e-05,
        ],
    ),
    "numbers of seeds differ": (
        VARIANCES,
        [2, 4, 9, 4, 2, 4, 9, 1],
        4.20888656224e-05,
        2.04188978437,
        [
            2.72003519679e-05,
            6.98359023102e-05,
            3.30505766564e-05,
            0.000325385085613,
            5.04568000688e-05,
            1.56806608746e-05,
            0.000130044843119,
            6.04692601603e-05,
        ],
    ),
    "variances differ by chance only": (
        [1.1e-4, 0.9e-4, 1.3e-4, 1.0e-4, 0.8e-4, 1.2e-4],
        [4] * 6,
        0.000105,
        np.inf,
        [0.000105] * 6,
    ),
    "one variance is zero": (
        [0, 8.4e-5, 3.1e-5, 4.7e-4, 5.9e-5, 2.2e-4],
        [4] * 6,
        6.00203265951e-07,
        0.418883290732,
        [
            5.68956233076e-08,
            7.60942059331e-05,
            2.81182839519e-05,
            0.000425503750928,
            5.34640540552e-05,
            0.000199202232149,
        ],
    ),
}


@pytest.mark.parametrize("case", LIMMA)
def test_seed_variances_are_moderated_as_limma_does_but_never_downwards(case: str) -> None:
    """Limma pulls large variances down as well; ours keep the own one there, to hold the error rate."""
    variances, df, scale, prior_df, squeezed = LIMMA[case]
    prior = fit_prior(np.array(variances, float), np.array(df, float))
    assert prior.df == pytest.approx(prior_df, rel=1e-9)
    assert prior.variance == pytest.approx(scale, rel=1e-9)
    found = moderate(np.array(variances), np.array(df))
    own, limma = np.array(variances), np.array(squeezed)
    raised = limma >= own
    assert raised.any()
    assert found.moderated[raised] == pytest.approx(limma[raised], rel=1e-9)
    assert (found.moderated[~raised] == own[~raised]).all()
    assert found.df == pytest.approx(np.minimum(prior_df + np.array(df), 1000))


def test_some_variances_of_limma_are_below_the_own_ones_so_that_upward_only_matters() -> None:
    below = [np.array(post) < np.array(own) for own, _, _, _, post in LIMMA.values()]
    assert all(each.any() for each in below)


A = np.array(
    [
        [0.697, 0.725, 0.721, 0.706],
        [0.816, 0.82, 0.802, 0.771],
        [0.846, 0.852, 0.863, 0.825],
        [0.77, 0.805, 0.778, 0.738],
        [0.867, 0.886, 0.857, 0.823],
        [0.847, 0.875, 0.866, 0.85],
        [0.725, 0.783, 0.739, 0.728],
        [0.913, 0.918, 0.917, 0.89],
    ]
)
B = np.array(
    [
        [0.66, 0.682, 0.716, 0.691],
        [0.722, 0.733, 0.764, 0.738],
        [0.825, 0.812, 0.863, 0.852],
        [0.769, 0.756, 0.8, 0.779],
        [0.826, 0.849, 0.852, 0.835],
        [0.811, 0.824, 0.848, 0.828],
        [0.715, 0.687, 0.743, 0.732],
        [0.827, 0.838, 0.843, 0.837],
    ]
)
RAW = Prior(0.0, 0.0)
"""lme4 knows of no other losses: no moderation."""


def lmertest_df(scores: Scores) -> float:
    """Satterthwaite's, of the mean, with the three mean squares of a balanced crossed design."""
    n, s = scores.shape
    rest = scores - scores.mean(1, keepdims=True) - scores.mean(0, keepdims=True) + scores.mean()
    patient, seed = scores.mean(1).var(ddof=1) / n, scores.mean(0).var(ddof=1) / s
    residual = (rest**2).sum() / ((n - 1) * (s - 1)) / (n * s)
    below = patient**2 / (n - 1) + seed**2 / (s - 1) + residual**2 / ((n - 1) * (s - 1))
    return float((patient + seed - residual) ** 2 / below)


@pytest.mark.parametrize(
    ("scores", "mean", "error", "df"),
    [
        (A, 0.81309375, 0.0250934534772, 8.51268060158),
        (B, 0.78303125, 0.0229784660999, 8.47363711624),
    ],
)
def test_mean_of_a_loss_has_the_error_of_the_crossed_mixed_model(
    scores: Scores, mean: float, error: float, df: float
) -> None:
    """``coef(summary(lmer(y ~ 1 + (1 | patient) + (1 | seed))))`` of lmerTest, optimised to 1e-14.

    Its degrees of freedom subtract the part that patients and seeds have in common, ours do not: they are a
    little higher, and do not break down where little is left after the subtraction.
    """
    found = combination(parts_of([scores], RAW), [1.0])
    assert found.difference == pytest.approx(mean, rel=1e-9)
    assert found.standard_error == pytest.approx(error, rel=1e-7)
    assert lmertest_df(scores) == pytest.approx(df, rel=1e-6)
    assert df <= found.df <= df * 1.05


def test_difference_has_the_error_of_the_mixed_model_with_seeds_of_their_own() -> None:
    """``lmer(y ~ loss + (1 | patient) + (1 | patient:loss) + (1 | loss:seed))``, row ``lossa``.

    The model has one seed variance and one residual for both losses, ours has two of each: with as many
    seeds for both it is the same variance, and nearly the same degrees of freedom.
    """
    found = crossed_difference(A, B, prior=RAW)
    assert found.difference == pytest.approx(0.0300625)
    assert found.standard_error == pytest.approx(0.0145626022151, rel=1e-7)
    assert 10.96773913495 <= found.df <= 10.96773913495 * 1.1
    assert found.p == pytest.approx(0.0634604577828, abs=0.003)
    pairs = all_pairs(["a", "b"], parts_of([A, B], RAW))
    assert pairs.error[0, 1] == pytest.approx(0.0145626022151, rel=1e-7)


def test_seed_variance_below_what_the_residual_makes_counts_as_none_as_in_lme4() -> None:
    """``lmer(y ~ 1 + (1 | patient) + (1 | seed))`` says "singular": seeds 0, df those of the patients.

    The plain sum of the three parts would give 0.01187, less than patients alone: hence the maximum.
    """
    quiet = np.array(
        [
            [0.818, 0.862, 0.857],
            [0.787, 0.733, 0.73],
            [0.804, 0.804, 0.805],
            [0.772, 0.798, 0.792],
            [0.803, 0.787, 0.8],
            [0.821, 0.809, 0.797],
        ]
    )
    found = combination(parts_of([quiet], RAW), [1.0])
    assert found.standard_error == pytest.approx(0.012713000056, rel=1e-7)
    assert found.df == pytest.approx(5.0, rel=0.02)


def test_seeds_that_move_together_make_ours_wider_than_the_model_that_knows_it() -> None:
    """Ours takes seeds as independent between losses, on purpose: a chance correlation cannot fool it.

    ``lmer(y ~ loss + (1 | patient) + (1 | patient:loss) + (1 | seed) + (1 | loss:seed))`` gives 0.010133
    (the last one zero, "singular"), without ``(1 | seed)`` the same as ours.
    """
    one = np.array(
        [
            [0.784, 0.82, 0.799, 0.823],
            [0.848, 0.887, 0.875, 0.865],
            [0.708, 0.758, 0.74, 0.738],
            [0.923, 0.935, 0.933, 0.929],
            [0.841, 0.875, 0.846, 0.867],
            [0.762, 0.795, 0.77, 0.791],
            [0.73, 0.751, 0.738, 0.763],
            [0.776, 0.768, 0.785, 0.756],
        ]
    )
    other = np.array(
        [
            [0.805, 0.828, 0.815, 0.81],
            [0.893, 0.913, 0.9, 0.906],
            [0.7, 0.739, 0.706, 0.706],
            [0.881, 0.897, 0.91, 0.907],
            [0.789, 0.808, 0.806, 0.811],
            [0.758, 0.777, 0.748, 0.781],
            [0.732, 0.754, 0.763, 0.758],
            [0.704, 0.747, 0.733, 0.75],
        ]
    )
    found = crossed_difference(one, other, prior=RAW)
    assert found.standard_error == pytest.approx(0.0126081638319, rel=1e-7)
    assert found.standard_error > 0.0101326111939
    assert found.p > 0.213205356951


# rma(yi, sei, method = "PM", test = "knha", control = list(tol = 1e-15, maxiter = 10000, tau2.max = 10)) with
# predict(): tau2, beta, se, ci.lb, ci.ub, pval, pi.lb, pi.ub. Without `tol` tau^2 is good to 1e-4 only, which
# is larger than most variances of a DSC.
METAFOR = {
    "datasets differ": (
        [0.012, 0.021, -0.005, 0.034, 0.008],
        [0.004, 0.006, 0.005, 0.010, 0.003],
        0.000155898794789,
        [
            0.0125518100022,
            0.00613964707561,
            -0.00449458306851,
            0.0295982030729,
            0.110391953376,
            -0.0260791149064,
            0.0511827349108,
        ],
    ),
    "datasets agree more than by chance": (
        [0.012, 0.014, 0.011, 0.015, 0.013, 0.0125],
        [0.004, 0.006, 0.005, 0.010, 0.003, 0.008],
        0.0,
        [
            0.0126159947984,
            0.000436874245483,
            0.0114929737985,
            0.0137390157983,
            9.33071488175e-07,
            0.0114929737985,
            0.0137390157983,
        ],
    ),
    "three datasets in margins": (
        [0.8, -2.4, 1.9],
        [0.5, 0.9, 0.7],
        4.31140058007,
        [
            0.164558363741,
            1.26718129268,
            -5.28768268432,
            5.6167994118,
            0.908558594477,
            -10.3017264376,
            10.6308431651,
        ],
    ),
}


@pytest.mark.parametrize("case", METAFOR)
def test_random_effects_are_those_of_metafor(case: str) -> None:
    differences, errors, tau2, numbers = METAFOR[case]
    found = random_effects(differences, errors)
    assert float(found.tau) ** 2 == pytest.approx(tau2, rel=1e-9, abs=1e-15)
    ours = (found.mean, found.error, found.low, found.high, found.p, found.new_low, found.new_high)
    assert [float(each) for each in ours] == pytest.approx(numbers, rel=1e-8)
