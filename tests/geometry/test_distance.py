"""Signed distance maps against the definition, computed pixel by pixel."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from harness.geometry import signed_distance_map, signed_distance_maps

E2 = np.array([[1, 1], [0, 1]], dtype=np.int64)
ROW = np.array([[0, 0, 1, 1, 0, 0]], dtype=bool)

steps = st.floats(0.25, 4.0)
masks = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=5))


def brute_force(mask, spacing, offset):
    """The definition: nearest voxel of the other side, over all pairs."""
    phi = np.zeros(mask.shape)
    if not mask.any() or mask.all():
        return phi
    voxels = list(itertools.product(*map(range, mask.shape)))
    for here in voxels:
        other = [there for there in voxels if mask[there] != mask[here]]
        d = min(np.linalg.norm((np.array(here) - np.array(there)) * spacing) for there in other)
        h = min(spacing) / 2
        outside, inside = {"half": (d - h, h - d), "kervadec": (d, 1 - d)}[offset]
        phi[here] = inside if mask[here] else outside
    return phi


@settings(max_examples=60, deadline=None)
@given(masks, st.data(), st.sampled_from(["half", "kervadec"]))
def test_map_equals_the_definition_in_2d_and_3d_under_any_spacing(mask, data, offset):
    spacing = data.draw(st.tuples(*[steps] * mask.ndim))
    np.testing.assert_allclose(
        signed_distance_map(mask, spacing, offset), brute_force(mask, spacing, offset), atol=1e-4
    )


def by_scipy(mask, spacing, offset="half"):
    """The map in float64 from an independent distance transform, which takes two passes."""
    if not mask.any() or mask.all():
        return np.zeros(mask.shape)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    h = min(spacing) / 2
    return np.where(mask, *{"half": (h - inside, outside - h), "kervadec": (1 - inside, outside)}[offset])


@settings(max_examples=150, deadline=None)
@given(
    arrays.arrays(
        np.uint8,
        arrays.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=9),
        elements=st.sampled_from([0, 0, 1, 2, 255]),
    ),
    st.integers(2, 4),
    st.data(),
    st.sampled_from(["half", "kervadec"]),
)
def test_maps_of_all_classes_equal_scipy_under_extreme_anisotropy(labels, n_classes, data, offset):
    spacing = data.draw(st.tuples(*[st.floats(-4, 4).map(lambda power: 10.0**power)] * labels.ndim))
    maps = signed_distance_maps(labels, n_classes, spacing, offset)
    for label in range(n_classes):
        expected = by_scipy(labels == label, spacing, offset)
        shift = min(spacing) / 2 if offset == "half" else 1
        # The error is relative to the distance, before the shift.
        assert (np.abs(maps[label] - expected) <= 1e-6 * (np.abs(expected) + shift)).all()


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((700, 900), (0.96, 1.13)),
        ((700, 900), (1, 1)),
        ((12, 256, 256), (3, 0.96, 0.96)),
        ((3, 2000), (5, 0.1)),
    ],
)
@pytest.mark.parametrize("content", ["one pixel", "corner", "all but one", "border", "noise"])
def test_large_arrays_keep_a_relative_error_below_one_in_a_million(shape, spacing, content):
    mask = np.zeros(shape, dtype=bool)
    if content == "noise":
        mask = np.random.default_rng(3).random(shape) < 1e-3
    elif content == "border":
        mask[..., :7] = True
    else:
        mask[(0,) * mask.ndim if content == "corner" else tuple(side // 3 for side in shape)] = True
        if content == "all but one":
            mask = ~mask
    np.testing.assert_allclose(
        signed_distance_map(mask, spacing), by_scipy(mask, spacing), rtol=1e-6, atol=1e-6 * min(spacing)
    )


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda a: a[::-1, ::2], lambda a: a.swapaxes(0, 1)])
def test_the_layout_in_memory_does_not_matter(layout):
    mask = layout(np.random.default_rng(4).random((9, 14)) < 0.2)
    np.testing.assert_allclose(signed_distance_map(mask, (3, 0.7)), by_scipy(mask, (3, 0.7)), rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(masks, st.data())
def test_half_offset_is_right_in_sign_and_antisymmetric(mask, data):
    spacing = data.draw(st.tuples(*[steps] * mask.ndim))
    phi = signed_distance_map(mask, spacing)
    if mask.any() and not mask.all():
        assert (phi[mask] < 0).all()
        assert (phi[~mask] > 0).all()
    np.testing.assert_array_equal(signed_distance_map(~mask, spacing), -phi)


@pytest.mark.parametrize(
    ("spacing", "offset", "expected"),
    [
        ((1, 1), "half", [[-0.5, -0.914214], [0.5, -0.5]]),
        ((1, 1), "kervadec", [[0, -0.414214], [1, 0]]),
        ((2, 0.5), "half", [[-1.75, -1.811553], [0.25, -0.25]]),
    ],
)
def test_worked_map_of_e2(spacing, offset, expected):
    np.testing.assert_allclose(signed_distance_map(E2 == 1, spacing, offset), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("spacing", "offset", "expected"),
    [
        (1, "half", [1.5, 0.5, -0.5, -0.5, 0.5, 1.5]),
        (1, "kervadec", [2, 1, 0, 0, 1, 2]),
        (0.5, "kervadec", [1, 0.5, 0.5, 0.5, 0.5, 1]),
        (0.5, "half", [0.75, 0.25, -0.25, -0.25, 0.25, 0.75]),
    ],
)
def test_worked_map_of_a_row(spacing, offset, expected):
    np.testing.assert_array_equal(signed_distance_map(ROW, (spacing, spacing), offset)[0], expected)


@pytest.mark.parametrize("offset", ["half", "kervadec"])
@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 4), (1, 1)])
def test_empty_or_full_mask_has_no_boundary(shape, value, offset):
    phi = signed_distance_map(np.full(shape, value), (1,) * len(shape), offset)
    assert phi.shape == shape
    assert not phi.any()


def test_maps_are_float32_and_keep_fractions():
    phi = signed_distance_map(E2 == 1, (1, 1))
    assert phi.dtype == np.float32
    assert phi[0, 1] != np.trunc(phi[0, 1])


def test_two_classes_have_opposite_maps():
    half = signed_distance_maps(E2, 2, (1, 1), "half")
    np.testing.assert_array_equal(half[0], -half[1])
    kervadec = signed_distance_maps(E2, 2, (1, 1), "kervadec")
    np.testing.assert_allclose(kervadec[0] + kervadec[1], 1, atol=1e-6)


def test_ignore_label_lies_outside_every_class():
    labels = np.array([[0, 1, 255, 2]], dtype=np.uint8)
    maps = signed_distance_maps(labels, 4, (1, 1))
    assert maps.shape == (4, 1, 4)
    assert (maps[:3, 0, 2] > 0).all()
    np.testing.assert_array_equal(maps[1, 0], [0.5, -0.5, 0.5, 1.5])
    assert not maps[3].any()


def test_every_class_has_the_map_of_its_mask_in_3d():
    labels = np.random.default_rng(0).integers(0, 3, (3, 4, 5))
    maps = signed_distance_maps(labels, 3, (3, 1, 1))
    for label in range(3):
        np.testing.assert_array_equal(maps[label], signed_distance_map(labels == label, (3, 1, 1)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: signed_distance_map(E2, (1, 1)), "mask must be boolean \\(got int64\\)"),
        (lambda: signed_distance_map(ROW[0], (1,)), "mask must be 2D or 3D"),
        (lambda: signed_distance_map(ROW, (1, 1, 1)), "one value per axis, 2 in all"),
        (lambda: signed_distance_map(ROW, (1, 0)), "spacing must be positive and finite"),
        (lambda: signed_distance_map(ROW, (1, 1), "none"), "offset must be one of"),
        (lambda: signed_distance_maps(E2 == 1, 2, (1, 1)), "labels must be integers \\(got bool\\)"),
        (lambda: signed_distance_maps(E2 / 1, 2, (1, 1)), "labels must be integers \\(got float64\\)"),
        (lambda: signed_distance_maps(E2, 0, (1, 1)), "n_classes must be >= 1"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
