"""Components and what they share, against scipy and against counting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from harness.geometry.overlaps import component_overlaps


def shapes(ndim: int) -> st.SearchStrategy[tuple[int, ...]]:
    return hnp.array_shapes(min_dims=ndim, max_dims=ndim, min_side=1, max_side=6)


def pairs(ndim: int) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    return shapes(ndim).flatmap(lambda s: st.tuples(hnp.arrays(bool, s), hnp.arrays(bool, s)))


def numbered(mask: np.ndarray) -> tuple[np.ndarray, int]:
    return ndimage.label(mask, structure=np.ones((3,) * mask.ndim))


@given(st.one_of(pairs(2), pairs(3)))
@settings(max_examples=200, deadline=None)
def test_components_are_scipys_in_the_order_of_a_scan(case: tuple[np.ndarray, np.ndarray]) -> None:
    found = component_overlaps(*case)
    for mask, sizes in zip(case, (found.sizes_a, found.sizes_b), strict=True):
        numbers, count = numbered(mask)
        assert sizes.tolist() == np.bincount(numbers.ravel(), minlength=count + 1)[1:].tolist()


@given(st.one_of(pairs(2), pairs(3)))
@settings(max_examples=200, deadline=None)
def test_shared_voxels_are_counted_pair_by_pair(case: tuple[np.ndarray, np.ndarray]) -> None:
    found = component_overlaps(*case)
    (one, _), (two, _) = map(numbered, case)
    expected: dict[tuple[int, int], int] = {}
    for place in zip(*np.nonzero(case[0] & case[1]), strict=True):
        pair = (int(one[place]) - 1, int(two[place]) - 1)
        expected[pair] = expected.get(pair, 0) + 1
    shared = dict(zip(map(tuple, found.pairs.tolist()), found.shared.tolist(), strict=True))
    assert shared == expected
    assert list(shared) == sorted(shared)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.9])
def test_large_noisy_volumes(share: float) -> None:
    a, b = np.random.default_rng(1).random((2, 20, 60, 70)) < share
    found = component_overlaps(a, b)
    for mask, sizes in ((a, found.sizes_a), (b, found.sizes_b)):
        numbers, count = numbered(mask)
        assert sizes.tolist() == np.bincount(numbers.ravel(), minlength=count + 1)[1:].tolist()
    assert found.shared.sum() == np.count_nonzero(a & b)


def test_a_corner_joins_and_a_gap_does_not() -> None:
    mask = np.zeros((2, 2, 5), dtype=bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[0, 0, 4] = True
    assert component_overlaps(mask, mask).sizes_a.tolist() == [2, 1]


def test_a_branching_component_is_one() -> None:
    """Its arms are met one by one and joined at the end."""
    comb = np.zeros((1, 4, 9), dtype=bool)
    comb[0, :, ::2] = comb[0, 3] = True
    assert component_overlaps(comb, ~comb).sizes_a.tolist() == [comb.sum()]


@pytest.mark.parametrize(("one", "two"), [((2, 3), (3, 2)), ((4,), (4,))])
def test_masks_that_do_not_fit_are_refused(one: tuple[int, ...], two: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="masks must"):
        component_overlaps(np.ones(one, dtype=bool), np.ones(two, dtype=bool))
