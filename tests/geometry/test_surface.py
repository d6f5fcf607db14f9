"""Surfaces and surface distances against definitions written out voxel by voxel."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import cKDTree

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


@given(st.one_of(pairs(2), pairs(3)), st.sampled_from([1, 3, 10]))
@settings(max_examples=80, deadline=None)
def test_search_of_all_rows_equals_brute_force(
    case: tuple[np.ndarray, np.ndarray, tuple[float, ...]], near_rows: int
) -> None:
    """Small masks are settled among the near rows; here there are hardly any."""
    a, b, spacing = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surface_module, "_NEAR_ROWS", near_rows)
        there, back = surface_distances(a, b, spacing)
    np.testing.assert_allclose(there, distances_by_definition(a, b, spacing), atol=1e-9)
    np.testing.assert_allclose(back, distances_by_definition(b, a, spacing), atol=1e-9)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.96, 0.96), (0.3, 2.0, 1.1), (40.0, 0.1, 5.0)])
@pytest.mark.parametrize("shift", [0, 2, 9, 60])
def test_large_surfaces_have_the_distances_of_a_tree(spacing: tuple[float, ...], shift: int) -> None:
    a = ball((24, 48, 120), (12, 20, 20), 11)
    b = ball((24, 48, 120), (11, 20, 21 + shift), 10) | ball((24, 48, 120), (3, 44, 3), 3)
    there, back = surface_distances(a, b, spacing)
    points_a, points_b = (np.argwhere(surface_mask(mask)) * spacing for mask in (a, b))
    np.testing.assert_allclose(there, cKDTree(points_b).query(points_a)[0], atol=1e-9)
    np.testing.assert_allclose(back, cKDTree(points_a).query(points_b)[0], atol=1e-9)


@pytest.mark.parametrize("ndim", [2, 3])
def test_noise_against_a_voxel_and_against_noise(ndim: int) -> None:
    random = np.random.default_rng(ndim)
    shape, spacing = (14, 30, 40)[-ndim:], (2.0, 0.9, 1.1)[-ndim:]
    noise, other = random.random((2, *shape)) < 0.2
    voxel = np.zeros(shape, dtype=bool)
    voxel[(0,) * ndim] = True
    for a, b in ((noise, other), (noise, voxel), (voxel, noise)):
        there, _ = surface_distances(a, b, spacing)
        points_a, points_b = (np.argwhere(surface_mask(mask)) * spacing for mask in (a, b))
        np.testing.assert_allclose(there, cKDTree(points_b).query(points_a)[0], atol=1e-9)


def test_read_only_and_strided_masks_give_the_same() -> None:
    a, b = ball((9, 9, 18), (4, 4, 9), 4), ball((9, 9, 18), (5, 4, 8), 3)
    expected = surface_distances(a[..., ::2].copy(), b[..., ::2].copy(), (1, 1, 2))
    a.flags.writeable = False
    for one, other in zip(surface_distances(a[..., ::2], b[..., ::2], (1, 1, 2)), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_numba_is_imported_only_when_distances_are_computed() -> None:
    code = "import sys, harness.metrics, harness.geometry.surface; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_a_place_for_a_cache_it_is_compiled_anew() -> None:
    """As in an installation that nobody may write to, without a home folder."""
    code = (
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "from harness.geometry import kernels\n"
        "import numpy as np\n"
        "print(kernels.number_components(kernels.runs_of(np.ones((1, 1, 3), np.uint8)))[0])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "1"


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
