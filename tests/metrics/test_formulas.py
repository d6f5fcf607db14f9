import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.metrics.overlap import dsc
from harness.metrics.surface import hausdorff_percentile, hd, hd95

distances = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 300))
masks = hnp.arrays(bool, (3, 4, 5))


def percentile_by_definition(values: np.ndarray, percent: float) -> float:
    """Linear interpolation at rank ``percent/100 * (n - 1)`` of the sorted values."""
    ordered = sorted(values)
    rank = percent / 100 * (len(ordered) - 1)
    low = int(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (rank - low) * (ordered[high] - ordered[low])


@given(masks, masks)
def test_dsc_is_twice_the_overlap_over_the_sizes(a: np.ndarray, b: np.ndarray) -> None:
    p, t = set(np.flatnonzero(a)), set(np.flatnonzero(b))
    expected = 2 * len(p & t) / (len(p) + len(t)) if p or t else None
    assert dsc(a, b) == expected
    assert dsc(b, a) == expected


def test_dsc_closed_forms() -> None:
    a = np.zeros((4, 10), dtype=bool)
    b = a.copy()
    assert dsc(a, b) is None
    a[:, :6], b[:, 4:] = True, True
    assert dsc(a, b) == pytest.approx(2 * 8 / 48)
    assert dsc(a, a) == 1
    assert dsc(a, ~a) == 0
    assert dsc(a, np.zeros_like(a)) == 0


def test_dsc_refuses_broadcasting() -> None:
    with pytest.raises(ValueError, match="one shape"):
        dsc(np.ones((1, 3), dtype=bool), np.ones((3, 3), dtype=bool))


@given(distances, distances)
def test_hd_is_the_largest_distance(there: np.ndarray, back: np.ndarray) -> None:
    assert hd(there, back) == max(there.max(), back.max())


@given(distances, distances)
def test_hd95_is_the_larger_directed_percentile(there: np.ndarray, back: np.ndarray) -> None:
    expected = max(percentile_by_definition(there, 95), percentile_by_definition(back, 95))
    assert hd95(there, back) == pytest.approx(expected, abs=1e-9)
    assert hd95(back, there) == hd95(there, back)
    assert hd95(there, back) <= hd(there, back)


def test_hd95_of_a_ramp() -> None:
    assert hd95(np.arange(101.0), np.zeros(3)) == pytest.approx(95)
    assert hd95(np.array([4.0]), np.array([1.0, 2.0])) == 4


def test_hd95_keeps_a_far_but_small_surface_that_pooling_loses() -> None:
    there, back = np.zeros(1000), np.array([0.0, 50.0])
    assert hd95(there, back) == pytest.approx(47.5)
    assert np.percentile(np.concatenate([there, back]), 95) == 0


@pytest.mark.parametrize("measure", [hd, hd95])
def test_empty_surfaces_are_refused(measure: object) -> None:
    with pytest.raises(ValueError, match="empty surface"):
        measure(np.zeros(0), np.zeros(3))  # type: ignore[operator]


def test_percentiles_beyond_100_are_refused() -> None:
    with pytest.raises(ValueError, match=r"[Pp]ercentile"):
        hausdorff_percentile(np.zeros(3), np.zeros(3), 101)
