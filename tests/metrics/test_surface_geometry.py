"""Surfaces and surface distances against definitions written out voxel by voxel."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.geometry import surface as surface_module
from harness.geometry.surface import bounding_box, surface_distances, surface_mask

spacings = st.floats(0.2, 5.0, allow_nan=False)


def masks(ndim: int, smallest: int = 2) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(bool, hnp.array_shapes(min_dims=ndim, max_dims=ndim, min_side=smallest, max_side=5))


def pairs(ndim: int) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray, tuple[float, ...]]]:
    shape = hnp.array_shapes(min_dims=ndim, max_dims=ndim, min_side=2, max_side=5)
    return shape.flatmap(
        lambda s: st.tuples(
            hnp.arrays(bool, s).filter(np.any),
            hnp.arrays(bool, s).filter(np.any),
            st.tuples(*[spacings] * ndim),
        )
    )


def surface_by_definition(mask: np.ndarray) -> np.ndarray:
    """A voxel with a face neighbour that is background or beyond the array."""
    result = np.zeros_like(mask)
    for place in zip(*np.nonzero(mask), strict=True):
        for axis, step in itertools.product(range(mask.ndim), (-1, 1)):
            neighbour = list(place)
            neighbour[axis] += step
            beyond = not 0 <= neighbour[axis] < mask.shape[axis]
            if beyond or not mask[tuple(neighbour)]:
                result[place] = True
    return result


def distances_by_definition(a: np.ndarray, b: np.ndarray, spacing: tuple[float, ...]) -> list[float]:
    other = np.argwhere(surface_by_definition(b))
    return [
        min(math.dist(p * np.array(spacing), q * np.array(spacing)) for q in other)
        for p in np.argwhere(surface_by_definition(a))
    ]


def ball(shape: tuple[int, ...], centre: tuple[float, ...], radius: float) -> np.ndarray:
    grid = np.indices(shape)
    return sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) <= radius**2


@given(st.one_of(masks(2), masks(3)))
@settings(max_examples=80, deadline=None)
def test_surface_is_the_set_of_voxels_with_a_background_face(mask: np.ndarray) -> None:
    before = mask.copy()
    np.testing.assert_array_equal(surface_mask(mask), surface_by_definition(mask))
    np.testing.assert_array_equal(mask, before)


def test_surface_of_a_cube_is_its_shell() -> None:
    mask = np.zeros((7, 7, 7), dtype=bool)
    mask[1:6, 1:6, 1:6] = True
    assert surface_mask(mask).sum() == 5**3 - 3**3


def test_voxels_on_the_border_of_a_full_volume_are_surface() -> None:
    assert surface_mask(np.ones((5, 6, 7), dtype=bool)).sum() == 5 * 6 * 7 - 3 * 4 * 5


def test_a_diagonal_neighbour_is_no_face() -> None:
    mask = np.ones((5, 5), dtype=bool)
    mask[0, 0] = mask[1, 1] = False
    assert not surface_mask(mask)[2, 2]


def test_empty_mask_has_an_empty_surface_and_a_voxel_is_its_own() -> None:
    assert not surface_mask(np.zeros((3, 4, 5), dtype=bool)).any()
    one = np.zeros((3, 3, 3), dtype=bool)
    one[1, 1, 1] = True
    np.testing.assert_array_equal(surface_mask(one), one)
    assert surface_mask(np.ones((1, 1), dtype=bool)).all()


@given(masks(2))
@settings(max_examples=40, deadline=None)
def test_a_single_slice_is_a_2d_image(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(surface_mask(mask[None])[0], surface_mask(mask))


@given(st.one_of(pairs(2), pairs(3)))
@settings(max_examples=80, deadline=None)
def test_distances_equal_brute_force(case: tuple[np.ndarray, np.ndarray, tuple[float, ...]]) -> None:
    a, b, spacing = case
    there, back = surface_distances(a, b, spacing)
    assert there.dtype == back.dtype == np.float64
    np.testing.assert_allclose(there, distances_by_definition(a, b, spacing), atol=1e-9)
    np.testing.assert_allclose(back, distances_by_definition(b, a, spacing), atol=1e-9)


@given(st.one_of(pairs(2), pairs(3)))
@settings(max_examples=80, deadline=None)
def test_neighbour_look_up_equals_brute_force(case: tuple[np.ndarray, np.ndarray, tuple[float, ...]]) -> None:
    """Small masks go to the KD-tree at once; here the look-up is made to answer first."""
    a, b, spacing = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surface_module, "_FEW_POINTS", 0)
        there, _ = surface_distances(a, b, spacing)
    np.testing.assert_allclose(there, distances_by_definition(a, b, spacing), atol=1e-9)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.96, 0.96), (0.3, 2.0, 1.1)])
@pytest.mark.parametrize("shift", [0, 2, 9])
def test_look_up_and_tree_agree_on_large_surfaces(
    spacing: tuple[float, ...], shift: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = ball((24, 48, 48), (12, 20, 20), 11)
    b = ball((24, 48, 48), (11, 20 + shift, 21), 10)
    mixed = surface_distances(a, b, spacing)
    monkeypatch.setattr(surface_module, "_FEW_POINTS", 10**9)
    tree_only = surface_distances(a, b, spacing)
    for one, other in zip(mixed, tree_only, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_two_voxels_are_apart_by_their_spacing() -> None:
    a, b = np.zeros((2, 8, 9, 10), dtype=bool)
    a[0, 0, 0], b[7, 8, 9] = True, True
    there, back = surface_distances(a, b, (3.0, 0.5, 0.25))
    expected = math.sqrt(21**2 + 4**2 + 2.25**2)
    np.testing.assert_allclose([there, back], [[expected], [expected]])


def test_parallel_planes_are_one_gap_apart_everywhere() -> None:
    a, b = np.zeros((2, 6, 5, 5), dtype=bool)
    a[1], b[4] = True, True
    there, back = surface_distances(a, b, (2.5, 1, 1))
    np.testing.assert_allclose(there, 7.5)
    np.testing.assert_allclose(back, 7.5)
    assert len(there) == len(back) == 25


def test_concentric_squares() -> None:
    a, b = np.zeros((2, 11, 11), dtype=bool)
    a[3:8, 3:8], b[1:10, 1:10] = True, True
    there, back = surface_distances(a, b, (1, 1))
    np.testing.assert_allclose(there, 2)
    assert back.max() == pytest.approx(2 * math.sqrt(2))


def test_identical_masks_have_zero_distances() -> None:
    a = ball((9, 9, 9), (4, 4, 4), 3)
    there, back = surface_distances(a, a, (1, 2, 3))
    assert not there.any()
    assert not back.any()


def test_what_lies_around_the_masks_does_not_matter() -> None:
    a, b = ball((9, 9, 9), (4, 4, 4), 3), ball((9, 9, 9), (5, 4, 3), 2)
    wide_a, wide_b = np.pad(a, 7), np.pad(b, 7)
    for one, other in zip(
        surface_distances(a, b, (1, 1, 2)), surface_distances(wide_a, wide_b, (1, 1, 2)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("which", [0, 1])
def test_empty_masks_are_refused(which: int) -> None:
    pair = [np.ones((3, 3, 3), dtype=bool), np.ones((3, 3, 3), dtype=bool)]
    pair[which][:] = False
    with pytest.raises(ValueError, match="empty mask is undefined"):
        surface_distances(pair[0], pair[1], (1, 1, 1))


@pytest.mark.parametrize("spacing", [(1, 1), (1, 1, 0), (1, -1, 1), (1, 1, math.nan), (1, 1, math.inf)])
def test_wrong_spacing_is_refused(spacing: tuple[float, ...]) -> None:
    mask = np.ones((3, 3, 3), dtype=bool)
    with pytest.raises(ValueError, match="spacing must be 3 positive numbers"):
        surface_distances(mask, mask, spacing)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape \(got \(3, 3\) and \(3, 4\)\)"):
        surface_distances(np.ones((3, 3), dtype=bool), np.ones((3, 4), dtype=bool), (1, 1))


def test_bounding_box_is_tight_and_its_margin_stays_inside() -> None:
    mask = np.zeros((6, 7), dtype=bool)
    mask[2:4, 5] = True
    assert bounding_box(mask) == (slice(2, 4), slice(5, 6))
    assert bounding_box(mask, margin=2) == (slice(0, 6), slice(3, 7))
    assert mask[bounding_box(np.zeros_like(mask))].size == 0
