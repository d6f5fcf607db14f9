import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.multitest import multipletests

from harness.statistics.block import Block, Unanswerable
from harness.statistics.conditional import interactions, slopes, standardised, tertiles, transfer
from harness.statistics.crossed import crossed_difference
from harness.statistics.simulated_scores import block_of

NAMES = ("small", "plain", "reference")


def study(
    patients: int, random: int, dataset: str = "made-up", slope: float = 0.05
) -> tuple[Block, pd.DataFrame]:
    """The loss ``small`` is better on small lesions, by one standard deviation of log volume at a time."""
    draw = np.random.default_rng(random)
    log_volume = draw.normal(1, 0.8, patients)
    z = (log_volume - log_volume.mean()) / log_volume.std(ddof=1)
    patient = draw.normal(0.7, 0.1, (patients, 1))
    scores = [
        patient + effect * z[:, None] + draw.normal(0, 0.02, 3) + draw.normal(0, 0.03, (patients, 3))
        for effect in (-slope, 0.0, 0.0)
    ]
    block = block_of(scores, names=NAMES)
    named = Block(
        dataset, block.metric, block.scale, block.patients, block.losses, block.scores, block.runs, block.raw
    )
    descriptors = pd.DataFrame(
        {
            "dataset": dataset,
            "patient": block.patients,
            "volume_ml": np.exp(log_volume),
            "components": draw.integers(0, 5, patients),
            "constant": 3.0,
        }
    )
    return named, descriptors.sample(frac=1, random_state=1)


def test_slopes_and_errors_are_those_of_statsmodels() -> None:
    random = np.random.default_rng(1)
    datasets = np.repeat([0, 1, 2], [7, 12, 5])
    x = random.normal(size=24) + datasets
    y = random.normal(size=(4, 24)) + 0.4 * x + datasets
    slope, error, df = slopes(y, x, datasets)
    design = np.column_stack([x, *(datasets == k for k in range(3))]).astype(float)
    for own, (found, spread) in zip(y, zip(slope, error, strict=True), strict=True):
        peer = sm.OLS(own, design).fit(cov_type="HC3", use_t=True)
        assert (found, spread, df) == pytest.approx((peer.params[0], peer.bse[0], peer.df_resid))


def test_interactions_agree_with_statsmodels_and_are_corrected_together() -> None:
    block, descriptors = study(30, 2)
    found = interactions([block], descriptors, "reference")
    assert [(each.loss, each.descriptor) for each in found[:2]] == [
        ("small", "volume_ml"),
        ("plain", "volume_ml"),
    ]
    ordered = descriptors.set_index("patient").loc[list(block.patients)]
    z = np.log(ordered["volume_ml"].to_numpy())
    z = (z - z.mean()) / z.std(ddof=1)
    peer = sm.OLS(block.case_means[0] - block.case_means[2], sm.add_constant(z)).fit(
        cov_type="HC3", use_t=True
    )
    assert (found[0].slope, found[0].p) == pytest.approx((peer.params[1], peer.pvalues[1]))
    assert (found[0].low, found[0].high) == pytest.approx(tuple(peer.conf_int()[1]))
    known = [each for each in found if np.isfinite(each.p)]
    assert [each.q for each in known] == pytest.approx(
        multipletests([each.p for each in known], method="fdr_bh")[1]
    )
    assert [each.found for each in found if each.descriptor == "volume_ml"] == [True, False]


def test_a_constant_descriptor_has_no_slope_and_takes_no_part_in_the_correction() -> None:
    block, descriptors = study(20, 3)
    constant = [
        each for each in interactions([block], descriptors, "reference") if each.descriptor == "constant"
    ]
    assert all(np.isnan(each.p) and np.isnan(each.q) and not each.found for each in constant)
    only = descriptors[["dataset", "patient", "volume_ml"]]
    assert interactions([block], only, "reference")[0].q > 0


def test_differences_between_datasets_are_no_interaction() -> None:
    """On one dataset volumes are larger and the loss is better: within both there is nothing."""
    pairs = [study(20, k, name, slope=0.0) for k, name in ((4, "here"), (5, "there"))]
    here, there = (block for block, _ in pairs)
    lifted = [there.scores[0] + 0.2, *there.scores[1:]]
    there = Block(
        "there", "dsc", there.scale, there.patients, there.losses, tuple(lifted), there.runs, there.raw
    )
    descriptors = pd.concat([pairs[0][1], pairs[1][1].assign(volume_ml=lambda each: each["volume_ml"] * 50)])
    found = interactions([here, there], descriptors, "reference", margins=[0.01, 0.01])
    assert found[0].patients == 40
    assert found[0].p > 0.05


def test_zeros_unknown_values_and_constants_are_told_apart() -> None:
    datasets = np.array([0, 0, 0, 1, 1])
    found = standardised(np.array([0.0, 2.0, np.nan, 7.0, 7.0]), datasets)
    assert found[[0, 1]] == pytest.approx(np.array([-1, 1]) / np.sqrt(2))
    assert np.isnan(found[2])
    assert found[3:].tolist() == [0, 0]
    plain = standardised(np.array([-1.0, 0.0, 1.0]), np.zeros(3, np.int64))
    assert plain == pytest.approx([-1, 0, 1])


def test_patients_without_a_descriptor_are_left_out_of_it() -> None:
    block, descriptors = study(20, 6)
    descriptors.loc[descriptors["patient"] == "patient 3", "volume_ml"] = np.nan
    found = interactions([block], descriptors[descriptors["patient"] != "patient 4"], "reference")
    assert {each.descriptor: each.patients for each in found} == {
        "volume_ml": 18,
        "components": 19,
        "constant": 19,
    }


def test_a_twin_of_the_reference_depends_on_nothing() -> None:
    block, descriptors = study(12, 7)
    twin = block_of([block.scores[2] + 0.1, block.scores[2]], names=("twin", "reference"))
    found = interactions([twin], descriptors, "reference")
    assert [each.p for each in found if each.descriptor == "volume_ml"] == [1.0]


def test_one_patient_alone_makes_no_slope() -> None:
    y = np.random.default_rng(8).normal(size=(2, 6))
    x = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    assert np.isnan(slopes(y, x, np.zeros(6, np.int64))[1]).all()


def test_tertiles_have_intervals_over_seeds_and_patients() -> None:
    block, descriptors = study(21, 9)
    volume = descriptors.set_index("patient").loc[list(block.patients)]["volume_ml"].to_numpy(float)
    found = tertiles(block, volume, "small", "reference")
    assert [each.patients for each in found] == [7, 7, 7]
    assert found[0].difference > found[2].difference
    at = np.argsort(volume)[:7]
    peer = crossed_difference(block.scores[0][at], block.scores[2][at])
    assert found[0].interval == pytest.approx((peer.low, peer.high))
    assert (found[0].low, found[2].high) == (volume.min(), volume.max())


def test_equal_patients_stay_in_one_tertile_and_small_ones_have_no_interval() -> None:
    block, _ = study(8, 10)
    found = tertiles(block, np.array([1.0] * 6 + [2.0, np.nan]), "small", "reference")
    assert [each.patients for each in found] == [6, 1]
    assert np.isfinite(found[0].interval).all()
    assert np.isnan(found[1].interval).all()
    assert tertiles(block, np.full(8, np.nan), "small", "reference") == ()


def test_advice_that_holds_elsewhere_costs_less_than_one_loss_for_all() -> None:
    pairs = [study(30, k, f"set {k}") for k in range(11, 15)]
    blocks, descriptors = [block for block, _ in pairs], pd.concat([table for _, table in pairs])
    found = transfer(blocks, descriptors, "small", "reference", "volume_ml")
    assert found is not None
    assert found.lower
    assert found.conditional < 0
    nothing = transfer(blocks, descriptors, "small", "reference", "constant")
    assert nothing is not None
    assert not nothing.lower
    assert transfer(blocks[:1], descriptors, "small", "reference", "volume_ml") is None


def test_a_reference_that_is_not_compared_is_refused() -> None:
    block, descriptors = study(10, 16)
    with pytest.raises(Unanswerable, match="reference 'ce' has fewer than two runs"):
        interactions([block], descriptors, "ce")
