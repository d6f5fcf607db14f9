"""Closed forms of the overlap and surface formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.metrics import METRICS, Comparison
from harness.metrics.surface import assd, hd, hd95, hd95_pooled, nsd

distances = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 300))
UNIT = (1.0, 1.0, 1.0)


def value(name: str, prediction: np.ndarray, truth: np.ndarray) -> float | None:
    return METRICS[name].compute(Comparison(prediction, truth, UNIT))


@pytest.fixture
def halves() -> tuple[np.ndarray, np.ndarray]:
    """Slabs of 24 voxels of 40 that share 8."""
    prediction, truth = np.zeros((2, 1, 4, 10), dtype=bool)
    prediction[..., :6], truth[..., 4:] = True, True
    return prediction, truth


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dsc", 16 / 48),
        ("iou", 8 / 40),
        ("sensitivity", 8 / 24),
        ("precision", 8 / 24),
        ("volume_difference", 0),
        ("avd", 0),
    ],
)
def test_overlap_of_two_halves(name: str, expected: float, halves: tuple[np.ndarray, np.ndarray]) -> None:
    assert value(name, *halves) == pytest.approx(expected)


def test_volume_difference_is_in_millilitres_and_avd_in_percent_of_the_truth() -> None:
    prediction, truth = np.zeros((2, 10, 20, 20), dtype=bool)
    truth[:5], prediction[:8] = True, True
    comparison = Comparison(prediction, truth, (2.0, 0.5, 0.5))
    assert METRICS["volume_difference"].compute(comparison) == pytest.approx(1200 * 0.5 / 1000)
    assert METRICS["avd"].compute(comparison) == pytest.approx(60)


def test_slice_dsc_of_an_empty_prediction_is_the_share_of_empty_slices() -> None:
    """What predicting nothing scores in the published tables: 313 of 550 slices on WMH, 27 of 84 on ISLES."""
    for empty, slices in ((313, 550), (27, 84)):
        truth = np.ones((slices, 2, 2), dtype=bool)
        truth[:empty] = False
        assert value("slice_dsc", np.zeros_like(truth), truth) == pytest.approx(empty / slices)


def test_slice_dsc_weighs_a_slice_of_one_voxel_like_a_full_one() -> None:
    truth, prediction = np.zeros((2, 2, 10, 10), dtype=bool)
    truth[0] = prediction[0] = True
    truth[1, 0, 0] = True
    assert value("slice_dsc", prediction, truth) == pytest.approx(0.5)
    assert value("dsc", prediction, truth) == pytest.approx(200 / 201)


@given(distances, distances)
def test_distances_keep_their_order(there: np.ndarray, back: np.ndarray) -> None:
    assert assd(there, back) <= hd(there, back) * (1 + 1e-12)
    assert hd95_pooled(there, back) <= hd(there, back)
    assert hd95(there, back) <= hd(there, back)
    for measure in (hd, hd95, hd95_pooled, assd):
        assert measure(there, back) == pytest.approx(measure(back, there))


def test_hd95_of_a_ramp() -> None:
    assert hd95(np.arange(101.0), np.zeros(3)) == pytest.approx(95)
    assert hd95(np.array([4.0]), np.array([1.0, 2.0])) == 4


def test_hd95_keeps_a_far_but_small_surface_that_pooling_loses() -> None:
    there, back = np.zeros(1000), np.array([0.0, 50.0])
    assert hd95(there, back) == pytest.approx(47.5)
    assert hd95_pooled(there, back) == 0


def test_nsd_counts_what_lies_at_the_tolerance() -> None:
    there, back = np.array([0.0, 1.0, 1.1]), np.array([2.0])
    assert nsd(there, back, 1) == 2 / 4
    assert nsd(there, back, 1.1) == 3 / 4
    assert nsd(there, back, 2) == 1


def test_a_tolerance_forgives_the_rounding_of_a_header() -> None:
    """Five voxels of 0.2 mm, as float32 keeps it, are a little more than 1 mm."""
    distance = np.array([5 * float(np.float32(0.2))])
    assert distance[0] > 1
    assert nsd(distance, distance, 1) == 1


@pytest.mark.parametrize("measure", [hd, hd95, hd95_pooled, assd, lambda a, b: nsd(a, b, 1)])
def test_empty_surfaces_are_refused(measure: object) -> None:
    with pytest.raises(ValueError, match="empty surface"):
        measure(np.zeros(0), np.zeros(3))  # type: ignore[operator]
